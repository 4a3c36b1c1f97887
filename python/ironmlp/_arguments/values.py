"""Checks of numbers, flags and words. Each message names the argument and what it must be."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Collection, Sequence
from typing import Any, TypeGuard

# One more than the largest size: sizes travel as signed 64-bit integers.
SIZE_LIMIT = 2**63


class Default:
    """The default of an argument that is to be told from the same value given."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


def given(value: Any) -> Any:
    """An argument's value, given or not."""
    return value.value if isinstance(value, Default) else value


def integer(name: str, value: Any) -> int:
    """`value` as an int; TypeError for a bool, a float or anything else."""
    if type(value) is int:
        return value
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name} is {value!r} ({type(value).__name__}), it must be an integer")


def count(name: str, value: Any) -> int:
    """`value` as a number of things, of which there may be none."""
    number = integer(name, value)
    if number < 0:
        raise ValueError(f"{name} is {number}, it must be at least 0")
    return number


def size(name: str, value: Any) -> int:
    """`value` as a number of units, at least 1 and below 2**63."""
    number = integer(name, value)
    if not 1 <= number < SIZE_LIMIT:
        raise ValueError(f"{name} is {number}, it must be at least 1 and below 2**63")
    return number


def pair(name: str, value: Any, at_least: int = 1) -> tuple[int, int]:
    """A number, or a pair of them for rows and columns, as a pair; below 2**31 each."""
    listed = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(listed) != 2:
        raise ValueError(f"{name} is {value!r}, it must be a number or a pair of numbers")
    first, second = (integer(name, entry) for entry in listed)
    if not all(at_least <= entry < 2**31 for entry in (first, second)):
        raise ValueError(f"{name} is {value!r}, it must be at least {at_least} and below 2**31")
    return first, second


def index(name: str, value: Any) -> int:
    """`value` as a signed 64-bit integer."""
    number = integer(name, value)
    if not -SIZE_LIMIT <= number < SIZE_LIMIT:
        raise ValueError(f"{name} is {number}, it must fit in 64 bits")
    return number


def checked_seed(value: Any) -> int:
    """`value` as an unsigned 64-bit integer."""
    number = integer("seed", value)
    if not 0 <= number < 2**64:
        raise ValueError(f"seed is {number}, it must be at least 0 and below 2**64")
    return number


def real(
    name: str,
    value: Any,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a finite float within the given limits; -0.0 is 0.0."""
    if not is_number(value):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), it must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if (
        math.isfinite(number)
        and (at_least is None or number >= at_least)
        and (above is None or number > above)
        and (at_most is None or number <= at_most)
        and (below is None or number < below)
    ):
        return number or 0.0
    limits = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    words = [f"{word} {limit:.12g}" for word, limit in limits.items() if limit is not None]
    raise ValueError(f"{name} is {value!r}, it must be {' and '.join(['finite', *words])}")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether this is a real number, and no bool."""
    # To ask an abstract class takes longer than all the rest.
    return type(value) is float or (
        isinstance(value, int | numbers.Real) and not isinstance(value, bool)
    )


def reals(name: str, value: Any, **limits: float) -> tuple[float, ...]:
    """A sequence or 1-D array as a tuple of at least one finite float, each within `real`'s limits:
    at least 0 unless there are others."""
    listed = value
    if hasattr(value, "__array__"):
        import numpy as np  # no other check here needs it

        listed = np.asarray(value).tolist()
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise TypeError(
            f"{name} is {value!r} ({type(value).__name__}), it must be a sequence of numbers"
        )
    if not listed:
        raise ValueError(f"{name} has 0 entries, it must have at least 1")
    limits = limits or {"at_least": 0.0}
    return tuple(real(f"{name}[{i}]", entry, **limits) for i, entry in enumerate(listed))


def counts(name: str, value: Any) -> tuple[int, ...]:
    """A sequence or 1-D array as a tuple of integers from 0 to below 2**63."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        raise TypeError(
            f"{name} is {value!r} ({type(value).__name__}), it must be a sequence of integers"
        )
    found = tuple(count(f"{name}[{i}]", entry) for i, entry in enumerate(listed))
    for i, number in enumerate(found):
        if number >= SIZE_LIMIT:
            raise ValueError(f"{name}[{i}] is {number}, it must be below 2**63")
    return found


def flag(name: str, value: Any) -> bool:
    """`value` as a bool: True, False, or NumPy's."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise TypeError(f"{name} is {value!r} ({type(value).__name__}), it must be True or False")


def is_auto(value: Any) -> bool:
    """Whether this is the word "auto"; arrays and frames have no truth of their own."""
    return isinstance(value, str) and value == "auto"


def choice(name: str, value: Any, known: Collection[str]) -> str:
    """`value` if it is one of the `known` strings; the message lists them."""
    if isinstance(value, str) and value in known:
        return value
    listed = ", ".join(repr(k) for k in known)
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}), it must be one of {listed}")
    raise ValueError(f"{name} is {value!r}, it must be one of {listed}{hint(name, value, known)}")


def hint(name: str, value: str, known: Collection[str]) -> str:
    """The end of the message for an unknown string, if there is one to guess."""
    from ironmlp._arguments import foreign  # which only errors need

    if (ours := foreign.string(name, value, known)) is not None:
        return f"; {value!r} is called {ours!r} here"
    if (made := foreign.made(name, value)) is not None:
        return f"; {value!r} needs arguments: {made}"
    like = foreign.nearest(value, known)
    return "" if like is None else f"; did you mean {like!r}?"
