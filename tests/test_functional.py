"""functional: dtypes, shapes, broadcasting, reductions and small examples."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp.functional as F
from ironmlp import functional

RNG = np.random.default_rng(0)

# Each loss with a first argument and targets of shape (6, 3).
LOGITS = RNG.normal(size=(6, 3)) * 3
CHANCES = RNG.uniform(0.01, 0.99, size=(6, 3))
TARGETS = RNG.uniform(size=(6, 3))
SHARES = TARGETS / TARGETS.sum(axis=1, keepdims=True)

LOSSES = {
    "binary_cross_entropy": (CHANCES, TARGETS),
    "sigmoid_cross_entropy_with_logits": (LOGITS, TARGETS),
    "softmax_cross_entropy_with_logits": (LOGITS, SHARES),
}
ELEMENTWISE = list(LOSSES)[:2]


def functions(name: str) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    return getattr(F, name), getattr(F, f"{name}_grad"), getattr(F, f"{name}_value_and_grad")


def test_all_names_exist_and_losses_come_in_threes() -> None:
    assert all(callable(getattr(functional, name)) for name in functional.__all__)
    for name in LOSSES:
        assert {name, f"{name}_grad", f"{name}_value_and_grad"} <= set(functional.__all__)


# matmul and sigmoid


@pytest.mark.parametrize(
    ("a", "b", "dtype"),
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float16", "float16", "float64"),
        ("int64", "bool", "float64"),
    ],
)
def test_matmul(a: str, b: str, dtype: Any) -> None:
    left, right = (LOGITS * 2).astype(a), (LOGITS.T * 2).astype(b)
    product = F.matmul(left, right)
    assert product.dtype == dtype
    expected = left.astype(np.float64) @ right.astype(np.float64)
    np.testing.assert_allclose(product, expected, rtol=1e-5)


@pytest.mark.parametrize("shapes", [((0, 3), (3, 2)), ((2, 0), (0, 4)), ((2, 3), (3, 0))])
def test_matmul_of_nothing(shapes: Any) -> None:
    a, b = (np.ones(shape) for shape in shapes)
    assert np.array_equal(F.matmul(a, b), a @ b)


def test_matmul_of_lists_and_views() -> None:
    assert F.matmul([[1, 2]], [[3], [4]]).tolist() == [[11.0]]
    a = LOGITS[::2, ::-1]
    np.testing.assert_allclose(F.matmul(a, a.T), a @ a.T, rtol=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "error", "words"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), ValueError, ["a has 3 columns, b has 2 rows"]),
        (np.ones(3), np.ones((3, 2)), ValueError, ["a has shape (3,)", "2 dimensions"]),
        (np.ones((2, 3)), np.ones((1, 3, 2)), ValueError, ["b has shape (1, 3, 2)"]),
        (np.ones((2, 3)) * 1j, np.ones((3, 2)), TypeError, ["a has dtype complex128"]),
        (np.ones((2, 3)), np.ones((3, 2), dtype=object), TypeError, ["b has dtype object"]),
        ([["1"]], [[1]], TypeError, ["a has dtype", "strings"]),
    ],
)
def test_matmul_refuses(a: Any, b: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        F.matmul(a, b)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3), (2, 0, 4), (2, 3, 4, 5)])
def test_sigmoid_of_any_shape(shape: tuple[int, ...]) -> None:
    x = RNG.normal(size=shape)
    y = F.sigmoid(x)
    assert y.shape == shape
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-x)), rtol=1e-14)
    gradient = F.sigmoid_backward(y, np.full(shape, 2.0))
    np.testing.assert_allclose(gradient, 2 * y * (1 - y), rtol=1e-14)


def test_sigmoid_dtypes() -> None:
    assert F.sigmoid(np.zeros(3, np.float32)).dtype == np.float32
    assert F.sigmoid(np.zeros(3, np.float16)).dtype == np.float64
    assert F.sigmoid([0]).tolist() == [0.5]
    assert F.sigmoid(0.0) == 0.5
    assert F.sigmoid_backward(np.zeros(3, np.float32), np.zeros(3)).dtype == np.float64


def test_sigmoid_backward_takes_the_output() -> None:
    assert F.sigmoid_backward([0.25], [1.0]).tolist() == [0.1875]
    with pytest.raises(ValueError, match=r"output has shape \(3,\), grad_output has \(3, 1\)"):
        F.sigmoid_backward(np.zeros(3), np.zeros((3, 1)))


# The losses by hand


def test_binary_cross_entropy_example() -> None:
    y, p = [0, 1, 0], [0.2, 0.6, 0.8]
    value, gradient = F.binary_cross_entropy_value_and_grad(p, y)
    assert value == pytest.approx(-np.mean(np.log([0.8, 0.6, 0.2])), rel=1e-14)
    np.testing.assert_allclose(gradient, [0.41667, -0.55556, 1.66667], atol=5e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_reductions(name: str, reduction: str, weighted: bool) -> None:
    x, t = LOSSES[name]
    weight = np.array([0.5, 1.0, 3.0]) if weighted else None
    by_class = np.ones(3) if weight is None else weight
    if name == "softmax_cross_entropy_with_logits":
        log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
        each = -(by_class * t * log_p).sum(axis=1)
        divisor: float = len(x)
    else:
        p = x if name == "binary_cross_entropy" else 1 / (1 + np.exp(-x))
        each = -by_class * (t * np.log(p) + (1 - t) * np.log(1 - p))
        divisor = x.size
    expected = {"none": each, "sum": each.sum(), "mean": each.sum() / divisor}[reduction]
    value, grad, both = functions(name)
    found = value(x, t, weight=weight, reduction=reduction)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert isinstance(found, np.ndarray if reduction == "none" else float)
    gradient = grad(x, t, weight=weight, reduction=reduction)
    assert gradient.shape == x.shape
    together = both(x, t, weight=weight, reduction=reduction)
    assert np.array_equal(together[0], found)
    assert np.array_equal(together[1], gradient)
    scale = divisor if reduction == "mean" else 1.0
    np.testing.assert_allclose(
        gradient * scale, grad(x, t, weight=weight, reduction="none"), rtol=1e-12
    )


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("given", "dtype"),
    [("float32", "float32"), ("float64", "float64"), ("float16", "float64")],
)
def test_the_first_argument_decides_the_dtype(name: str, given: Any, dtype: Any) -> None:
    x, t = LOSSES[name]
    value, grad, _ = functions(name)
    assert grad(x.astype(given), t).dtype == dtype
    assert value(x.astype(given), t, reduction="none").dtype == dtype
    np.testing.assert_allclose(value(x.astype(given), t), value(x, t), rtol=1e-2)


@pytest.mark.parametrize("name", LOSSES)
def test_reduction_names(name: str) -> None:
    x, t = LOSSES[name]
    for function in functions(name):
        with pytest.raises(ValueError, match="reduction is 'avg', it must be one of 'none'"):
            function(x, t, reduction="avg")
        with pytest.raises(TypeError):
            function(x, t, None)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shape", [(), (5,), (0,), (2, 3, 4)])
def test_elementwise_shapes(name: str, shape: tuple[int, ...]) -> None:
    x, t = np.full(shape, 0.25), np.full(shape, 1.0)
    value, grad, _ = functions(name)
    assert value(x, t, reduction="none").shape == shape
    assert grad(x, t).shape == shape
    if x.size == 0:
        assert value(x, t) == 0.0


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_targets_never_broadcast(name: str) -> None:
    for function in functions(name):
        with pytest.raises(ValueError, match=r"has shape \(4, 1\), targets has \(4,\)"):
            function(np.full((4, 1), 0.5), np.ones(4))
        with pytest.raises(ValueError, match=r"has shape \(4,\), targets has \(\)"):
            function(np.full(4, 0.5), 1.0)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_weights_broadcast(name: str) -> None:
    x, t = LOSSES[name]
    value, _, _ = functions(name)
    plain = value(x, t, reduction="none")
    for weight in (2, [1.0, 0.0, 2.0], np.arange(6.0)[:, np.newaxis], np.ones((6, 3))):
        found = value(x, t, weight=weight, reduction="none")
        np.testing.assert_allclose(found, plain * weight, rtol=1e-14)
    with pytest.raises(ValueError, match=r"weight has shape \(2,\), .*\(6, 3\)"):
        value(x, t, weight=[1.0, 2.0])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bad", [np.ones((6, 3)) * 1j, np.full((6, 3), None), np.full((6, 3), "a")])
def test_dtypes_that_are_no_real_numbers(name: str, bad: Any) -> None:
    x, t = LOSSES[name]
    first = "probabilities" if name == "binary_cross_entropy" else "logits"
    for function in functions(name):
        with pytest.raises(TypeError, match=f"{first} has dtype"):
            function(bad, t)
        with pytest.raises(TypeError, match="targets has dtype"):
            function(x, bad)
        with pytest.raises(TypeError, match="weight has dtype"):
            function(x, t, weight=bad)


@pytest.mark.parametrize("wrong", [-0.25, 1.25])
def test_probabilities_lie_from_0_to_1(wrong: float) -> None:
    for function in functions("binary_cross_entropy"):
        with pytest.raises(ValueError, match=f"probabilities holds {wrong}"):
            function([0.5, wrong], [1, 0])


@pytest.mark.parametrize("pos_weight", [3.0, [1.0, 2.0, 3.0]])
def test_pos_weight(pos_weight: Any) -> None:
    x, t = LOGITS, TARGETS
    found = F.sigmoid_cross_entropy_with_logits(x, t, pos_weight=pos_weight, reduction="none")
    expected = (1 - t) * np.logaddexp(0, x) + np.asarray(pos_weight) * t * np.logaddexp(0, -x)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_pos_weight_is_one_for_each_output() -> None:
    for function in functions("sigmoid_cross_entropy_with_logits"):
        with pytest.raises(ValueError, match=r"pos_weight has shape \(2,\)"):
            function(LOGITS, TARGETS, pos_weight=[1.0, 2.0])
        with pytest.raises(ValueError, match=r"pos_weight has shape \(6, 1\)"):
            function(LOGITS, TARGETS, pos_weight=np.ones((6, 1)))


# Softmax


INDICES = np.array([0, 2, 1, 1, 0, 2])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32", "uint64"])
def test_softmax_with_indices(dtype: Any) -> None:
    value, grad, _ = functions("softmax_cross_entropy_with_logits")
    weight = [0.5, 1.0, 2.0]
    indices = INDICES.astype(dtype)
    one_hot = np.eye(3)[INDICES]
    for settings in ({}, {"weight": weight}, {"label_smoothing": 0.2}):
        each = value(LOGITS, indices, reduction="none", **settings)
        assert each.shape == (6,)
        np.testing.assert_allclose(
            each, value(LOGITS, one_hot, reduction="none", **settings), rtol=1e-13
        )
        np.testing.assert_allclose(
            grad(LOGITS, indices, reduction="sum", **settings),
            grad(LOGITS, one_hot, reduction="sum", **settings),
            rtol=1e-12,
            atol=1e-15,
        )
    divisor = np.array(weight)[INDICES].sum()
    each = value(LOGITS, indices, reduction="none", weight=weight)
    assert value(LOGITS, indices, weight=weight) == pytest.approx(each.sum() / divisor)


def test_softmax_ignores_an_index() -> None:
    value, grad, _ = functions("softmax_cross_entropy_with_logits")
    indices = np.where(np.arange(6) == 2, -100, INDICES)
    kept = indices != -100
    assert value(LOGITS, indices, ignore_index=-100) == pytest.approx(
        value(LOGITS[kept], indices[kept])
    )
    assert not grad(LOGITS, indices, ignore_index=-100)[2].any()
    assert value(LOGITS, indices, ignore_index=-100, reduction="none")[2] == 0.0
    assert value(LOGITS, np.full(6, -1), ignore_index=-1) == 0.0


@pytest.mark.parametrize("lead", [(), (0,), (4,), (2, 0), (2, 3)])
def test_softmax_of_any_leading_shape(lead: tuple[int, ...]) -> None:
    value, grad, _ = functions("softmax_cross_entropy_with_logits")
    x = RNG.normal(size=(*lead, 3))
    indices = RNG.integers(0, 3, size=lead)
    assert value(x, indices, reduction="none").shape == lead
    assert grad(x, indices).shape == x.shape
    assert isinstance(value(x, indices), float)
    np.testing.assert_allclose(
        value(x, np.eye(3)[indices], reduction="none"),
        value(x, indices, reduction="none"),
        rtol=1e-13,
    )


@pytest.mark.parametrize(
    ("x", "t", "settings", "error", "words"),
    [
        (LOGITS, INDICES[:5], {}, ValueError, ["targets has shape (5,)", "(6, 3)"]),
        (LOGITS, INDICES[:, np.newaxis], {}, ValueError, ["targets has shape (6, 1)"]),
        (LOGITS, INDICES.astype(float), {}, TypeError, ["targets has dtype float64", "integers"]),
        (LOGITS, INDICES > 0, {}, TypeError, ["targets has dtype bool", "integers"]),
        (LOGITS, np.full(6, 3), {}, ValueError, ["targets", "3"]),
        (LOGITS, np.full(6, -1), {}, ValueError, ["targets", "-1"]),
        (LOGITS, np.full(6, -1), {"ignore_index": -2}, ValueError, ["targets", "-1"]),
        (LOGITS, np.full(6, 2**64 - 1, np.uint64), {}, ValueError, [str(2**64 - 1)]),
        (LOGITS, INDICES, {"weight": [1.0, 2.0]}, ValueError, ["weight has shape (2,)", "3"]),
        (LOGITS, INDICES, {"label_smoothing": 1.5}, ValueError, ["label_smoothing", "1.5"]),
        (LOGITS, INDICES, {"ignore_index": 0.5}, TypeError, ["ignore_index", "0.5"]),
        (LOGITS, INDICES, {"ignore_index": 2**64}, ValueError, ["ignore_index", "64 bits"]),
        (np.float64(0.5), 0, {}, ValueError, ["logits has shape ()"]),
        (np.zeros((2, 0)), [0, 0], {}, ValueError, ["logits has shape (2, 0)"]),
    ],
)
def test_softmax_refuses(
    x: Any, t: Any, settings: Any, error: type[Exception], words: list[str]
) -> None:
    for function in functions("softmax_cross_entropy_with_logits"):
        with pytest.raises(error) as caught:
            function(x, t, **settings)
        assert all(word in str(caught.value) for word in words), caught.value
