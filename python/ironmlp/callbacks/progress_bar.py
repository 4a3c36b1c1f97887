"""`ProgressBar`: a bar of tqdm's."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ironmlp.callbacks.base import DISPLAY, Callback, Logs, Model, shown


class ProgressBar(Callback):
    """A tqdm bar over the epochs, in notebooks with ipywidgets a widget. ImportError without tqdm.

    It takes the place of `fit`'s own progress line (`verbose`), which needs no package.
    """

    _rank = DISPLAY

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                # Of a missing ipywidgets, without which the bar is a text.
                warnings.simplefilter("ignore")
                self._tqdm = importlib.import_module("tqdm.auto").tqdm
        except ImportError as error:
            raise ImportError("ProgressBar needs tqdm: pip install 'ironmlp[progress]'") from error
        self._bar: Any = None

    def on_train_begin(self, model: Model, logs: Logs) -> None:
        first = model.epoch
        self._bar = self._tqdm(initial=first, total=first + logs["epochs"], unit="epoch")

    def on_epoch_end(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        self._bar.set_postfix(shown(logs), refresh=False)
        self._bar.update()

    def on_train_end(self, model: Model, logs: Logs) -> None:  # noqa: ARG002
        # None if another callback failed before this one's turn to begin.
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def write(self, text: str) -> None:
        """A line above the bar."""
        self._tqdm.write(text, file=sys.stderr)

    def __repr__(self) -> str:
        return "ProgressBar()"


def above_bar(callbacks: Iterable[Callback]) -> Callable[[str], None] | None:
    """What writes a line above the bar; None if no callback shows one."""
    return next((c.write for c in callbacks if isinstance(c, ProgressBar)), None)
