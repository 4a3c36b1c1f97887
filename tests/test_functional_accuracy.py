"""S1 and S2: values and gradients of the losses against 50 digits, from 0 to 1e30."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import ironmlp as im
import tolerances
from golden import array, golden
from golden import name as golden_name
from ironmlp import functional as F
from networks import DTYPES, unit

Array = np.ndarray[Any, Any]

mpmath.mp.dps = 50

# Logits: the whole range, the region where sigmoid turns, and every binade's neighbourhood of it.
MAGNITUDES = [
    *(10.0**k for k in (-45, -38, -30, -20, -16, -10, -8, -7, -5, -3, -2)),
    *np.arange(0.0, 4.0, 0.173),
    *np.arange(4.0, 45.0, 1.37),
    *(87.0, 88.5, 100.0, 103.9, 104.5, 300.0, 700.0, 708.5, 709.5, 740.0, 745.5, 750.0),
    *(10.0**k for k in (3, 4, 6, 10, 16, 20, 30)),
]
LOGITS = [sign * x for x in MAGNITUDES for sign in (1.0, -1.0)]

# Probabilities: both ends, both clamps of the logarithm (exp(-100) = 3.7e-44) and of the gradient.
SMALL = [10.0**-k for k in (1, 2, 3, 5, 7, 8, 10, 11, 11.9, 12, 12.1, 13, 16, 20, 30, 43, 44, 45)]
PROBABILITIES = [*np.arange(0.0, 1.0, 0.037), *SMALL, *(1.0 - p for p in SMALL), 0.0, 1.0]

SOFT = (0.0, 1.0, 0.25, 0.9375)


def exactly(numbers: Array) -> list[Any]:
    """An array's numbers with 50 digits."""
    return [mpf(float(x)) for x in numbers.ravel()]


def assert_close(found: Array, exact: list[Any], scale: list[Any], times_eps: float) -> None:
    """|found - exact| <= times_eps * eps * scale, for each number.

    Below the smallest number that a dtype has, eps means one such number.
    """
    eps = mpf(tolerances.eps(found.dtype))
    least = mpf(float(np.finfo(found.dtype).smallest_subnormal))
    for k, (value, wanted, size) in enumerate(zip(exactly(found), exact, scale, strict=True)):
        within = times_eps * max(eps * abs(size), least)
        assert abs(value - wanted) <= within, f"number {k}: {value}, exactly {wanted}"


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x)) if x > -200 else mpmath.exp(x)


def softplus(x: Any) -> Any:
    if x > 200:
        return x
    return mpmath.log1p(mpmath.exp(x)) if x > -200 else mpmath.exp(x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid(dtype: str) -> None:
    x = np.array(LOGITS, dtype)
    found, exact = F.sigmoid(x), [sigmoid(z) for z in exactly(x)]
    # A unit in the last place is up to eps times the number, and half that on average.
    ulp = [mpf(float(u)) for u in np.spacing(np.abs(found.astype(dtype)))]
    for z, value, wanted, unit_ in zip(x, exactly(found), exact, ulp, strict=True):
        assert abs(value - wanted) <= tolerances.SIGMOID_ULP[dtype] * unit_, z


def test_sigmoid_backward() -> None:
    y, g = unit((7, 5), 1), 2.0 * unit((7, 5), 2) - 1.0
    found = F.sigmoid_backward(y, g)
    exact = [b * a * (1 - a) for a, b in zip(exactly(y), exactly(g), strict=True)]
    assert_close(found, exact, exact, tolerances.PRODUCT_EPS)


def weights(x: Array, weighted: bool) -> tuple[Array | None, list[Any]]:
    """A weight for each element, or none, and the same numbers with 50 digits."""
    weight = 4.0 * unit(x.shape, 9).astype(x.dtype) if weighted else None
    return weight, exactly(np.ones_like(x) if weight is None else weight)


WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


@WEIGHTED
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("q", [None, 2.5, 1e-3, 0.0])
@pytest.mark.parametrize("t", SOFT)
def test_sigmoid_cross_entropy(t: float, q: float | None, dtype: str, weighted: bool) -> None:
    x = np.array(LOGITS, dtype)
    targets = np.full_like(x, t)
    weight, w = weights(x, weighted)
    value, grad = F.sigmoid_cross_entropy_with_logits_value_and_grad(
        x, targets, weight=weight, pos_weight=q, reduction="none"
    )
    assert value.dtype == grad.dtype == dtype
    factor = mpf(1.0 if q is None else float(np.dtype(dtype).type(q)))
    each = list(zip(exactly(x), w, strict=True))
    value_exact = [a * ((1 - t) * softplus(z) + factor * t * softplus(-z)) for z, a in each]
    up, down = (
        [a * (1 - t) * sigmoid(z) for z, a in each],
        [a * factor * t * sigmoid(-z) for z, a in each],
    )
    assert_close(value, value_exact, value_exact, tolerances.BINARY_EPS)
    grad_exact = [a - b for a, b in zip(up, down, strict=True)]
    # For hard targets one of the two is 0, and this is relative to the gradient itself.
    sizes = [a + b for a, b in zip(up, down, strict=True)]
    assert_close(grad, grad_exact, sizes, tolerances.BINARY_EPS)


@WEIGHTED
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("t", SOFT)
def test_binary_cross_entropy(t: float, dtype: str, weighted: bool) -> None:
    p = np.array(PROBABILITIES, dtype)
    targets = np.full_like(p, t)
    weight, w = weights(p, weighted)
    value, grad = F.binary_cross_entropy_value_and_grad(p, targets, weight=weight, reduction="none")
    assert value.dtype == grad.dtype == dtype

    # Not log(1 - x): 50 digits are not enough for 1 - 1e-45.
    log_p = [mpmath.log(x) if x > 0 else mpf(-100) for x in exactly(p)]
    log_q = [mpmath.log1p(-x) if x < 1 else mpf(-100) for x in exactly(p)]
    exact = [
        -c * (t * max(a, -100) + (1 - t) * max(b, -100))
        for a, b, c in zip(log_p, log_q, w, strict=True)
    ]
    assert_close(value, exact, exact, tolerances.BINARY_EPS)
    least = mpf(float(np.dtype(dtype).type(1e-12)))
    up = [c * (1 - t) / max(1 - x, least) for x, c in zip(exactly(p), w, strict=True)]
    down = [c * t / max(x, least) for x, c in zip(exactly(p), w, strict=True)]
    exact = [a - b for a, b in zip(up, down, strict=True)]
    sizes = [a + b for a, b in zip(up, down, strict=True)]
    assert_close(grad, exact, sizes, tolerances.BINARY_EPS)


def rows_of_logits() -> Array:
    """Rows of five logits: ordinary ones, equal ones, far apart, and up to 1e30."""
    ordinary = 16.0 * unit((60, 5), 3) - 8.0
    scaled = [ordinary[:12] * scale for scale in (1e-20, 1e-3, 1.0, 10.0, 100.0, 1e4, 1e30 / 8)]
    special = [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [1e30, -1e30, 1e30, 0.0, 1.0],
        [-1e30, -1e30, -1e30, -1e30, -1e30],
        [1e30, 1e30, 1e30, 1e30, 1e30],
        [800.0, 0.0, -800.0, 799.0, 1.0],
        [0.0, -36.0, -37.0, -100.0, -745.0],
        [1e-30, 2e-30, 0.0, -1e-30, 5e-31],
    ]
    return np.concatenate([*scaled, np.array(special)])


def softmax_exactly(x: Array, t: list[Any], c: list[Any]) -> tuple[Any, list[Any]]:
    """Value and gradient of one row with targets t and class weights c."""
    z = exactly(x)
    top = max(z)
    e = [mpmath.exp(a - top) if a - top > -10_000 else mpf(0) for a in z]
    log_sum = mpmath.log(mpmath.fsum(e))
    w = [a * b for a, b in zip(t, c, strict=True)]
    value = mpmath.fsum(b * (top - a + log_sum) for a, b in zip(z, w, strict=True))
    total, mass = mpmath.fsum(w), mpmath.fsum(e)
    return value, [a / mass * total - b for a, b in zip(e, w, strict=True)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.125])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 1.0, 0.0, 3.0]])
@pytest.mark.parametrize("targets", ["classes", "shares"])
def test_softmax_cross_entropy(targets: str, weight: Any, smoothing: float, dtype: str) -> None:
    x = rows_of_logits().astype(dtype)
    n, k = x.shape
    labels = np.arange(n) % k
    shares = (0.5 * np.eye(k)[labels] + 0.5 * np.eye(k)[(labels + 1) % k]).astype(dtype)
    t = labels if targets == "classes" else shares
    value, grad = F.softmax_cross_entropy_with_logits_value_and_grad(
        x, t, weight=weight, label_smoothing=smoothing, reduction="none"
    )
    assert value.dtype == grad.dtype == dtype
    given = np.eye(k)[labels] if targets == "classes" else shares
    c = [mpf(w) for w in weight or [1.0] * k]
    for row in range(n):
        mixed = [(1 - mpf(smoothing)) * a + mpf(smoothing) / k for a in exactly(given[row])]
        value_exact, grad_exact = softmax_exactly(x[row], mixed, c)
        size = max(abs(value_exact), 1)
        assert_close(value[row : row + 1], [value_exact], [size], tolerances.SOFTMAX_EPS)
        sizes = [max(abs(g), 1) for g in grad_exact]
        assert_close(grad[row], grad_exact, sizes, tolerances.SOFTMAX_EPS)


def calls() -> list[tuple[str, Array, Array, dict[str, Any]]]:
    """Every loss: its first argument, the targets, and options."""
    x, p, rows = np.array(LOGITS), np.array(PROBABILITIES), rows_of_logits()
    t, u = np.resize(SOFT, x.shape), np.resize(SOFT, p.shape)
    classes, shares = np.arange(len(rows)) % 5, np.full(rows.shape, 0.2)
    per_class = {"weight": [0.5, 2.0, 1.0, 0.0, 3.0], "label_smoothing": 0.1, "ignore_index": 3}
    return [
        ("sigmoid_cross_entropy_with_logits", x, t, {}),
        ("sigmoid_cross_entropy_with_logits", x, t, {"weight": unit(x.shape, 4)}),
        ("sigmoid_cross_entropy_with_logits", x, t, {"pos_weight": 1.5}),
        ("binary_cross_entropy", p, u, {}),
        ("binary_cross_entropy", p, u, {"weight": unit(p.shape, 5)}),
        ("softmax_cross_entropy_with_logits", rows, classes, {}),
        ("softmax_cross_entropy_with_logits", rows, classes, per_class),
        ("softmax_cross_entropy_with_logits", rows, shares, {"label_smoothing": 0.1}),
    ]


def variants(name: str) -> list[Callable[..., Any]]:
    """A loss as value, gradient, and both."""
    return [getattr(F, name + end) for end in ("", "_grad", "_value_and_grad")]


def bits(numbers: Any) -> bytes:
    return np.asarray(numbers).tobytes()


CALLS = pytest.mark.parametrize(
    ("name", "outputs", "targets", "options"),
    calls(),
    ids=[f"{name}({', '.join(options)})" for name, _, _, options in calls()],
)


@CALLS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", F.REDUCTIONS)
def test_both_at_once_are_the_two_calls(
    name: str, outputs: Array, targets: Array, options: Any, reduction: str, dtype: str
) -> None:
    x = outputs.astype(dtype)
    alone, grad_alone, both = variants(name)
    value, grad = both(x, targets, reduction=reduction, **options)
    assert bits(value) == bits(alone(x, targets, reduction=reduction, **options))
    assert bits(grad) == bits(grad_alone(x, targets, reduction=reduction, **options))
    assert np.isfinite(value).all()
    assert np.isfinite(grad).all()
    assert grad.dtype == dtype
    assert grad.shape == x.shape


@CALLS
@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_and_mean_are_those_of_the_elements(
    name: str, outputs: Array, targets: Array, options: Any, dtype: str
) -> None:
    x = outputs.astype(dtype)
    both = variants(name)[2]
    values, grads = both(x, targets, reduction="none", **options)
    total = mpmath.fsum(exactly(values))
    divisor = divisor_of_mean(targets, options)
    for reduction, over in (("sum", 1.0), ("mean", divisor)):
        value, grad = both(x, targets, reduction=reduction, **options)
        # Each loss of "none" is rounded to its dtype, those of a sum are not.
        assert abs(mpf(value) - total / over) <= tolerances.SUM_EPS * tolerances.eps(dtype) * abs(
            total / over
        )
        expected = [g / over for g in exactly(grads)]
        assert_close(grad, expected, expected, tolerances.PRODUCT_EPS)


def divisor_of_mean(targets: Array, options: Any) -> Any:
    """Elements; for class indices the sum of their weights; for shares the rows."""
    if targets.ndim == 2:
        return mpf(len(targets))
    if "ignore_index" in options:
        kept = targets[targets != options["ignore_index"]]
        return mpf(float(np.array(options["weight"])[kept].sum()))
    return mpf(targets.size)


def test_a_sum_of_many_losses() -> None:
    x, t = 16.0 * unit((5000,), 6) - 8.0, np.round(unit((5000,), 7))
    values = F.sigmoid_cross_entropy_with_logits(x, t, reduction="none")
    total = mpmath.fsum(exactly(values))
    found = F.sigmoid_cross_entropy_with_logits(x, t, reduction="sum")
    assert abs(mpf(found) - total) <= tolerances.SUM_EPS * tolerances.eps(float) * total


def test_what_has_no_weight_is_zero() -> None:
    x = np.array([[1.0, -2.0, 0.5]])
    for reduction in ("mean", "sum"):
        value, grad = F.softmax_cross_entropy_with_logits_value_and_grad(
            x, [2], ignore_index=2, reduction=reduction
        )
        assert value == 0.0
        np.testing.assert_array_equal(grad, np.zeros_like(x))
        value, grad = F.softmax_cross_entropy_with_logits_value_and_grad(
            x, [2], weight=[1.0, 1.0, 0.0], reduction=reduction
        )
        assert value == 0.0
        np.testing.assert_array_equal(grad, np.zeros_like(x))


def in_functional(case: dict[str, Any]) -> bool:
    """Whether a PyTorch case is of a loss that `functional` has."""
    return case["name"] in ("BinaryCrossEntropy", "CrossEntropy")


def assert_torch(found: Any, expected: Any) -> None:
    largest = np.abs(array(expected)).max()
    assert np.abs(found - array(expected)).max() <= tolerances.TORCH * largest


@pytest.mark.parametrize("case", [*filter(in_functional, golden()["losses"])], ids=golden_name)
def test_functional_is_pytorchs(case: dict[str, Any]) -> None:
    given = dict(case["options"])
    name = "softmax_cross_entropy_with_logits"
    if case["name"] == "BinaryCrossEntropy":
        logits = given.pop("from_logits", True)
        name = "sigmoid_cross_entropy_with_logits" if logits else "binary_cross_entropy"
    given["weight"] = given.pop("class_weight", case["weight"])
    both = variants(name)[2]
    value, grad = both(array(case["outputs"]), array(case["targets"]), **given)
    assert_torch(value, case["value"])
    assert_torch(grad, case["grad"])


def in_models(case: dict[str, Any]) -> bool:
    """Whether a PyTorch case is of a loss that models have: reduced, and with weights of rows."""
    return case["weight"] is None and case["options"]["reduction"] != "none"


@pytest.mark.parametrize("case", [*filter(in_models, golden()["losses"])], ids=golden_name)
def test_losses_of_models_are_pytorchs(case: dict[str, Any]) -> None:
    outputs, targets = array(case["outputs"]), array(case["targets"])
    loss = getattr(im, case["name"])(**case["options"])
    if getattr(loss, "from_logits", True):
        # The identity: outputs are inputs, and the gradient by either is the same.
        net = im.Sequential(
            [im.Linear(4, 4, bias=False, init="zeros")], loss=loss, dtype="float64", seed=0
        )
        net.load_state_dict({"0.weight": np.eye(4)})
        value, _, grad = net.loss_and_grad(outputs, targets, input_grad=True)
    else:
        # Sigmoid makes the probabilities here, and dy/dx = y (1 - y) carries their gradient on.
        net = im.Sequential(
            [im.Linear(4, 4, bias=False), im.Sigmoid()], loss=loss, dtype="float64", seed=0
        )
        net.load_state_dict({"0.weight": np.eye(4)})
        found = net.trace(np.log(outputs) - np.log1p(-outputs), targets)
        value, grad = found["loss"], found["1.grad_output"]
    assert_torch(value, case["value"])
    assert_torch(grad, case["grad"])


@pytest.mark.parametrize("case", golden()["activations"], ids=golden_name)
def test_activations_are_pytorchs(case: dict[str, Any]) -> None:
    layer = getattr(im, case["name"])(**case["options"])
    net = im.Sequential([im.Linear(1, 1, bias=False), layer], loss="mse", dtype="float64", seed=0)
    net.load_state_dict({"0.weight": [[1.0]]})
    X, grad_output = array(case["x"])[:, np.newaxis], array(case["grad_output"])[:, np.newaxis]
    _, grad = net.backward(X, grad_output, input_grad=True)
    assert_torch(net(X)[:, 0], case["y"])
    assert_torch(grad[:, 0], case["grad"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul(dtype: str) -> None:
    for m, k, n in itertools.product((1, 3, 17), (1, 2, 40), (1, 5, 33)):
        a, b = (2.0 * unit(shape, 8) - 1.0 for shape in ((m, k), (k, n)))
        found = F.matmul(a.astype(dtype), b.astype(dtype))
        # Products are multiples of 2**-40, their sums below 64: a @ b is exact, and so is ours in
        # float64.
        roundings = k if dtype == "float32" else 0
        within = roundings * tolerances.eps(dtype) * (np.abs(a) @ np.abs(b))
        assert (np.abs(found - a @ b) <= within).all()
        assert found.dtype == dtype
