"""How many rows of each class a test part gets."""

from __future__ import annotations

import numpy as np

from ironmlp._arguments.arrays import Array


def counts_for_test(counts: Array, n_test: int, keys: Array) -> Array:
    """Of classes with `counts` rows, how many each gives to `n_test` rows: its share, rounded.

    A class of one row gives none, and of a larger one at least a row lies on either side, as long
    as there are rows enough for that. `keys`, a number for each class, decide between equal ones.
    """
    several = counts > 1
    rows, classes = int(counts[several].sum()), int(several.sum())
    taken = np.zeros(len(counts), dtype=np.int64)
    if n_test > rows:
        return shares(counts, n_test, keys)
    free, left = several, n_test
    while classes <= n_test <= rows - classes:
        # A share below 1, or above all rows but 1: at most one of both occurs, for t and 1 - t of
        # two rows or more are not both below 1.
        total = int(counts[free].sum())
        least = free & (counts * left < total)
        most = free & (counts * (total - left) < total)
        if not (least | most).any():
            break
        taken[least], taken[most] = 1, counts[most] - 1
        free, left = free & ~(least | most), n_test - int(taken.sum())
    taken[free] = shares(counts[free], left, keys[free])
    return taken


def shares(counts: Array, n: int, keys: Array) -> Array:
    """`n` shared out in proportion: whole numbers, then one more where the most is left over."""
    whole, rest = np.divmod(counts * n, max(int(counts.sum()), 1))
    whole[np.lexsort((keys, -rest))[: n - int(whole.sum())]] += 1
    return whole
