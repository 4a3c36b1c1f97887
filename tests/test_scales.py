"""`fit` warns once of columns and targets that networks learn slowly from, and of nothing else."""

import warnings
from typing import Any

import numpy as np
import pytest

import ironmlp as im

Array = np.ndarray[Any, Any]

WIDE = r"the widest column of X spans 1e\+03 times as much as the narrowest: standardize=True"
FAR = r"y reaches 101: standardize_y=True"


def data(n: int = 50) -> tuple[Array, Array]:
    X = np.random.default_rng(n).uniform(size=(n, 3))
    X[0], X[n - 1] = 0.0, 1.0
    return X, X.sum(axis=1)


def warned(model: Any, X: Any, y: Any, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(X, y, **options)
    assert all(warning.category is UserWarning for warning in found)
    assert all(warning.filename == __file__ for warning in found)
    return [str(warning.message) for warning in found]


def model(**options: Any) -> im.MLP:
    return im.MLP([3, 4, 1], **{"loss": "mse", "seed": 0, **options})


def test_columns_that_differ_1000_fold() -> None:
    X, y = data()
    assert warned(model(), X * [1, 999, 1], y) == []
    with pytest.warns(UserWarning, match=WIDE):
        model().fit(X * [1, 1000.01, 1], y)
    assert warned(model(), X * [0, 999, 1] + [1e9, 0, 0], y) == []  # one does not vary
    assert len(warned(model(loss="binary_cross_entropy"), X * [1, 1e6, 1], X[:, 0] > 0.5)) == 1


def test_targets_beyond_100() -> None:
    X, y = data()
    assert warned(model(), X, y / y.max() * 100) == []
    for loss in ("mse", "mae", "huber", "log_cosh"):
        with pytest.warns(UserWarning, match=FAR):
            model(loss=loss).fit(X, -y / y.max() * 101)
    both = warned(model(), X * [1, 5000, 1], y * 1000)
    assert len(both) == 1
    assert "standardize=True" in both[0]
    assert "standardize_y=True" in both[0]


def test_once_for_each_model_and_before_its_first_step() -> None:
    X, y = data()
    first = model()
    assert len(warned(first, X * [1, 1e4, 1], y)) == 1
    assert warned(first, X * [1, 1e5, 1], y) == []
    assert warned(first.copy(), X * [1, 1e5, 1], y) == []
    assert len(warned(model(), X * [1, 1e4, 1], y)) == 1


def test_1000_rows_at_even_distances_are_looked_at() -> None:
    X, y = data(5000)
    X[5::10] *= [1, 1e6, 1]  # every fifth row is looked at, these among them
    assert len(warned(model(), X, y, batch_size=5000)) == 1
    X, y = data(5000)
    X[1] *= [1, 1e6, 1]
    assert warned(model(), X, y, batch_size=5000) == []


def test_what_is_standardized_is_silent() -> None:
    X, y = data()
    standard = model(standardize=True, standardize_y=True)
    assert warned(standard, X * [1, 1e6, 1], y * 1e6) == []
    assert len(warned(model(standardize=True), X * [1, 1e6, 1], y * 1e6)) == 1
    assert len(warned(model(standardize_y=True), X * [1, 1e6, 1], y * 1e6)) == 1


def own(outputs: Array, targets: Array) -> tuple[float, Array]:
    return float(((outputs - targets) ** 2).mean()), 2 * (outputs - targets) / outputs.size


def test_bytes_images_and_losses_of_ones_own_are_left_out() -> None:
    X, y = data()
    assert warned(model(), (X * [2, 200, 1]).astype(np.uint8), y) == []
    assert warned(model(), X > 0.5, y) == []
    pictures = X.reshape(-1, 3, 1, 1) * np.array([1.0, 1e6, 1.0])[:, None, None]
    layers = [im.Conv2d(3, 2, 1), im.Flatten(), im.Linear(2, 1)]
    assert warned(im.Sequential(layers, loss="mse", scale=1e6, seed=0), pictures, y) == []
    assert warned(model(loss=own), X, y * 1000) == []


def test_what_is_refused_is_refused_first() -> None:
    X, y = data()
    X[4, 1] = np.inf
    with pytest.raises(ValueError, match="row 4"):
        model().fit(X, y)


def test_as_an_error_it_leaves_the_model_as_it_was() -> None:
    X, y = data()
    one = model(standardize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="y reaches"):
            one.fit(X, y * 1000)
    assert (one.epoch, one._core.steps, one._core.standards()) == (0, 0, None)


@pytest.mark.parametrize("n", [1, 2])
def test_few_rows(n: int) -> None:
    assert warned(model(), data()[0][:n], np.zeros(n)) == []


def test_too_few_rows_to_tell_and_infinities_are_not_warned_of() -> None:
    X, y = data(7)
    assert warned(model(), X * [1, 1e6, 1], y) == []
    X, y = data(8)
    assert len(warned(model(), X * [1, 1e6, 1], y)) == 1
    X[3, 1] = np.inf
    with warnings.catch_warnings():
        # A warning would come out in the place of what the loss is.
        warnings.simplefilter("error")
        with pytest.raises(FloatingPointError):
            model().fit(X, y, check_finite=False)
