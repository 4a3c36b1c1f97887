"""What `fit` returns: the loss of each epoch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["History"]


class History:
    """`history["loss"]` is a float64 array with one entry for each finished epoch of the call.

    An entry is the mean loss over the epoch, weighted as the rows are, each batch before its
    update. Numbers that callbacks added to their `logs` have a column of their own name, NaN where
    an epoch had none. `stop_reason` is "epochs" when all epochs were trained, else what stopped
    the training.
    """

    def __init__(self, columns: Mapping[str, NDArray[np.float64]], stop_reason: str) -> None:
        self._columns = dict(columns)
        self.stop_reason = stop_reason

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
        last = f", last loss {self['loss'][-1]:.6g}" if len(self) else ""
        return f"<History: {len(self)} epochs{last}, stopped by {self.stop_reason!r}>"

    def to_frame(self) -> Any:
        """A pandas DataFrame with one row for each epoch. ImportError without pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("History.to_frame needs pandas: pip install pandas") from error
        frame = pandas.DataFrame(self._columns)
        frame.index.name = "epoch"
        return frame

    def plot(self, ax: Any = None) -> Any:
        """Draw all columns over the epochs into `ax`, or new axes, which are returned.

        ImportError without matplotlib.
        """
        try:
            pyplot = importlib.import_module("matplotlib.pyplot")
        except ImportError as error:
            raise ImportError(
                "History.plot needs matplotlib: pip install 'ironmlp[plot]'"
            ) from error
        if ax is None:
            ax = pyplot.figure().add_subplot()
        for name, values in self._columns.items():
            ax.plot(np.arange(len(values)), values, label=name)
        ax.set_xlabel("epoch")
        ax.legend()
        return ax
