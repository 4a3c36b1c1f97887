"""What `fit` returns: the loss of each epoch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["History"]


def __dir__() -> list[str]:
    return __all__


class History:
    """`history["loss"]` is a float64 array with one entry for each finished epoch of the call.

    An entry is the mean loss over the epoch, weighted as the rows are, each batch before its
    update. Numbers that callbacks added to their `logs` have a column of their own name, NaN where
    an epoch had none.

    `stop_reason` tells how the training ended: "epochs" (all were trained), "early_stopping",
    "stopped" (by `model.stop_training` or `StopTraining`), "interrupted" (Ctrl-C), "diverged" or
    "error" (in a callback, a loss function or else). `stop_message` is the text of the
    `StopTraining` that stopped it, else "". After an exception `model.history` is what was reached.
    """

    def __init__(
        self,
        columns: Mapping[str, NDArray[np.float64]],
        epochs: Sequence[int],
        stop_reason: str,
        stop_message: str = "",
    ) -> None:
        self._columns = columns
        self._epochs = epochs
        self.stop_reason = stop_reason
        self.stop_message = stop_message

    @property
    def epochs(self) -> NDArray[np.int64]:
        """The number of each entry's epoch, from 0 at the model's birth."""
        return np.array(self._epochs, dtype=np.int64)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self._columns:
            known = ", ".join(repr(k) for k in self._columns)
            raise KeyError(f"the history holds {known}, not {name!r}")
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def keys(self) -> list[str]:
        """The names of the columns, "loss" first."""
        return list(self._columns)

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self._columns["loss"])

    # Truth must not depend on the number of epochs: `if history` asks whether there is one.
    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        count = "1 epoch" if len(self) == 1 else f"{len(self)} epochs"
        last = "".join(f", {k} {v[-1]:.6g}" for k, v in self._columns.items() if len(self))
        stopped = f"{self.stop_reason!r}" + (f" ({self.stop_message})" if self.stop_message else "")
        return f"<History: {count}{', last' * bool(last)}{last[1:]}, stop_reason {stopped}>"

    def to_frame(self) -> Any:
        """A pandas DataFrame with one row for each epoch, whose number is the index. ImportError
        without pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("History.to_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame(self._columns, index=pandas.Index(self.epochs, name="epoch"))

    def plot(self, ax: Any = None) -> Any:
        """Draw all columns over the epochs into `ax`, or new axes, which are returned.

        Losses and errors have the left axis, scores such as accuracy and all other columns one of
        their own on the right. An axis is logarithmic if its numbers span more than a decade above
        0; if few epochs at the begin would leave no room for the others, they may lie outside, and
        the axis says so. ImportError without matplotlib.
        """
        try:
            pyplot = importlib.import_module("matplotlib.pyplot")
        except ImportError as error:
            raise ImportError(
                "History.plot needs matplotlib: pip install 'ironmlp[plot]'"
            ) from error
        from ironmlp._training.plot import draw

        axes = pyplot.figure().add_subplot() if ax is None else ax
        return draw(axes, self.epochs, self._columns)
