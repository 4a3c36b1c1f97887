"""Which rows of y are held out for validation: docs/random.md has the definition."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ironmlp import _core
from ironmlp._arguments.arrays import plural
from ironmlp._environment import computed

Rows = NDArray[np.uint32]

CURE = "a smaller share, or validation_data=(X, y), leaves more"


class Split(NamedTuple):
    """Rows of X, both ascending."""

    trained: Rows
    held_out: Rows


@computed
def split(share: float, rows: int, seed: int, strata: NDArray[np.int64] | None) -> Split:
    """Hold out a share of the rows, in random order; of each of the `strata`, which number the
    class of each row (a negative one is no class), the same."""
    count = held_count(share, rows)
    if strata is None:
        labels, quotas = np.zeros(rows, dtype=np.intp), np.array([count])
    else:
        found, labels, sizes = np.unique(strata, return_inverse=True, return_counts=True)
        quotas = stratified(count, sizes, kept=(found >= 0).astype(np.int64))
        if quotas.sum() < count:
            raise ValueError(
                f"validation_split is {share:.12g} of {plural(rows, 'row')}, {count} of them, but "
                f"only {quotas.sum()} can go with one of each class staying: {CURE}"
            )
    order = _core.split_order(seed, rows)
    # The first rows of each stratum in that order.
    by_stratum = order[np.argsort(labels[order], kind="stable")]
    starts = np.cumsum(np.bincount(labels)) - np.bincount(labels)
    held = np.zeros(rows, dtype=bool)
    for start, quota in zip(starts.tolist(), quotas.tolist(), strict=True):
        held[by_stratum[start : start + quota]] = True
    return of_mask(held)


@computed
def last(share: float, rows: int, strata: NDArray[np.int64] | None) -> Split:
    """Hold out the last rows."""
    held = np.arange(rows) >= rows - held_count(share, rows)
    if strata is not None:
        lost = np.setdiff1d(strata[held], strata[~held])
        if lost.size and lost[-1] >= 0:
            raise ValueError(
                f"validation_split is {share:.12g} with shuffle=False, and the last rows have a "
                f"class that no other row has (number {lost[-1]} of classes_): shuffle, or give "
                "validation_data=(X, y)"
            )
    return of_mask(held)


def held_count(share: float, rows: int) -> int:
    count = math.ceil(share * rows)
    if count >= rows:
        raise ValueError(
            f"validation_split is {share:.12g}: of {plural(rows, 'row')} none is left to train on"
        )
    return count


def of_mask(held: NDArray[np.bool_]) -> Split:
    trained, held_out = np.flatnonzero(~held), np.flatnonzero(held)
    return Split(trained.astype(np.uint32), held_out.astype(np.uint32))


def stratified(count: int, sizes: NDArray[np.int64], kept: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows of each stratum are held out, as near as can be to its share; of each at least
    `kept` stay. Those left over go one each to the largest remainders, of equal ones to the
    first."""
    rows = int(sizes.sum())
    quotas: NDArray[np.int64] = np.minimum(sizes * count // rows, sizes - kept)
    remainders = sizes * count % rows
    order = np.argsort(-remainders, kind="stable")
    while (missing := count - int(quotas.sum())) > 0:
        room = order[quotas[order] < (sizes - kept)[order]]
        if not room.size:
            break
        quotas[room[:missing]] += 1
    return quotas
