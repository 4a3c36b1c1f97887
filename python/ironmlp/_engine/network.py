"""Checks of a network's layers against each other and against the loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ironmlp._arguments.arrays import plural
from ironmlp._arguments.spec import refusal
from ironmlp.layers import (
    ACTIVATIONS,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    Layer,
    Linear,
    Sigmoid,
)
from ironmlp.losses import BinaryCrossEntropy, CrossEntropy, Loss, LossFunction


def checked_layers(layers: Any, init: str) -> tuple[Layer, ...]:
    """The layers of a network, whose widths fit together; `init` goes to those without one."""
    if isinstance(layers, str | Layer) or not isinstance(layers, Iterable):
        raise TypeError(
            f"layers is {layers!r} ({type(layers).__name__}), it must be a sequence of layers"
        )
    checked = []
    width = None
    for index, layer in enumerate(layers):
        if isinstance(layer, str):
            raise TypeError(f"layers[{index}] is {layer!r}, layers are no names{written(layer)}")
        if not isinstance(layer, Layer):
            raise refusal(f"layers[{index}]", layer, Layer, ())
        if isinstance(layer, Linear):
            if width not in (None, layer.in_features):
                raise ValueError(
                    f"layer {index}: Linear takes {plural(layer.in_features, 'feature')}, "
                    f"gets {width}"
                )
            width = layer.out_features
        elif isinstance(layer, Conv2d | Flatten):
            # What images become is known when there are some; the core checks the rest.
            width = None
        if isinstance(layer, Linear | Conv2d) and layer.init is None:
            layer = with_init(layer, init)
        checked.append(layer)
    if not any(isinstance(layer, Linear) for layer in checked):
        raise ValueError(
            f"layers has {plural(len(checked), 'layer')} and no Linear, "
            "a network needs at least one"
        )
    return tuple(checked)


def written(name: str) -> str:
    """The end of a message: how the layer is written that a name stands for."""
    from ironmlp._arguments import foreign  # which only errors need

    known = foreign.string("activation", name, ACTIVATIONS)
    return f": write im.{ACTIVATIONS[known].__name__}()" if known else ""


def with_init(layer: Linear | Conv2d, init: str) -> Linear | Conv2d:
    """The same layer with `init` filled in."""
    return type(layer)(**{**layer._arguments(), "init": init})


def out_features(layers: tuple[Layer, ...]) -> int:
    """The outputs of a network."""
    return [layer for layer in layers if isinstance(layer, Linear)][-1].out_features


def parameter_shapes(layers: tuple[Layer, ...]) -> dict[str, tuple[int, ...]]:
    """The name and shape of each parameter in canonical order.

    The names are those of the equal `torch.nn.Sequential`: activations are counted.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for index, layer in enumerate(layers):
        if isinstance(layer, Linear):
            weight: tuple[int, ...] = (layer.out_features, layer.in_features)
        elif isinstance(layer, Conv2d):
            channels = layer.in_channels // layer.groups
            weight = (layer.out_channels, channels, *layer.kernel_size)
        else:
            continue
        shapes[f"{index}.weight"] = weight
        if layer.bias:
            shapes[f"{index}.bias"] = weight[:1]
    return shapes


def check_head(layers: tuple[Layer, ...], loss: Loss | LossFunction) -> None:
    """Refuse a loss that does not fit what the network puts out."""
    outputs = out_features(layers)
    head = [layer for layer in layers if not isinstance(layer, Identity | Dropout)][-1]
    if isinstance(loss, BinaryCrossEntropy):
        if loss.from_logits and isinstance(head, Sigmoid):
            raise ValueError(
                "the network ends in Sigmoid and BinaryCrossEntropy takes logits: drop the last "
                "layer, or use BinaryCrossEntropy(from_logits=False)"
            )
        if not loss.from_logits and not isinstance(head, Sigmoid):
            raise ValueError(
                f"the network ends in {type(head).__name__} and "
                "BinaryCrossEntropy(from_logits=False) takes probabilities: add Sigmoid() as the "
                "last layer, or use BinaryCrossEntropy()"
            )
        weight = loss.pos_weight
        if isinstance(weight, tuple) and len(weight) not in (1, outputs):
            raise ValueError(
                f"pos_weight has {len(weight)} entries, the network has {plural(outputs, 'output')}"
                + (": one number, for the label that sorts second" if outputs == 1 else "")
            )
    if isinstance(loss, CrossEntropy):
        if isinstance(head, Sigmoid):
            raise ValueError(
                "the network ends in Sigmoid and CrossEntropy takes logits: drop the last layer"
            )
        if outputs < 2:
            raise ValueError(
                "the network has 1 output, CrossEntropy needs one for each class: for two classes "
                "and one output use BinaryCrossEntropy()"
            )
        if loss.class_weight is not None and len(loss.class_weight) != outputs:
            raise ValueError(
                f"class_weight has {len(loss.class_weight)} entries, "
                f"the network has {plural(outputs, 'output')}"
            )
