"""What all optimizers are, and what several have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from ironmlp._arguments.spec import Spec
from ironmlp._arguments.values import is_number, real, reals
from ironmlp.optimizers.options import DEFAULTS

if TYPE_CHECKING:
    from ironmlp.schedules import Schedule

# What an optimizer takes as its learning rate; a function is one of the step.
Rate: TypeAlias = "float | Schedule | Callable[[int], float]"


class Optimizer(Spec):
    """The base of all optimizers; `options.py` has what all of them take."""

    __slots__: tuple[str, ...] = ("decay_bias",)
    lr: Rate
    decay_bias: bool

    def _arguments(self) -> dict[str, Any]:
        # Options that change nothing are left out: of repr, of files, and of what is compared.
        options = {name: getattr(self, name) for name in DEFAULTS}
        changed = {name: value for name, value in options.items() if value != DEFAULTS[name]}
        return super()._arguments() | changed

    def _with_lr(self, lr: Rate) -> Self:
        """The same optimizer with this learning rate."""
        return self if lr == self.lr else type(self)(**{**self._arguments(), "lr": lr})


def rate(name: str, value: Any) -> Rate:
    """A learning rate: a number of at least 0, a schedule, or a function of the step."""
    if is_number(value):
        return real(name, value, at_least=0.0)
    from ironmlp.schedules import schedule_or_function  # which many programs never use

    checked: Rate = schedule_or_function(name, value)
    return checked


def two_betas(betas: Sequence[float]) -> tuple[float, ...]:
    """The decays of two moments, each at least 0 and below 1."""
    pair = reals("betas", betas)
    if len(pair) != 2:
        raise ValueError(f"betas has {len(pair)} entries, it must have 2")
    return tuple(real(f"betas[{i}]", beta, below=1.0) for i, beta in enumerate(pair))
