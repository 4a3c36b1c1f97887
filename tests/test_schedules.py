"""Learning rate schedules: PyTorch's rates and steps, the oracle's, what comes after the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from golden import array, read
from golden import name as golden_name
from ironmlp import reference, schedules
from ironmlp.schedules import Schedule
from networks import unit
from scheduled import BY_STEP, CASES, SCHEDULES, rate, rates

GOLDEN = read("torch_schedules.json")

X, Y = unit((40, 4), 1), unit((40, 2), 2)


def of_torch(name: str, options: dict[str, Any]) -> Schedule:
    """A golden schedule, which counts steps."""
    if name == "LinearWarmup":
        options = {**options, "schedule": of_torch(*options["schedule"])}
    made: Schedule = getattr(im, name)(**options)
    return made._by_step()


def apart(found: Any, expected: Any) -> float:
    """The largest difference, relative to each number; rates of 0 are exactly so."""
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.max(np.abs(found - expected) / np.where(expected == 0.0, 1e-300, expected)))


def test_every_schedule_and_option_has_a_case() -> None:
    names = [name for name in schedules.__all__ if name != "Schedule"]
    assert names == sorted(CASES)
    for name in names:
        covered = {option for options in CASES[name] for option in options}
        assert covered | {"by"} == {*getattr(im, name).__slots__, "by"}
    golden = {case["name"] for case in GOLDEN["cases"]}
    assert golden == {*names}


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=golden_name)
def test_two_hundred_rates_are_pytorchs(case: dict[str, Any]) -> None:
    found = rates(of_torch(case["name"], case["options"]), GOLDEN["steps"])
    assert len(found) == len(case["rates"]) == 200
    assert apart(found, case["rates"]) <= tolerances.TORCH_RATES


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=golden_name)
def test_two_hundred_steps_with_them_are_pytorchs(case: dict[str, Any]) -> None:
    kind, options = case["optimizer"]
    made = getattr(im, kind)(lr=of_torch(case["name"], case["options"]), **options)
    net = im.MLP(
        GOLDEN["sizes"], activation="tanh", loss="mse", optimizer=made, dtype="float64", seed=0
    )
    net.load_state_dict(dict(zip(net.state_dict(), map(array, GOLDEN["initial"]), strict=True)))
    for _ in range(GOLDEN["steps"]):
        net.train_on_batch(array(GOLDEN["X"]), array(GOLDEN["targets"]))
    for (key, w), final in zip(net.state_dict().items(), case["final"], strict=True):
        far = np.abs(w - array(final)).max() / np.abs(final).max()
        assert far <= tolerances.TORCH_STEPS, key


@pytest.mark.parametrize("schedule", BY_STEP, ids=repr)
def test_the_rates_are_the_references(schedule: Schedule) -> None:
    expected = [rate(schedule, 0, step) for step in range(60)]
    largest = max(expected)
    assert np.abs(np.subtract(rates(schedule, 60), expected)).max() <= 1e-14 * largest


@pytest.mark.parametrize("schedule", BY_STEP, ids=repr)
def test_float32_has_the_same_rates(schedule: Schedule) -> None:
    assert rates(schedule, 40, "float32") == rates(schedule, 40)


LAST = [
    (im.MultiStepLR(0.1, [3, 5], 0.5), 5, 0.025),
    (im.CosineAnnealingLR(0.1, 9, 0.004), 9, 0.004),
    (im.CosineAnnealingLR(0.1, 9), 9, 0.0),
    (im.OneCycleLR(0.1, 20, div_factor=5.0, final_div_factor=2.0), 19, 0.01),
    (im.PolynomialLR(0.1, 6, power=2.0), 6, 0.0),
    (im.LinearWarmup(im.CosineAnnealingLR(0.1, 9, 0.004), 4), 13, 0.004),
]


@pytest.mark.parametrize(("schedule", "end", "last"), LAST, ids=repr)
def test_past_the_end_the_last_rate_holds(schedule: Schedule, end: int, last: float) -> None:
    found = rates(schedule, end + 40)
    assert found[end:] == [found[end]] * 40
    assert found[end] == pytest.approx(last, rel=1e-15)
    assert found[end - 1] != found[end]


def test_those_without_an_end_go_on() -> None:
    assert rates(im.StepLR(0.5, 2, 0.5), 60)[-1] == 0.5**30
    assert rates(im.ExponentialLR(1.0, 0.5), 60) == [0.5**t for t in range(60)]
    restarts = rates(im.CosineAnnealingWarmRestarts(0.5, 4), 60)
    assert restarts[::4] == [0.5] * 15
    longer = rates(im.CosineAnnealingWarmRestarts(0.5, 1, 2), 63)
    assert [t for t in range(63) if longer[t] == 0.5] == [0, 1, 3, 7, 15, 31]


def test_a_warm_up_leads_to_the_schedules_first_rate() -> None:
    inner = im.CosineAnnealingLR(0.1, 30, by="step")
    found, alone = rates(im.LinearWarmup(inner, 10, 0.5), 60), rates(inner, 50)
    assert found[:10] == pytest.approx([0.1 * (0.5 + 0.05 * t) for t in range(10)], rel=1e-15)
    assert found[10:] == alone
    assert rates(im.LinearWarmup(inner, 10), 1) == [0.0]


def test_a_warm_up_counts_steps_and_so_does_its_schedule() -> None:
    by_epoch = im.CosineAnnealingLR(0.1, 30)
    assert im.LinearWarmup(by_epoch, 5).schedule == im.CosineAnnealingLR(0.1, 30, by="step")
    assert im.LinearWarmup(by_epoch, 5).by == im.OneCycleLR(0.1, 5).by == "step"
    cycle = im.OneCycleLR(0.1, 5)
    assert im.LinearWarmup(cycle, 5).schedule is cycle


def fitted(made_by: Any, optimizer: Any, dtype: Any, rows: int = 40, **fit: Any) -> Any:
    model = made_by.MLP([4, 5, 2], loss="mse", optimizer=optimizer, dtype=dtype, seed=3)
    model.fit(X[:rows], Y[:rows], verbose=False, **fit)
    return model


@pytest.mark.parametrize("rows", [12, 40])
@pytest.mark.parametrize("batch_size", [10, None])
@pytest.mark.parametrize("schedule", [*SCHEDULES, *BY_STEP], ids=repr)
def test_a_fit_is_the_references(schedule: Schedule, batch_size: Any, rows: int) -> None:
    dtype = "float64" if rows == 40 else "float32"
    ours, theirs = (
        fitted(
            *(made_by, im.SGD(lr=schedule, momentum=0.5), dtype),
            epochs=8,
            batch_size=batch_size,
            rows=rows,
        )
        for made_by in (im, reference)
    )
    steps = 8 if batch_size is None else 8 * -(-rows // batch_size)
    assert (ours.epoch, ours._core.steps) == (theirs.epoch, theirs.steps) == (8, steps)
    assert ours.learning_rate == pytest.approx(theirs.learning_rate, rel=1e-12, abs=1e-16)
    for key, w in theirs.state_dict().items():
        far = np.abs(ours.state_dict()[key] - w).max() / np.abs(w).max()
        assert far <= 8 * tolerances.UPDATES_EPS * tolerances.eps(dtype), key


def test_by_epoch_and_by_step_count_what_they_say() -> None:
    by_epoch = fitted(im, im.SGD(lr=im.ExponentialLR(1.0, 0.5)), "float64", epochs=3, batch_size=8)
    assert by_epoch.learning_rate == 0.5**3
    by_step = fitted(
        im, im.SGD(lr=im.ExponentialLR(1.0, 0.5, by="step")), "float64", epochs=3, batch_size=8
    )
    assert by_step.learning_rate == 0.5**15
    # One batch an epoch, for which one call of the compiled part makes many epochs.
    for by in ("epoch", "step"):
        optimizer = im.SGD(lr=im.ExponentialLR(0.5, 0.75, by=by))
        once = fitted(im, optimizer, "float64", epochs=100, batch_size=None)
        assert once.learning_rate == pytest.approx(0.5 * 0.75**100, rel=1e-14)
        singly = fitted(im, optimizer, "float64", epochs=1, batch_size=None)
        for _ in range(99):
            singly.fit(X, Y, epochs=1, batch_size=None, verbose=False)
        for key, w in once.state_dict().items():
            np.testing.assert_array_equal(w, singly.state_dict()[key])


def own(outputs: Any, targets: Any) -> tuple[float, Any]:
    return float(np.mean((outputs - targets) ** 2)), 2 * (outputs - targets) / outputs.size


def test_single_steps_own_loops_streams_and_own_losses_follow_it_too() -> None:
    schedule = im.LinearWarmup(im.CosineAnnealingLR(0.2, 12), 3, 0.1)

    def model(loss: Any = "mse") -> im.MLP:
        optimizer = im.SGD(lr=schedule, momentum=0.5)
        return im.MLP([4, 20, 2], loss=loss, optimizer=optimizer, dtype="float64", seed=3)

    batches = [(X[start : start + 8], Y[start : start + 8]) for start in range(0, 40, 8)]
    by_fit, by_batch, by_loop, by_stream = (model() for _ in range(4))
    by_own, by_own_batch = model(own), model(own)
    by_fit.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=False)
    by_stream.fit(batches, epochs=2, verbose=False)
    by_own.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=False)
    for x, y in batches * 2:
        by_batch.train_on_batch(x, y)
        by_own_batch.train_on_batch(x, y)
        outputs = by_loop(x)
        by_loop.apply_gradients(by_loop.backward(x, 2 * (outputs - y) / outputs.size))
    for other in (by_batch, by_stream):
        assert other.learning_rate == by_fit.learning_rate
        for key, w in by_fit.state_dict().items():
            np.testing.assert_array_equal(other.state_dict()[key], w)
    for other in (by_loop, by_own, by_own_batch):
        assert other.learning_rate == by_fit.learning_rate
        for key, w in by_fit.state_dict().items():
            np.testing.assert_allclose(other.state_dict()[key], w, rtol=1e-9, atol=1e-12)


def test_a_schedule_of_one_rate_gives_the_bits_of_the_number() -> None:
    for optimizer in (im.SGD(lr=0.1), im.Adam(lr=0.1), im.Lion(lr=0.01)):
        for batch_size in (None, 16):
            constant = im.ExponentialLR(optimizer.lr, 1.0, by="step")
            number = fitted(im, optimizer, "float32", epochs=5, batch_size=batch_size)
            scheduled = fitted(
                im, optimizer._with_lr(constant), "float32", epochs=5, batch_size=batch_size
            )
            for key, w in number.state_dict().items():
                np.testing.assert_array_equal(scheduled.state_dict()[key], w)


def test_lr_scale_multiplies_the_rates_of_a_schedule() -> None:
    def model(scale: float, lr: float) -> im.Sequential:
        layers = [im.Linear(4, 3, lr_scale=scale), im.Tanh(), im.Linear(3, 2, lr_scale=scale)]
        schedule = im.StepLR(lr, 2, 0.5, by="step")
        made = im.Sequential(layers, loss="mse", optimizer=im.SGD(lr=schedule), seed=1)
        made.fit(X, Y, epochs=2, verbose=False)
        return made

    halved, plain = model(0.5, 0.25), model(1.0, 0.125)
    for key, w in plain.state_dict().items():
        np.testing.assert_array_equal(halved.state_dict()[key], w)


@pytest.mark.parametrize("schedule", BY_STEP, ids=repr)
def test_every_optimizer_takes_one(schedule: Schedule) -> None:
    for kind in im.optimizers.OPTIMIZERS.values():
        model = im.MLP([4, 3, 2], loss="mse", optimizer=kind(lr=schedule), seed=0)
        assert model.optimizer.lr is schedule
        model.fit(X, Y, epochs=1, verbose=False)
        assert math.isfinite(model.learning_rate)
