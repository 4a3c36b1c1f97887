"""Training with a schedule goes on exactly: 10 = 4 + 6 in files, pickles, copies, checkpoints."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.schedules import Schedule
from networks import unit
from scheduled import BY_STEP, SCHEDULES
from states import everything

X, Y = unit((30, 4), 1), unit((30, 1), 2)


def model(lr: Any, **settings: Any) -> im.MLP:
    optimizer = im.Adam(lr=lr)
    return im.MLP([4, 5, 1], **{"loss": "mse", "optimizer": optimizer, "seed": 1, **settings})


def train(net: im.Sequential, epochs: int, **fit: Any) -> im.History:
    return net.fit(X, Y, **{"epochs": epochs, "batch_size": 8, "verbose": False, **fit})


def through_a_file(net: im.MLP, folder: Path) -> Any:
    net.save(folder / "model")
    return im.load(folder / "model")


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "file": through_a_file,
    "pickle": lambda net, folder: pickle.loads(pickle.dumps(net)),
    "deepcopy": lambda net, folder: copy.deepcopy(net),
    "copy": lambda net, folder: net.copy(),
    "the model": lambda net, folder: net,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("schedule", [*SCHEDULES, *BY_STEP], ids=repr)
def test_ten_epochs_are_four_and_six(schedule: Schedule, way: str, tmp_path: Path) -> None:
    once, twice = model(schedule), model(schedule)
    train(once, 10)
    train(twice, 4)
    twice = WAYS[way](twice, tmp_path)
    assert twice.optimizer.lr == schedule
    train(twice, 6)
    assert everything(twice) == everything(once)
    assert twice.learning_rate == once.learning_rate


@pytest.mark.parametrize("way", WAYS)
def test_the_factor_goes_on_too(way: str, tmp_path: Path) -> None:
    once, twice = (model(im.CosineAnnealingLR(0.1, 15)) for _ in range(2))
    for net in (once, twice):
        train(net, 3)
        net.learning_rate = 0.017
    train(once, 5)
    twice = WAYS[way](twice, tmp_path)
    assert twice.learning_rate == pytest.approx(0.017, rel=1e-15)
    train(twice, 5)
    assert everything(twice) == everything(once)


def broken_at(epoch: int) -> Any:
    def stop(net: Any, logs: dict[str, Any]) -> None:
        if logs["epoch"] + 1 == epoch:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("schedule", [*SCHEDULES, *BY_STEP], ids=repr)
def test_a_checkpoint_goes_on_with_rates_and_plateau(schedule: Schedule, tmp_path: Path) -> None:
    def callbacks(name: str) -> list[Any]:
        plateau = im.ReduceLROnPlateau("loss", factor=0.5, patience=0, threshold=0.9)
        return [plateau, im.Checkpoint(tmp_path / name)]

    once, twice = model(schedule), model(schedule)
    whole = train(once, 10, callbacks=callbacks("once"))
    train(twice, 4, callbacks=callbacks("twice"))
    loaded = im.load(tmp_path / "twice")
    history = train(loaded, 10, callbacks=callbacks("twice"), resume=True)
    assert everything(loaded) == everything(once)
    for name in whole.keys():  # noqa: SIM118
        np.testing.assert_array_equal(history[name], whole[name])
    assert "learning_rate" in whole.keys()  # noqa: SIM118


def strings(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])["__metadata__"]
    return {name: json.loads(value) for name, value in header.items()}


def test_a_file_has_the_schedule_the_factor_and_the_present_rate(tmp_path: Path) -> None:
    net = model(im.StepLR(0.5, 2, 0.5))
    train(net, 2)
    net.learning_rate = 0.125
    net.save(tmp_path / "model")
    found = strings(tmp_path / "model")
    assert found["factor"] == 0.5
    assert found["learning_rate"] == 0.125
    lr = {"StepLR": {"lr": 0.5, "step_size": 2, "gamma": 0.5, "by": "epoch"}}
    assert found["model"]["MLP"]["optimizer"]["Adam"]["lr"] == lr


def test_files_of_models_without_schedules_are_as_they_were(tmp_path: Path) -> None:
    net = model(0.5)
    train(net, 1)
    net.save(tmp_path / "model")
    found = strings(tmp_path / "model")
    assert [*found][-4:] == ["epoch", "steps", "learning_rate", "scalars"]
    assert found["format_version"] == 2
    assert found["model"]["MLP"]["optimizer"]["Adam"]["lr"] == 0.5


def changed(path: Path, old: str, new: str) -> None:
    """A file with other words in its header, of the same length."""
    data = path.read_bytes()
    assert data.count(old.encode()) == 1
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(old.encode(), new.encode())
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"factor":"1.0"', '"factor":"-1.0"', "factor is -1"),
        ('"factor":"1.0"', '"factor":"NaN"', "NaN"),
        ('"factor":"1.0"', '"factor":"[]"', "factor is"),
        ('"factor":"1.0",', "", "the model has a schedule"),
        (r"\"step_size\": 2", r"\"step_size\": 0", "step_size is 0"),
        (r"\"step_size\": 2", r"\"step_size\": 2.5", "step_size is 2.5"),
        (r"\"by\": \"epoch\"", r"\"by\": \"batch\"", "by is 'batch'"),
        (r"{\"StepLR\"", r"{\"StopLR\"", "'StopLR'"),
        (r"{\"StepLR\"", r"{\"Schedule\"", "'Schedule'"),
    ],
)
def test_files_that_are_wrong_say_so(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    model(im.StepLR(0.5, 2)).save(path)
    changed(path, old, new)
    with pytest.raises(ValueError, match="holds no model") as caught:
        im.load(path)
    assert words in str(caught.value)


def test_a_factor_without_a_schedule_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    model(0.5).save(path)
    changed(path, '"learning_rate":', '"factor":"1.0","learning_rate":')
    with pytest.raises(ValueError, match="has a factor"):
        im.load(path)


def test_an_interrupted_epoch_goes_on_by_steps() -> None:
    schedule = im.OneCycleLR(0.1, 40)
    net = model(schedule, dtype="float64")

    class Interrupt(im.Callback):
        def on_train_batch_end(self, net: im.Sequential, logs: dict[str, Any]) -> None:
            if net._core.steps == 6:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(net, 4, callbacks=[Interrupt()])
    plain = model(schedule, dtype="float64")
    for _ in range(6):
        plain.train_on_batch(X, Y)
    assert (net.epoch, net._core.steps) == (1, 6)
    assert net.learning_rate == plain.learning_rate


def test_models_of_one_shape_have_schedules_of_their_own() -> None:
    """Models with equal settings share their plans."""
    slow, fast = model(im.ExponentialLR(0.5, 0.5)), model(im.ExponentialLR(0.5, 0.25))
    train(slow, 2)
    train(fast, 2)
    assert (slow.learning_rate, fast.learning_rate) == (0.125, 0.03125)
