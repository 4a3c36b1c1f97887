"""What all optimizers are, and what several have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ironmlp._arguments.spec import Spec
from ironmlp._arguments.values import real, reals
from ironmlp.optimizers.options import DEFAULTS


class Optimizer(Spec):
    """The base of all optimizers; `options.py` has what all of them take."""

    __slots__: tuple[str, ...] = ("decay_bias",)
    lr: float
    decay_bias: bool

    def _arguments(self) -> dict[str, Any]:
        # Options that change nothing are left out: of repr, of files, and of what is compared.
        options = {name: getattr(self, name) for name in DEFAULTS}
        changed = {name: value for name, value in options.items() if value != DEFAULTS[name]}
        return super()._arguments() | changed

    def _with_lr(self, lr: float) -> Self:
        """The same optimizer with this learning rate."""
        return self if lr == self.lr else type(self)(**{**self._arguments(), "lr": lr})


def two_betas(betas: Sequence[float]) -> tuple[float, ...]:
    """The decays of two moments, each at least 0 and below 1."""
    pair = reals("betas", betas)
    if len(pair) != 2:
        raise ValueError(f"betas has {len(pair)} entries, it must have 2")
    return tuple(real(f"betas[{i}]", beta, below=1.0) for i, beta in enumerate(pair))
