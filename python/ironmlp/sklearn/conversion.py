"""From an estimator to a `Sequential`, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ironmlp._labels.choice import reading_of
from ironmlp.layers import Linear
from ironmlp.losses import MSE, BinaryCrossEntropy, CrossEntropy, Loss, PoissonNLL
from ironmlp.model import Sequential
from ironmlp.optimizers import Adam
from ironmlp.sklearn.networks import ACTIVATIONS
from ironmlp.sklearn.optimizers import spec

# By the activation of the outputs.
PUBLIC: dict[str, Loss] = {
    "softmax": CrossEntropy(),
    "logistic": BinaryCrossEntropy(),
    "identity": MSE(),
    "exp": PoissonNLL(),
}
NAMES = {layer: name for name, layer in ACTIVATIONS.items() if layer is not None}


def to_model(estimator: Any, learned: Any) -> Sequential:
    """A `Sequential` with copies of the estimator's parameters, that predicts what it predicts.

    Its loss is ours of the same kind; its optimizer has the estimator's settings, and no moments.
    """
    check_is_fitted(estimator)
    loss = PUBLIC[estimator.out_activation_]
    optimizer = (
        spec(estimator, estimator.alpha)
        if estimator.solver != "lbfgs"
        else Adam(l2=float(estimator.alpha))
    )
    dtype = estimator.coefs_[0].dtype.name
    model = Sequential(
        estimator._shape().layers,
        loss=loss,
        optimizer=optimizer,
        dtype=dtype,
        seed=0,
        n_threads=estimator.n_threads,
        standardize="mean_" in estimator.__dict__,
    )
    arrays = [
        array
        for weight, bias in zip(estimator.coefs_, estimator.intercepts_, strict=True)
        for array in (weight.T, bias)
    ]
    model.load_state_dict(dict(zip(model.state_dict(), arrays, strict=True)))
    estimator._give_standards(model._core)
    model._reading = reading_of(loss, estimator.n_outputs_, learned)
    return model


def take_model(estimator: Any, model: Sequential, outputs: dict[str, type[Loss]]) -> None:
    """Make an estimator that predicts what a `Sequential` of Linear layers predicts, all of whose
    hidden layers have one activation."""
    layers = list(model.layers)
    linear = [layer for layer in layers if isinstance(layer, Linear)]
    between = {layer for layer in layers if not isinstance(layer, Linear)}
    known = between <= NAMES.keys() and len(between) <= 1
    expected = 2 * len(linear) - 1 if between else len(linear)
    alternate = all(isinstance(layer, Linear) for layer in (layers[::2] if between else layers))
    if not (linear and known and alternate and len(layers) == expected):
        raise ValueError(
            "the layers must be Linear, with one activation of those that an estimator has between "
            f"all of them, or none: they are {model.layers!r}"
        )
    if not all(layer.bias for layer in linear):
        raise ValueError("all Linear layers must have a bias")
    if model._scale is not None or model._standardize_y:
        raise ValueError(
            "the model has scale or standardize_y, an estimator has none: make it without them"
        )
    matching = [name for name, kind in outputs.items() if isinstance(model.loss, kind)]
    if not matching:
        kinds = ", ".join(kind.__name__ for kind in outputs.values())
        raise ValueError(f"the loss is {model.loss!r}, it must be one of {kinds}")
    estimator.hidden_layer_sizes = tuple(layer.out_features for layer in linear[:-1])
    estimator.activation = NAMES[between.pop()] if between else "identity"
    estimator.out_activation_ = matching[0]
    state = list(model.state_dict().values())
    estimator.coefs_ = [np.ascontiguousarray(weight.T) for weight in state[::2]]
    estimator.intercepts_ = state[1::2]
    standards = model._core.standards()
    if standards is not None:
        estimator.mean_, estimator.scale_ = standards["X"]
        estimator.standardize = True
    estimator.n_features_in_ = linear[0].in_features
    estimator.n_outputs_ = linear[-1].out_features
    estimator.n_layers_ = len(linear) + 1
    estimator.n_iter_, estimator.t_ = model.epoch, 0
    estimator._begin_curves()
