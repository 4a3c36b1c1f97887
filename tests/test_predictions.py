"""predict, predict_proba and evaluate agree with each other, and refuse outputs that are NaN."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference

PACKAGES = [im, reference]


def through(width: int, loss: Any, dtype: str, package: Any = im) -> Any:
    """A network whose outputs are X."""
    model = package.Sequential([im.Linear(width, width)], loss=loss, dtype=dtype, seed=0)
    model.load_state_dict({"0.weight": np.eye(width), "0.bias": np.zeros(width)})
    return model


def logits(classes: int, dtype: str) -> Any:
    """Rows of logits of many sizes: near each other, far apart, equal, and at the ends."""
    rng = np.random.default_rng(classes)
    sizes = np.repeat([0.0, 1e-9, 1e-7, 1e-3, 1.0, 10.0, 50.0, 1e4, 1e30], 20)
    x = rng.normal(size=(len(sizes), classes)) * sizes[:, np.newaxis]
    winners = rng.normal(size=(60, classes)) - 20.0 * (np.arange(classes) > 0)
    return np.concatenate([x, winners, winners[:, ::-1]]).astype(dtype)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 10, 16, 17, 100, 1000])
def test_probabilities_are_what_samplers_take(classes: int, dtype: str, package: Any) -> None:
    x = logits(classes, dtype)
    chances = through(classes, "cross_entropy", dtype, package).predict_proba(x)
    assert chances.dtype == dtype
    assert chances.min() >= 0.0
    # NumPy's own rule, and the whole row by the same measure.
    totals = chances.astype(np.float64).sum(axis=1)
    assert totals.max() <= 1.0 + 1e-12
    assert totals.min() >= 1.0 - 4.0 * np.finfo(dtype).eps
    generator = np.random.default_rng(0)
    for row in chances:
        assert np.random.multinomial(5, row.astype(np.float64)).sum() == 5  # noqa: NPY002
        assert generator.multinomial(5, row).sum() == 5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 10, 17, 1000])
def test_probabilities_are_right_to_few_units(classes: int, dtype: str) -> None:
    x = logits(classes, dtype)
    below = x.astype("g") - x.max(axis=1, keepdims=True)
    exact = np.exp(below) / np.exp(below).sum(axis=1, keepdims=True)
    chances = through(classes, "cross_entropy", dtype).predict_proba(x)
    # Rounding a difference of logits moves its exponential by as much.
    relative = (6.0 - below) * np.finfo(dtype).eps
    assert (np.abs(chances - exact) <= relative * exact + np.finfo(dtype).tiny).all()


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 10, 17, 1000])
def test_predict_is_the_first_of_the_most_probable(classes: int, dtype: str, package: Any) -> None:
    x = logits(classes, dtype)
    model = through(classes, "cross_entropy", dtype, package)
    predicted, chances = model.predict(x), model.predict_proba(x)
    assert np.array_equal(predicted, chances.argmax(axis=1))
    assert model.evaluate(x, predicted)["accuracy"] == 1.0
    # No smaller logit is more probable.
    there = np.arange(len(x))
    assert (chances[there, x.argmax(axis=1)] == chances[there, predicted]).all()


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_probabilities_of_two_logits(dtype: str, package: Any) -> None:
    model = through(2, "cross_entropy", dtype, package)
    chances = model.predict_proba([[0.0, 1e-17], [1e-17, 0.0]])
    assert chances.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert model.predict([[0.0, 1e-17], [1e-17, 0.0]]).tolist() == [0, 0]
    assert model.evaluate([[0.0, 1e-17]], [1])["accuracy"] == 0.0


@pytest.mark.parametrize("package", PACKAGES)
def test_a_logit_that_is_no_probability_above_a_half(package: Any) -> None:
    model = through(1, "binary_cross_entropy", "float32", package)
    x = np.array([[1e-9], [-1e-9], [0.0], [1e-3], [-1e-3]])
    assert model.predict_proba(x)[:3].tolist() == [[0.5, 0.5]] * 3
    assert model.predict(x).tolist() == [0, 0, 0, 1, 0]
    assert model.evaluate(x, [0, 0, 0, 1, 0])["accuracy"] == 1.0
    flags = through(3, "binary_cross_entropy", "float32", package)
    x = np.array([[1e-9, 1e-3, -1e-3]])
    assert flags.predict(x).tolist() == (flags.predict_proba(x) > 0.5).astype(int).tolist()
    assert flags.predict(x).tolist() == [[0, 1, 0]]
    assert flags.evaluate(x, [[0, 1, 0]])["accuracy"] == 1.0


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("from_logits", [True, False])
def test_two_classes_of_random_outputs(from_logits: bool, dtype: str, package: Any) -> None:
    loss = im.BinaryCrossEntropy(from_logits=from_logits)
    model = package.MLP([1, 1], loss=loss, dtype=dtype, seed=0)
    model.load_state_dict({"0.weight": np.ones((1, 1)), "0.bias": np.zeros(1)})
    x = np.random.default_rng(0).normal(size=(2000, 1)) * np.logspace(-20, 3, 2000)[:, np.newaxis]
    chances, predicted = model.predict_proba(x), model.predict(x)
    assert np.array_equal(predicted, chances.argmax(axis=1))
    assert model.evaluate(x, predicted)["accuracy"] == 1.0
    for row, label in zip(x, predicted, strict=True):
        assert model.predict(row[np.newaxis]) == label
    for row in chances.astype(np.float64):
        np.random.multinomial(1, row)  # noqa: NPY002


LOSSES: list[Any] = [
    "binary_cross_entropy",
    im.BinaryCrossEntropy(from_logits=False),
    "cross_entropy",
    "mse",
    "mae",
    "huber",
    "log_cosh",
    lambda outputs, targets: (0.0, 0.0 * outputs),
]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: getattr(loss, "__name__", str(loss)))
@pytest.mark.parametrize("outputs", [1, 3])
def test_nan_outputs_are_refused_by_row(package: Any, loss: Any, outputs: int) -> None:
    if loss == "cross_entropy" and outputs == 1:
        outputs = 2
    model = package.MLP([2, 4, outputs], loss=loss, seed=0)
    X = np.zeros((5, 2))
    X[3, 1] = np.nan
    y = np.zeros(5, int) if loss == "cross_entropy" else np.zeros((5, outputs))
    methods = [lambda: model.predict(X), lambda: model.evaluate(X, y)]
    if loss in ("cross_entropy", "binary_cross_entropy"):
        methods.append(lambda: model.predict_proba(X))
    for method in methods:
        with pytest.raises(ValueError, match="row 3 of X"):
            method()
    assert np.isnan(model.forward(X)).any(axis=1).tolist() == [False, False, False, True, False]
    model.predict(X[:3])
    model.evaluate(X[:3], y[:3])


def test_the_predictor_gives_nan() -> None:
    model = im.MLP([2, 4, 1], loss="binary_cross_entropy", seed=0)
    assert np.isnan(model.predictor()(np.array([np.nan, 0.0])))[0]


def test_logits_without_probabilities_are_refused() -> None:
    model = through(1, "binary_cross_entropy", "float32")
    assert model.predict_proba([[1e38], [-1e38]]).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    model = through(3, "cross_entropy", "float32")
    model.load_state_dict({"0.weight": 1e30 * np.eye(3)}, strict=False)
    X = [[1.0, 2.0, 3.0], [1e30, 1.0, 0.0]]
    assert np.isposinf(model.forward(X)[1, 0])
    with pytest.raises(ValueError, match=r"row 1 of X has the outputs inf, .*"):
        model.predict_proba(X)
    assert model.predict(X[:1]).tolist() == [2]


def test_a_regression_may_overflow() -> None:
    model = im.MLP([1, 1], loss="mse", seed=0)
    model.load_state_dict({"0.weight": [[1e30]], "0.bias": [0.0]})
    assert np.isposinf(model.predict([[1e30]])).all()
