"""How `History.plot` draws: a panel each for losses, errors, scores, other numbers and the rate."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._environment import computed
from ironmlp.callbacks.monitor import direction

Columns = Mapping[str, NDArray[np.float64]]

# The kinds of numbers in the order of their panels, and how high these are.
HEIGHTS = {"losses": 3.0, "errors": 2.0, "scores": 2.0, "others": 2.0, "rate": 1.2}
RATE = "learning_rate"
# Inches of a figure that is made here: its width, the height of a panel by the numbers above, and
# what is above and below.
WIDTH, PANEL, AROUND = 6.4, 1.2, 1.2
# Colours that the colour-blind tell apart (Okabe and Ito, 2008; without the yellow), and
# marks that tell lines apart in print.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = "os^Dv<>"
# How far a training curve is seen through beside its val_.
PALE = 0.6
# Numbers above 0 that span more than this are shown on a logarithmic axis.
DECADE = 10.0
# Where they span less than the first, ticks are written as plain numbers; less than the second,
# there are some between powers of 10.
PLAIN, BETWEEN = 1e4, 1e2
# The first tenth of the epochs may lie outside of a linear axis if it takes more than three
# quarters of the height.
FIRST, ROOM = 0.1, 0.25
# So few points get marks, without which one of them alone would not be seen; of more, so many do
# where several numbers share a panel.
FEW, MARKED = 20, 8
# A label of the axis names so many numbers, and of more their kind.
NAMED = 2


def draw(ax: Any, epochs: NDArray[np.int64], columns: Columns, best: tuple[str, int] | None) -> Any:
    """Draw the columns over the epochs into `ax`, or into a new figure if it is None; the axes of
    the first panel. `best` is an epoch to mark, and what it is called."""
    ticker = importlib.import_module("matplotlib.ticker")
    kinds = {name: kind(name) for name in columns if name != RATE or changes(columns[name])}
    shown = [name for name in HEIGHTS if name in kinds.values()]
    axes = panels(ax, [HEIGHTS[name] for name in shown])
    for group, axis in zip(shown, axes, strict=True):
        lines = curves(axis, epochs, {n: columns[n] for n in kinds if kinds[n] == group}, group)
        if best is not None:
            word, epoch = best
            mark = axis.axvline(epoch, color="0.4", linestyle=":", zorder=1.0)
            if axis is axes[0]:
                mark.set_label(f"{word} epoch {epoch}")
                lines.append(mark)
        if len(lines) > 1:
            # Above the panel, where no line is.
            where = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
            axis.legend(handles=lines, ncols=4, frameon=False, fontsize="small", **where)
        axis.label_outer()
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(
        ticker.MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )
    return axes[0]


def changes(values: NDArray[np.float64]) -> bool:
    return len(np.unique(values[~np.isnan(values)])) > 1


def base(name: str) -> str:
    return name.removeprefix("val_")


def kind(name: str) -> str:
    """The panel of a column."""
    if name == RATE:
        return "rate"
    if base(name) in ("loss", "penalty"):
        return "losses"
    return {"min": "errors", "max": "scores", None: "others"}[direction(name)]


def panels(ax: Any, heights: list[float]) -> list[Any]:
    """Axes one below the other, in a new figure or in the place of `ax`, which is the first."""
    if ax is None:
        pyplot = importlib.import_module("matplotlib.pyplot")
        size = (WIDTH, AROUND + PANEL * sum(heights))
        ax = pyplot.figure(figsize=size, layout="constrained").add_subplot()
    if len(heights) == 1:
        return [ax]
    settings: dict[str, Any] = {"height_ratios": heights}
    if ax.figure.get_layout_engine() is None:
        # What else makes room for labels and legends.
        settings["hspace"] = 0.35
    place, shape = ax.get_subplotspec(), (len(heights), 1)
    if place is None:
        box = ax.get_position()
        sides = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        grid = ax.figure.add_gridspec(*shape, **settings, **sides)
    else:
        grid = place.subgridspec(*shape, **settings)
    ax.set_subplotspec(grid[0])
    below = range(1, len(heights))
    axes = [ax, *(ax.figure.add_subplot(grid[panel], sharex=ax) for panel in below)]
    if "hspace" not in settings:
        ax.figure.align_ylabels(axes)
    return axes


def curves(axis: Any, epochs: NDArray[np.int64], columns: Columns, group: str) -> list[Any]:
    """Draw the lines of one panel, which are returned, and label it."""
    bases = list(dict.fromkeys(map(base, columns)))
    lines: list[Any] = []
    for name in sorted(columns, key=lambda name: bases.index(base(name))):
        # Epochs without a number leave no gap.
        there = ~np.isnan(columns[name])
        count, number = int(np.count_nonzero(there)), bases.index(base(name))
        held_out, marked = name != base(name), len(bases) > 1 or count <= FEW
        lines += axis.plot(
            epochs[there],
            columns[name][there],
            # One colour for a number and its val_, which stands out where dashes run together.
            color=COLORS[number % len(COLORS)],
            alpha=1.0 if held_out or f"val_{name}" not in columns else PALE,
            linestyle="--" if held_out else "-",
            # A rate changes between two epochs.
            drawstyle="steps-mid" if group == "rate" else "default",
            marker=MARKS[number % len(MARKS)] if marked else None,
            markersize=4.0,
            markerfacecolor="white" if held_out else None,
            markevery=max(1, count // MARKED) if count > FEW else None,
            label=name,
        )
    names = [name if name in columns else f"val_{name}" for name in bases]
    words = ", ".join(names) if len(names) <= NAMED else group
    if group == "rate":
        # Its panel is not high.
        words = words.replace("_", "\n")
    axis.set_ylabel(words + scaled(axis, columns))
    return lines


@computed
def scaled(axis: Any, columns: Columns) -> str:
    """Choose the axis's scale and limits for the columns; what its label says of them."""
    values = np.array(list(columns.values()))
    values[~np.isfinite(values)] = np.nan
    shown = values[~np.isnan(values)]
    above = shown[shown > 0.0]
    if not shown.size:
        return ""
    if above.size and shown.min() >= 0.0 and above.max() > DECADE * above.min():
        axis.set_yscale("log")
        if above.max() < PLAIN * above.min():
            ticker = importlib.import_module("matplotlib.ticker")
            subs = (1.0, 2.0, 5.0) if above.max() < BETWEEN * above.min() else (1.0,)
            axis.yaxis.set_major_locator(ticker.LogLocator(subs=subs))
            axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
            axis.yaxis.set_minor_formatter(ticker.NullFormatter())
        return "\n(log scale)"
    first = max(1, int(FIRST * values.shape[1]))
    later: NDArray[np.float64] = values[:, first:][~np.isnan(values[:, first:])]
    # A few epochs are all of the curve.
    if values.shape[1] < 5 or not later.size or not np.ptp(later):
        return ""
    if np.ptp(later) >= ROOM * np.ptp(shown):
        return ""
    margin = 0.05 * np.ptp(later)
    axis.set_ylim(later.min() - margin, later.max() + margin)
    return f"\n(first {'epoch' if first == 1 else f'{first} epochs'} outside)"
