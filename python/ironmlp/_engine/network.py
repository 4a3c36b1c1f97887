"""Checks of a network's layers against each other and against the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ironmlp._arguments.arrays import plural
from ironmlp.layers import (
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Identity,
    Layer,
    LayerNorm,
    Linear,
    PReLU,
    Residual,
    Sigmoid,
)
from ironmlp.layers.residual import layer_list
from ironmlp.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    GaussianNLL,
    Loss,
    LossFunction,
    Quantile,
)

Shapes = dict[str, tuple[int, ...]]


def checked_layers(layers: Any, init: str) -> tuple[Layer, ...]:
    """The layers of a network, whose widths fit together; `init` goes to those without one."""
    checked = tuple(with_init(layer, init) for layer in layer_list(layers))
    if not any(isinstance(layer, Linear) for _, layer in nodes(checked)):
        raise ValueError(
            f"layers has {plural(len(checked), 'layer')} and no Linear, "
            "a network needs at least one"
        )
    check_widths(checked, None)
    return checked


def with_init(layer: Layer, init: str) -> Layer:
    """The same layer with `init` filled in, also within."""
    if isinstance(layer, Residual):
        within = tuple(with_init(inner, init) for inner in layer.layers)
        return layer if within == layer.layers else Residual(within)
    if isinstance(layer, Linear | Conv2d) and layer.init is None:
        return type(layer)(**{**layer._arguments(), "init": init})
    return layer


def nodes(layers: Iterable[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """All layers with their names: "0", "1.0", "1.1", "1", ...; a Residual comes after its own.

    The place in this order is the number of a layer's random numbers.
    """
    for index, layer in enumerate(layers):
        name = f"{prefix}{index}"
        if isinstance(layer, Residual):
            yield from nodes(layer.layers, f"{name}.")
        yield name, layer


def in_features(layer: Layer) -> int | None:
    """The features of the rows that a layer takes, if it takes no others."""
    if isinstance(layer, Linear):
        return layer.in_features
    if isinstance(layer, LayerNorm | BatchNorm1d):
        return layer.n
    within = layer.layers if isinstance(layer, Residual) else ()
    return next((width for inner in within if (width := in_features(inner))), None)


def check_widths(layers: Iterable[Layer], width: int | None, prefix: str = "") -> int | None:
    """The features that layers give for rows of `width`, or for any if that is None.

    ValueError if two do not fit. What images become is known when there are some; the core checks
    the rest.
    """
    for index, layer in enumerate(layers):
        name, takes = f"{prefix}{index}", in_features(layer)
        if isinstance(layer, Residual):
            width = width or takes
            gives = check_widths(layer.layers, width, f"{name}.")
            if gives != width:
                raise ValueError(
                    f"layer {name}: Residual takes {width} features, its layers give {gives}"
                )
        elif takes is not None:
            if width not in (None, takes):
                raise ValueError(
                    f"layer {name}: {type(layer).__name__} takes {plural(takes, 'feature')}, "
                    f"gets {width}"
                )
            width = layer.out_features if isinstance(layer, Linear) else takes
        elif isinstance(layer, PReLU) and width is not None:
            if layer.num_parameters not in (1, width):
                raise ValueError(
                    f"layer {name}: PReLU takes {layer.num_parameters} features, gets {width}"
                )
        elif isinstance(layer, Conv2d | Flatten):
            width = None
    return width


def out_features(layers: tuple[Layer, ...]) -> int:
    """The outputs of a network."""
    return [layer for _, layer in nodes(layers) if isinstance(layer, Linear)][-1].out_features


def parameter_shapes(layers: tuple[Layer, ...]) -> dict[str, tuple[int, ...]]:
    """The name and shape of each parameter in canonical order.

    The names are those of the equal `torch.nn.Sequential`: activations are counted.
    """
    return _named(layers, _parameters)


def running_shapes(layers: tuple[Layer, ...]) -> dict[str, tuple[int, ...]]:
    """The same of the running values of normalizations over batches, which are no parameters."""
    return _named(layers, _running)


def state_shapes(layers: tuple[Layer, ...]) -> dict[str, tuple[int, ...]]:
    """The same of both, in PyTorch's order: all of a layer after each other."""
    return _named(layers, lambda layer: _parameters(layer) | _running(layer))


def _named(layers: tuple[Layer, ...], own: Callable[[Layer], Shapes]) -> Shapes:
    return {
        f"{name}.{key}": shape for name, layer in nodes(layers) for key, shape in own(layer).items()
    }


def _parameters(layer: Layer) -> Shapes:
    bias = True
    if isinstance(layer, Linear):
        weight: tuple[int, ...] = (layer.out_features, layer.in_features)
        bias = layer.bias
    elif isinstance(layer, Conv2d):
        channels = layer.in_channels // layer.groups
        weight = (layer.out_channels, channels, *layer.kernel_size)
        bias = layer.bias
    elif isinstance(layer, LayerNorm | BatchNorm1d | BatchNorm2d) and layer.affine:
        weight = (layer.n,)
    elif isinstance(layer, PReLU):
        weight, bias = (layer.num_parameters,), False
    else:
        return {}
    return {"weight": weight, "bias": weight[:1]} if bias else {"weight": weight}


def _running(layer: Layer) -> Shapes:
    if not isinstance(layer, BatchNorm1d | BatchNorm2d):
        return {}
    return {"running_mean": (layer.n,), "running_var": (layer.n,), "num_batches_tracked": ()}


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
    if isinstance(loss, Focal) and isinstance(head, Sigmoid):
        raise ValueError("the network ends in Sigmoid and Focal takes logits: drop the last layer")
    if isinstance(loss, GaussianNLL) and outputs % 2:
        raise ValueError(
            f"the network has {plural(outputs, 'output')}, GaussianNLL needs two for each number "
            "of y: the means, then the logarithms of the variances"
        )
    if isinstance(loss, Quantile) and len(loss.quantiles) != outputs:
        raise ValueError(
            f"quantiles has {plural(len(loss.quantiles), 'number')}, "
            f"the network has {plural(outputs, 'output')}: it needs one for each quantile"
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
