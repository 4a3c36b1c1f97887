"""Keywords that a function does not have: the error says what they are called here.

Signatures stay as they are written; nothing is looked at before a call has failed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def explains_keywords(function: F) -> F:
    """The same function, whose TypeError for an unknown keyword names the ones that it has."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            # Without a frame below this one the function did not begin.
            begun = error.__traceback__ is None or error.__traceback__.tb_next is not None
            unknown = [] if begun else unknown_keywords(function, kwargs)
            if not unknown:
                raise
            message = explanation(function, args, unknown)
        raise TypeError(message)

    return call  # type: ignore[return-value]


def keywords(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments of a function in Python, without `self`."""
    assert isinstance(function, FunctionType)
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return [name for name in names if name != "self"]


def unknown_keywords(function: Callable[..., Any], given: dict[str, Any]) -> list[str]:
    known = keywords(function)
    return [name for name in given if name not in known]


def explanation(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    unknown: list[str],
    others: Sequence[str] = (),
) -> str:
    """The message for unknown keywords; `others` are known beside the named ones."""
    from ironmlp._arguments import foreign  # which only errors need

    name, known = function.__name__, [*keywords(function), *others]
    if name == "__init__":
        name = type(args[0]).__name__
    words = [f"{word!r}: {foreign.keyword(word, known)}" for word in unknown]
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    return f"{name} has no argument {'; no '.join(words)}; {takes}"
