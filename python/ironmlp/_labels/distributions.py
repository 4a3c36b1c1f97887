"""y of losses whose outputs are parameters of a distribution, or its quantiles: numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ironmlp import _core
from ironmlp._arguments.arrays import Array
from ironmlp._labels.reading import Reading, numbers
from ironmlp._labels.regression import Numbers
from ironmlp._labels.targets import columns, not_negative


class Rates(Numbers):
    """Of Poisson distributions: y is not negative, and `predict` gives rates."""

    def __init__(self, outputs: int, flat: bool, log_input: bool) -> None:
        super().__init__(outputs, flat)
        self.log_input = log_input

    def _targets(self, values: Array, rows: int) -> Array:
        return not_negative(columns(values, rows, self.outputs))

    def _shaped(self, flat: bool) -> Reading:
        return Rates(self.outputs, flat, self.log_input)

    def estimates(self, outputs: Array) -> Array:
        return _core.exp(outputs) if self.log_input else outputs


class MeansAndVariances(Numbers):
    """Of normal distributions: outputs are means, then as many logarithms of variances. `predict`
    gives the means, and standard deviations if asked to."""

    _computed = ("_means_and_deviations",)

    @property
    def targets(self) -> int:
        return self.outputs // 2

    def _targets(self, values: Array, rows: int) -> Array:
        return columns(values, rows, self.targets, self.outputs)

    def _shaped(self, flat: bool) -> Reading:
        return MeansAndVariances(self.outputs, flat)

    def estimates(self, outputs: Array) -> Array:
        return outputs[:, : self.targets].copy()

    def answer(self, sort: bool, return_std: bool) -> Callable[[Array], Any]:
        if sort or not return_std:
            return super().answer(sort, return_std)
        return self._means_and_deviations

    def _means_and_deviations(self, outputs: Array) -> tuple[Array, Array]:
        means = self.labels(outputs)
        deviations = numbers(_core.exp(0.5 * outputs[:, self.targets :]), outputs)
        return means, deviations[:, 0] if self.flat else deviations


class Quantiles(Numbers):
    """Of one number: y is (n,) or (n, 1), `predict` gives (n, K), sorted if asked to."""

    _computed = ("estimates",)

    def __init__(self, outputs: int, flat: bool, levels: tuple[float, ...]) -> None:
        super().__init__(outputs, flat)
        self.levels = levels

    @property
    def targets(self) -> int:
        return 1

    def _targets(self, values: Array, rows: int) -> Array:
        return columns(values, rows, 1, self.outputs)

    def _shaped(self, flat: bool) -> Reading:
        return Quantiles(self.outputs, flat, self.levels)

    def labels(self, outputs: Array) -> Array:
        return numbers(outputs, outputs)

    def estimates(self, outputs: Array) -> Array:
        """The quantile nearest to the median, of two the first."""
        nearest = min(range(self.outputs), key=lambda k: abs(self.levels[k] - 0.5))
        return outputs[:, nearest : nearest + 1]

    def answer(self, sort: bool, return_std: bool) -> Callable[[Array], Any]:
        return super().answer(sort, return_std) if return_std or not sort else self._sorted

    def _sorted(self, outputs: Array) -> Array:
        """The numbers of each row, the smaller ones for the lower quantiles."""
        ordered = np.empty_like(outputs)
        ordered[:, np.argsort(self.levels)] = np.sort(numbers(outputs, outputs), axis=1)
        return ordered
