"""Gradients against central differences, for any model with the API of `Sequential`.

The cases come from the registries of layers and losses: `uncovered` names the members that have
none, so that a new one fails until it is added here.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ironmlp import layers, losses
from ironmlp.layers import (
    ELU,
    GELU,
    Dropout,
    Identity,
    Layer,
    LeakyReLU,
    Linear,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ironmlp.losses import MAE, MSE, BinaryCrossEntropy, CrossEntropy, Huber, Loss

Array = np.ndarray[Any, Any]

ROWS, INPUTS, HIDDEN, OUTPUTS = 6, 3, 5, 3

LAYERS: tuple[Layer, ...] = (
    Dropout(0.4),
    Identity(),
    Sigmoid(),
    Tanh(),
    ReLU(),
    LeakyReLU(),
    LeakyReLU(0.3),
    ELU(),
    ELU(0.6),
    GELU(),
    GELU("tanh"),
    SiLU(),
    Softplus(),
    Softplus(2.0, 1.0),
    Linear(HIDDEN, HIDDEN, bias=False),
)

# A loss without its reduction, and the kind of targets that it takes.
LOSSES: tuple[tuple[Callable[..., Loss], dict[str, Any], str], ...] = (
    (BinaryCrossEntropy, {}, "probabilities"),
    (BinaryCrossEntropy, {"pos_weight": 2.5}, "flags"),
    (BinaryCrossEntropy, {"pos_weight": (0.5, 1.0, 3.0)}, "probabilities"),
    (BinaryCrossEntropy, {"from_logits": False}, "probabilities"),
    (CrossEntropy, {}, "indices"),
    (CrossEntropy, {"class_weight": (0.5, 2.0, 1.0)}, "indices"),
    (CrossEntropy, {"ignore_index": 1}, "indices"),
    (CrossEntropy, {"class_weight": (0.5, 2.0, 1.0), "label_smoothing": 0.2}, "indices"),
    (CrossEntropy, {"class_weight": (0.5, 2.0, 1.0), "label_smoothing": 0.2}, "distributions"),
    (MSE, {}, "numbers"),
    (MAE, {}, "numbers"),
    (Huber, {}, "numbers"),
    (Huber, {"delta": 0.3}, "numbers"),
)


def uncovered() -> set[str]:
    """The names of public layers and losses that no case above has."""
    have = {type(layer).__name__ for layer in LAYERS} | {
        type(loss).__name__ for loss, _ in all_losses()
    }
    return {*layers.__all__, *losses.__all__} - have


def all_losses() -> Iterator[tuple[Loss, str]]:
    """Every loss of `LOSSES` under every reduction, and its kind of targets."""
    for loss, options, targets in LOSSES:
        for reduction in losses.REDUCTIONS:
            yield loss(**options, reduction=reduction), targets


def network(layer: Layer, loss: Loss) -> list[Layer]:
    """Two linear layers around `layer`, with the head that `loss` needs."""
    head = [] if getattr(loss, "from_logits", True) else [Sigmoid()]
    return [Linear(INPUTS, HIDDEN), layer, Linear(HIDDEN, OUTPUTS), *head]


def batch(targets: str) -> tuple[Array, Array, Array]:
    """X, y of the kind `targets`, and sample weights with a zero among them."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(ROWS, INPUTS))
    uniform = rng.uniform(size=(ROWS, OUTPUTS))
    y = {
        "probabilities": uniform,
        "flags": (uniform > 0.5).astype(float),
        "indices": np.array([0, 1, 2, 2, 1, 0]),
        "distributions": uniform / uniform.sum(axis=1, keepdims=True),
        "numbers": rng.normal(size=(ROWS, OUTPUTS)),
    }[targets]
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
    """AssertionError unless `loss_and_grad` is right to 1e-7 of each tensor's largest component.

    `model` is in float64. Returns the number of derivatives compared.
    """
    options = {"sample_weight": sample_weight, "training": True}
    _, grads, input_grad = model.loss_and_grad(X, y, input_grad=True, **options)
    state, X = model.state_dict(), X.copy()

    def loss() -> float:
        model.load_state_dict(state)
        return float(model.loss_and_grad(X, y, **options)[0])

    assert list(grads) == list(state)
    compared = 0
    for name, w, grad in [*((k, state[k], grads[k]) for k in state), ("X", X, input_grad)]:
        expected = central_differences(loss, w)
        largest = np.abs(expected).max()
        assert np.abs(grad - expected).max() <= 1e-7 * largest, name
        assert largest > 1e-5, f"{name} has no gradient worth a comparison"
        compared += w.size
    return compared
