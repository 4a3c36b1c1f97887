"""Every layer x loss x reduction x weighting, and gradients against central differences.

The cases are checked against the registries of layers and losses: `uncovered` names the members and
options that have none, so that a new one fails until it is added here. Models are of anything with
the API of `Sequential`.
"""

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

import tolerances
from ironmlp import layers, losses
from ironmlp.layers import (
    ELU,
    GELU,
    SELU,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Hardswish,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Mish,
    PReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.losses import (
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    GaussianNLL,
    Huber,
    LogCosh,
    Loss,
    PoissonNLL,
    Quantile,
)
from ironmlp.optimizers import SGD
from states import parameters

Array = np.ndarray[Any, Any]

ROWS, INPUTS, HIDDEN, OUTPUTS = 6, 3, 5, 3

LAYERS: tuple[Layer, ...] = (
    Linear(HIDDEN, HIDDEN),
    Linear(HIDDEN, HIDDEN, bias=False),
    Linear(HIDDEN, HIDDEN, trainable=False, lr_scale=0.5),
    Dropout(0.4),
    Identity(),
    Sigmoid(),
    Tanh(),
    ReLU(),
    LeakyReLU(),
    LeakyReLU(0.3),
    ELU(),
    ELU(0.6),
    SELU(),
    GELU(),
    GELU("tanh"),
    SiLU(),
    Mish(),
    Hardswish(),
    PReLU(),
    PReLU(HIDDEN, 0.5),
    PReLU(HIDDEN, -0.3, trainable=False, lr_scale=0.5),
    Softplus(),
    Softplus(2.0, 1.0),
    LayerNorm(HIDDEN),
    LayerNorm(HIDDEN, 0.1, trainable=False, lr_scale=0.5),
    LayerNorm(HIDDEN, affine=False),
    BatchNorm1d(HIDDEN),
    BatchNorm1d(HIDDEN, 0.01, None, trainable=False, lr_scale=0.5),
    BatchNorm1d(HIDDEN, momentum=0.3, affine=False),
    Residual([Linear(HIDDEN, 4), Tanh(), Linear(4, HIDDEN)]),
    Residual([Residual([LayerNorm(HIDDEN), Identity()]), Dropout(0.4), SiLU()]),
)

# Layers of images with the features that they make of those that the first convolution gives.
IMAGE_LAYERS: dict[Layer, int] = {
    Conv2d(4, 4, 2): 24,
    Conv2d(4, 6, 2, stride=2, padding=1, dilation=2, groups=2, bias=False): 24,
    Conv2d(4, 4, 1, trainable=False, lr_scale=0.5): 48,
    AvgPool2d(2): 8,
    AvgPool2d(3, 1): 8,
    MaxPool2d(2): 8,
    MaxPool2d((2, 3), 1): 12,
    PReLU(init=1.5): 48,
    PReLU(4, -0.3): 48,
    BatchNorm2d(4): 48,
    BatchNorm2d(4, 0.01, None, trainable=False, lr_scale=0.5): 48,
    BatchNorm2d(4, momentum=0.3, affine=False): 48,
    Flatten(): 48,
}

# Each loss with the values of its options; the reductions are the registry's.
LOSSES: dict[type[Loss], dict[str, tuple[Any, ...]]] = {
    BinaryCrossEntropy: {
        "from_logits": (True, False),
        "pos_weight": (None, 2.5, (0.5, 1.0, 3.0)),
    },
    CrossEntropy: {
        "class_weight": (None, (0.5, 2.0, 1.0)),
        "label_smoothing": (0.0, 0.2),
        "ignore_index": (None, 1),
    },
    MSE: {},
    MAE: {},
    Huber: {"delta": (1.0, 0.3)},
    LogCosh: {},
    Quantile: {"quantiles": ((0.1, 0.75, 0.5),)},
    PoissonNLL: {"log_input": (True, False), "full": (False, True), "eps": (0.125,)},
    GaussianNLL: {},
    Focal: {"gamma": (2.0, 1.5), "alpha": (None, 0.3)},
}
ALL_LOSSES: tuple[type[Loss], ...] = tuple(
    getattr(losses, name) for name in losses.__all__ if name != "Loss"
)

# The kinds of targets that a loss is tested with. With those in the singular the network has one
# output.
TARGETS: dict[type[Loss], tuple[str, ...]] = {
    BinaryCrossEntropy: ("probabilities", "flags", "probability", "flag"),
    CrossEntropy: ("indices", "distributions"),
    MSE: ("numbers", "number"),
    MAE: ("numbers", "number"),
    Huber: ("numbers", "number"),
    LogCosh: ("numbers", "number"),
    Quantile: ("number",),
    PoissonNLL: ("counts",),
    GaussianNLL: ("numbers", "number"),
    Focal: ("probabilities", "flag"),
}
ONCE = (Quantile, PoissonNLL, GaussianNLL, Focal)
ONE_OUTPUT = {"probability": "probabilities", "flag": "flags", "number": "numbers"}

# Options that change no gradient, and the one that is varied for every loss.
OTHERS = {"in_features", "out_features", "in_channels", "out_channels", "init", "reduction"}


class Case(NamedTuple):
    """A layer and a loss, the kind of targets, and whether rows have weights."""

    layer: Layer
    loss: Loss
    targets: str
    weighted: bool


def uncovered() -> set[str]:
    """The public layers, losses and options of theirs that no case has."""
    found = set()
    for kind in [getattr(layers, name) for name in layers.__all__ if name != "Layer"]:
        members = [layer for layer in (*LAYERS, *IMAGE_LAYERS) if type(layer) is kind]
        values = {o: {getattr(layer, o) for layer in members} for o in kind.__slots__}
        found |= without_case(kind, bool(members), values)
    for kind in ALL_LOSSES:
        found |= without_case(kind, kind in LOSSES, LOSSES.get(kind, {}))
    return found


def without_case(kind: type, has_case: bool, values: Mapping[str, Iterable[Any]]) -> set[str]:
    """The class if it has no case, and its options of which no case has a value but the default."""
    defaults = inspect.signature(kind).parameters
    found = set() if has_case else {kind.__name__}
    for option in {*kind.__slots__} - OTHERS:  # type: ignore[attr-defined]
        if not {*values.get(option, ())} - {defaults[option].default}:  # which there need not be
            found.add(f"{kind.__name__}({option})")
    return found


def all_losses() -> Iterator[tuple[Loss, str]]:
    """Every loss with every combination of options, reduction and kind of targets that it takes."""
    for kind, options in LOSSES.items():
        choices = itertools.product(*options.values(), losses.REDUCTIONS, TARGETS[kind])
        for *values, reduction, targets in choices:
            given = dict(zip(options, values, strict=True))
            no_logits = given.get("from_logits") is False and given["pos_weight"] is not None
            too_many = targets in ONE_OUTPUT and isinstance(given.get("pos_weight"), tuple)
            no_index = targets == "distributions" and given["ignore_index"] is not None
            if not (no_logits or too_many or no_index):
                yield kind(**given, reduction=reduction), targets


def cases() -> Iterator[Case]:
    """Every layer x loss x reduction x weighting; those of images with each loss's defaults, since
    their differences are ten times as many.

    Of the losses `ONCE` each option has one layer, and each layer one case: no layer knows what is
    behind it."""
    for layer, (loss, targets), weighted in itertools.product(LAYERS, all_losses(), (False, True)):
        if layer == Tanh() or type(loss) not in ONCE or is_first(loss, targets, weighted):
            yield Case(layer, loss, targets, weighted)
    kinds = itertools.product(IMAGE_LAYERS, LOSSES, losses.REDUCTIONS, (False, True))
    for layer, kind, reduction, weighted in kinds:
        loss = usual(kind, reduction=reduction)
        if kind not in ONCE or is_first(loss, TARGETS[kind][0], weighted):
            yield Case(layer, loss, TARGETS[kind][0], weighted)


def is_first(loss: Loss, targets: str, weighted: bool) -> bool:
    """Whether this is the case of its loss where there is one."""
    kind = type(loss)
    return weighted and targets == TARGETS[kind][0] and loss == usual(kind)


def usual(kind: type[Any], **options: Any) -> Any:
    """A loss by the first value of each option here, anything else by its defaults."""
    return kind(**{name: values[0] for name, values in LOSSES.get(kind, {}).items()}, **options)


def outputs_for(loss: Loss, targets: str) -> int:
    """How many outputs a network has with a loss of that kind of targets."""
    if isinstance(loss, Quantile):
        return len(loss.quantiles)
    outputs = 1 if targets in ONE_OUTPUT else OUTPUTS
    return 2 * outputs if isinstance(loss, GaussianNLL) else outputs


def groups() -> dict[str, list[Case]]:
    """The cases of each layer, kind of loss and reduction: what one test takes."""
    found: dict[str, list[Case]] = {}
    for case in cases():
        name = f"{case.layer}, {type(case.loss).__name__}, {case.loss.reduction}"
        found.setdefault(name, []).append(case)
    return found


def model(library: Any, case: Case, dtype: str = "float64") -> Any:
    """Two layers around the case's layer, with the head that its loss needs; `library` is ironmlp
    or its reference."""
    layer, loss, targets, _ = case
    head = [] if getattr(loss, "from_logits", True) else [Sigmoid()]
    head += [] if getattr(loss, "log_input", True) else [Softplus()]
    outputs = outputs_for(loss, targets)
    # A bias right before a normalization over the batch has a gradient of zero.
    bent = [Tanh()] if isinstance(layer, BatchNorm1d | BatchNorm2d) else []
    if layer in IMAGE_LAYERS:
        flat = [] if isinstance(layer, Flatten) else [Flatten()]
        parts = [Conv2d(2, 4, 2), *bent, layer, *flat, Linear(IMAGE_LAYERS[layer], outputs), *head]
    else:
        parts = [Linear(INPUTS, HIDDEN), *bent, layer, Linear(HIDDEN, outputs), *head]
    return library.Sequential(parts, loss=loss, optimizer=SGD(), dtype=dtype, seed=11)


def batch(targets: str, layer: Layer | None = None) -> tuple[Array, Array, Array]:
    """X for a network with that layer, y of the kind `targets`, and sample weights with a zero."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(ROWS, INPUTS))
    uniform = rng.uniform(size=(ROWS, OUTPUTS))
    y = {
        "probabilities": uniform,
        "flags": (uniform > 0.5).astype(float),
        "indices": np.array([0, 1, 2, 2, 1, 0]),
        "distributions": uniform / uniform.sum(axis=1, keepdims=True),
        "numbers": rng.normal(size=(ROWS, OUTPUTS)),
        "counts": np.array([[0.0, 1.0, 4.0], [2.0, 0.0, 1.5]] * (ROWS // 2)),
    }[ONE_OUTPUT.get(targets, targets)]
    y = y[:, :1] if targets in ONE_OUTPUT else y
    if layer in IMAGE_LAYERS:
        X = rng.normal(size=(ROWS, 2, 5, 4))
    return X, y, np.array([1.0, 0.0, 0.5, 2.0, 1.5, 1.0])


def central_differences(f: Callable[[], float], w: Array, step: float = 1e-5) -> Array:
    """The derivative of f by each element of w, which f reads; error step^2 and eps / step."""
    grad = np.zeros_like(w)
    for index in np.ndindex(w.shape):
        kept = w[index]
        w[index] = kept + step
        above = f()
        w[index] = kept - step
        grad[index] = (above - f()) / (2 * step)
        w[index] = kept
    return grad


def check_gradients(model: Any, X: Array, y: Array, sample_weight: Array | None) -> int:
    """AssertionError unless `loss_and_grad` is right relative to each tensor's largest component.

    `model` is in float64. Returns the number of derivatives compared.
    """
    options = {"sample_weight": sample_weight, "training": True}
    _, grads, input_grad = model.loss_and_grad(X, y, input_grad=True, **options)
    state, X = model.state_dict(), X.copy()

    def loss() -> float:
        model.load_state_dict(state)
        return float(model.loss_and_grad(X, y, **options)[0])

    assert list(grads) == list(parameters(state))
    compared = 0
    for name, w, grad in [*((k, state[k], grads[k]) for k in grads), ("X", X, input_grad)]:
        expected = central_differences(loss, w)
        largest = np.abs(expected).max()
        assert np.abs(grad - expected).max() <= tolerances.CENTRAL_DIFFERENCE * largest, name
        assert largest > 1e-5, f"{name} has no gradient worth a comparison"
        compared += w.size
    return compared
