"""A network of Linear layers by their sizes."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .model import Sequential
from .specs import spec


class MLP(Sequential):
    """Linear layers of the given sizes with an activation between each two.

    With probabilities as outputs (`BinaryCrossEntropy(from_logits=False)`) a Sigmoid follows. The
    other arguments are those of `Sequential`.
    """

    def __init__(
        self, layer_sizes: Sequence[int], *, activation: Any = "relu", loss: Any,
        init: str = "torch_linear", **others: Any,
    ) -> None:  # fmt: skip
        layers: list[Any] = []
        for i, o in pairwise(layer_sizes):
            layers += [spec("Linear", in_features=i, out_features=o, init=init), spec(activation)]
        last = [] if getattr(spec(loss), "from_logits", True) else [spec("Sigmoid")]
        super().__init__([*layers[:-1], *last], loss=loss, **others)
