"""Layers around which their input goes, and lists of layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ironmlp._arguments.spec import refusal
from ironmlp.layers.activations import ACTIVATIONS
from ironmlp.layers.base import Layer

# How deep one Residual may be in another: what goes through them calls itself.
DEEPEST = 32


class Residual(Layer):
    """y = x + what the layers make of x, one after the other (He and others, 2016).

    Rows (n_rows, n) stay of that shape: the layers give as many features as they take. They may be
    any but those of images, also others of this kind, up to 32 deep. Within a network the layers of
    a `Residual` at place k are called "k.0", "k.1" and so on.
    """

    __slots__ = ("layers",)
    layers: tuple[Layer, ...]

    def __init__(self, layers: Iterable[Layer]) -> None:
        listed = layer_list(layers)
        if not listed:
            raise ValueError("layers has 0 layers, a Residual needs at least one")
        self._set(layers=listed)
        if self._depth() > DEEPEST:
            raise ValueError(f"layers nest deeper than {DEEPEST} times, a Residual allows no more")

    def _depth(self) -> int:
        within = (layer._depth() for layer in self.layers if isinstance(layer, Residual))
        return 1 + max(within, default=0)


def layer_list(layers: Any) -> tuple[Layer, ...]:
    """The layers of a network or a Residual; TypeError for what is no sequence of them."""
    if isinstance(layers, str | Layer) or not isinstance(layers, Iterable):
        raise TypeError(
            f"layers is {layers!r} ({type(layers).__name__}), it must be a sequence of layers"
        )
    listed = tuple(layers)
    for index, layer in enumerate(listed):
        if isinstance(layer, str):
            raise TypeError(f"layers[{index}] is {layer!r}, layers are no names{written(layer)}")
        if not isinstance(layer, Layer):
            raise refusal(f"layers[{index}]", layer, Layer, ())
    return listed


def written(name: str) -> str:
    """The end of a message: how the layer is written that a name stands for."""
    from ironmlp._arguments import foreign  # which only errors need

    known = foreign.string("activation", name, ACTIVATIONS)
    return f": write im.{ACTIVATIONS[known].__name__}()" if known else ""
