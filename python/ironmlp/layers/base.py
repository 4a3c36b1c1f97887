"""What all layers are, and what several have in common."""

from __future__ import annotations

from typing import Literal

from ironmlp._arguments.spec import Spec

Initializer = Literal["torch_linear", "glorot_uniform", "he_normal", "zeros", "normal"]


# The names of the initial parameters' distributions; docs/random.md has the formulas.
INITIALIZERS: tuple[Initializer, ...] = (
    "torch_linear",
    "glorot_uniform",
    "he_normal",
    "zeros",
    "normal",
)


class Layer(Spec):
    """The base of all layers."""

    __slots__ = ()
