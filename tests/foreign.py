"""Arrays of classes of the user's own, which lie about all that a subclass can redefine."""

from __future__ import annotations

from typing import Any

import numpy as np


class Copies(np.ndarray):
    """Methods that make arrays make small ones."""

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(1)

    ravel = reshape = astype = flatten = view = transpose = squeeze = tolist = copy  # type: ignore[assignment]
    __copy__ = __deepcopy__ = __array__ = copy  # type: ignore[assignment]


class Attributes(np.ndarray):
    """Attributes that tell of another array."""

    shape = property(lambda self: (1 << 40, 3))  # type: ignore[assignment]
    strides = property(lambda self: (1 << 40, 1 << 20))  # type: ignore[assignment]
    dtype = property(lambda self: np.dtype(np.float64))  # type: ignore[assignment]
    ndim = size = itemsize = nbytes = property(lambda self: 1 << 40)  # type: ignore[assignment]
    flags = T = base = property(lambda self: None)  # type: ignore[assignment]

    def __len__(self) -> int:
        return 1 << 40


class Items(np.ndarray):
    """Indexing and iteration give what is not there."""

    def __getitem__(self, key: Any) -> Any:
        return np.full(3, np.nan)

    def __iter__(self) -> Any:
        return iter(["no", "numbers"])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise LookupError("from a subclass")


class Functions(np.ndarray):
    """NumPy's functions do something else with it."""

    def __array_function__(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(1)

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(1)

    def __array_wrap__(self, *args: Any, **kwargs: Any) -> Any:
        return np.zeros(1)


class Finalized(np.ndarray):
    """A view or a copy of it shrinks as soon as it is made."""

    def __array_finalize__(self, of: Any) -> None:
        if of is not None and type(of) is Finalized and self.flags.owndata:
            self.resize((1,), refcheck=False)


SUBCLASSES = (Copies, Attributes, Items, Functions, Finalized)


class Liar:
    """No array, but makes one of a subclass, and lies about its sizes."""

    shape = (1 << 40, 3)
    dtype = np.dtype(np.float64)
    ndim = 7

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return 1 << 40

    def __getitem__(self, key: Any) -> Any:
        return np.zeros(1)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self._array


def disguises(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The same elements in each class, in memory of their own each, and behind an `__array__`."""
    found: dict[str, Any] = {kind.__name__: array.copy("K").view(kind) for kind in SUBCLASSES}
    found |= {f"Liar {name}": Liar(value) for name, value in list(found.items())}
    return found | {"Liar": Liar(array.copy("K"))}
