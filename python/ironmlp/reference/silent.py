"""NumPy's error state: the reference computes as if none were set, whatever the user's is."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def silent(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, without NumPy's warnings and errors; code of the user's stays outside."""

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return inside
