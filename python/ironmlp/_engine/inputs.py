"""X as the core takes it, and the names of its columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp import _core
from ironmlp._arguments.arrays import (
    ORDINARY,
    Array,
    as_array,
    check_matrix,
    real_array,
    samples,
)
from ironmlp._engine.trained import Trained
from ironmlp.layers import Flatten

Samples = Array | _core.Table
Names = tuple[str, ...] | None


class Inputs(Trained):
    """The base of the models with the way in for X, and with what a `fit` has learned of it."""

    # Of the frame of the first `fit` that had one; those in older pickles have none.
    _feature_names: Names = None

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """The names of X's columns, from the first `fit` with a frame that had strings as names.

        AttributeError before.
        """
        if self._feature_names is None:
            raise AttributeError(
                "feature_names_in_ exists after a fit with a frame whose columns' names are strings"
            )
        return np.array(self._feature_names, dtype=object)

    def _samples(self, X: Any, beside: Names = None) -> Samples:
        """X as the core takes it; where the model knows no names yet, those of another X may be."""
        return self._rows(X) if type(X) is np.ndarray else self._named_samples(X, beside)[0]

    def _shaped_samples(self, X: Any) -> tuple[tuple[int, ...], Samples]:
        """The shape of X, and X as the core takes it."""
        if type(X) is not np.ndarray:
            found, _ = self._named_samples(X, read=as_array)
            if isinstance(found, _core.Table):
                return found.shape, found
            X = found
        return X.shape, self._rows(X)

    def _named_samples(
        self, X: Any, beside: Names = None, read: Callable[[str, Any], Array] | None = None
    ) -> tuple[Samples, Names]:
        """X as the core takes it, and the names of its columns, which are those that the model
        knows if both have some. What is no table, `read` makes an array of."""
        if not isinstance(X, ORDINARY):
            from ironmlp._arguments.tables import table_of

            found = table_of("X", X, self._feature_names or beside)
            if found is not None:
                columns = self._core.in_features
                if columns is not None:  # else the core says which images it takes
                    check_matrix("X", found[0].shape, columns)
                return found
        return (self._rows(X) if read is None else read("X", X)), None

    def _rows(self, X: Any) -> Array:
        return samples("X", X, self._core.in_features, self._flattens())

    def _flattens(self) -> bool:
        return isinstance(self._layers[0], Flatten)

    def _few_rows(self) -> Callable[[Any], Samples]:
        """What makes arrays and tables, for a predictor, of what the core does not read."""
        known, flattens = self._feature_names, self._flattens()

        def few_rows(x: Any) -> Samples:
            from ironmlp._arguments.tables import table_of

            found = None if isinstance(x, ORDINARY) else table_of("x", x, known)
            if found is not None:
                return found[0]
            array = real_array("x", x)
            return array.reshape(len(array), -1) if flattens and array.ndim > 2 else array

        return few_rows
