"""A data frame as the columns that it has, whatever library it is of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.tensors import in_own_dtype

Array = NDArray[Any]

# How many names a message lists.
LISTED = 10


class MissingError(Exception):
    """A column lacks the value of a row."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


@dataclass(frozen=True, eq=False)
class Frame:
    """Columns with names, and how one of them is read: as an array of numbers, or, where it holds
    none, as the words for what it holds. A missing value raises `MissingError`."""

    names: Sequence[Any]
    columns: Sequence[Any]
    read: Callable[[Any], Array | str]

    def numbers(self, argument: str) -> list[Array]:
        """All columns as arrays (n,) of numbers, without a copy where there is an array.

        TypeError naming all that hold no numbers, ValueError for the first missing value.
        """
        arrays: list[Array] = []
        others: list[str] = []
        for name, column in zip(self.names, self.columns, strict=True):
            try:
                found = self.read(column)
            except MissingError as missing:
                raise missing_value(argument, missing.row, repr(name)) from None
            if isinstance(found, np.ndarray):
                arrays.append(in_own_dtype(found))
            else:
                others.append(f"{name!r} ({found})")
        if others:
            raise no_numbers(argument, others)
        return arrays


def missing_value(argument: str, row: int, column: str | None = None) -> ValueError:
    where = f"row {row}" if column is None else f"row {row}, column {column}"
    return ValueError(
        f"{argument} has a missing value in {where}: drop such rows, or put a number in its place"
    )


def no_numbers(argument: str, columns: Sequence[str]) -> TypeError:
    kind = "a column that holds" if len(columns) == 1 else "columns that hold"
    return TypeError(
        f"{argument} has {kind} no numbers: {listed(columns)}. Leave such columns out or encode "
        "them as numbers: text and categories with pandas.get_dummies, times as a difference in "
        "seconds or days, objects with astype(float)"
    )


def listed(words: Sequence[str]) -> str:
    """The first of these for a message."""
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return ", ".join(words[:LISTED]) + more
