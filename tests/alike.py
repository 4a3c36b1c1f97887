"""Two forms of one X, in two models of one state: every method gives the same."""

from collections.abc import Callable
from typing import Any

import numpy as np

import ironmlp as im

METHODS: list[Callable[[im.MLP, Any, Any], Any]] = [
    lambda model, X, y: model.predict(X),
    lambda model, X, y: model.forward(X, training=True),
    lambda model, X, y: model.predictor(len(y))(X),
    lambda model, X, y: model.loss_and_grad(X, y, input_grad=True)[2],
    lambda model, X, y: model.backward(X, y[:, None], input_grad=True)[1],
    lambda model, X, y: model.trace(X, y)["0.output"],
    lambda model, X, y: model.evaluate(X, y)["loss"],
    lambda model, X, y: model.train_on_batch(X, y),
]


def assert_alike(plain: im.MLP, dense: Any, other: im.MLP, X: Any, y: Any) -> None:
    """`X` is another form of the array `dense`; y is (n,), for one output."""
    for method in METHODS:
        np.testing.assert_array_equal(method(other, X, y), method(plain, dense, y))
