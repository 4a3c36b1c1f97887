"""`class_weight` in `fit`: as sample weights, "balanced" or by label, at any scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 4))
Y = np.array(["a", "b", "c"])[np.minimum(RNG.integers(0, 6, 60), 2)]
ROWS = RNG.uniform(0.5, 2.0, 60)


def model_of(loss: Any = "cross_entropy", outputs: int = 3, **settings: Any) -> Any:
    return im.MLP([4, 7, outputs], loss=loss, seed=2, dtype="float64", **settings)


def balanced(y: Any) -> Any:
    """sklearn.utils.class_weight.compute_sample_weight("balanced", y)."""
    found, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    return (len(y) / (len(found) * counts))[index]


def trained(y: Any, weights: Any, class_weight: Any = None, **settings: Any) -> Any:
    model = model_of(**settings.pop("model", {}))
    history = model.fit(
        X, y, epochs=3, batch_size=16, sample_weight=weights, class_weight=class_weight, **settings
    )
    return model.state_dict()["0.weight"], history


@pytest.mark.parametrize("rows", [None, ROWS])
def test_balanced_is_scikit_learns(rows: Any) -> None:
    from sklearn.utils.class_weight import compute_sample_weight

    np.testing.assert_allclose(balanced(Y), compute_sample_weight("balanced", Y))
    product = balanced(Y) * (1.0 if rows is None else rows)
    found, history = trained(Y, rows, "balanced")
    expected, plain = trained(Y, product)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(history["loss"], plain["loss"], rtol=1e-12)


def test_weights_by_label() -> None:
    factors = {"a": 2.0, "c": 0.25}
    product = ROWS * np.array([factors.get(label, 1.0) for label in Y])
    found, _ = trained(Y, ROWS, factors)
    expected, _ = trained(Y, product)
    np.testing.assert_array_equal(found, expected)
    # Labels are found by their values.
    numbers = np.array([10, 2**53 + 1, 3])[np.unique(Y, return_inverse=True)[1]]
    a = trained(numbers, None, {np.int32(10): 2.0, 2**53 + 1: 3.0, 3.0: 1.0})[0]
    b = trained(numbers, np.select([numbers == 10, numbers == 3], [2.0, 1.0], 3.0))[0]
    np.testing.assert_array_equal(a, b)


def test_of_two_classes_with_one_output() -> None:
    y = Y == "a"
    settings: Any = {"model": {"loss": "binary_cross_entropy", "outputs": 1}}
    found, _ = trained(y, None, "balanced", **settings)
    settings = {"model": {"loss": "binary_cross_entropy", "outputs": 1}}
    expected, _ = trained(y, balanced(y), **settings)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ignored_rows_are_not_counted() -> None:
    y = np.where(np.arange(60) % 3 == 0, -1, np.unique(Y, return_inverse=True)[1])
    loss: Any = im.CrossEntropy(ignore_index=-1)
    weights = np.ones(60)
    weights[y >= 0] = balanced(y[y >= 0])
    found, _ = trained(y, None, "balanced", model={"loss": loss})
    expected, _ = trained(y, weights, model={"loss": loss})
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_absent_classes_do_not_count() -> None:
    y = np.where(Y == "b", "a", Y)
    found, _ = trained(y, None, "balanced", classes=["a", "b", "c"])
    expected, _ = trained(y, balanced(y), classes=["a", "b", "c"])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 7.0, "b": 0.1}])
def test_validation_stays_unweighted(class_weight: Any) -> None:
    model = model_of()
    history = model.fit(X, Y, class_weight=class_weight, validation_data=(X, Y))
    found = model.evaluate(X, Y)
    assert history["val_loss"][-1] == found["loss"]
    assert history["val_accuracy"][-1] == found["accuracy"]
    # And of a split, whose training rows alone are counted.
    seen: list[Any] = []

    def watch(truth: Any, _predicted: Any, sample_weight: Any) -> float:
        seen.append((truth, sample_weight))
        return 0.0

    model.fit(
        X, Y, class_weight=class_weight, sample_weight=ROWS, validation_split=0.3, metrics=watch
    )
    truth, weights = seen[0]
    held = [int(np.flatnonzero(weight == ROWS)[0]) for weight in weights]
    assert truth.tolist() == Y[held].tolist()
    rest = np.setdiff1d(np.arange(60), held)
    if class_weight == "balanced":
        factors = balanced(Y[rest])
    else:
        factors = np.array([class_weight.get(label, 1.0) for label in Y[rest]])
    a, b = model_of(), model_of()
    a.fit(X, Y, class_weight=class_weight, sample_weight=ROWS, validation_split=0.3)
    b.fit(X[rest], Y[rest], sample_weight=ROWS[rest] * factors)
    np.testing.assert_allclose(a.state_dict()["0.weight"], b.state_dict()["0.weight"], rtol=1e-12)


@pytest.mark.parametrize("of_rows", [1e-300, 1e-150, 1.0, 1e300])
@pytest.mark.parametrize("of_classes", [1e-300, 1e-150, 1.0, 1e300])
def test_weights_work_at_any_scale(of_rows: float, of_classes: float) -> None:
    factors = {"a": 2.0, "b": 0.5, "c": 1.0}
    plain, history = trained(Y, ROWS, factors, validation_split=0.3)
    scaled = {label: weight * of_classes for label, weight in factors.items()}
    found, other = trained(Y, ROWS * of_rows, scaled, validation_split=0.3)
    np.testing.assert_allclose(found, plain, rtol=1e-9)
    for name in history:
        np.testing.assert_allclose(other[name], history[name], rtol=1e-12)


def test_with_the_sum_as_reduction_weights_count_as_they_are() -> None:
    loss = im.CrossEntropy(reduction="sum")
    a = trained(Y, None, {"a": 3.0, "b": 3.0, "c": 3.0}, model={"loss": loss})[0]
    b = trained(Y, np.full(60, 3.0), model={"loss": loss})[0]
    np.testing.assert_array_equal(a, b)


def test_streams_take_weights_by_label() -> None:
    y = np.unique(Y, return_inverse=True)[1]
    items = [(X[i : i + 20], y[i : i + 20], ROWS[i : i + 20]) for i in (0, 20, 40)]
    a, b = model_of(), model_of()
    factors = {0: 2.0, 2: 0.25}
    a.fit(items, class_weight=factors)
    weights = ROWS * np.array([2.0, 1.0, 0.25])[y]
    b.fit(X, y, batch_size=20, shuffle=False, sample_weight=weights)
    np.testing.assert_array_equal(a.state_dict()["0.weight"], b.state_dict()["0.weight"])
    named = [(X[i : i + 20], Y[i : i + 20], ROWS[i : i + 20]) for i in (0, 20, 40)]
    c = model_of()
    c.fit(named, class_weight={"a": 2.0, "c": 0.25}, classes=["a", "b", "c"])
    np.testing.assert_array_equal(a.state_dict()["0.weight"], c.state_dict()["0.weight"])
    with pytest.raises(ValueError, match="'balanced' goes with arrays"):
        model_of().fit(items, class_weight="balanced")


def own(outputs: Any, targets: Any, *_weights: Any) -> Any:
    return float(np.mean((outputs - targets) ** 2)), outputs - targets


WRONG: list[tuple[Any, Any, Any, Any, type[Exception], str]] = [
    ("cross_entropy", 3, Y, "even", ValueError, "class_weight is 'even'"),
    ("cross_entropy", 3, Y, [1.0, 2.0, 3.0], TypeError, "'balanced' or a dict"),
    ("cross_entropy", 3, Y, {"z": 1.0}, ValueError, "class_weight has 'z', the model's classes"),
    ("cross_entropy", 3, Y, {3: 1.0}, ValueError, "class_weight has 3, the model's classes"),
    ("cross_entropy", 3, Y, {"a": -1.0}, ValueError, r"class_weight\['a'\] is -1.0"),
    ("cross_entropy", 3, Y, {"a": np.nan}, ValueError, r"class_weight\['a'\] is nan"),
    ("cross_entropy", 3, Y, {"a": "1"}, TypeError, r"class_weight\['a'\] is '1'"),
    (
        im.CrossEntropy(class_weight=[1, 2, 3]),
        3,
        Y,
        "balanced",
        ValueError,
        "given to fit and to CrossEntropy",
    ),
    (
        "binary_cross_entropy",
        3,
        RNG.integers(0, 2, (60, 3)),
        "balanced",
        ValueError,
        "with classes",
    ),
    ("cross_entropy", 2, RNG.dirichlet([1, 1], 60), "balanced", ValueError, "has probabilities"),
    ("binary_cross_entropy", 1, RNG.random(60), {0: 2.0}, ValueError, "has probabilities"),
    ("mse", 1, X[:, 0], "balanced", ValueError, "with classes"),
    (own, 1, X[:, 0], "balanced", ValueError, "with classes"),
]


@pytest.mark.parametrize(("loss", "outputs", "y", "class_weight", "error", "words"), WRONG)
def test_what_does_not_fit(
    loss: Any, outputs: int, y: Any, class_weight: Any, error: type[Exception], words: str
) -> None:
    model = model_of(loss, outputs)
    with pytest.raises(error, match=words):
        model.fit(X, y, class_weight=class_weight)
    assert model._core.steps == 0
