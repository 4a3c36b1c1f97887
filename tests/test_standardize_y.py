"""`standardize_y`: losses on the standard scale, outputs and metrics in the units of y."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im

Array = np.ndarray[Any, Any]

LOSSES: list[Any] = ["mse", "mae", im.Huber(delta=0.5), "log_cosh", im.MSE(reduction="sum")]


def data(n: int = 200, outputs: int = 2) -> tuple[Array, Array]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 5))
    y = np.column_stack([250_000 + 8e4 * np.sin(X[:, 0]), 1e-3 * X[:, 1] - 7e-3])
    return X, y[:, :outputs]


def twins(loss: Any, dtype: Any = "float32", outputs: int = 2) -> tuple[Any, Any]:
    """A model that standardizes y, and one that does not."""
    sizes = [5, 8, outputs]
    options: Any = {"loss": loss, "dtype": dtype, "seed": 3}
    return im.MLP(sizes, standardize_y=True, **options), im.MLP(sizes, **options)


def standard(model: Any, y: Array) -> Array:
    mean, deviation = model._core.standards()["y"]
    return np.asarray(((y.astype(np.float64) - mean) / deviation).astype(model.dtype))


def in_units(model: Any, outputs: Array) -> Array:
    mean, deviation = model._core.standards()["y"]
    return np.asarray((outputs.astype(np.float64) * deviation + mean).astype(model.dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("batch_size", [32, None])
def test_losses_stay_on_the_standard_scale(loss: Any, dtype: Any, batch_size: Any) -> None:
    X, y = data()
    model, plain = twins(loss, dtype)
    history = model.fit(X, y, epochs=3, batch_size=batch_size)
    mean, deviation = model._core.standards()["y"]
    np.testing.assert_allclose(mean, y.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(deviation, y.std(axis=0), rtol=1e-13)
    z = standard(model, y)
    expected = plain.fit(X, z, epochs=3, batch_size=batch_size)
    np.testing.assert_array_equal(history["loss"], expected["loss"])
    assert model.evaluate(X, y)["loss"] == plain.evaluate(X, z)["loss"]
    found, wanted = model.loss_and_grad(X, y), plain.loss_and_grad(X, z)
    assert found[0] == wanted[0]
    for name, tensor in found[1].items():
        np.testing.assert_array_equal(tensor, wanted[1][name])
    assert model.trace(X, y)["loss"] == plain.trace(X, z)["loss"]
    assert model.train_on_batch(X, y) == plain.train_on_batch(X, z)
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor, plain.state_dict()[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_and_metrics_are_in_units_of_y(dtype: Any) -> None:
    X, y = data()
    model, plain = twins("mse", dtype)
    model.fit(X, y, epochs=2)
    plain.fit(X, standard(model, y), epochs=2)
    expected = in_units(model, plain(X))
    out = np.empty_like(expected)
    assert model.forward(X, out=out) is out
    for found in (model(X), model.predict(X), out, model.predictor(200)(X)):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(model.predictor()(X[0]), expected[0])
    rest = ((expected.astype(float) - y) ** 2).sum(axis=0)
    r2 = (1 - rest / ((y - y.mean(axis=0)) ** 2).sum(axis=0)).mean()
    assert model.evaluate(X, y)["r2"] == pytest.approx(r2, rel=1e-9 if dtype == "float64" else 1e-5)


def test_one_output_keeps_the_shape_of_y() -> None:
    X, y = data(outputs=1)
    model = im.MLP([5, 32, 1], loss="mse", standardize_y=True, optimizer=im.Adam(lr=0.01), seed=0)
    model.fit(X, y[:, 0], epochs=100)
    assert model.predict(X).shape == (200,)
    assert model.evaluate(X, y[:, 0])["r2"] > 0.95


def test_backward_takes_a_gradient_by_y() -> None:
    X, y = data()
    model, _ = twins("mse", "float64")
    model.adapt(X, y)
    grad = np.random.default_rng(0).normal(size=y.shape) / model._core.standards()["y"][1]
    gradients, by_input = model.backward(X, grad, input_grad=True)
    before = (model(X) * grad).sum()
    for name, tensor in gradients.items():
        place = tuple(0 for _ in tensor.shape)
        moved = model.state_dict()
        moved[name][place] += 1e-6
        other = model.copy()
        other.load_state_dict(moved)
        slope = ((other(X) * grad).sum() - before) / 1e-6
        assert tensor[place] == pytest.approx(slope, rel=1e-3, abs=1e-6)
    moved_x = X.copy()
    moved_x[4, 1] += 1e-6
    slope = ((model(moved_x) * grad).sum() - before) / 1e-6
    assert by_input[4, 1] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_a_loop_of_your_own_is_train_on_batch() -> None:
    X, y = data()
    a, b = (twins("mse")[0] for _ in range(2))
    for model in (a, b):
        model.adapt(X, y)
    a.train_on_batch(X, y)
    deviation = a._core.standards()["y"][1]
    grad = 2.0 * (b(X).astype(float) - y) / deviation**2 / y.size  # of the mean of ((y - t) / s)^2
    b.apply_gradients(b.backward(X, grad))
    for name, tensor in a.state_dict().items():
        np.testing.assert_allclose(tensor, b.state_dict()[name], rtol=1e-3, atol=1e-5)


def test_an_output_that_does_not_vary_is_left_at_its_mean() -> None:
    X, y = data()
    y[:, 0] = 77.0
    model, _ = twins("mse")
    model.fit(X, y, epochs=1)
    mean, deviation = model._core.standards()["y"]
    assert (mean[0], deviation[0]) == (77.0, 1.0)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16, np.bool_])
def test_targets_of_every_dtype_are_rounded_once(dtype: Any) -> None:
    X, _ = data()
    y = (np.arange(400).reshape(200, 2) % 3 == 1).astype(dtype)
    model, plain = twins("mse")
    loss = model.fit(X, y, epochs=1)["loss"]
    np.testing.assert_array_equal(loss, plain.fit(X, standard(model, y), epochs=1)["loss"])


def test_targets_keep_what_float32_lacks() -> None:
    X, y = data()
    y = 1e9 + y * [1e-5, 1e3]  # of which float32 has no digit behind the point
    model, plain = twins("mse")
    model.fit(X, y, epochs=1)
    z = standard(model, y)
    np.testing.assert_allclose(z.std(axis=0), 1.0, rtol=1e-5)
    plain.fit(X, z, epochs=1)
    assert model.evaluate(X, y)["loss"] == plain.evaluate(X, z)["loss"]


def own(outputs: Array, targets: Array) -> tuple[float, Array]:
    return float(((outputs - targets) ** 2).mean()), 2 * (outputs - targets) / outputs.size


@pytest.mark.parametrize(
    "loss",
    ["cross_entropy", "binary_cross_entropy", "poisson_nll", "gaussian_nll", "focal", own],
    ids=lambda loss: str(loss)[:12],
)
def test_other_losses_refuse_it(loss: Any) -> None:
    with pytest.raises(ValueError, match=r"standardize_y is True, the loss is .* MSE, MAE, Huber"):
        im.MLP([5, 2], loss=loss, standardize_y=True)


@pytest.mark.parametrize("loss", ["cross_entropy", own], ids=lambda loss: str(loss)[:12])
def test_any_loss_goes_with_standardized_columns(loss: Any) -> None:
    X, y = data()
    X = X * 10.0 ** np.arange(5) + 3
    labels = (X[:, 0] > 3).astype(int) if loss == "cross_entropy" else y * 0 + X[:, :2] / [1, 10]
    model = im.MLP([5, 2], loss=loss, standardize=True, seed=0)
    plain = im.MLP([5, 2], loss=loss, seed=0)
    history = model.fit(X, labels, epochs=2)
    mean, deviation = model._core.standards()["X"]
    Z = ((X - mean) / deviation).astype(np.float32)
    np.testing.assert_array_equal(history["loss"], plain.fit(Z, labels, epochs=2)["loss"])
    assert model.loss_and_grad(X, labels)[0] == plain.loss_and_grad(Z, labels)[0]


def test_y_beyond_the_dtype_is_refused() -> None:
    X, y = data()
    model, _ = twins("mse")
    with pytest.raises(ValueError, match="y has a NaN or infinite value in row 0"):
        model.fit(X, y * 1e38)
    wide, _ = twins("mse", "float64")
    wide.fit(X, y * 1e38)
    assert np.isfinite(wide.predict(X)).all()
