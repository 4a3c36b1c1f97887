"""What all optimizers are, and what several have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

from ironmlp._arguments.spec import Spec
from ironmlp._arguments.values import is_number, real, reals
from ironmlp.optimizers.options import DEFAULTS, Options, checked_options

if TYPE_CHECKING:
    import inspect

    from ironmlp.schedules import Schedule

# What an optimizer takes as its learning rate; a function is one of the step.
Rate: TypeAlias = "float | Schedule | Callable[[int], float]"


class Signature:
    """A constructor's signature with all options by name, for whoever asks for it."""

    def __get__(self, instance: object, owner: type[Optimizer]) -> inspect.Signature:
        import inspect  # which few programs need

        plain = inspect.signature(owner.__init__)
        _, *named, _ = plain.parameters.values()
        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in DEFAULTS.items()
        ]
        return plain.replace(parameters=[*named, *options])


class Optimizer(Spec):
    """The base of all optimizers; `options.py` has what all of them take."""

    __slots__: tuple[str, ...] = tuple(DEFAULTS)
    __signature__ = Signature()
    _always_rounded = ("clip_value", "l1", "l2")
    _positive = ("clip_value",)
    lr: Rate
    clip_norm: float | None
    clip_value: float | None
    l1: float
    l2: float
    decay_bias: bool
    ema: float | None

    def __init__(self, **options: Unpack[Options]) -> None:
        self._set(**checked_options(self, options))

    def _arguments(self) -> dict[str, Any]:
        named = super()._arguments()
        own = {name: value for name, value in named.items() if name not in DEFAULTS}
        return own | self._options()

    def _options(self) -> dict[str, Any]:
        """The options that change something: repr, files and comparisons know no others."""
        options = {name: getattr(self, name) for name in DEFAULTS}
        return {name: value for name, value in options.items() if value != DEFAULTS[name]}

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
