"""Faults that are put into the package, to see that they are found."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

import ironmlp as im


def replace(name: str, changed: Callable[..., Any]) -> None:
    """Put `changed(original, model, ...)` in the place of a method."""
    original = getattr(im.Sequential, name)

    def method(model: Any, *values: Any, **named: Any) -> Any:
        return changed(original, model, *values, **named)

    setattr(im.Sequential, name, method)


def wrong_gradient() -> None:
    """Gradients a thousandth too large, on every way to them."""

    def larger(grads: dict[str, Any]) -> dict[str, Any]:
        ends = (".weight", ".bias", ".weight.grad", ".bias.grad")
        return {key: grads[key] * 1.001 if key.endswith(ends) else grads[key] for key in grads}

    def scaled(original: Any, model: Any, *values: Any, **named: Any) -> Any:
        given = original(model, *values, **named)
        if isinstance(given, dict):
            return larger(given)
        return tuple(larger(part) if isinstance(part, dict) else part for part in given)

    for name in ("loss_and_grad", "trace", "backward"):
        replace(name, scaled)


def wrong_bit() -> None:
    """One unit in the last place of an output, for many rows at once."""

    def moved(original: Any, model: Any, X: Any, **named: Any) -> Any:
        outputs = original(model, X, **named)
        return np.nextafter(outputs, np.inf) if len(outputs) > 1 else outputs

    replace("forward", moved)


def undocumented() -> None:
    """A KeyError for an argument that is refused."""

    def renamed(original: Any, model: Any, *values: Any, **named: Any) -> Any:
        try:
            return original(model, *values, **named)
        except ValueError as error:
            raise KeyError(str(error)) from None

    replace("train_on_batch", renamed)


def changed_by_error() -> None:
    """A call that fails, after it has changed something."""

    def late(original: Any, model: Any, *values: Any, **named: Any) -> Any:
        try:
            return original(model, *values, **named)
        except (ValueError, TypeError):
            model.learning_rate *= 2.0
            raise

    replace("loss_and_grad", late)


def writes() -> None:
    """An argument that is written to."""

    def writing(original: Any, model: Any, X: Any, **named: Any) -> Any:
        result = original(model, X, **named)
        if isinstance(X, np.ndarray) and X.flags.writeable and X.dtype == np.float64:
            X[:1] = 3.0
        return result

    replace("predict", writing)


def crash() -> None:
    """A call that ends the process."""

    def ending(original: Any, model: Any, *values: Any, **named: Any) -> Any:
        os.abort()

    replace("evaluate", ending)


PLANTS = {
    plant.__name__: plant
    for plant in (wrong_gradient, wrong_bit, undocumented, changed_by_error, writes, crash)
}


def sow(name: str) -> None:
    """Put the fault of this name into the package; "" is none."""
    if name:
        PLANTS[name]()
