"""`Metric`: a function of yours that `fit` and `evaluate` compute beside the loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from ironmlp._arguments.values import choice

__all__ = ["Metric"]


def __dir__() -> list[str]:
    return __all__


class Metric:
    """A function f(y_true, y_pred) that gives a number, as those of `sklearn.metrics` do.

    `name` is the column's ("val_" comes before it in a history); None takes the function's.
    `mode` says whether a "max" or a "min" is better, for callbacks; "auto" leaves it to them.

    y_true is y as it was given: labels (n,), flags (n, K), or numbers in the shape of y. What
    y_pred is, `takes` says:

    - "labels": what `predict` gives, in the shape of y_true
    - "probabilities": what `predict_proba` gives, (n, K), but of two classes with one output only
      the second column, (n,), as scikit-learn's functions want it
    - "outputs": what `forward` gives, (n, K)

    Rows of `ignore_index` are left out. If rows have weights, a function that has an argument
    `sample_weight` gets them, (n,) in float64; any other is not weighted.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        *,
        mode: Literal["auto", "min", "max"] = "auto",
        takes: Literal["labels", "probabilities", "outputs"] = "labels",
    ) -> None:
        if not callable(function) or isinstance(function, type):
            kind = type(function).__name__
            raise TypeError(
                f"function is {function!r} ({kind}), it must be a function f(y_true, y_pred)"
            )
        if name is None:
            name = getattr(function, "__name__", None)
            if name is None or not name.isidentifier():
                raise ValueError(
                    f"{function!r} has no name of its own, give one: Metric(f, 'name')"
                )
        elif not isinstance(name, str):
            raise TypeError(f"name is {name!r} ({type(name).__name__}), it must be a string")
        if name in ("", "loss"):
            raise ValueError(f"name is {name!r}, it must be another, and not empty")
        self.function, self.name = function, name
        self.mode = choice("mode", mode, ("auto", "min", "max"))
        self.takes = choice("takes", takes, ("labels", "probabilities", "outputs"))
        self._weighted = takes_weights(function)

    def __repr__(self) -> str:
        return f"Metric({self.function!r}, {self.name!r}, mode={self.mode!r}, takes={self.takes!r})"


def takes_weights(function: Callable[..., Any]) -> bool:
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        # Some functions written in C have no signature.
        return False
