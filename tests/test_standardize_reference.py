"""Models that standardize, beside those of `ironmlp.reference`."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference

Array = np.ndarray[Any, Any]

SIZES = [7, 8, 2]
IMAGES = [im.Conv2d(3, 4, 3), im.Sigmoid(), im.AvgPool2d(2), im.Flatten(), im.Linear(36, 3)]


def close(found: Any, exact: Any, dtype: str) -> None:
    """Equal to 1e-9, in float32 to 2e-3, of the largest of a column."""
    found, exact = (np.asarray(x, np.float64) for x in (found, exact))
    size = np.abs(exact).max(axis=tuple(range(exact.ndim - 1)), keepdims=True) + 1e-300
    assert found.shape == exact.shape
    assert (np.abs(found - exact) <= size * (1e-9 if dtype == "float64" else 2e-3)).all()


def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 7)) * 10.0 ** np.arange(-3, 4) + [0, 1e6, -5, 0, 3, 1e9, 0]
    X[:, 2] = 4.25
    y = X[:, [0, 6]] * [500, 0.01] + rng.normal(size=(100, 2)) + [1e4, 0]
    return X, y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh"])
@pytest.mark.parametrize("options", [{}, {"scale": 4.0}, {"standardize_y": False}], ids=repr)
def test_rows(loss: str, options: Any, dtype: str) -> None:
    X, y = data()
    given = {"standardize": True, "standardize_y": True, "loss": loss, "seed": 3, "dtype": dtype}
    given |= {"activation": "tanh", **options}
    if not given["standardize_y"]:
        y = y - y.mean(axis=0)
        y = y / y.std(axis=0)
    model, exact = im.MLP(SIZES, **given), reference.MLP(SIZES, **given)
    close(model.fit(X, y, epochs=3)["loss"], exact.fit(X, y, epochs=3)["loss"], dtype)
    for name, pair in model._core.standards().items():
        close(pair[0], exact.standards[name].mean, "float64")
        close(pair[1], exact.standards[name].deviation, "float64")
    exact.parameters = model.state_dict()
    close(model.predict(X), exact.predict(X), dtype)
    found, wanted = model.evaluate(X, y), exact.evaluate(X, y)
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-3 if dtype == "float32" else 1e-9)
    assert found["r2"] == pytest.approx(wanted["r2"], abs=1e-3 if dtype == "float32" else 1e-9)
    close(
        model.loss_and_grad(X, y, input_grad=True)[2],
        exact.loss_and_grad(X, y, input_grad=True)[2],
        dtype,
    )
    grad = np.random.default_rng(1).normal(size=(100, 2))
    gradients, expected = model.backward(X, grad), exact.backward(X, grad)
    for name, tensor in gradients.items():
        close(tensor, expected[name], dtype)
    trace, steps = model.trace(X, y), exact.trace(X, y)
    assert trace.keys() == steps.keys()
    model.adapt(X[:9], y[:9])
    exact.adapt(X[:9], y[:9])
    close(model.train_on_batch(X, y), exact.train_on_batch(X, y), dtype)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images(dtype: str, channels_last: bool) -> None:
    rng = np.random.default_rng(2)
    X = rng.integers(0, 255, size=(40, 3, 8, 9)).astype(np.uint8)
    X[:, 1] //= 50
    X[:, 2] = 7
    if channels_last:
        X = np.ascontiguousarray(X.transpose(0, 2, 3, 1))
    y = rng.integers(0, 3, size=40)
    given: Any = {"loss": "cross_entropy", "seed": 1, "dtype": dtype, "standardize": True}
    given["channels_last"] = channels_last
    model, exact = im.Sequential(IMAGES, **given), reference.Sequential(IMAGES, **given)
    close(model.fit(X, y, epochs=3)["loss"], exact.fit(X, y, epochs=3)["loss"], dtype)
    close(model._core.standards()["X"], exact.standards["X"], "float64")
    exact.parameters = model.state_dict()
    found, wanted = (m.loss_and_grad(X, y, input_grad=True)[2] for m in (model, exact))
    close(found.reshape(40, -1), wanted.reshape(40, -1), dtype)


def test_use_before_and_other_losses() -> None:
    X, y = data()
    for module in (im, reference):
        with pytest.raises(RuntimeError):
            module.MLP(SIZES, loss="mse", standardize=True).predict(X)
        with pytest.raises(ValueError, match="standardize"):
            module.MLP(SIZES, loss="cross_entropy", standardize_y=True)
        model = module.MLP(SIZES, loss="mse", standardize=True, standardize_y=True)
        model.fit(X, y, epochs=0)  # makes no step
        with pytest.raises(RuntimeError):
            model.predict(X)
