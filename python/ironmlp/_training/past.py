"""The past of a training that a `Checkpoint` has written into a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp.history import History

# The reason of a loaded history whose training would have gone on.
BROKEN_OFF = "interrupted"


class Past:
    """What is known of a training at the end of one of its epochs."""

    def __init__(
        self,
        settings: dict[str, Any],
        callbacks: list[dict[str, Any]],
        history: History,
        steps: int,
    ) -> None:
        # Of its `fit`: numbers, strings and bools by name.
        self.settings = settings
        # For each callback but displays, in the order of their calls: its "class", "arguments" and
        # "state".
        self.callbacks = callbacks
        # Of all its epochs so far.
        self.history = history
        # The model's count of updates then.
        self.steps = steps

    def value(self) -> dict[str, Any]:
        """As what a file holds; the model's part of it has the steps."""
        history = self.history
        return {
            "settings": self.settings,
            "callbacks": self.callbacks,
            "history": {name: history[name] for name in history.keys()},  # noqa: SIM118
            "stop_reason": history.stop_reason,
            "stop_message": history.stop_message,
        }


def past_of(value: Any, epoch: int, steps: int) -> Past:
    """The past of a model at this epoch and step; ValueError for what `value` never gives."""
    names = ("settings", "callbacks", "history", "stop_reason", "stop_message")
    settings, callbacks, columns, *stop = entries("training", value, names)
    if not isinstance(settings, dict) or not isinstance(callbacks, list):
        raise ValueError("of training settings must be an object, callbacks a list")
    if not all(isinstance(text, str) for text in stop):
        raise ValueError("of training stop_reason and stop_message must be strings")
    for callback in callbacks:
        kind, arguments, state = entries("a callback", callback, ("class", "arguments", "state"))
        if not (isinstance(kind, str) and isinstance(arguments, dict) and isinstance(state, dict)):
            raise ValueError("a callback must have a string and two objects")
    columns = checked_columns(columns, epoch)
    first = epoch - len(columns["loss"])
    return Past(settings, callbacks, History(columns, range(first, epoch), *stop), steps)


def entries(what: str, value: Any, names: tuple[str, ...]) -> list[Any]:
    if not isinstance(value, dict) or value.keys() != {*names}:
        raise ValueError(f"{what} must have exactly {', '.join(names)}")
    return [value[name] for name in names]


def checked_columns(columns: Any, epoch: int) -> Mapping[str, NDArray[np.float64]]:
    """Columns of a history, at most as long as the model is old."""
    if not isinstance(columns, dict) or "loss" not in columns:
        raise ValueError("history must be an object with the column loss")
    shape = np.shape(columns["loss"])
    for name, column in columns.items():
        fits = isinstance(column, np.ndarray) and column.dtype == np.float64
        if not fits or column.shape != shape or len(shape) != 1 or shape[0] > epoch:
            raise ValueError(
                f"the column {name!r} of history must have a float64 for each of at most {epoch} "
                "epochs, as the others"
            )
    return columns
