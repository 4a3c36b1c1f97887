"""What all losses are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from ironmlp._arguments.spec import Spec

Reduction = Literal["mean", "sum"]
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")


class Loss(Spec):
    """The base of all losses."""

    __slots__ = ()
    reduction: str


# A loss of the user's own, as `ironmlp.losses` says.
LossFunction = Callable[..., tuple[float, Any]]
