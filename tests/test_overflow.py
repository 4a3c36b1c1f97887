"""A step with a finite loss whose update is not finite, and what may be done with such a model."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im

Array = np.ndarray[Any, Any]

# Such data are what this is about.
pytestmark = pytest.mark.filterwarnings("ignore:(y reaches|the widest column)")


def rare() -> Any:
    """Its loss is 0.66 and its gradients are below 1, at any size of the weights."""
    loss = im.CrossEntropy(class_weight=[1e-39, 1e-39])
    return im.MLP([1, 2], loss=loss, optimizer=im.SGD(lr=0.1), seed=0)


def steep(**options: Any) -> Any:
    """Its first step on `far` makes the weight infinite; the loss is 1e19."""
    options = {"loss": "mse", "optimizer": im.SGD(lr=1e25), "seed": 0, **options}
    return im.MLP([1, 1], **options)


FAR = ([[1e10]], [0.0])


def moments() -> Any:
    """Its first step on X of 1e21 makes the second moment infinite, the parameters stay finite."""
    return im.MLP([1, 1], loss="mae", optimizer=im.Adam(lr=1e-3), seed=0)


def bits(model: Any) -> Any:
    trained = model._trained()
    state = trained["optimizer_state"]
    tensors = [*trained["parameters"], *(t for moment in state.pop("moments") for t in moment)]
    return [tensor.tobytes() for tensor in tensors], sorted(state.items())


def broken() -> Any:
    model = steep()
    with pytest.raises(FloatingPointError):
        model.fit(*FAR)
    return model


def broken_moments() -> Any:
    model = moments()
    with pytest.raises(FloatingPointError):
        model.fit([[1e21]], [0.0])
    return model


def test_class_weights_that_float32_has_in_part() -> None:
    model, plain = rare(), im.MLP([1, 2], loss="cross_entropy", optimizer=im.SGD(lr=0.1), seed=0)
    loss, grads = model.loss_and_grad([[1.0]], [0])
    assert loss == pytest.approx(0.6638, abs=1e-4)
    np.testing.assert_allclose(grads["0.bias"], [-0.4851, 0.4851], atol=1e-4)
    for each in (model, plain):
        each.fit([[1.0]], [0])
    for key, value in plain.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[key], value, rtol=1e-6)


# fit


@pytest.mark.parametrize(
    ("make", "data", "tensor"),
    [
        (steep, FAR, "'0.weight'"),
        (moments, ([[1e21]], [0.0]), "moment 1 of '0.weight'"),
        (lambda: steep(dtype="float64", optimizer=im.SGD(lr=1e300)), FAR, "'0.weight'"),
        (lambda: steep(optimizer=im.SGD(lr=1e25, momentum=0.9)), FAR, "'0.weight'"),
    ],
    ids=["weight", "moment", "float64", "momentum"],
)
def test_a_fit_does_not_return_with_what_is_not_finite(make: Any, data: Any, tensor: str) -> None:
    model = make()
    with pytest.raises(FloatingPointError, match="training diverged") as caught:
        model.fit(*data)
    assert tensor in str(caught.value)
    assert "epoch 0, batch 0" in str(caught.value)
    assert (caught.value.epoch, caught.value.batch) == (0, 0)  # type: ignore[attr-defined]
    assert (model.epoch, model._core.steps) == (1, 1)
    model.reset()
    model.fit([[1.0]], [0.0], epochs=0)
    assert all(np.isfinite(value).all() for value in model.state_dict().values())


def test_it_is_found_at_the_end_of_an_epoch_with_callbacks() -> None:
    seen: list[int] = []

    def grow(model: Any, logs: Any) -> None:
        seen.append(logs["epoch"])
        model.learning_rate = 1e38 if logs["epoch"] == 2 else 0.0

    model = im.MLP([1, 1], loss="mae", optimizer=im.SGD(lr=0.0), seed=0)
    X, y = np.full((6, 1), 1e3), np.full(6, 1e6)
    with pytest.raises(FloatingPointError) as caught:
        model.fit(X, y, epochs=10, batch_size=6, callbacks=[grow])
    assert seen == [0, 1, 2]
    assert (caught.value.epoch, caught.value.batch) == (3, 0)  # type: ignore[attr-defined]


def test_a_loss_that_is_not_finite_for_what_came_before() -> None:
    """The second batch's loss is NaN, as the first has left an infinite weight: that is said."""
    model = steep()
    with pytest.raises(FloatingPointError) as caught:
        model.fit([[1e10], [1e10]], [0.0, 0.0], batch_size=1, shuffle=False)
    assert "'0.weight' has NaN or infinite values" in str(caught.value)
    assert "as it was before" not in str(caught.value)


def test_a_loss_of_ones_own() -> None:
    def loss(y: Array, t: Array) -> tuple[float, Array]:
        return 1.0, np.full_like(y, 1e30)

    model = im.MLP([1, 1], loss=loss, optimizer=im.SGD(lr=1e20), seed=0)
    with pytest.raises(FloatingPointError, match=r"'0\.weight'"):
        model.fit([[1.0]] * 3, [0.0] * 3, batch_size=1)


@pytest.mark.parametrize("width", [40, 600])
def test_large_and_general_networks(width: int) -> None:
    """Several tiles of the search, on several threads; the second is not the first layer."""
    model = im.MLP([3, width, width, 1], loss="mse", optimizer=im.SGD(lr=1e30), n_threads=2, seed=0)
    with pytest.raises(FloatingPointError, match=r"'[024]\.(weight|bias)'"):
        model.fit(np.full((5, 3), 1e8), np.zeros(5))


def test_convolutions() -> None:
    layers = [im.Conv2d(1, 2, 3), im.ReLU(), im.Flatten(), im.Linear(32, 1)]
    model = im.Sequential(layers, loss="mae", optimizer=im.SGD(lr=1e35), seed=1)
    with pytest.raises(FloatingPointError, match=r"'[03]\.(weight|bias)'"):
        model.fit(np.full((5, 1, 6, 6), 1e8), np.full(5, 1e9))


@pytest.mark.parametrize("sizes", [[1, 1], [1, 2, 1], [20, 30, 1]])
def test_epochs_that_ended_before_are_counted(sizes: list[int]) -> None:
    """Also where one call of the core makes many of them."""
    model = im.MLP(sizes, loss="mse", optimizer=im.SGD(lr=0.9), activation="identity", seed=0)
    X, y = np.full((3, sizes[0]), 2.0), np.ones(3)
    run = model._core.fit(X, y[:, np.newaxis], None, 10_000, None, True, True)
    with run:
        with pytest.raises(FloatingPointError) as caught:
            finish(run)
        epochs = run.epochs_done
        assert 1 < epochs < 10_000
        assert len(run.losses(0)) == epochs == model.epoch == model._core.steps
        assert np.isfinite(run.losses(0)).all()
        assert caught.value.epoch in (epochs, epochs - 1)  # type: ignore[attr-defined]
    twin = im.MLP(sizes, loss="mse", optimizer=im.SGD(lr=0.9), activation="identity", seed=0)
    losses = []
    for _ in range(epochs):
        losses.append(twin.loss_and_grad(X, y)[0])
        try:
            twin.train_on_batch(X, y)
        except FloatingPointError:
            break
    np.testing.assert_array_equal(run.losses(0), losses)


def finish(run: Any) -> None:
    while not run.done:
        run.advance(10.0, False)


# Loops of one's own


def test_train_on_batch_and_apply_gradients() -> None:
    model = steep()
    with pytest.raises(FloatingPointError, match=r"'0\.weight'") as caught:
        model.train_on_batch(*FAR)
    assert (caught.value.epoch, caught.value.batch) == (0, 0)  # type: ignore[attr-defined]
    model = steep()
    _, grads = model.loss_and_grad(*FAR)
    with pytest.raises(FloatingPointError, match=r"'0\.weight'"):
        model.apply_gradients(grads)
    assert model._core.steps == 1


# What may be done with it


@pytest.mark.parametrize("make", [broken, broken_moments], ids=["parameters", "moments"])
def test_copies_have_every_bit(make: Any) -> None:
    model = make()
    for twin in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
        model.copy(),
    ):
        assert bits(twin) == bits(model)


@pytest.mark.parametrize(
    ("make", "name"),
    [(broken, "'0.weight'"), (broken_moments, "'optimizer/1/0.weight'")],
    ids=["parameters", "moments"],
)
def test_save_refuses_and_leaves_the_file(make: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.st"
    good = steep()
    good.save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="finite") as caught:
        make().save(path)
    assert name in str(caught.value)
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]
    assert bits(im.load(path)) == bits(good)


def test_load_state_dict_takes_finite_numbers_alone() -> None:
    model, good = broken(), steep().state_dict()
    with pytest.raises(ValueError, match=r"'0\.weight'.*finite"):
        steep().load_state_dict(model.state_dict())
    model.load_state_dict(good)
    model.learning_rate = 0.0
    model.fit([[1.0]], [0.0])
