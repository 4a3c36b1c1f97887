"""Networks of images: what X may be, what depends on nothing, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import with_workers
from states import squares

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, size=(37, 3, 12, 10), dtype=np.uint8)
Y = RNG.integers(0, 4, size=37)


def network(**settings: Any) -> im.Sequential:
    layers = [
        *(im.Conv2d(3, 6, 3, padding=1), im.ReLU(), im.MaxPool2d(2)),
        *(im.Conv2d(6, 8, 3, groups=2), im.Tanh(), im.AvgPool2d(2)),
        im.Flatten(),
        im.Linear(16, 4),
    ]
    given = {"optimizer": im.Adam(lr=0.01), "scale": 255, "seed": 5, **settings}
    return im.Sequential(layers, loss="cross_entropy", **given)  # type: ignore[arg-type]


def trained(X: Any = PIXELS, batch_size: int = 17, **settings: Any) -> dict[str, Any]:
    model = network(**settings)
    model.fit(X, Y, epochs=3, batch_size=batch_size)
    return model.state_dict()


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for key, values in one.items():
        np.testing.assert_array_equal(values, other[key], err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_no_bit(threads: int, dtype: Any) -> None:
    alone = trained(n_threads=1, dtype=dtype)
    with with_workers():
        shared = trained(n_threads=threads, dtype=dtype)
    assert_same(alone, shared)


def test_batches_larger_than_a_slab_take_all_threads_and_routes() -> None:
    X, y = np.tile(PIXELS, (20, 1, 1, 1)), np.tile(Y, 20)
    found = []
    for threads, route in ((1, "auto"), (3, "auto"), (2, "unfused"), (1, "slabs:256")):
        model = network(n_threads=threads)
        model._core._set_route(route)
        with with_workers(threads > 1):
            model.fit(X, y, epochs=2, batch_size=None)
        found.append(model.state_dict())
    for other in found[1:]:
        assert_same(found[0], other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_image_gives_the_same_at_every_place_of_every_batch(dtype: Any) -> None:
    X = RNG.integers(0, 256, size=(300, *PIXELS.shape[1:]), dtype=np.uint8)
    model = network(dtype=dtype)
    outputs = model.forward(X)
    assert len(np.unique(outputs[:, 0])) > 250
    # Batches of one image, of less than a block of lanes, of whole ones, and of more.
    for start, count in ((0, 1), (15, 1), (16, 1), (299, 1), (3, 7), (9, 16), (31, 17), (40, 257)):
        rows = slice(start, start + count)
        np.testing.assert_array_equal(model.forward(X[rows]), outputs[rows])


def test_the_order_of_the_axes_and_the_memory_change_nothing() -> None:
    plain = trained()
    last = np.ascontiguousarray(PIXELS.transpose(0, 2, 3, 1))
    assert_same(plain, trained(last, channels_last=True))
    assert_same(plain, trained(last.transpose(0, 3, 1, 2)))  # a view in another order
    assert_same(plain, trained(PIXELS[:, :, ::-1][:, :, ::-1]))
    assert_same(plain, trained(PIXELS.astype("f8")))
    backwards = PIXELS[::-1]
    np.testing.assert_array_equal(network().forward(backwards)[::-1], network().forward(PIXELS))


def test_scale_is_a_division() -> None:
    divided = (PIXELS / 255).astype("f4")
    assert_same(trained(), trained(divided, scale=None))
    X = PIXELS.reshape(37, -1)
    rows = [im.Linear(360, 4)]
    by_scale = im.Sequential(rows, loss="cross_entropy", scale=255, seed=0)
    plain = im.Sequential(rows, loss="cross_entropy", seed=0)
    expected = plain.forward((X / 255).astype("f4"))
    np.testing.assert_array_equal(by_scale.forward(X), expected)


def test_flatten_first_takes_samples_of_any_shape() -> None:
    model = im.Sequential([im.Flatten(), im.Linear(360, 4)], loss="cross_entropy", seed=0)
    outputs = model.forward(PIXELS)
    np.testing.assert_array_equal(outputs, model.forward(PIXELS.reshape(37, -1)))


@pytest.mark.parametrize("loss", ["mse", squares])
def test_the_gradient_by_samples_of_any_shape_has_their_shape(loss: Any) -> None:
    model = im.Sequential([im.Flatten(), im.Linear(360, 4)], loss=loss, seed=0)
    images, rows = PIXELS / 255, (PIXELS / 255).reshape(37, -1)
    for X in (images, images.tolist()):
        found = model.loss_and_grad(X, np.zeros((37, 4)), input_grad=True)[2]
        by_hand = model.backward(X, np.ones((37, 4)), input_grad=True)[1]
        assert found.shape == by_hand.shape == images.shape
    plain = model.loss_and_grad(rows, np.zeros((37, 4)), input_grad=True)[2]
    np.testing.assert_array_equal(found.reshape(37, -1), plain)


def test_images_of_several_sizes() -> None:
    layers = [im.Conv2d(1, 4, 3), im.ReLU(), im.AvgPool2d(4), im.Flatten(), im.Linear(16, 2)]
    model = im.Sequential(layers, loss="cross_entropy", seed=0)
    for size in (10, 11, 12):
        X = RNG.random((5, 1, size, size))
        assert model.forward(X).shape == (5, 2)
        model.train_on_batch(X, [0, 1, 0, 1, 1])


def test_predictor() -> None:
    model = network()
    predict, outputs = model.predictor(max_rows=4), model.forward(PIXELS)
    np.testing.assert_array_equal(predict(PIXELS[:4]), outputs[:4])
    np.testing.assert_array_equal(predict(PIXELS[7]), outputs[7])
    out = np.empty(4, np.float32)
    assert predict(PIXELS[9], out=out) is out
    np.testing.assert_array_equal(out, outputs[9])


def test_gradient_by_x_has_its_shape_and_scale() -> None:
    one, other = network(scale=255), network(scale=None)
    X = (PIXELS / 255).astype("f4")
    by_bytes = one.loss_and_grad(PIXELS, Y, input_grad=True)[2]
    by_shares = other.loss_and_grad(X, Y, input_grad=True)[2]
    assert by_bytes.shape == PIXELS.shape
    np.testing.assert_array_equal(by_bytes, by_shares / np.float32(255))


def test_frozen_convolutions_keep_their_bits() -> None:
    layers = [
        *(im.Conv2d(3, 4, 3, trainable=False), im.ReLU(), im.Conv2d(4, 4, 3, trainable=False)),
        *(im.Flatten(), im.Linear(4 * 8 * 6, 4)),
    ]
    model = im.Sequential(layers, loss="cross_entropy", seed=1)
    before = model.state_dict()
    model.fit(PIXELS, Y, epochs=1)
    after = model.state_dict()
    for key in ("0.weight", "0.bias", "2.weight", "2.bias"):
        np.testing.assert_array_equal(before[key], after[key])
    assert (before["4.weight"] != after["4.weight"]).any()


def test_gradients_can_be_applied_before_any_image_was_seen() -> None:
    model, twin = network(), network()
    _, grads = twin.loss_and_grad(PIXELS, Y, training=True)
    model.apply_gradients(grads)
    twin.train_on_batch(PIXELS, Y)
    assert_same(model.state_dict(), twin.state_dict())


def test_files_copies_and_pickles_keep_how_x_is_read(tmp_path: Path) -> None:
    last = np.ascontiguousarray(PIXELS.transpose(0, 2, 3, 1))
    model = network(channels_last=True)
    model.fit(last, Y, epochs=1, batch_size=17)
    model.save(tmp_path / "images.safetensors")
    loaded = im.load(tmp_path / "images.safetensors")
    assert (loaded.scale, loaded.channels_last) == (255.0, True)
    for twin in (loaded, model.copy()):
        twin.fit(last, Y, epochs=1, batch_size=17)
    model.fit(last, Y, epochs=1, batch_size=17)
    assert_same(model.state_dict(), loaded.state_dict())
    assert "    scale=255.0,\n    channels_last=True,\n" in repr(model)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (PIXELS.transpose(0, 2, 3, 1), ["10", "3", "channels_last=True"]),
        (PIXELS[:, :2], ["2 channels", "takes 3"]),
        (PIXELS[0], ["(n, 3, H, W)"]),
        (PIXELS.reshape(37, -1), ["(n, 3, H, W)"]),
        (PIXELS[:, :, :10], ["layer 7: Linear takes 16", "gets 8"]),
        (PIXELS[:, :, :3], ["layer 3", "larger than its input"]),
        (PIXELS[:0], ["0 rows"]),
        (PIXELS[:, :, :0], ["no pixels"]),
    ],
)
def test_images_that_do_not_fit(X: Any, words: list[str]) -> None:
    model = network()
    for call in (model.forward, lambda X: model.fit(X, Y[: len(X)])):
        with pytest.raises(ValueError, match=r"layer|X has") as caught:
            call(X)
        assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([im.Conv2d(1, 16, 3), im.Conv2d(6, 4, 3)], ["layer 1", "takes 6 channels, gets 16"]),
        ([im.Conv2d(1, 4, 3), im.Linear(4, 2)], ["layer 1", "Flatten"]),
        ([im.Linear(4, 4), im.Conv2d(1, 4, 3)], ["layer 1: Conv2d takes images, gets rows"]),
        ([im.Flatten(), im.Linear(4, 4), im.AvgPool2d(2)], ["layer 2", "takes images"]),
    ],
)
def test_layers_that_do_not_fit(layers: list[Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match="layer") as caught:
        im.Sequential([*layers, im.Flatten(), im.Linear(4, 2)], loss="cross_entropy")
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("padding", [2**20, 2**31 - 1])
def test_padding_beyond_memory_is_refused(padding: int) -> None:
    """What is larger than the memory lies between two layers; X and the output are small."""
    layers = [im.Conv2d(1, 1, 1, padding=padding), im.AvgPool2d(padding), im.Flatten()]
    model = im.Sequential([*layers, im.Linear(4, 2)], loss="cross_entropy")
    with pytest.raises(MemoryError, match="bytes are needed"):
        model.forward(np.zeros((1, 1, 3, 3)))


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_scales_that_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale is"):
        network(scale=scale)


def test_digits_of_28_pixels_are_told_apart() -> None:
    """LeNet-5 in its common form: rectifiers, max pools, and half of the units dropped."""
    images, digit = im.datasets.digit_images()
    X_train, X_test, y_train, y_test = im.datasets.stratified_split(images, digit)
    model = im.Sequential(
        [
            *(im.Conv2d(1, 6, 5, padding=2), im.ReLU(), im.MaxPool2d(2)),
            *(im.Conv2d(6, 16, 5), im.ReLU(), im.MaxPool2d(2)),
            im.Flatten(),
            *(im.Dropout(0.5), im.Linear(400, 120), im.ReLU()),
            *(im.Dropout(0.5), im.Linear(120, 84), im.ReLU()),
            im.Linear(84, 10),
        ],
        loss="cross_entropy",
        optimizer=im.Adam(lr=2e-3),
        scale=255,
        seed=0,
    )
    model.fit(X_train, y_train, epochs=60, batch_size=32)
    assert model.evaluate(X_test, y_test)["accuracy"] >= 0.98


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (1, 8, 8), "padding": 0}, "nothing is left"),
        ({"input_shape": (28, 28)}, "3 entries"),
        ({"padding": -1}, "padding is -1"),
    ],
)
def test_lenets_that_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        im.LeNet5(**arguments)


def test_the_forms_of_lenet() -> None:
    original = im.LeNet5((1, 32, 32), activation="tanh", padding=0, seed=0)
    common = im.LeNet5((28, 28, 1), channels_last=True, seed=0)
    assert original.forward(np.zeros((2, 1, 32, 32))).shape == (2, 10)
    assert common.forward(np.zeros((2, 28, 28, 1))).shape == (2, 10)
