"""The learning rate of an update."""

import math
from bisect import bisect_right
from typing import Any

from .specs import kind


def rate(lr: Any, epoch: int, step: int) -> float:
    """The rate of update `step` in epoch `epoch`, both counted from 0; lr is a number, a schedule
    or a function of the step."""
    if kind(lr) in SCHEDULES:
        t = epoch if getattr(lr, "by", "step") == "epoch" else step
        return SCHEDULES[kind(lr)](lr, t)
    return float(lr(step) if callable(lr) else lr)


def step(s: Any, t: int) -> float:
    return float(s.lr * s.gamma ** (t // s.step_size))


def multi_step(s: Any, t: int) -> float:
    return float(s.lr * s.gamma ** bisect_right(sorted(s.milestones), t))


def exponential(s: Any, t: int) -> float:
    return float(s.lr * s.gamma**t)


def annealed(a: float, b: float, part: float) -> float:
    """From a to b along half a cosine."""
    return b + (a - b) * (1.0 + math.cos(math.pi * part)) / 2.0


def cosine(s: Any, t: int) -> float:
    return annealed(s.lr, s.eta_min, min(t, s.T_max) / s.T_max)


def warm_restarts(s: Any, t: int) -> float:
    length = s.T_0
    while t >= length:
        t, length = t - length, length * s.T_mult
    return annealed(s.lr, s.eta_min, t / length)


def one_cycle(s: Any, t: int) -> float:
    first = s.max_lr / s.div_factor
    top, end = s.pct_start * s.total_steps - 1.0, s.total_steps - 1.0
    t = min(t, s.total_steps - 1)
    if t <= top:
        return annealed(first, s.max_lr, t / top if top else 1.0)
    return annealed(s.max_lr, first / s.final_div_factor, (t - top) / (end - top))


def polynomial(s: Any, t: int) -> float:
    return float(s.lr * (1.0 - min(t, s.total_iters) / s.total_iters) ** s.power)


def warmup(s: Any, t: int) -> float:
    later = SCHEDULES[kind(s.schedule)]
    if t >= s.steps:
        return later(s.schedule, t - s.steps)
    return later(s.schedule, 0) * float(s.start + (1.0 - s.start) * t / s.steps)


SCHEDULES = {
    "StepLR": step,
    "MultiStepLR": multi_step,
    "ExponentialLR": exponential,
    "CosineAnnealingLR": cosine,
    "CosineAnnealingWarmRestarts": warm_restarts,
    "OneCycleLR": one_cycle,
    "PolynomialLR": polynomial,
    "LinearWarmup": warmup,
}
