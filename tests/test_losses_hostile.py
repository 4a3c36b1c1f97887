"""Losses of distributions at hostile outputs, against their formulas in long double."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from networks import DTYPES

Array = np.ndarray[Any, Any]

# What a formula rounds, in eps of the sizes of its terms.
TIMES = 16

LOGITS = [0.0, -0.0, 1e-30, -1e-30, 1e-3, -0.4, 2.0, -3.0, 12.0, -17.0, 40.0, -40.0, -87.0, -200.0]
LARGE = [1e30, -1e30, 3e4, -3e4]


class Numbers:
    """Sums of terms, each of which is right to a few eps: the value, and the sum of the sizes."""

    def __init__(self, value: Any, size: Any = None) -> None:
        self.value = np.asarray(value, np.longdouble)
        self.size = abs(self.value) if size is None else np.asarray(size, np.longdouble)


def through(loss: Any, outputs: Array, targets: Array, dtype: Any) -> tuple[Array, Array]:
    """The loss of each row, and its gradient by the outputs, of a network that is the identity."""
    width = outputs.shape[1]
    net = im.Sequential(
        [im.Linear(width, width, bias=False, init="zeros")], loss=loss, dtype=dtype, seed=0
    )
    net.load_state_dict({"0.weight": np.eye(width)})
    rows = [net.loss_and_grad(x[None], t[None], input_grad=True) for x, t in zip(outputs, targets)]  # noqa: B905
    return np.array([loss for loss, _, _ in rows]), np.array([grad[0] for _, _, grad in rows])


def check(found: Array, expected: Numbers, dtype: Any, times: float = TIMES) -> None:
    largest = float(np.finfo(dtype).max)
    # What is beyond the dtype is infinite, and what is nearly 0 flushed.
    inside = abs(expected.value) < largest
    flushed = 2.0 ** (-100 if dtype == "float32" else -900)
    allowed = times * tolerances.eps(dtype) * expected.size + 1.01 * flushed
    error = abs(found.astype(np.longdouble) - expected.value)
    assert not np.isnan(found[inside]).any()
    wrong = inside & (expected.size < largest) & ~(error <= allowed)
    assert not wrong.any(), (found[wrong], expected.value[wrong], allowed[wrong])
    assert (abs(found[~inside]) > largest).all()


def grid(*columns: list[float], dtype: Any) -> list[Array]:
    """All combinations, as the dtype has them: a column (n, 1) for each list."""
    made = np.array(np.meshgrid(*columns)).reshape(len(columns), -1, 1)
    return [column.astype(dtype) for column in made]


def wide(*arrays: Array) -> list[Array]:
    return [array.astype(np.longdouble) for array in arrays]


def softplus(x: Array) -> Array:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-abs(x))))


def sigmoid(x: Array) -> Array:
    e = np.exp(-abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e))


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson_of_logarithms(dtype: Any) -> None:
    counts = [0.0, 0.3, 1.0, 2.0, 17.0, 1e6, 1e-30]
    x, t = grid(LOGITS + LARGE, counts, dtype=dtype)
    value, grad = through(im.PoissonNLL(), x, t, dtype)
    X, T = wide(x, t)
    with np.errstate(over="ignore", invalid="ignore"):
        rate = np.exp(X)
        check(value[:, None], Numbers(rate - T * X, rate + abs(T * X)), dtype)
        check(grad, Numbers(rate - T, rate + T), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_poisson_of_rates(dtype: Any) -> None:
    rates = [0.0, 1e-38, 1e-12, 1e-8, 0.3, 1.0, 5.0, 3e4, 1e30]
    x, t = grid(rates, [0.0, 0.3, 1.0, 17.0, 1e6], dtype=dtype)
    value, grad = through(im.PoissonNLL(log_input=False), x, t, dtype)
    X, T = wide(x, t)
    eps = np.longdouble(np.dtype(dtype).type(1e-8))
    log = np.log(X + eps)
    check(value[:, None], Numbers(X - T * log, X + T * (abs(log) + 1)), dtype)
    check(grad, Numbers((X - T + eps) / (X + eps)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stirlings_terms_do_not_cancel(dtype: Any) -> None:
    """At rates near the count the whole loss is about log(2 pi t) / 2, its terms t log t each: in
    PyTorch's order float32 has no digit of it left at t = 1e8."""
    counts = np.array([1.5, 20.0, 3e3, 1e6, 1e8])
    for log_input in (True, False):
        for relative in (-1e-2, -1e-5, 0.0, 1e-6, 3e-3):
            rates = (counts * (1.0 + relative)).astype(dtype)[:, None]
            x = np.log(rates) if log_input else rates
            t = counts.astype(dtype)[:, None]
            loss = im.PoissonNLL(log_input, full=True, eps=0.0)
            value, _ = through(loss, x, t, dtype)
            X, T = wide(x, t)
            stirling = T * np.log(T) - T + np.log(2 * np.longdouble(np.pi) * T) / 2
            exact = (np.exp(X) - T * X if log_input else X - T * np.log(X)) + stirling
            # What rounding of log t and of the difference leaves, at most: sqrt(t) eps.
            within = 4 * TIMES * tolerances.eps(dtype) * (abs(exact) + T * abs(relative) + 1)
            own = 8 * T * np.longdouble(np.finfo(np.longdouble).eps) * np.log(T + 2)
            assert (abs(value[:, None] - exact) <= within + own).all(), (log_input, relative)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gaussian(dtype: Any) -> None:
    m, s, t = grid(
        [0.0, 1.0, -3.0, 1e-20, 1e15, -1e30],
        [0.0, 1.0, -1.0, 30.0, -30.0, 80.0, -80.0, 200.0, -200.0, 1e30, -1e30],
        [0.0, 1.0, 1e-20, -2.5, 1e30],
        dtype=dtype,
    )
    value, grad = through(im.GaussianNLL(), np.hstack([m, s]), t, dtype)
    M, S, T = wide(m, s, t)
    with np.errstate(over="ignore", invalid="ignore"):
        d, h = M - T, np.exp(-S / 2)
        z = np.where(d == 0, 0, d * h)
        slope = np.where(z == 0, 0, z * h)
    # Where h itself is beyond the dtype so is the loss, unless the target is met.
    known = ((h < np.finfo(dtype).max) | (d == 0))[:, 0]
    expected = Numbers((S + z * z) / 2, (abs(S) + z * z) / 2)
    check(value[known, None], Numbers(expected.value[known], expected.size[known]), dtype)
    assert not np.isnan(value).any()
    # No step goes by a loss that is not finite.
    known &= (abs(expected.value) < np.finfo(dtype).max)[:, 0]
    check(grad[known, :1], Numbers(slope[known]), dtype)
    half = Numbers(((1 - z * z) / 2)[known], ((1 + z * z) / 2)[known])
    check(grad[known, 1:], half, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.25])
def test_focal(dtype: Any, gamma: float) -> None:
    x, t = grid(LOGITS + LARGE, [0.0, 1.0, 0.25, 0.5, 0.875], dtype=dtype)
    value, grad = through(im.Focal(gamma, 0.25), x, t, dtype)
    X, T = wide(x, t)
    p, q = sigmoid(X), sigmoid(-X)
    u = (1 - T) * p + T * q
    c = (1 - T) * softplus(X) + T * softplus(-X)
    weight = (0.25 * T + 0.75 * (1 - T)) * u ** np.longdouble(gamma)
    share = np.where(u == 0, 0, p * q / np.where(u == 0, 1, u))
    slope = gamma * share * (1 - 2 * T) * c
    lost = 1 + (gamma % 1) * abs(np.log(np.maximum(u, 1e-300)))
    check(value[:, None], Numbers(weight * c, weight * c * lost), dtype)
    terms = weight * ((1 - T) * p + T * q + abs(slope)) * lost
    check(grad, Numbers(weight * ((1 - T) * p - T * q + slope), terms), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantiles(dtype: Any) -> None:
    numbers = [0.0, 1.0, -1.0, 1e-30, -1e-30, 1e30, -1e30, 1e-45, 3e38, -3e38]
    y, t = grid(numbers, numbers, dtype=dtype)
    levels = (0.1, 0.999)
    value, grad = through(im.Quantile(levels), np.hstack([y, y]), t, dtype)
    Y, T = wide(y, t)
    q = np.array(levels, dtype).astype(np.longdouble)
    d = Y - T
    near = (abs(d) < np.finfo(dtype).max)[:, 0]  # as MAE, it has the difference itself
    assert np.isinf(value[~near]).all()
    assert np.isfinite(grad).all()
    value, grad, d = value[near], grad[near], d[near]
    expected = np.where(d > 0, (1 - q) * d, -q * d)
    check(value[:, None], Numbers(expected.mean(axis=1, keepdims=True)), dtype)
    check(2.0 * grad, Numbers(np.where(d > 0, 1 - q, np.where(d < 0, -q, 0))), dtype)


@pytest.mark.parametrize(
    ("loss", "outputs", "y"),
    [("poisson_nll", 1, 1.0), ("gaussian_nll", 2, 1e30), ("focal", 1, 0.0)],
)
def test_a_loss_beyond_the_dtype_ends_training_and_changes_nothing(
    loss: Any, outputs: int, y: float
) -> None:
    made = im.MLP([1, outputs], loss=loss, seed=0)
    made.load_state_dict({"0.weight": np.ones((outputs, 1)), "0.bias": np.zeros(outputs)})
    before = made.state_dict()
    X = [[{"poisson_nll": 100.0, "gaussian_nll": -40.0, "focal": 1e30}[loss]]]
    if loss == "focal":
        made.load_state_dict({"0.weight": [[1e30]], "0.bias": [0.0]})
        before = made.state_dict()
    for call in (made.train_on_batch, made.fit):
        with pytest.raises(FloatingPointError):
            call(X, [y])
        assert all(np.array_equal(v, made.state_dict()[k]) for k, v in before.items())


def test_infinite_rates_are_predicted_and_nan_refused() -> None:
    made = im.MLP([1, 1], loss="poisson_nll", seed=0)
    made.load_state_dict({"0.weight": [[1.0]], "0.bias": [0.0]})
    assert made.predict([[1e30], [-1e30]]).tolist() == [[np.inf], [0.0]]
    with pytest.raises(ValueError, match="row 1 of X"):
        made.predict([[0.0], [np.nan]])
    pair = im.MLP([1, 2], loss="gaussian_nll", seed=0)
    for return_std in (False, True):
        with pytest.raises(ValueError, match="row 0 of X"):
            pair.predict([[np.nan]], return_std=return_std)
