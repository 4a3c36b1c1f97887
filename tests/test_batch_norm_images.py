"""`BatchNorm2d`: one mean and variance for each channel, over samples and pixels."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference
from networks import with_workers
from test_batch_norm import RUNNING, WAYS, assert_unmoved

Array = np.ndarray[Any, Any]


def images(rows: int = 37, seed: int = 0, size: tuple[int, int] = (5, 4)) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(1.0, 2.0, size=(rows, 3, *size)), rng.normal(size=(rows, 2))


def first(size: tuple[int, int] = (5, 4), library: Any = im, **options: Any) -> Any:
    """A network that normalizes X itself."""
    layers = [im.BatchNorm2d(3, **options), im.Flatten(), im.Linear(3 * size[0] * size[1], 2)]
    return library.Sequential(layers, loss="mse", dtype="float64", seed=3, optimizer=im.SGD(lr=0.1))


def deep(library: Any = im, **options: Any) -> Any:
    """Convolutions and pools around normalizations, and one of rows."""
    layers = [
        *(im.Conv2d(3, 4, 3, padding=1), im.BatchNorm2d(4), im.ReLU(), im.MaxPool2d(2)),
        *(im.BatchNorm2d(4, momentum=None, affine=False), im.Conv2d(4, 5, 2, bias=False)),
        *(im.Tanh(), im.BatchNorm2d(5), im.Dropout(0.2), im.Flatten()),
        *(im.Linear(5, 6), im.BatchNorm1d(6), im.ReLU(), im.Linear(6, 2)),
    ]
    return library.Sequential(layers, loss="mse", seed=4, **options)


def running(model: Any) -> dict[str, Array]:
    state = model.state_dict()
    return {key: state[f"0.{key}"] for key in RUNNING}


@pytest.mark.parametrize("momentum", [0.1, 1.0, None])
@pytest.mark.parametrize("way", WAYS)
def test_running_values_move_in_training(way: str, momentum: float | None) -> None:
    model = first(momentum=momentum)
    mean, variance = np.zeros(3), np.ones(3)
    for step in range(3):
        X, y = images(37, step)
        share = 1 / (step + 1) if momentum is None else momentum
        mean = (1 - share) * mean + share * X.mean(axis=(0, 2, 3))
        values = X.transpose(1, 0, 2, 3).reshape(3, -1)
        variance = (1 - share) * variance + share * values.var(axis=1, ddof=1)
        WAYS[way](model, X, y)
        found = running(model)
        np.testing.assert_allclose(found["running_mean"], mean, rtol=1e-13)
        np.testing.assert_allclose(found["running_var"], variance, rtol=1e-13)
        assert found["num_batches_tracked"] == step + 1


def test_running_values_never_move_but_in_training() -> None:
    model, (X, y) = deep(), images()
    model.fit(X, y, epochs=2, batch_size=16)
    for call in (
        lambda: model.forward(X),
        lambda: model.forward(X, training=True),
        lambda: model.evaluate(X, y),
        lambda: model.trace(X, y),
        lambda: model.loss_and_grad(X, y),
        lambda: model.backward(X, y, input_grad=True),
    ):
        assert_unmoved(model, call)


@pytest.mark.filterwarnings("ignore")
def test_a_step_that_was_not_applied_moves_nothing() -> None:
    model, (X, y) = deep(), images()
    model.fit(X, y, batch_size=16)
    huge = np.full_like(y, 1e30)

    def refused() -> None:
        with pytest.raises(FloatingPointError):
            model.train_on_batch(X, huge)

    assert_unmoved(model, refused)
    assert_unmoved(model, lambda: model.loss_and_grad(X, huge, training=True))


@pytest.mark.parametrize("library", [im, reference])
def test_one_pixel_is_refused_and_two_are_enough(library: Any) -> None:
    X, y = images(5, size=(1, 1))
    model = first((1, 1), library)
    for call in (
        lambda: model.fit(X, y, batch_size=4),
        lambda: model.train_on_batch(X[:1], y[:1]),
        lambda: model.forward(X[:1], training=True),
    ):

        def refused(call: Any = call) -> None:
            with pytest.raises(ValueError, match=r"layer 0: a .*one value"):
                call()

        assert_unmoved(model, refused)
    model.fit(X, y, batch_size=3)
    X, y = images(5, size=(1, 2))
    model = first((1, 2), library)
    model.fit(X, y, batch_size=1)
    np.testing.assert_allclose(running(model)["num_batches_tracked"], 5)


def test_weights_of_rows_do_not_count_in_the_statistics() -> None:
    (X, y), plain, weighted = images(), first(), first()
    plain.train_on_batch(X, y)
    weighted.train_on_batch(X, y, sample_weight=np.arange(37.0))
    one, other = running(plain), running(weighted)
    assert all(np.array_equal(one[key], other[key]) for key in RUNNING)


@pytest.mark.parametrize("rows", [17, 256, 300, 4500])
def test_a_step_is_the_references(rows: int) -> None:
    X, y = images(rows)
    model, peer = deep(dtype="float64"), deep(reference, dtype="float64")
    found = model.loss_and_grad(X, y, training=True, input_grad=True)
    exact = peer.loss_and_grad(X, y, training=True, input_grad=True)
    assert found[0] == pytest.approx(exact[0], rel=1e-11)
    for key, grad in exact[1].items():
        size = max(1e-3, float(np.abs(grad).max()))
        np.testing.assert_allclose(found[1][key], grad, atol=1e-10 * size, err_msg=key)
    np.testing.assert_allclose(found[2], exact[2], atol=1e-11)
    state = model.state_dict()
    for key, w in peer.state_dict().items():
        np.testing.assert_allclose(state[key], w, rtol=1e-10, atol=1e-12, err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_routes_and_halves_give_the_same_bits(dtype: str) -> None:
    X, y = images(150)

    def trained(route: str, threads: int, own: bool = False) -> bytes:
        model = deep(dtype=dtype, n_threads=threads)
        model._core._set_route(route)
        for _ in range(3):
            if own:
                _, grads = model.loss_and_grad(X, y, training=True)
                model.apply_gradients(grads)
            else:
                model.train_on_batch(X, y)
        tensors = (*model.state_dict().values(), model(X), model.forward(X, training=True))
        return b"".join(tensor.tobytes() for tensor in tensors)

    expected = trained("auto", 1)
    for route in ("auto", "unfused", "general", "columns"):
        assert trained(route, 1) == expected, route
        with with_workers():
            assert trained(route, 3) == expected, route
    assert trained("auto", 1, own=True) == expected


def test_an_own_loss_gives_the_bits_of_the_same_loss() -> None:
    X, y = images(60)

    def squares(outputs: Array, y: Array) -> tuple[float, Array]:
        return float(np.mean((outputs - y) ** 2)), 2 * (outputs - y) / outputs.size

    layers = deep().layers
    model = im.Sequential(layers, loss=squares, dtype="float64", seed=4)
    peer = im.Sequential(layers, loss="mse", dtype="float64", seed=4)
    for one in (model, peer):
        one.fit(X, y, epochs=2, batch_size=24, verbose=False)
    state = model.state_dict()
    for key, w in peer.state_dict().items():
        np.testing.assert_allclose(state[key], w, rtol=1e-9, atol=1e-11, err_msg=key)


def test_rows_are_independent_in_predictions_alone() -> None:
    model, (X, y) = deep(), images(40)
    model.fit(X, y, epochs=2, batch_size=20)
    outputs = model(X)
    for row in (0, 15, 16, 39):
        assert np.array_equal(model(X[row : row + 1])[0], outputs[row])
    assert not np.allclose(
        model.forward(X, training=True)[:20], model.forward(X[:20], training=True)
    )


def test_channels_last_are_the_same_channels() -> None:
    X, y = images(40)
    model, last = deep(), deep(channels_last=True)
    model.fit(X, y, epochs=2, batch_size=16)
    last.fit(X.transpose(0, 2, 3, 1), y, epochs=2, batch_size=16)
    state = last.state_dict()
    assert all(np.array_equal(w, state[key]) for key, w in model.state_dict().items())


def test_validation_takes_running_values() -> None:
    model, (X, y) = deep(), images(64)
    history = model.fit(X, y, epochs=2, batch_size=16, validation_data=(X[:9], y[:9]))
    assert history["val_loss"][-1] == model.evaluate(X[:9], y[:9])["loss"]


def test_images_of_other_channels_and_rows_are_refused() -> None:
    X, y = images()
    with pytest.raises(ValueError, match="the network takes 3"):
        first().fit(X[:, :2], y)
    with pytest.raises(ValueError, match="layer 1"):
        im.Sequential([im.Linear(5, 3), im.BatchNorm2d(3), im.Linear(3, 2)], loss="mse")
    with pytest.raises(ValueError, match="layer 1"):
        im.Sequential(
            [im.Conv2d(3, 4, 3), im.BatchNorm2d(3), im.Flatten(), im.Linear(9, 2)], loss="mse"
        )
    summary = first().summary((3, 5, 4))
    assert "BatchNorm2d(3)" in summary
    assert "3 x 5 x 4" in summary
    with pytest.raises(ValueError, match="channel"):
        first().summary((2, 5, 4))
