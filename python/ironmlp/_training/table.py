"""How a `History` shows itself in a notebook: the numbers that count, and small curves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ironmlp._environment import computed
from ironmlp._html import Markup, element, table
from ironmlp.callbacks.monitor import best_place

HEAD = ("", "last", "best", "of epoch", "")
NUMBERS = {1, 2, 3}
# Pixels of a curve, and its most points: two for each of so many parts of the epochs.
WIDTH, HEIGHT, PARTS = 120, 20, 60
# Numbers above 0 that span more than this are shown by their logarithms.
DECADE = 10.0


def shown(
    columns: Mapping[str, NDArray[np.float64]], epochs: NDArray[np.int64], title: str
) -> Markup:
    """A table of the columns under a line of text."""
    rows: list[tuple[object, ...]] = []
    for name, values in columns.items():
        place = best_place(name, values)
        best = ("", "") if place is None else (f"{values[place]:.6g}", epochs[place])
        last = f"{values[-1]:.6g}" if len(values) else ""
        rows.append((name, last, *best, curve(values)))
    return element("div", element("div", title), table(HEAD, rows, NUMBERS))


@computed
def curve(values: NDArray[np.float64]) -> Markup:
    """A small picture of the finite ones of these numbers; nothing for less than two."""
    there = np.flatnonzero(np.isfinite(values))
    if len(there) < 2:
        return Markup()
    heights = values[there]
    if heights.min() > 0.0 and heights.max() > DECADE * heights.min():
        heights = np.log(heights)
    else:
        # So that no difference of two of them is infinite.
        heights = heights / (2.0 * max(np.abs(heights).max(), np.finfo(float).tiny))
    low, high = heights.min(), heights.max()
    # A pixel all around is half of the line's width.
    x = 1.0 + (WIDTH - 2.0) * (there - there[0]) / (there[-1] - there[0])
    share = (heights - low) / (high - low) if high > low else np.full(len(there), 0.5)
    y = HEIGHT - 1.0 - (HEIGHT - 2.0) * share
    points = " ".join(f"{x[i]:.1f},{y[i]:.1f}" for i in outline(y))
    return Markup(
        f'<svg width="{WIDTH}" height="{HEIGHT}"><polyline points="{points}" fill="none" '
        'stroke="currentColor"/></svg>'
    )


def outline(values: NDArray[np.float64]) -> list[int]:
    """The places of the first and the last number, and of the least and the largest of each part,
    if there are more than that."""
    if len(values) <= 2 * PARTS:
        return list(range(len(values)))
    places = {0, len(values) - 1}
    for part in np.array_split(np.arange(len(values)), PARTS):
        places |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
    return sorted(places)
