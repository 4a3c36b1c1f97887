"""`model.learning_rate`: what it is, what assigning it does, and what is logged of it."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference
from ironmlp.schedules import Schedule
from networks import unit
from scheduled import BY_STEP, SCHEDULES, rate
from states import everything, unchanged

X, Y = unit((24, 4), 1), unit((24, 1), 2)


def model(lr: Any, made_by: Any = im, **settings: Any) -> Any:
    return made_by.MLP([4, 3, 1], loss="mse", optimizer=im.SGD(lr=lr), seed=1, **settings)


def train(model: Any, epochs: int = 1, **fit: Any) -> Any:
    return model.fit(X, Y, epochs=epochs, batch_size=8, verbose=False, **fit)


class Rates(im.Callback):
    """The rate before each epoch and after each step."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.steps: list[float] = []

    def on_epoch_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.begun.append(model.learning_rate)

    def on_train_batch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.steps.append(model.learning_rate)


def test_without_a_schedule_assignment_replaces_lr_exactly() -> None:
    net = model(0.1)
    for value in (0.3, 1e-300, 0.0, 5):
        net.learning_rate = value
        assert net.learning_rate == value
        assert net.optimizer == im.SGD(lr=value)


@pytest.mark.parametrize("schedule", [*SCHEDULES, *BY_STEP], ids=repr)
def test_it_is_the_rate_of_the_next_update(schedule: Schedule) -> None:
    net, seen = model(schedule, dtype="float64"), Rates()
    first = net.learning_rate
    train(net, 6, callbacks=[seen])
    expected = [rate(schedule, epoch, 3 * epoch) for epoch in range(6)]
    assert seen.begun == pytest.approx(expected, rel=1e-12, abs=1e-15)
    within = [rate(schedule, min(step // 3, 5), step) for step in range(1, 18)]
    # A finished epoch counts at its end, before the last of its steps is told.
    for step, found in enumerate(seen.steps[:-1]):
        if (step + 1) % 3:
            assert found == pytest.approx(within[step], rel=1e-12, abs=1e-15)
    assert first == seen.begun[0]
    assert net.learning_rate == pytest.approx(rate(schedule, 6, 18), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("schedule", [*SCHEDULES, *BY_STEP], ids=repr)
def test_with_a_schedule_assignment_makes_a_factor(schedule: Schedule) -> None:
    net, theirs = model(schedule, dtype="float64"), model(schedule, reference, dtype="float64")
    train(net, 2)
    theirs.fit(X, Y, epochs=2, batch_size=8)
    if not rate(schedule, 2, 6):
        with pytest.raises(ValueError, match="gives 0"):
            net.learning_rate = 0.075
        return
    for one in (net, theirs):
        one.learning_rate = 0.075
    assert net.learning_rate == pytest.approx(0.075, rel=1e-15)
    factor = 0.075 / rate(schedule, 2, 6)
    assert net.optimizer.lr is schedule
    seen = Rates()
    train(net, 5, callbacks=[seen])
    theirs.fit(X, Y, epochs=5, batch_size=8)
    expected = [factor * rate(schedule, 2 + epoch, 6 + 3 * epoch) for epoch in range(5)]
    assert seen.begun == pytest.approx(expected, rel=1e-12, abs=1e-15)
    for key, w in theirs.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[key], w, rtol=1e-11, atol=1e-13)
    # Another one takes its place, from 0 too.
    if rate(schedule, 7, 21):
        net.learning_rate = 0.0
        assert net.learning_rate == 0.0
        net.learning_rate = 0.5
        assert net.learning_rate == pytest.approx(0.5, rel=1e-15)


def test_where_the_schedules_rate_is_0_assignment_is_a_value_error() -> None:
    net = model(im.CosineAnnealingLR(0.1, 2))
    train(net, 2)
    assert net.learning_rate == 0.0
    for value in (0.1, 0.0):
        with unchanged(net), pytest.raises(ValueError, match=r"schedule gives 0 here"):
            net.learning_rate = value
    tiny = model(im.ExponentialLR(1e-300, 1.0), dtype="float64")
    with unchanged(tiny), pytest.raises(ValueError, match=r"learning_rate is 100000000000"):
        tiny.learning_rate = 1e11
    theirs = model(im.CosineAnnealingLR(0.1, 2), reference)
    theirs.epoch = 2
    with pytest.raises(ValueError, match="rate is 0"):
        theirs.learning_rate = 0.1


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), 1e39])
@pytest.mark.parametrize("lr", [0.1, im.StepLR(0.1, 2)], ids=repr)
def test_what_is_no_rate_is_refused(lr: Any, value: float) -> None:
    net = model(lr)
    with unchanged(net), pytest.raises(ValueError, match="learning_rate is"):
        net.learning_rate = value


@pytest.mark.parametrize("value", ["fast", None, [0.1], True, im.StepLR, float, np.ones(2), 1j])
def test_what_is_no_number_is_refused(value: Any) -> None:
    net = model(0.1)
    with unchanged(net), pytest.raises(TypeError, match="learning_rate is"):
        net.learning_rate = value
    with pytest.raises(TypeError, match="lr is"):
        im.SGD(lr=value)


def test_a_schedule_may_be_assigned_and_resets_are_to_its_begin() -> None:
    net, made_with = model(0.1), model(im.ExponentialLR(0.25, 0.5))
    train(net)
    net.learning_rate = im.ExponentialLR(0.25, 0.5)
    assert net.optimizer == made_with.optimizer
    assert net.learning_rate == 0.125
    train(net)
    assert net.learning_rate == 0.0625
    net.reset()
    assert everything(net) == everything(made_with)
    train(net, 2)
    train(made_with, 2)
    assert everything(net) == everything(made_with)


def test_a_schedule_is_not_assigned_in_training() -> None:
    def swap(model: Any, logs: Any) -> None:
        model.learning_rate = im.StepLR(0.5, 2)

    net = model(im.ExponentialLR(0.25, 0.5))
    with pytest.raises(RuntimeError, match="in training"):
        train(net, callbacks=[swap])
    assert net.optimizer == im.SGD(lr=im.ExponentialLR(0.25, 0.5))
    assert net.learning_rate == 0.125


def test_an_assigned_schedule_is_held_to_the_dtype() -> None:
    net = model(0.1)
    with unchanged(net), pytest.raises(ValueError, match=r"lr of StepLR is 1e\+39"):
        net.learning_rate = im.StepLR(1e39, 2)
    assert net.optimizer == im.SGD(lr=0.1)


@pytest.mark.parametrize("lr", [im.ExponentialLR(0.4, 0.5), 0.4], ids=repr)
def test_reset_takes_the_factor_back(lr: Any) -> None:
    net = model(lr)
    train(net)
    net.learning_rate = 0.3
    net.reset()
    assert net.learning_rate == 0.4
    assert everything(net) == everything(model(lr))


def test_copies_have_factors_of_their_own() -> None:
    net = model(im.ExponentialLR(0.5, 0.5))
    train(net)
    net.learning_rate = 1.0
    for twin in (net.copy(), copy.deepcopy(net)):
        twin.learning_rate = 0.5
        train(twin)
        assert twin.learning_rate == 0.25
    train(net)
    assert net.learning_rate == 0.5


def plateau(**options: Any) -> im.ReduceLROnPlateau:
    return im.ReduceLROnPlateau("score", **{"mode": "min", "patience": 1, "factor": 0.5} | options)


def flat(model: Any, logs: dict[str, Any]) -> None:
    """A number that gets no better."""
    logs["score"] = 1.0


@pytest.mark.parametrize("schedule", [*SCHEDULES, *BY_STEP], ids=repr)
def test_a_plateau_cuts_the_factor_at_bad_above_patience(schedule: Schedule) -> None:
    for made_by in (im, reference):
        net, seen = model(schedule, made_by, dtype="float64"), Rates()
        # The first epoch is the best; the third is the second that is no better.
        history = net.fit(
            *(X, Y), epochs=6, batch_size=8, verbose=False, callbacks=[plateau(), flat, seen]
        )
        cuts = [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
        plain = [rate(schedule, epoch, 3 * epoch) for epoch in range(6)]
        expected = [cut * number for cut, number in zip(cuts, plain, strict=True)]
        assert seen.begun == pytest.approx(expected, rel=1e-12, abs=1e-15)
        used = [rate(schedule, epoch, 3 * epoch + 2) for epoch in range(6)]
        used = [cut * number for cut, number in zip(cuts, used, strict=True)]
        assert history["learning_rate"] == pytest.approx(used, rel=1e-12, abs=1e-15)


def test_a_plateau_leaves_a_rate_of_0() -> None:
    net = model(im.CosineAnnealingLR(0.1, 2))
    history = train(net, 6, callbacks=[plateau(patience=0, min_lr=1e-3), flat])
    assert history["learning_rate"][2:].tolist() == [0.0] * 4


def test_the_column_is_the_rate_that_was_used() -> None:
    net = model(im.ExponentialLR(0.5, 0.5))
    history = train(net, 4, callbacks=[plateau(patience=9), flat])
    assert history["learning_rate"].tolist() == [0.5, 0.25, 0.125, 0.0625]
    assert net.learning_rate == 0.03125
    # Without what logs it there is no such column.
    assert "learning_rate" not in train(model(im.ExponentialLR(0.5, 0.5)), 2).keys()  # noqa: SIM118


def test_a_factor_that_a_callback_sets_holds_from_the_next_batch_on() -> None:
    class Halve(im.Callback):
        def on_train_batch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
            if logs["batch"] == 0 and logs["epoch"] == 1:
                model.learning_rate /= 2

    net, seen = model(im.StepLR(0.5, 100, by="step")), Rates()
    train(net, 2, callbacks=[Halve(), seen])
    assert seen.steps == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_early_stopping_brings_the_factor_of_the_best_epoch_back() -> None:
    scores = [3.0, 1.0, *itertools.repeat(2.0, 8)]
    net, plain = (model(im.ExponentialLR(0.4, 0.9)) for _ in range(2))
    train(
        net,
        10,
        callbacks=[
            im.EarlyStopping("score", patience=5, mode="min"),
            plateau(),
            lambda model, logs: logs.update(score=scores[logs["epoch"]]),
        ],
    )
    train(plain, 2)
    assert everything(net) == everything(plain)
    assert net.learning_rate == pytest.approx(0.4 * 0.81)
