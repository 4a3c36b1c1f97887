"""The running average of the parameters that an optimizer with ema keeps."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import DTYPES, NETWORKS, unit

Array = np.ndarray[Any, Any]

X, Y = unit((60, 6), 1) - 0.5, unit((60, 3), 2)
SETTINGS: dict[str, Any] = {"batch_size": 16, "verbose": False}


def network(optimizer: Any, dtype: Any = "float32", hidden: int = 20, seed: int = 4) -> Any:
    layers = [im.Linear(6, hidden), im.Tanh(), im.Linear(hidden, hidden, trainable=False)]
    layers += [im.Tanh(), im.Linear(hidden, 3)]
    return im.Sequential(layers, loss="mse", optimizer=optimizer, dtype=dtype, seed=seed)


def assert_same(found: Any, expected: Any) -> None:
    assert [*found] == [*expected]
    for key, w in expected.items():
        np.testing.assert_array_equal(found[key], w, err_msg=key)


def moved(average: Array, w: Array, rest: float) -> Array:
    """fma(rest, w - average, average) of numbers of either type: float64 has room for float32's."""
    if w.dtype == np.float32:
        way = (w - average).astype(float)
        rest = float(np.float32(rest))
        return (rest * way + average.astype(float)).astype(np.float32)
    return average + rest * (w - average)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [7, 20])  # a network that fits into L1, and another
@pytest.mark.parametrize("kind", [im.SGD, im.Adam, im.Lion])
def test_it_starts_as_the_initial_parameters_and_moves_after_each_step(
    kind: Any, hidden: int, dtype: str
) -> None:
    net = network(kind(lr=0.01, ema=0.9), dtype, hidden)
    average = net.state_dict()
    assert_same(net.averaged().state_dict(), average)
    for step in range(8):
        rows = slice(5 * step, 5 * step + 9)
        net.train_on_batch(X[rows], Y[rows])
        average = {key: moved(average[key], w, 1.0 - 0.9) for key, w in net.state_dict().items()}
        for key, w in net.averaged().state_dict().items():
            if dtype == "float32":
                np.testing.assert_array_equal(w, average[key])
            else:
                np.testing.assert_allclose(w, average[key], rtol=1e-14, atol=1e-16)
    assert (net.averaged().state_dict()["0.weight"] != net.state_dict()["0.weight"]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [7, 20])
@pytest.mark.parametrize("optimizer", [im.SGD(lr=0.1), im.SGD(lr=0.1, momentum=0.9), im.Adam()])
def test_it_never_touches_the_weights(optimizer: Any, hidden: int, dtype: str) -> None:
    with_average = type(optimizer)(**optimizer._arguments(), ema=0.99)
    nets = [network(each, dtype, hidden) for each in (optimizer, with_average)]
    losses = [net.fit(X, Y, epochs=3, **SETTINGS)["loss"] for net in nets]
    np.testing.assert_array_equal(*losses)
    assert_same(nets[1].state_dict(), nets[0].state_dict())


def test_averaged_is_a_copy_that_goes_on_alone() -> None:
    net = network(im.Adam(ema=0.9))
    net.fit(X, Y, epochs=2, **SETTINGS)
    before, averaged = net.state_dict(), net.averaged()
    assert type(averaged) is type(net)
    assert averaged.optimizer == net.optimizer
    assert (averaged.epoch, averaged._core.steps) == (net.epoch, net._core.steps)
    assert_same(averaged.averaged().state_dict(), averaged.state_dict())
    averaged.fit(X, Y, **SETTINGS)
    assert_same(net.state_dict(), before)


def test_without_ema_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"averaged needs an optimizer with ema, .*Adam\(\.\.\., "):
        network(im.Adam()).averaged()


@pytest.mark.parametrize("name", ["averaged", "options, tiny", "options, images"])
@pytest.mark.parametrize("split", [False, True])
def test_validation_is_that_of_averaged(name: str, split: bool) -> None:
    drawn = NETWORKS[name]
    net, data = drawn.build("float32"), drawn.data("float32")
    chosen: dict[str, Any] = {"validation_data": (data.X, data.y)}
    if split:
        chosen = {"validation_split": 0.5, "shuffle": False}
    seen: list[dict[str, float]] = []
    last = slice(len(data.X) // 2 if split else 0, None)

    def look(model: Any, logs: Any) -> None:
        seen.append(model.averaged().evaluate(data.X[last], data.y[last]))

    history = net.fit(
        data.X, data.y, epochs=3, batch_size=16, callbacks=[look], verbose=False, **chosen
    )
    for metric in seen[0]:
        found = [each[metric] for each in seen]
        np.testing.assert_array_equal(history[f"val_{metric}"], found)
    plain = net.evaluate(data.X[last], data.y[last])["loss"]
    assert history["val_loss"][-1] != plain


def test_validation_of_an_own_loss_and_other_metrics_is_that_of_averaged() -> None:
    def squares(outputs: Array, y: Array) -> tuple[float, Array]:
        return float(((outputs - y) ** 2).mean()), 2.0 * (outputs - y) / y.size

    layers = [im.Linear(6, 20), im.Tanh(), im.Linear(20, 3)]
    net = im.Sequential(layers, loss=squares, optimizer=im.SGD(lr=0.1, ema=0.9), seed=0)
    history = net.fit(
        X, Y, epochs=2, validation_data=(X, Y), metrics=["mae", "rmse"], verbose=False
    )
    found = net.averaged().evaluate(X, Y, metrics=["mae", "rmse"])
    assert {name: history[f"val_{name}"][-1] for name in found} == found


@pytest.mark.parametrize("hidden", [7, 20])
def test_copies_pickles_and_files_have_it(hidden: int, tmp_path: Path) -> None:
    net = network(im.Adam(ema=0.9), hidden=hidden)
    net.fit(X, Y, epochs=2, **SETTINGS)
    net.save(tmp_path / "net")
    others = [net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    others.append(im.load(tmp_path / "net"))
    expected = net.averaged().state_dict()
    for other in others:
        assert_same(other.averaged().state_dict(), expected)
    net.fit(X, Y, epochs=2, **SETTINGS)
    for other in others:
        other.fit(X, Y, epochs=2, **SETTINGS)
        assert_same(other.averaged().state_dict(), net.averaged().state_dict())


def test_early_stopping_restores_it() -> None:
    net, best = network(im.Adam(lr=0.3, ema=0.5)), network(im.Adam(lr=0.3, ema=0.5))
    stopping = im.EarlyStopping("val_loss", patience=2)
    history = net.fit(X, Y, epochs=60, validation_data=(-X, Y), callbacks=[stopping], **SETTINGS)
    assert history.stop_reason == "early_stopping"
    best.fit(X, Y, epochs=net.epoch, **SETTINGS)
    assert net.epoch < len(history)
    for found, expected in ((net, best), (net.averaged(), best.averaged())):
        assert_same(found.state_dict(), expected.state_dict())


def test_reset_and_load_state_dict_start_it_anew() -> None:
    net, fresh = network(im.Adam(ema=0.9)), network(im.Adam(ema=0.9), seed=9)
    net.fit(X, Y, epochs=2, **SETTINGS)
    net.load_state_dict(fresh.state_dict())
    assert_same(net.averaged().state_dict(), fresh.state_dict())
    net.reset(9)
    assert_same(net.averaged().state_dict(), fresh.state_dict())
    for each in (net, fresh):
        each.fit(X, Y, epochs=2, **SETTINGS)
    assert_same(net.averaged().state_dict(), fresh.averaged().state_dict())


def test_a_file_without_the_average_that_its_optimizer_keeps_is_refused(tmp_path: Path) -> None:
    with_average, without = network(im.SGD(ema=0.9)), network(im.SGD())
    with_average.save(tmp_path / "a")
    without.save(tmp_path / "b")
    whole = (tmp_path / "a").read_bytes()
    assert whole.count(b'"average/0.weight"') == 1
    (tmp_path / "a").write_bytes(whole.replace(b'"average/0.weight"', b'"averagf/0.weight"'))
    with pytest.raises(ValueError, match="holds no model"):
        im.load(tmp_path / "a")
    state = without._core.optimizer_state()
    assert "average" not in state
    with pytest.raises(ValueError, match="has an average, the optimizer has no ema"):
        without._core.set_optimizer_state(with_average._core.optimizer_state())


@pytest.mark.parametrize("options", [{"ema": 0.9}, {"ema": 0.9, "clip_norm": 0.1, "l2": 0.1}])
def test_averaged_has_the_present_running_values(options: dict[str, Any]) -> None:
    layers = [im.Linear(6, 20), im.BatchNorm1d(20), im.Tanh(), im.Linear(20, 3)]
    net = im.Sequential(layers, loss="mse", optimizer=im.SGD(lr=0.1, **options), seed=0)
    history = net.fit(X, Y, epochs=3, validation_data=(X, Y), **SETTINGS)
    state, averaged = net.state_dict(), net.averaged()
    for key, values in averaged.state_dict().items():
        of_batches = "running" in key or "tracked" in key
        # Normalization leaves the bias before it without a gradient, but for rounding.
        if key != "0.bias":
            assert np.array_equal(values, state[key]) == of_batches, key
    assert state["1.num_batches_tracked"] == 12
    assert history["val_loss"][-1] == averaged.evaluate(X, Y)["loss"]
