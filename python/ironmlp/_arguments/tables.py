"""X as a table: a frame with its names, or a sparse matrix."""

from __future__ import annotations

from typing import Any

from ironmlp import _core
from ironmlp._arguments.frames.frame import listed
from ironmlp._arguments.frames.reading import frame_of
from ironmlp._arguments.sparse import is_sparse, sparse_table

# The names of columns, if all of them are strings.
Names = tuple[str, ...] | None


def table_of(argument: str, value: Any, known: Names) -> tuple[_core.Table, Names] | None:
    """`value` as the core takes it, with its names; None if it is neither a frame nor sparse.

    ValueError for names that are not the known ones in their order.
    """
    if isinstance(value, _core.Table):
        return value, None
    if is_sparse(value):
        return sparse_table(argument, value), None
    frame = frame_of(argument, value)
    if frame is None:
        return None
    strings = all(isinstance(name, str) for name in frame.names)
    names = tuple(map(str, frame.names)) if strings else None
    check_names(argument, names, known)
    shown = [repr(name) for name in frame.names]
    return _core.Table.of_columns(frame.numbers(argument), shown), names


def check_names(argument: str, names: Names, known: Names) -> None:
    """Refuse a frame whose columns are not the known ones in their order, as far as both have
    names."""
    if names is None or known is None or names == known:
        return
    missing = [repr(name) for name in known if name not in names]
    unexpected = [repr(name) for name in names if name not in known]
    wrong = [
        f"{what} {listed(columns)}"
        for what, columns in (("lacks", missing), ("has the unexpected", unexpected))
        if columns
    ] or ["has them in another order, " + listed([repr(name) for name in names])]
    raise ValueError(
        f"{argument} has other columns than the first frame of fit: it {' and '.join(wrong)}; that "
        f"one has {listed([repr(name) for name in known])} (feature_names_in_)"
    )
