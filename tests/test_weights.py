"""Weights of any size: a mean depends on their ratios alone, and so does the loss of an epoch."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import ironmlp.functional as F
from ironmlp import reference

RNG = np.random.default_rng(5)
ROWS = 37
IMAGES = RNG.normal(size=(ROWS, 1, 6, 6))
SHARES = RNG.uniform(0.1, 1.0, size=(ROWS, 4))
SHARES /= SHARES.sum(axis=1, keepdims=True)
WEIGHTS = np.where(np.arange(ROWS) % 5 == 2, 0.0, RNG.uniform(0.2, 3.0, size=ROWS))
# From where only float64 has numbers to its ends, and what float32 has in part.
SIZES = (1e-300, 1e-45, 3e-40, 1e-30, 1e38, 1e39, 1e300)

LAYERS: dict[str, Any] = {
    "rows": (30, 40),
    "tiny": (7, 5),
    "images": None,
}
LOSSES: dict[str, tuple[Any, Any]] = {
    "mse": (im.MSE, RNG.normal(size=(ROWS, 4))),
    "mae": (im.MAE, RNG.normal(size=(ROWS, 4))),
    "huber": (im.Huber, RNG.normal(size=(ROWS, 4))),
    "log_cosh": (im.LogCosh, RNG.normal(size=(ROWS, 4))),
    "quantile": (partial(im.Quantile, [0.1, 0.3, 0.5, 0.9]), SHARES[:, :1]),
    "poisson": (im.PoissonNLL, 4.0 * SHARES),
    "gaussian": (im.GaussianNLL, SHARES[:, :2]),
    "focal": (im.Focal, SHARES),
    "binary": (im.BinaryCrossEntropy, SHARES),
    "classes": (im.CrossEntropy, np.arange(ROWS) % 4),
    "shares": (im.CrossEntropy, SHARES),
}


def model_of(kind: str, loss: Any, dtype: str = "float32", **options: Any) -> Any:
    options = {"dtype": dtype, "seed": 3, "optimizer": im.SGD(lr=0.1), **options}
    if kind == "images":
        layers = [im.Conv2d(1, 3, 3), im.ReLU(), im.Flatten(), im.Linear(48, 4)]
        return im.Sequential(layers, loss=loss, **options)
    inputs, hidden = LAYERS[kind]
    return im.MLP([inputs, hidden, 4], loss=loss, **options)


def x_of(kind: str) -> Any:
    return IMAGES if kind == "images" else np.resize(IMAGES, (ROWS, LAYERS[kind][0]))


def gradients(model: Any, *arguments: Any, weight: Any) -> tuple[float, dict[str, Any]]:
    loss, grads = model.loss_and_grad(*arguments, sample_weight=weight)
    return loss, grads


def close(found: dict[str, Any], expected: dict[str, Any], rtol: float) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        scale = abs(value).max()
        np.testing.assert_allclose(found[key], value, rtol=0, atol=rtol * scale, err_msg=key)


# The numbers that were reported


@pytest.mark.parametrize("size", [1e-50, np.exp(-100.0), 1e-300, 1.0, 1e39, 1e300])
def test_a_pair_of_rows(size: float) -> None:
    model = im.MLP([1, 1], loss="mse", seed=0)
    expected, grads = gradients(model, [[1.0], [2.0]], [0.0, 1.0], weight=[1.0, 3.0])
    loss, found = gradients(model, [[1.0], [2.0]], [0.0, 1.0], weight=[size, 3 * size])
    assert loss == pytest.approx(1.0244, abs=1e-4)
    assert loss == pytest.approx(expected, rel=1e-15)
    close(found, grads, 1e-6)


def test_equal_weights_beyond_float32_are_equal_weights() -> None:
    model = im.MLP([1, 1], loss="mse", seed=0)
    loss, _ = gradients(model, [[1.0], [2.0]], [0.0, 1.0], weight=[1e39, 1e39])
    expected, _ = gradients(model, [[1.0], [2.0]], [0.0, 1.0], weight=None)
    assert loss == pytest.approx(expected, rel=1e-15)


# Powers of two change no bit, and other sizes next to nothing


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_mean_does_not_depend_on_the_size_of_weights(kind: str, name: str) -> None:
    loss, y = LOSSES[name]
    X = x_of(kind)
    for dtype, rtol in (("float32", 1e-5), ("float64", 1e-12)):
        model = model_of(kind, loss(), dtype)
        expected, grads = gradients(model, X, y, weight=WEIGHTS)
        for power in (-990, -140, 3, 140, 990):
            again, same = gradients(model, X, y, weight=WEIGHTS * 2.0**power)
            assert again == expected
            assert all(np.array_equal(same[key], grads[key]) for key in grads)
        for size in SIZES:
            again, found = gradients(model, X, y, weight=WEIGHTS * size)
            assert again == pytest.approx(expected, rel=1e-13)
            close(found, grads, rtol)
        twin = reference_of(model, kind, loss(), dtype)
        exact, exact_grads = twin.loss_and_grad(X, y, sample_weight=WEIGHTS * 1e300)
        assert exact == pytest.approx(expected, rel=1e-5 if dtype == "float32" else 1e-12)
        close(grads, exact_grads, rtol)


def reference_of(model: Any, kind: str, loss: Any, dtype: str) -> Any:
    options: Any = {"optimizer": model.optimizer, "dtype": dtype, "seed": 3}
    twin = reference.Sequential(list(model.layers), loss=loss, **options)
    twin.load_state_dict(model.state_dict())
    return twin


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("size", SIZES)
def test_class_weights_of_any_size(kind: str, smoothing: float, size: float) -> None:
    weights = np.array([0.5, 2.0, 1.0, 3.0])
    X, y = x_of(kind), np.arange(ROWS) % 4

    def loss(scale: float) -> Any:
        return im.CrossEntropy(class_weight=weights * scale, label_smoothing=smoothing)

    expected, grads = gradients(model_of(kind, loss(1.0)), X, y, weight=WEIGHTS)
    found, others = gradients(model_of(kind, loss(size)), X, y, weight=WEIGHTS / size)
    assert found == pytest.approx(expected, rel=1e-6)
    close(others, grads, 1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_batch_of_the_rarest_class_alone(kind: str) -> None:
    """Its weight is lost beside the others', not in the ratio to its own sum."""
    loss = im.CrossEntropy(class_weight=[1e-60, 1.0, 1.0, 1e60])
    X, y = x_of(kind), np.zeros(ROWS, int)
    found, grads = gradients(model_of(kind, loss), X, y, weight=None)
    expected, others = gradients(model_of(kind, im.CrossEntropy()), X, y, weight=None)
    assert found == pytest.approx(expected, rel=1e-12)
    close(grads, others, 1e-6)


@pytest.mark.parametrize("kind", LAYERS)
def test_class_weights_of_shares_scale_the_loss(kind: str) -> None:
    """The mean divides by the rows alone, so a large loss is large."""
    weights = np.array([0.5, 2.0, 1.0, 3.0])
    plain = model_of(kind, im.CrossEntropy(class_weight=weights))
    large = model_of(kind, im.CrossEntropy(class_weight=weights * 1e35))
    X = x_of(kind)
    loss, grads = gradients(plain, X, SHARES, weight=WEIGHTS)
    found, others = gradients(large, X, SHARES, weight=WEIGHTS * 1e300)
    assert found == pytest.approx(1e35 * loss, rel=1e-6)
    close(others, {key: 1e35 * grad for key, grad in grads.items()}, 1e-5)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_sum_has_the_size_of_its_weights(kind: str, name: str) -> None:
    loss, y = LOSSES[name]
    X = x_of(kind)
    model = model_of(kind, loss(reduction="sum"))
    expected, grads = gradients(model, X, y, weight=WEIGHTS)
    for size in (1e-20, 1e20):
        found, others = gradients(model, X, y, weight=WEIGHTS * size)
        assert found == pytest.approx(size * expected, rel=1e-13)
        close(others, {key: size * grad for key, grad in grads.items()}, 1e-5)
    for size in (1e-300, 1e300):
        # The loss is float64's; gradients that float32 lacks are 0 or infinite.
        found, others = gradients(model, X, y, weight=WEIGHTS * size)
        assert found == pytest.approx(size * expected, rel=1e-12)
        assert all(not np.isfinite(g).all() if size > 1 else not g.any() for g in others.values())


def test_a_sum_whose_gradients_overflow_is_no_step() -> None:
    model = im.MLP([1, 1], loss=im.MSE(reduction="sum"), optimizer=im.SGD(lr=0.1), seed=0)
    with pytest.raises(FloatingPointError):
        model.train_on_batch([[1.0]], [0.0], sample_weight=[1e300])


@pytest.mark.parametrize("slabs", ["slabs:256", "general", "unfused", "columns", "auto"])
def test_every_route_has_the_bits(slabs: str) -> None:
    rows = 700
    X, y = RNG.normal(size=(rows, 30)), np.arange(rows) % 4
    weights = np.where(np.arange(rows) % 3 == 0, 1e-280, 1e290) * RNG.uniform(1, 2, size=rows)
    found = []
    for route in ("auto", slabs):
        model = model_of("rows", im.CrossEntropy(class_weight=[1e-200, 1.0, 2.0, 1e90]))
        model._core._set_route(route)
        history = model.fit(X, y, epochs=2, batch_size=600, sample_weight=weights)
        found.append((history["loss"].tolist(), [w.tolist() for w in model.state_dict().values()]))
    assert found[0] == found[1]
    assert np.isfinite(found[0][0]).all()


# Functions of arrays


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "sigmoid_cross_entropy_with_logits"])
def test_weights_of_elements(name: str, dtype: str) -> None:
    p = RNG.uniform(0.1, 0.9, size=(5, 7)).astype(dtype)
    t, w = RNG.uniform(size=(5, 7)), RNG.uniform(0.5, 2.0, size=(5, 7))
    value_and_grad = getattr(F, f"{name}_value_and_grad")
    for reduction in ("mean", "sum"):
        value, grad = value_and_grad(p, t, weight=w, reduction=reduction)
        for size in (1e-50, 1e-20, 1e20, 1e300):
            found, other = value_and_grad(p, t, weight=w * size, reduction=reduction)
            assert found == pytest.approx(size * value, rel=1e-12)
            if dtype == "float64" or 1e-30 < size < 1e30:
                np.testing.assert_allclose(other, size * grad, rtol=1e-5)
    found = value_and_grad(p, t, weight=w * 1e-20, reduction="none")[0]
    np.testing.assert_allclose(
        found, 1e-20 * getattr(F, name)(p, t, weight=w, reduction="none"), 1e-5
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_weights_of_classes(dtype: str, smoothing: float) -> None:
    x, y = RNG.normal(size=(9, 4)).astype(dtype), np.arange(9) % 4
    w = np.array([0.5, 2.0, 0.0, 1.5])
    function = F.softmax_cross_entropy_with_logits_value_and_grad
    value, grad = function(x, y, weight=w, label_smoothing=smoothing)
    for size in SIZES:
        found, other = function(x, y, weight=w * size, label_smoothing=smoothing)
        assert found == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(other, grad, rtol=2e-5, atol=1e-7)


# An epoch's loss


def constant(**options: Any) -> Any:
    model = im.MLP([1, 1], loss="mse", optimizer=im.SGD(lr=0.0), seed=0, **options)
    model.load_state_dict({"0.weight": [[0.0]], "0.bias": [0.0]})
    return model


@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_the_loss_of_two_rows_of_which_one_counts(batch_size: int | None) -> None:
    history = constant().fit(
        [[1.0], [2.0]], [1.0, 0.0], sample_weight=[1.0, 0.0], batch_size=batch_size
    )
    assert history["loss"].tolist() == [1.0]


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch_size", [1, 5, 16, 36, None])
@pytest.mark.parametrize("name", [*LOSSES, "weighted classes", "ignored", "sum"])
def test_an_epochs_loss_does_not_depend_on_the_batches(
    kind: str, batch_size: int | None, name: str
) -> None:
    y: Any = np.arange(ROWS) % 4
    loss: Any
    if name == "weighted classes":
        loss = im.CrossEntropy(class_weight=[1e-3, 2.0, 0.0, 1e3])
    elif name == "ignored":
        loss = im.CrossEntropy(ignore_index=-1)
        y = np.where(np.arange(ROWS) < 20, -1, y)
    elif name == "sum":
        loss, y = im.MSE(reduction="sum"), LOSSES["mse"][1]
    else:
        loss, y = LOSSES[name][0](), LOSSES[name][1]
    X = x_of(kind)
    for weight in (None, WEIGHTS, WEIGHTS * 1e300):
        model = model_of(kind, loss, "float64", optimizer=im.SGD(lr=0.0))
        expected = model._core.evaluate(np.asarray(X), targets(y), weight)[0]["loss"]
        options: Any = {"batch_size": batch_size, "sample_weight": weight, "epochs": 2}
        found = model.fit(X, y, shuffle=False, **options)["loss"]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        twin = reference_of(model, kind, loss, "float64")
        twin.learning_rate = 0.0
        others = twin.fit(X, y, shuffle=False, **options)["loss"]
        np.testing.assert_allclose(others, expected, rtol=1e-10)


def targets(y: Any) -> Any:
    return y if y.ndim == 2 else y.astype(np.int64)


def test_an_epoch_in_which_nothing_counts() -> None:
    model = constant()
    history = model.fit(
        [[1.0], [2.0]], [1.0, 0.0], sample_weight=[0.0, 0.0], batch_size=1, epochs=2
    )
    assert history["loss"].tolist() == [0.0, 0.0]
    assert (model.epoch, model._core.steps) == (2, 4)


def test_rows_weigh_the_loss_of_a_function() -> None:
    def loss(y: Any, t: Any) -> Any:
        return float(np.mean(t)), 0.0 * y

    model = im.MLP([1, 1], loss=loss, seed=0)
    history = model.fit([[1.0]] * 3, [1.0, 1.0, 4.0], batch_size=2, shuffle=False)
    assert history["loss"].tolist() == [2.0]
