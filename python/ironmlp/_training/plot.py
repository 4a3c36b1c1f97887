"""How `History.plot` draws: losses on the left axis, all else on the right one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp.callbacks.monitor import direction

Columns = Mapping[str, NDArray[np.float64]]

# Numbers above 0 that span more than this are shown on a logarithmic axis.
DECADE = 10.0
# The first tenth of the epochs may lie outside of a linear axis if it takes more than three
# quarters of the height.
FIRST, ROOM = 0.1, 0.25
# So few points get marks, without which one of them alone would not be seen.
FEW = 20


def draw(ax: Any, epochs: NDArray[np.int64], columns: Columns) -> Any:
    """Draw the columns over the epochs into `ax`, which is returned."""
    ticker = importlib.import_module("matplotlib.ticker")
    bases = list(dict.fromkeys(map(base, columns)))
    left = [name for name in bases if direction(name) == "min"]
    right = [name for name in bases if name not in left]
    lines: list[Any] = []
    for shown, axis in ((left, ax), (right, ax.twinx() if right else ax)):
        names = [name for name in columns if base(name) in shown]
        for name in sorted(names, key=lambda name: bases.index(base(name))):
            # Epochs without a number leave no gap.
            there = ~np.isnan(columns[name])
            # One colour for a number and its val_, on both axes another.
            lines += axis.plot(
                epochs[there],
                columns[name][there],
                color=f"C{bases.index(base(name)) % 10}",
                linestyle="-" if name == base(name) else "--",
                marker="." if np.count_nonzero(there) <= FEW else None,
                label=name,
            )
        if names:
            axis.set_ylabel(", ".join(shown) + scaled(axis, columns, names))
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    if len(lines) > 1:
        # Above the axes, where no line is.
        where = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
        ax.legend(handles=lines, ncols=4, frameon=False, **where)
    return ax


def base(name: str) -> str:
    return name.removeprefix("val_")


def scaled(axis: Any, columns: Columns, names: list[str]) -> str:
    """Choose the axis's scale and limits for the columns; what its label says of them."""
    values = np.array([columns[name] for name in names])
    values[~np.isfinite(values)] = np.nan
    shown = values[~np.isnan(values)]
    if not shown.size:
        return ""
    if shown.min() > 0.0 and shown.max() > DECADE * shown.min():
        axis.set_yscale("log")
        return " (log scale)"
    first = max(1, int(FIRST * values.shape[1]))
    later: NDArray[np.float64] = values[:, first:][~np.isnan(values[:, first:])]
    # A few epochs are all of the curve.
    if values.shape[1] < 5 or not later.size or not np.ptp(later):
        return ""
    if np.ptp(later) >= ROOM * np.ptp(shown):
        return ""
    margin = 0.05 * np.ptp(later)
    axis.set_ylim(later.min() - margin, later.max() + margin)
    return f" (first {'epoch' if first == 1 else f'{first} epochs'} outside)"
