"""Schedules for tests: each with its options, and the rates that they give."""

from typing import Any

import ironmlp as im
from ironmlp import reference
from ironmlp.schedules import Schedule

# Each schedule with options that change what it gives, but for what is counted; all change within
# 40 counts.
CASES: dict[str, list[dict[str, Any]]] = {
    "StepLR": [{"lr": 0.1, "step_size": 3}, {"lr": 0.05, "step_size": 5, "gamma": 0.7}],
    "MultiStepLR": [
        {"lr": 0.1, "milestones": (2, 9, 9, 20)},
        {"lr": 0.1, "milestones": (4, 11), "gamma": 0.5},
    ],
    "ExponentialLR": [{"lr": 0.1, "gamma": 0.9}, {"lr": 0.01, "gamma": 1.05}],
    "CosineAnnealingLR": [
        {"lr": 0.1, "T_max": 17},
        {"lr": 0.1, "T_max": 30, "eta_min": 0.02},
    ],
    "CosineAnnealingWarmRestarts": [
        {"lr": 0.1, "T_0": 5},
        {"lr": 0.1, "T_0": 3, "T_mult": 2, "eta_min": 0.01},
    ],
    "OneCycleLR": [
        {"max_lr": 0.1, "total_steps": 37},
        {
            "max_lr": 0.1,
            "total_steps": 30,
            "pct_start": 0.5,
            "div_factor": 4.0,
            "final_div_factor": 8.0,
        },
    ],
    "PolynomialLR": [
        {"lr": 0.1},
        {"lr": 0.1, "total_iters": 31, "power": 2.5},
    ],
    "LinearWarmup": [
        {"schedule": im.CosineAnnealingLR(0.1, 20, by="step"), "steps": 7},
        {"schedule": im.StepLR(0.1, 6, by="step"), "steps": 12, "start": 0.25},
    ],
}


def made(name: str, options: dict[str, Any], **more: Any) -> Schedule:
    schedule: Schedule = getattr(im, name)(**options, **more)
    return schedule


SCHEDULES = [made(name, options) for name, cases in CASES.items() for options in cases]
# The same, counting updates.
BY_STEP = [schedule._by_step() for schedule in SCHEDULES]


def rate(lr: Any, epoch: int, step: int) -> float:
    """The oracle's rate of an update."""
    found: float = reference.schedules.rate(lr, epoch, step)
    return found


def rates(schedule: Schedule, count: int, dtype: Any = "float64") -> list[float]:
    """The rates of the first updates, as a model has them."""
    optimizer = im.SGD(lr=schedule._by_step())
    model = im.Sequential([im.Linear(1, 1)], loss="mse", optimizer=optimizer, dtype=dtype, seed=0)
    found = []
    for _ in range(count):
        found.append(model.learning_rate)
        model.apply_gradients({"0.weight": [[0.0]], "0.bias": [0.0]})
    return found
