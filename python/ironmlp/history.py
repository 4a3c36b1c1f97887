"""What `fit` returns: the loss of each epoch."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp.callbacks.monitor import best_place

__all__ = ["History"]


def __dir__() -> list[str]:
    return __all__


class History:
    """`history["loss"]` is a float64 array with one entry for each finished epoch of the call.

    An entry is the mean loss over the epoch, weighted as the rows are, each batch before its
    update. Numbers that callbacks added to their `logs` have a column of their own name, NaN where
    an epoch had none. As with a dict, iteration goes over the names of the columns.

    `stop_reason` tells how the training ended: "epochs" (all were trained), "early_stopping",
    "stopped" (by `model.stop_training` or `StopTraining`), "interrupted" (Ctrl-C), "diverged" or
    "error" (in a callback, a loss function or else). `stop_message` is the text of the
    `StopTraining` that stopped it, else "". After an exception `model.history` is what was reached.
    """

    # The epoch whose state was given back at the end of training.
    _restored: int | None = None

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

    def __iter__(self) -> Iterator[str]:
        """Over the names of the columns, as over a dict; `len` is the number of epochs."""
        return iter(self._columns)

    def keys(self) -> list[str]:
        """The names of the columns, "loss" first."""
        return list(self._columns)

    def values(self) -> list[NDArray[np.float64]]:
        """The columns."""
        return list(self._columns.values())

    def items(self) -> list[tuple[str, NDArray[np.float64]]]:
        """The columns with their names."""
        return list(self._columns.items())

    @property
    def best_epoch(self) -> int | None:
        """The number of the epoch that `EarlyStopping` gave the model back of, else of the smallest
        "val_loss", of equal ones the first; None if neither is there."""
        if self._restored is not None:
            return self._restored
        place = best_place("val_loss", self._columns.get("val_loss", np.empty(0)))
        return None if place is None else self._epochs[place]

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self._columns["loss"])

    # Truth must not depend on the number of epochs: `if history` asks whether there is one.
    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        last = "".join(f", {k} {v[-1]:.6g}" for k, v in self._columns.items() if len(self))
        return f"<History: {self._count()}{', last' * bool(last)}{last[1:]}, {self._ending()}>"

    def _count(self) -> str:
        return "1 epoch" if len(self) == 1 else f"{len(self)} epochs"

    def _ending(self) -> str:
        words = f" ({self.stop_message})" if self.stop_message else ""
        return f"stop_reason {self.stop_reason!r}{words}"

    def to_frame(self) -> Any:
        """A pandas DataFrame with one row for each epoch, whose number is the index. ImportError
        without pandas."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("History.to_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame(self._columns, index=pandas.Index(self.epochs, name="epoch"))

    def _repr_html_(self) -> str:
        from ironmlp._training.table import shown  # which a program without a notebook never needs

        return shown(self._columns, self.epochs, f"{self._count()}, {self._ending()}")

    def plot(self, ax: Any = None) -> Any:
        """Draw all columns over the epochs, in a new figure or in the place of the axes `ax`.

        There is a panel each for the losses ("loss", "penalty"), errors such as "mae", scores such
        as "accuracy", other columns, and a "learning_rate" that changed, one below the other; the
        axes of the first are returned. A number and its "val_" have one colour, and "val_" dashes.
        A dotted line marks the `best_epoch`. An axis is logarithmic if its numbers, none below 0,
        span more than a decade; if few epochs at the begin would leave no room for the others,
        they may lie outside. Its label says so. ImportError without matplotlib.
        """
        try:
            importlib.import_module("matplotlib.pyplot")
        except ImportError as error:
            raise ImportError(
                "History.plot needs matplotlib: pip install 'ironmlp[plot]'"
            ) from error
        from ironmlp._training.plot import draw

        word = "best" if self._restored is None else "restored"
        best = None if self.best_epoch is None else (word, self.best_epoch)
        return draw(ax, self.epochs, self._columns, best)
