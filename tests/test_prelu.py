"""PReLU: what its slopes are for, at its limits, the same bits on all routes."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from golden.drawn import drawn
from ironmlp import reference
from ironmlp.layers import Conv2d, Dropout, Flatten, Linear, MaxPool2d, PReLU, Residual, Tanh

Array = np.ndarray[Any, Any]


def rows_network(**options: Any) -> im.Sequential:
    """Slopes of all features and of each, first, between, within a Residual, and last."""
    around = [PReLU(33, 0.5), Linear(33, 33), PReLU(33, -0.25, trainable=False), Dropout(0.2)]
    return im.Sequential(
        [
            *(PReLU(6, 1.5), Linear(6, 33), PReLU(), Residual(around)),
            *(PReLU(lr_scale=0.5), Linear(33, 3), PReLU(3)),
        ],
        **{"loss": "cross_entropy", "optimizer": im.AdamW(lr=0.01), "seed": 3} | options,
    )


def image_network(**options: Any) -> im.Sequential:
    return im.Sequential(
        [
            *(PReLU(2), Conv2d(2, 18, 3), PReLU(18), MaxPool2d(2), PReLU(), Tanh(), PReLU(18)),
            *(Flatten(), PReLU(), Linear(18 * 3 * 4, 3)),
        ],
        **{"loss": "cross_entropy", "optimizer": im.SGD(lr=0.1, momentum=0.5), "seed": 3} | options,
    )


def data(rows: int, *shape: int) -> tuple[Array, Array]:
    return drawn((rows, *shape), 1), drawn((rows, 3), 2).argmax(axis=1)


NETWORKS = [(rows_network, (6,)), (image_network, (2, 8, 10))]
EVERY_NETWORK = pytest.mark.parametrize(("network", "shape"), NETWORKS, ids=["rows", "images"])


def same(first: Any, second: Any) -> bool:
    """Whether two models have the same parameters, bit for bit."""
    states = first.state_dict(), second.state_dict()
    pairs = zip(*states, strict=True)
    return all(a == b and np.array_equal(states[0][a], states[1][b]) for a, b in pairs)


def test_slopes_are_parameters_that_begin_as_init() -> None:
    state = rows_network().state_dict()
    slopes = {key: w.tolist() for key, w in state.items() if w.ndim == 1 and "weight" in key}
    assert slopes == {
        "0.weight": [1.5] * 6,
        "2.weight": [0.25],
        "3.0.weight": [0.5] * 33,
        "3.2.weight": [-0.25] * 33,
        "4.weight": [0.25],
        "6.weight": [0.25] * 3,
    }
    assert "2.bias" not in state
    lines = rows_network().summary().splitlines()
    assert [line.split()[-1] == "frozen" for line in lines[1:-2]].count(True) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@EVERY_NETWORK
def test_training_is_the_references(network: Any, shape: tuple[int, ...], dtype: str) -> None:
    X, y = data(70, *shape)
    ours = network(dtype=dtype)
    theirs = reference.Sequential(
        ours.layers, loss=ours.loss, optimizer=ours.optimizer, dtype="float64", seed=3
    )
    theirs.load_state_dict(ours.state_dict())
    for model in (ours, theirs):
        model.fit(X, y, epochs=3, batch_size=32, verbose=False)
    for key, w in theirs.state_dict().items():
        apart = np.abs(ours.state_dict()[key] - w).max() / max(np.abs(w).max(), 1e-3)
        assert apart < 1e5 * tolerances.eps(dtype), key


@pytest.mark.parametrize("route", ["general", "unfused", "columns", "slabs:256"])
@pytest.mark.parametrize("threads", [1, 3])
@EVERY_NETWORK
def test_every_route_gives_the_same_bits(
    network: Any, shape: tuple[int, ...], threads: int, route: str
) -> None:
    X, y = data(600, *shape)
    models = [network(n_threads=n) for n in (1, threads)]
    models[1]._core._set_route(route)
    for model in models:
        model.fit(X, y, epochs=2, batch_size=600, verbose=False)
    assert same(*models)
    grads = [model.loss_and_grad(X, y, input_grad=True) for model in models]
    assert grads[0][0] == grads[1][0]
    assert all(np.array_equal(grads[0][1][key], grads[1][1][key]) for key in grads[0][1])
    assert np.array_equal(grads[0][2], grads[1][2])


@EVERY_NETWORK
def test_rows_do_not_depend_on_each_other(network: Any, shape: tuple[int, ...]) -> None:
    model, (X, _) = network(), data(40, *shape)
    whole, one = model.forward(X), model.predictor()
    for i in range(40):
        assert np.array_equal(whole[i], model.forward(X[i : i + 1])[0])
        assert np.array_equal(whole[i], one(X[i].astype("float32")))


@EVERY_NETWORK
def test_copies_and_files_go_on_with_the_same_bits(
    network: Any, shape: tuple[int, ...], tmp_path: Path
) -> None:
    X, y = data(50, *shape)
    model = network()
    model.fit(X, y, epochs=2, verbose=False)
    model.save(tmp_path / "model.safetensors")
    others = [
        im.load(tmp_path / "model.safetensors"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        model.copy(),
    ]
    model.fit(X, y, epochs=2, verbose=False)
    for other in others:
        assert other.layers == model.layers
        other.fit(X, y, epochs=2, verbose=False)
        assert same(model, other)
    assert eval(repr(model), vars(im)).layers == model.layers
    model.reset()
    assert same(model, network())


def test_frozen_slopes_stay_and_gradients_pass_them() -> None:
    X, y = data(30, 6)
    model = rows_network(optimizer=im.SGD(lr=0.1))
    before = model.state_dict()
    model.fit(X, y, epochs=1, verbose=False)
    moved = {key for key, w in model.state_dict().items() if not np.array_equal(w, before[key])}
    assert moved == {*before} - {"3.2.weight"}


def test_lr_scale_is_a_factor_on_the_steps_of_slopes() -> None:
    X, y = data(30, 6)
    models = [
        im.Sequential(
            [Linear(6, 8), PReLU(8, lr_scale=scale), Linear(8, 3)],
            loss="cross_entropy",
            optimizer=im.SGD(lr=0.125),
            dtype="float64",
            seed=0,
        )
        for scale in (1.0, 0.5)
    ]
    steps = []
    for model in models:
        model.train_on_batch(X, y)
        steps.append(model.state_dict()["1.weight"] - 0.25)
    assert steps[0].any()
    np.testing.assert_allclose(steps[1], 0.5 * steps[0], rtol=1e-9, atol=1e-15)


def test_each_place_of_an_mlp_has_its_own_slopes() -> None:
    model = im.MLP([6, 5, 4, 3], activation="prelu", loss="cross_entropy", seed=0)
    assert list(model.state_dict()) == [
        *("0.weight", "0.bias", "1.weight", "2.weight", "2.bias"),
        *("3.weight", "4.weight", "4.bias"),
    ]
    X, y = data(30, 6)
    model.fit(X, y, epochs=3, verbose=False)
    assert model.state_dict()["1.weight"] != model.state_dict()["3.weight"]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Linear(4, 3), PReLU(4), Linear(3, 1)], "layer 1: PReLU takes 4 features, gets 3"),
        ([PReLU(5), Linear(4, 1)], "layer 0: PReLU takes 5 features, gets 4"),
        ([Linear(4, 3), Residual([PReLU(2)]), Linear(3, 1)], r"layer 1\.0: PReLU takes 2"),
        (
            [Conv2d(1, 3, 1), PReLU(2), Flatten(), Linear(48, 1)],
            "layer 1: PReLU takes 2 channels, gets 3",
        ),
    ],
)
def test_as_many_slopes_as_features_or_one(layers: list[im.Layer], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        im.Sequential(layers, loss="mse")


def test_slopes_for_channels_that_the_first_images_show() -> None:
    layers = [PReLU(2), MaxPool2d(2), Flatten(), Linear(8, 1)]
    model = im.Sequential(layers, loss="mse", seed=0)
    model.forward(np.ones((3, 2, 4, 4)))
    with pytest.raises(ValueError, match="layer 0: PReLU takes 2 channels, gets 3"):
        model.forward(np.ones((3, 3, 4, 4)))


def test_slopes_decay_as_biases_do_and_have_no_penalty() -> None:
    X = np.random.default_rng(0).uniform(0.5, 1.0, (32, 6))

    def slope(**options: Any) -> float:
        """After ten steps in which no input was negative, so that nothing else moves it."""
        layers = [PReLU(1, 0.5), Linear(6, 1)]
        optimizer = im.AdamW(lr=0.1, **options)
        model = im.Sequential(layers, loss="mse", optimizer=optimizer, dtype="float64", seed=1)
        model.fit(X, X[:, 0], epochs=10, batch_size=None, verbose=False)
        return float(model.state_dict()["0.weight"][0])

    assert slope(weight_decay=0.5) == pytest.approx(0.5 * 0.95**10)
    assert slope(weight_decay=0.5, decay_bias=False) == 0.5
    assert slope(weight_decay=0.0, l1=0.1, l2=0.1) == 0.5
