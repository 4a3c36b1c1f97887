"""Small models with state to lose, what is no array of numbers, and how a refusal looks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from states import unchanged

RNG = np.random.default_rng(0)
N = 20
X = RNG.normal(size=(N, 4))
Y = X[:, 0] * X[:, 1]
LABELS = np.arange(N) % 3
LAST = N - 1


def regressor(**settings: Any) -> im.MLP:
    """A model with moments and counters to lose."""
    model = im.MLP([4, 5, 1], **{"loss": "mse", "seed": 1, **settings})
    model.fit(X, Y, epochs=2, batch_size=8)
    return model


def classifier() -> im.MLP:
    model = im.MLP([4, 5, 3], loss="cross_entropy", seed=1)
    model.fit(X, LABELS, epochs=2, batch_size=8)
    return model


def refused(
    model: im.Sequential, call: Callable[[], Any], error: type[BaseException], *words: str
) -> None:
    """The call raises this very error with these words, and changes nothing."""
    with unchanged(model), pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert all(word in str(caught.value) for word in words), caught.value


class Raises:
    """Has an `__array__` that fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise self.error


class NoArray:
    """Has an `__array__` that gives something else."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return [[1.0] * 4] * N


# What no argument takes for an array of real numbers.
NO_NUMBERS: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "objects": (X.astype(object), TypeError, ["object", "objects"]),
    "None": (None, TypeError, ["object"]),
    "strings": (X.astype(str), TypeError, ["strings"]),
    "bytes": (X.astype("S"), TypeError, ["bytes"]),
    "complex": (X.astype(complex), TypeError, ["complex128"]),
    "datetimes": (np.zeros((N, 4), "M8[s]"), TypeError, ["datetime64[s]"]),
    "timedeltas": (np.zeros((N, 4), "m8[s]"), TypeError, ["timedelta64[s]"]),
    "records": (np.zeros((N, 4), [("a", "f8")]), TypeError, ["records"]),
    "columns with names": (np.zeros(N, [(c, "f8") for c in "abcd"]), TypeError, ["records"]),
    "void": (np.zeros((N, 4), "V8"), TypeError, ["V8"]),
    "masked": (np.ma.masked_array(X), TypeError, ["masked array"]),
    "huge integers": ([[10**30] * 4] * N, TypeError, ["object"]),
    "ragged": ([[1.0, 2.0], [1.0]], ValueError, ["not an array of one shape"]),
    "no array": (NoArray(), ValueError, ["not an array of one shape"]),
    "ValueError": (Raises(ValueError("from within")), ValueError, ["from within"]),
}
