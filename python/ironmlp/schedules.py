"""Learning rate schedules as data: a rate for each epoch or each update. An optimizer takes one in
the place of a number, `Adam(lr=CosineAnnealingLR(1e-3, T_max=50))`. Names and formulas are
PyTorch's.

In the formulas t counts from 0: finished epochs of the model with `by="epoch"`, updates with
`by="step"`; `OneCycleLR` and `LinearWarmup` count updates. Both counts go on over all calls of
`fit`, in files and in copies. From the end of a schedule on its last rate holds. Rates are computed
in float64, and the same on every machine.

`model.learning_rate` is the rate of the next update. To assign it multiplies all rates from there
on by a factor, so that the next one is what was assigned.

Constructors raise TypeError for a value of the wrong kind and ValueError for one out of range; the
message names the argument and what it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ironmlp._arguments.spec import Spec, refusal
from ironmlp._arguments.values import choice, counts, real, size

__all__ = [
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LinearWarmup",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "Schedule",
    "StepLR",
]


def __dir__() -> list[str]:
    return __all__


By = Literal["epoch", "step"]


class Schedule(Spec):
    """The base of all schedules."""

    __slots__ = ()
    by: By

    def _by_step(self) -> Schedule:
        """The same schedule, counting updates."""
        if self.by == "step":
            return self
        return type(self)(**{**self._arguments(), "by": "step"})


class StepLR(Schedule):
    """lr * gamma^(t // step_size): the rate falls after each `step_size` epochs."""

    __slots__ = ("lr", "step_size", "gamma", "by")  # noqa: RUF023
    lr: float
    step_size: int
    gamma: float

    def __init__(self, lr: float, step_size: int, gamma: float = 0.1, *, by: By = "epoch") -> None:
        self._set(
            lr=first_rate(lr),
            step_size=size("step_size", step_size),
            gamma=real("gamma", gamma, at_least=0.0),
            by=counted(by),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr",)


class MultiStepLR(Schedule):
    """lr * gamma^k, k the number of `milestones` up to t: the rate falls at given epochs."""

    __slots__ = ("lr", "milestones", "gamma", "by")  # noqa: RUF023
    lr: float
    milestones: tuple[int, ...]
    gamma: float

    def __init__(
        self, lr: float, milestones: Sequence[int], gamma: float = 0.1, *, by: By = "epoch"
    ) -> None:
        self._set(
            lr=first_rate(lr),
            milestones=tuple(sorted(counts("milestones", milestones))),
            gamma=real("gamma", gamma, at_least=0.0),
            by=counted(by),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr",)


class ExponentialLR(Schedule):
    """lr * gamma^t."""

    __slots__ = ("lr", "gamma", "by")  # noqa: RUF023
    lr: float
    gamma: float

    def __init__(self, lr: float, gamma: float, *, by: By = "epoch") -> None:
        self._set(
            lr=first_rate(lr),
            gamma=real("gamma", gamma, at_least=0.0),
            by=counted(by),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr",)


class CosineAnnealingLR(Schedule):
    """eta_min + (lr - eta_min) (1 + cos(pi t / T_max)) / 2: from lr to eta_min, the rate from
    t = `T_max` on.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
    """

    __slots__ = ("lr", "T_max", "eta_min", "by")  # noqa: RUF023
    lr: float
    T_max: int
    eta_min: float

    def __init__(
        self,
        lr: float,
        T_max: int,
        eta_min: float = 0.0,
        *,
        by: By = "epoch",
    ) -> None:
        self._set(
            lr=first_rate(lr),
            T_max=size("T_max", T_max),
            eta_min=real("eta_min", eta_min, at_least=0.0),
            by=counted(by),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eta_min")


class CosineAnnealingWarmRestarts(Schedule):
    """Cosines from lr towards eta_min, one after the other, of `T_0`, T_0 T_mult, T_0 T_mult^2, ...
    epochs; each begins at lr anew.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts" (2017).
    """

    __slots__ = ("lr", "T_0", "T_mult", "eta_min", "by")  # noqa: RUF023
    lr: float
    T_0: int
    T_mult: int
    eta_min: float

    def __init__(
        self,
        lr: float,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        *,
        by: By = "epoch",
    ) -> None:
        self._set(
            lr=first_rate(lr),
            T_0=size("T_0", T_0),
            T_mult=size("T_mult", T_mult),
            eta_min=real("eta_min", eta_min, at_least=0.0),
            by=counted(by),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr", "eta_min")


class OneCycleLR(Schedule):
    """Half a cosine up from max_lr / div_factor to max_lr, then half a cosine down to
    max_lr / div_factor / final_div_factor, the rate of update total_steps - 1 and of all later.

    The way up ends at t = pct_start * total_steps - 1. t counts updates: `total_steps` is the
    number of epochs times the batches of one. The momentum stays as it is (in PyTorch
    `cycle_momentum=False`). Smith and Topin, "Super-convergence: very fast training of neural
    networks using large learning rates" (2019).
    """

    __slots__ = (
        *("max_lr", "total_steps", "pct_start"),
        *("div_factor", "final_div_factor"),
    )
    max_lr: float
    total_steps: int
    pct_start: float
    div_factor: float
    final_div_factor: float
    by = "step"

    def __init__(
        self,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        self._set(
            max_lr=real("max_lr", max_lr, at_least=0.0),
            total_steps=size("total_steps", total_steps),
            pct_start=real("pct_start", pct_start, at_least=0.0, at_most=1.0),
            div_factor=real("div_factor", div_factor, above=0.0),
            final_div_factor=real("final_div_factor", final_div_factor, above=0.0),
        )
        first = real("max_lr / div_factor", self.max_lr / self.div_factor)
        real("max_lr / div_factor / final_div_factor", first / self.final_div_factor)

    def _rounded(self) -> tuple[str, ...]:
        return ("max_lr",)


class PolynomialLR(Schedule):
    """lr (1 - t / total_iters)^power, and 0 from t = `total_iters` on."""

    __slots__ = ("lr", "total_iters", "power", "by")  # noqa: RUF023
    lr: float
    total_iters: int
    power: float

    def __init__(
        self, lr: float, total_iters: int = 5, power: float = 1.0, *, by: By = "epoch"
    ) -> None:
        self._set(
            lr=first_rate(lr),
            total_iters=size("total_iters", total_iters),
            power=real("power", power, at_least=0.0),
            by=counted(by),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("lr",)


class LinearWarmup(Schedule):
    """schedule(0) (start + (1 - start) t / steps) for the first `steps` updates, and then
    schedule(t - steps).

    t counts updates, also in the schedule, which takes `by="step"` if it was made without.
    `start` is a part of its first rate, from 0 to 1.
    """

    __slots__ = ("schedule", "steps", "start")  # noqa: RUF023
    schedule: Schedule
    steps: int
    start: float
    by = "step"

    def __init__(self, schedule: Schedule, steps: int, start: float = 0.0) -> None:
        if not isinstance(schedule, Schedule):
            raise refusal("schedule", schedule, Schedule, ())
        if isinstance(schedule, LinearWarmup | Forgotten):
            raise ValueError(
                f"schedule is {schedule!r}, it must be one without a warm-up of its own"
            )
        self._set(
            schedule=schedule._by_step(),
            steps=size("steps", steps),
            start=real("start", start, at_least=0.0, at_most=1.0),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("schedule",)


class Forgotten(Schedule):
    """Stands in a model that comes from a file for a function, which no file can hold."""

    __slots__ = ()
    by = "step"


def schedule_or_function(name: str, value: Any) -> Any:
    """A learning rate that is no number: a schedule, or a function of the step."""
    if isinstance(value, Schedule) or (callable(value) and not isinstance(value, type)):
        return value
    if isinstance(value, type) and issubclass(value, Schedule):
        raise refusal(name, value, Schedule, ())
    raise TypeError(
        f"{name} is {value!r} ({type(value).__name__}), it must be a number, a Schedule or a "
        "function of the step"
    )


def first_rate(value: Any) -> float:
    """The rate that a schedule begins with."""
    if hasattr(value, "lr") or hasattr(value, "param_groups"):
        raise TypeError(
            f"lr is {value!r:.60}, it must be a number: a schedule is an argument of the "
            "optimizer, SGD(lr=StepLR(0.1, step_size=30))"
        )
    return real("lr", value, at_least=0.0)


def counted(by: str) -> str:
    """What a schedule counts."""
    return choice("by", by, ("epoch", "step"))
