"""The state in which the package computes, whatever the caller's is.

Another library may have set the thread's rounding mode or flushing to zero, and the user NumPy's
error state. The compiled part sees to itself; what computes in Python is `computed`. Code of the
user's, callbacks and loss functions, is called outside of it and finds the state as it left it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ironmlp import _core

P = ParamSpec("P")
R = TypeVar("R")


def computed(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, in the default floating-point environment and with NumPy silent."""

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with _core.Environment(), np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return inside


class Computed:
    """A base of classes whose methods, those that they name in `_computed`, are all `computed`."""

    _computed: tuple[str, ...] = ()

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        for name in cls._computed:
            if name in vars(cls):
                setattr(cls, name, computed(vars(cls)[name]))
