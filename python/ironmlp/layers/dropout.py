"""Units that are left out at random."""

from __future__ import annotations

from ironmlp._arguments.values import real
from ironmlp.layers.base import Layer

# The largest drop probability: masks use 16 random bits a unit, and one unit in 65,536 must stay.
LARGEST_DROP = 1.0 - 2.0**-16


class Dropout(Layer):
    """While training, each unit is 0 with probability p, else multiplied by 1 / (1 - p).

    p is rounded to a multiple of 2**-16, and lies between 0 and 1 - 2**-16. Without training the
    layer is the identity.
    """

    __slots__ = ("p",)
    p: float

    def __init__(self, p: float = 0.5) -> None:
        self._set(p=real("p", p, at_least=0.0, at_most=LARGEST_DROP))
