"""What layers, losses and optimizers share: they are frozen values.

A spec is data: its attributes are its constructor's arguments, checked and converted once, when it
is made. The class is written out instead of using `dataclasses`, whose decorator compiles code for
each class (about 1 ms of import time a class).
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from ironmlp._arguments.keywords import explains_keywords


class Spec:
    """A frozen value. A subclass names its constructor's arguments in `__slots__`, in order.

    `_rounded` and `_always_rounded`, a base's own, are those that a model rounds to its dtype, and
    `_positive` those of them that may not become 0 there (`rounding.py`). `_later` are those, with
    their defaults, that a class got after files held it: with the default they are not named, so
    that files stay as they were.
    """

    __slots__: tuple[str, ...] = ()
    _always_rounded: tuple[str, ...] = ()
    _positive: tuple[str, ...] = ()
    _later: Mapping[str, Any] = MappingProxyType({})

    def __init_subclass__(cls) -> None:
        package, _, within = cls.__module__.partition(".")
        if package == "ironmlp":
            # Pickles and help name the public module, whichever file of it the class stands in.
            cls.__module__ = f"{package}.{within.partition('.')[0]}"
        if "__init__" in cls.__dict__:
            cls.__init__ = explains_keywords(cls.__init__)  # type: ignore[method-assign]

    @explains_keywords
    def __init__(self) -> None:
        pass

    def _rounded(self) -> tuple[str, ...]:
        return ()

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _arguments(self) -> dict[str, Any]:
        found = {name: getattr(self, name) for name in self.__slots__}
        later = self._later
        return {k: v for k, v in found.items() if k not in later or v != later[k]}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: make a new one to change {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._arguments() == other._arguments()

    def __hash__(self) -> int:
        return hash((type(self), *self._arguments().values()))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self._arguments().items())
        return f"{type(self).__name__}({arguments})"

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # Copies and unpickled specs are made by the constructor, which checks their values again.
        return functools.partial(type(self), **self._arguments()), ()


def refusal(name: str, value: Any, base: type[Spec], known: Collection[str]) -> TypeError:
    """The error for a `value` that is neither a string nor a `base`; a class gets a hint."""
    if isinstance(value, type) and issubclass(value, base):
        return TypeError(
            f"{name} is the class {value.__name__}, it must be one: {value.__name__}()"
        )
    article = "an" if base.__name__[0] in "AEIOU" else "a"
    names = f" or one of {', '.join(repr(k) for k in known)}" if known else ""
    got = f"{value!r} ({type(value).__name__})"
    return TypeError(f"{name} is {got}, it must be {article} {base.__name__}{names}")
