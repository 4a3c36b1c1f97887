"""Schedules as values: what they accept, refuse, and how they compare; who takes them."""

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import schedules
from ironmlp.schedules import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearWarmup,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    Schedule,
    StepLR,
)

NAN, INF = float("nan"), float("inf")

# Every class with arguments other than its defaults, as they are stored.
FULL: dict[type[Schedule], dict[str, Any]] = {
    StepLR: {"lr": 0.1, "step_size": 3, "gamma": 0.5, "by": "step"},
    MultiStepLR: {"lr": 0.1, "milestones": (2, 5, 5), "gamma": 0.5, "by": "step"},
    ExponentialLR: {"lr": 0.1, "gamma": 0.5, "by": "step"},
    CosineAnnealingLR: {"lr": 0.1, "T_max": 9, "eta_min": 0.01, "by": "step"},
    CosineAnnealingWarmRestarts: {
        "lr": 0.1,
        "T_0": 9,
        "T_mult": 2,
        "eta_min": 0.01,
        "by": "step",
    },
    OneCycleLR: {
        "max_lr": 0.1,
        "total_steps": 9,
        "pct_start": 0.5,
        "div_factor": 4.0,
        "final_div_factor": 8.0,
    },
    PolynomialLR: {"lr": 0.1, "total_iters": 9, "power": 2.0, "by": "step"},
    LinearWarmup: {"schedule": ExponentialLR(0.1, 0.5, by="step"), "steps": 9, "start": 0.25},
}

# PyTorch's names, order and defaults.
DEFAULTS = [
    (StepLR(0.1, 3), "lr=0.1, step_size=3, gamma=0.1, by='epoch'"),
    (MultiStepLR(0.1, [3, 1]), "lr=0.1, milestones=(1, 3), gamma=0.1, by='epoch'"),
    (ExponentialLR(0.1, 0.9), "lr=0.1, gamma=0.9, by='epoch'"),
    (CosineAnnealingLR(0.1, 50), "lr=0.1, T_max=50, eta_min=0.0, by='epoch'"),
    (
        CosineAnnealingWarmRestarts(0.1, 10),
        "lr=0.1, T_0=10, T_mult=1, eta_min=0.0, by='epoch'",
    ),
    (
        OneCycleLR(0.1, 100),
        "max_lr=0.1, total_steps=100, pct_start=0.3, div_factor=25.0, final_div_factor=10000.0",
    ),
    (PolynomialLR(0.1), "lr=0.1, total_iters=5, power=1.0, by='epoch'"),
    (
        LinearWarmup(StepLR(0.1, 3), 10),
        "schedule=StepLR(lr=0.1, step_size=3, gamma=0.1, by='step'), steps=10, start=0.0",
    ),
]


def test_every_public_class_is_tested() -> None:
    names = {made.__name__ for made in FULL} | {"Schedule"}
    assert {*schedules.__all__} == names
    assert names <= {*im.__all__}
    for name in names:
        assert getattr(im, name) is getattr(schedules, name)
        assert getattr(im, name).__module__ == "ironmlp.schedules"
        assert issubclass(getattr(im, name), im.Schedule)


def test_they_are_imported_with_their_first_use() -> None:
    import subprocess
    import sys

    code = "import ironmlp, sys; ironmlp.SGD(0.1); assert 'ironmlp.schedules' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("made", "arguments"), DEFAULTS, ids=lambda x: type(x).__name__)
def test_defaults(made: Schedule, arguments: str) -> None:
    assert repr(made) == f"{type(made).__name__}({arguments})"


@pytest.mark.parametrize("made", FULL)
def test_value(made: type[Schedule]) -> None:
    value, twin = made(**FULL[made]), made(**FULL[made])
    assert {name: getattr(value, name) for name in made.__slots__} == FULL[made]
    assert value == twin
    assert hash(value) == hash(twin)
    assert eval(repr(value), {name: getattr(im, name) for name in schedules.__all__}) == value
    assert value not in [other(**FULL[other]) for other in FULL if other is not made]
    copies = [copy.copy(value), copy.deepcopy(value)]
    copies += [pickle.loads(pickle.dumps(value, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    assert all(type(copied) is made and copied == value for copied in copies)
    with pytest.raises(AttributeError, match=f"{made.__name__} is frozen"):
        setattr(value, made.__slots__[0], 1)


@pytest.mark.parametrize("made", FULL)
def test_one_other_argument_is_another_value(made: type[Schedule]) -> None:
    changes: dict[str, Any] = {
        "milestones": (2,),
        "by": "epoch",
        "schedule": ExponentialLR(0.1, 0.25),
    }
    changes |= dict.fromkeys(("step_size", "T_max", "T_0", "total_steps", "total_iters"), 7)
    changes |= {"T_mult": 7, "steps": 7}
    for name in made.__slots__:
        arguments = {**FULL[made], name: changes.get(name, 0.125)}
        assert made(**arguments) != made(**FULL[made])


LIMITS: list[tuple[type[Schedule], dict[str, Any], str]] = [
    *(
        (made, {name: value}, f"{name} is {value}, it must be finite and at least 0")
        for made, full in FULL.items()
        for name in ("lr", "max_lr", "gamma", "eta_min", "power")
        if name in full
        for value in (-0.5, NAN, INF)
    ),
    *(
        (made, {name: value}, f"{name} is {value}, it must be at least 1 and below 2**63")
        for made, full in FULL.items()
        for name in ("step_size", "T_max", "T_0", "T_mult", "total_steps", "total_iters", "steps")
        if name in full
        for value in (0, -1, 2**63)
    ),
    (MultiStepLR, {"milestones": [3, -1]}, "milestones[1] is -1, it must be at least 0"),
    (MultiStepLR, {"milestones": [2**63]}, "milestones[0] is 9223372036854775808"),
    (OneCycleLR, {"pct_start": 1.5}, "pct_start is 1.5, it must be finite and at least 0 and at m"),
    (OneCycleLR, {"pct_start": -0.5}, "pct_start is -0.5"),
    (OneCycleLR, {"div_factor": 0.0}, "div_factor is 0.0, it must be finite and above 0"),
    (OneCycleLR, {"final_div_factor": 0}, "final_div_factor is 0, it must be finite and above 0"),
    (OneCycleLR, {"max_lr": 1e300, "div_factor": 1e-300}, "max_lr / div_factor is inf"),
    (OneCycleLR, {"final_div_factor": 5e-324}, "max_lr / div_factor / final_div_factor is inf"),
    (LinearWarmup, {"start": 1.5}, "start is 1.5, it must be finite and at least 0 and at most 1"),
    (LinearWarmup, {"start": -0.1}, "start is -0.1"),
    (LinearWarmup, {"schedule": LinearWarmup(StepLR(0.1, 2), 3)}, "without a warm-up of its own"),
    *(
        (made, {"by": "batch"}, "by is 'batch', it must be one of 'epoch', 'step'")
        for made, full in FULL.items()
        if "by" in full
    ),
]


@pytest.mark.parametrize(("made", "wrong", "message"), LIMITS)
def test_out_of_range(made: type[Schedule], wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        made(**{**FULL[made], **wrong})


KINDS: list[tuple[type[Schedule], dict[str, Any], str]] = [
    (StepLR, {"lr": "fast"}, "lr is 'fast' (str), it must be a number"),
    (StepLR, {"lr": StepLR(0.1, 2)}, "it must be a number"),
    (StepLR, {"step_size": 2.0}, "step_size is 2.0 (float), it must be an integer"),
    (StepLR, {"gamma": None}, "gamma is None (NoneType), it must be a number"),
    (StepLR, {"by": 1}, "by is 1 (int), it must be one of 'epoch', 'step'"),
    (MultiStepLR, {"milestones": 3}, "milestones is 3 (int), it must be a sequence of integers"),
    (MultiStepLR, {"milestones": "35"}, "it must be a sequence of integers"),
    (MultiStepLR, {"milestones": [0.5]}, "milestones[0] is 0.5 (float), it must be an integer"),
    (MultiStepLR, {"milestones": np.ones((2, 2), int)}, "milestones[0] is [1, 1] (list)"),
    (CosineAnnealingLR, {"T_max": True}, "T_max is True (bool), it must be an integer"),
    (OneCycleLR, {"total_steps": None}, "total_steps is None (NoneType)"),
    (LinearWarmup, {"schedule": 0.1}, "schedule is 0.1 (float), it must be a Schedule"),
    (LinearWarmup, {"schedule": StepLR}, "schedule is the class StepLR, it must be one: StepLR()"),
    (LinearWarmup, {"steps": 1.5}, "steps is 1.5 (float), it must be an integer"),
]


@pytest.mark.parametrize(("made", "wrong", "message"), KINDS)
def test_wrong_kind(made: type[Schedule], wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        made(**{**FULL[made], **wrong})


def test_what_counts_is_a_keyword() -> None:
    for made, full in FULL.items():
        if "by" in full:
            with pytest.raises(TypeError, match="positional argument"):
                made(*full.values())


def test_arrays_and_numpys_numbers_become_pythons() -> None:
    milestones: Any = np.array([5, 2])
    three: Any = np.int32(3)
    half: Any = np.float32(0.5)
    assert MultiStepLR(half, milestones) == MultiStepLR(0.5, (2, 5))
    assert {type(m) for m in MultiStepLR(0.5, milestones).milestones} == {int}
    assert type(StepLR(half, three).step_size) is int
    assert MultiStepLR(0.1, []).milestones == ()


@pytest.mark.parametrize("made", FULL)
@pytest.mark.parametrize("kind", im.optimizers.OPTIMIZERS.values())
def test_every_optimizer_takes_them(kind: Any, made: type[Schedule]) -> None:
    schedule = made(**FULL[made])
    optimizer = kind(lr=schedule)
    assert optimizer.lr is schedule
    assert optimizer == kind(lr=made(**FULL[made])) != kind()
    assert hash(optimizer) == hash(kind(lr=made(**FULL[made])))
    assert f"lr={schedule!r}" in repr(optimizer)
    assert pickle.loads(pickle.dumps(optimizer)) == copy.deepcopy(optimizer) == optimizer
    model = im.MLP([2, 1], loss="mse", optimizer=optimizer, seed=0)
    assert model.optimizer is optimizer
    assert repr(schedule) in repr(model)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("cosine", "lr is 'cosine' (str), it must be a number, a Schedule or a function of the st"),
        (None, "lr is None (NoneType), it must be a number, a Schedule"),
        (True, "lr is True (bool), it must be a number, a Schedule"),
        (StepLR, "lr is the class StepLR, it must be one: StepLR()"),
        (float, "lr is <class 'float'> (type), it must be a number, a Schedule"),
        ([0.1, 0.2], "lr is [0.1, 0.2] (list), it must be a number, a Schedule"),
    ],
)
@pytest.mark.parametrize("kind", im.optimizers.OPTIMIZERS.values())
def test_what_is_no_rate_is_a_type_error(kind: Any, wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(lr=wrong)


def test_the_base_is_no_schedule() -> None:
    with pytest.raises(TypeError, match="is no schedule"):
        im.MLP([2, 1], loss="mse", optimizer=im.SGD(lr=im.Schedule()))


TOO_LARGE = {
    "lr of StepLR": lambda v: StepLR(v, 2),
    "lr of MultiStepLR": lambda v: MultiStepLR(v, [2]),
    "lr of ExponentialLR": lambda v: ExponentialLR(v, 0.5),
    "lr of CosineAnnealingLR": lambda v: CosineAnnealingLR(v, 2),
    "eta_min of CosineAnnealingLR": lambda v: CosineAnnealingLR(0.1, 2, v),
    "lr of CosineAnnealingWarmRestarts": lambda v: CosineAnnealingWarmRestarts(v, 2),
    "eta_min of CosineAnnealingWarmRestarts": lambda v: CosineAnnealingWarmRestarts(0.1, 2, 1, v),
    "max_lr of OneCycleLR": lambda v: OneCycleLR(v, 5),
    "lr of PolynomialLR": lambda v: PolynomialLR(v),
    "lr of ExponentialLR ": lambda v: LinearWarmup(ExponentialLR(v, 0.5), 3),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_large_for_float32(name: str) -> None:
    def model(value: float, dtype: Any) -> im.MLP:
        optimizer = im.SGD(lr=TOO_LARGE[name](value))
        return im.MLP([2, 1], loss="mse", optimizer=optimizer, dtype=dtype)

    with pytest.raises(ValueError, match=f"{name.strip()} is 1e\\+39, in float32 that is infinite"):
        model(1e39, "float32")
    model(1e39, "float64")
    model(1e38, "float32")


def test_rates_beyond_all_numbers_diverge_and_say_so() -> None:
    optimizer = im.SGD(lr=ExponentialLR(1.0, 1e200))
    model = im.MLP([2, 1], loss="mse", optimizer=optimizer, dtype="float64", seed=0)
    with pytest.raises(FloatingPointError, match="diverged"):
        model.fit(np.ones((4, 2)), np.ones(4), epochs=9, verbose=False)
    assert np.isfinite(model.learning_rate)
    model.reset()
    assert model.learning_rate == 1.0


def test_models_show_them() -> None:
    model = im.MLP([2, 1], loss="mse", optimizer=im.SGD(lr=StepLR(0.1, 3)), seed=0)
    words = "optimizer=SGD(lr=StepLR(lr=0.1, step_size=3, gamma=0.1, by='epoch')"
    assert words in repr(model).replace("\n", "")
    assert "StepLR" in model._repr_html_()
