"""`standardize` beside validation: it learns from training rows alone, and reads all alike."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im

Array = np.ndarray[Any, Any]


def data(n: int = 90) -> tuple[Array, Array]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 4)) * [1, 50, 1e-3, 7] + [0, 1000, 1, -3]
    return X, 500.0 * X[:, 0] + X[:, 3] + 1000.0


def made(**options: Any) -> im.MLP:
    given: dict[str, Any] = {"standardize": True, "standardize_y": True, "seed": 4, **options}
    return im.MLP([4, 20, 1], loss="mse", **given)


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_split_comes_first(epochs: int) -> None:
    X, y = data()
    model, by_hand = made(), made()
    history = model.fit(X, y, epochs=epochs, validation_split=1 / 3, shuffle=False)
    train, rest = slice(0, 60), slice(60, 90)  # without shuffling the last rows are held out
    for name, of in (("X", X[train]), ("y", y[train, None])):
        mean, deviation = model._core.standards()[name]
        np.testing.assert_allclose(mean, of.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(deviation, of.std(axis=0), rtol=1e-12)
    same = by_hand.fit(
        X[train], y[train], epochs=epochs, shuffle=False, validation_data=(X[rest], y[rest])
    )
    for column in ("loss", "val_loss", "val_r2"):
        np.testing.assert_array_equal(history[column], same[column])
    found = model.evaluate(X[rest], y[rest])
    assert found["loss"] == history["val_loss"][-1]
    assert found["r2"] == pytest.approx(history["val_r2"][-1], rel=1e-6)


def test_held_out_rows_of_a_random_split_are_not_learned_from() -> None:
    X, y = data()
    with_all, with_other = made(), made()
    with_all.fit(X, y, validation_split=0.3, epochs=2)
    X_other = X.copy()
    held_out = held_out_rows(X, y)
    X_other[held_out] += 1e6
    with_other.fit(X_other, y, validation_split=0.3, epochs=2)
    for name, tensor in with_all.state_dict().items():
        np.testing.assert_array_equal(tensor, with_other.state_dict()[name])


def held_out_rows(X: Array, y: Array) -> Array:
    """The rows whose change leaves what is learned as it is."""
    model = made(standardize_y=False)
    model.fit(X, y / 1e4, validation_split=0.3)
    before = model._core.standards()["X"][0]
    found = []
    for row in range(len(X)):
        changed = X.copy()
        changed[row] += 1e3
        other = made(standardize_y=False)
        other.fit(changed, y / 1e4, validation_split=0.3)
        if (other._core.standards()["X"][0] == before).all():
            found.append(row)
    assert len(found) == 27
    return np.array(found)


def test_metrics_are_in_units_of_y() -> None:
    X, y = data()
    model = made()
    history = model.fit(
        X[:60], y[:60], epochs=3, validation_data=(X[60:], y[60:]), metrics=["mae", "rmse", "r2"]
    )
    error = model.predict(X[60:]).astype(float) - y[60:]
    assert history["val_mae"][-1] == pytest.approx(np.abs(error).mean(), rel=1e-6)
    assert history["val_rmse"][-1] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-6)
    deviation = model._core.standards()["y"][1][0]
    assert history["val_loss"][-1] == pytest.approx(((error / deviation) ** 2).mean(), rel=1e-4)


def test_numbers_far_beyond_float32_are_validated_too() -> None:
    X, y = data()
    model = made(standardize_y=False)
    history = model.fit(
        X[:60] * 1e200, y[:60] / 1e4, validation_data=(X[60:] * 1e200, y[60:] / 1e4)
    )
    assert np.isfinite(history["val_loss"]).all()
