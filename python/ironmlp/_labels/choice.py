"""Which reading of y goes with a loss."""

from __future__ import annotations

from typing import Any

from ironmlp._labels.binary import Flags, TwoClasses
from ironmlp._labels.crossentropy import Classes
from ironmlp._labels.distributions import MeansAndVariances, Quantiles, Rates
from ironmlp._labels.own import Own
from ironmlp._labels.reading import Reading
from ironmlp._labels.regression import Numbers
from ironmlp.losses import (
    BinaryCrossEntropy,
    ClippedBCEWithLogits,
    ClippedCrossEntropy,
    CrossEntropy,
    Focal,
    GaussianNLL,
    HalfPoissonDeviance,
    Loss,
    LossFunction,
    PoissonNLL,
    Quantile,
)


def reading_of(loss: Loss | LossFunction, outputs: int, learned: Any = None) -> Reading:
    """How a network with this loss reads y: before any fit, or with what one has learned."""
    if isinstance(loss, CrossEntropy):
        return Classes(outputs, loss.ignore_index, learned)
    if isinstance(loss, ClippedCrossEntropy):
        return Classes(outputs, None, learned)
    if isinstance(loss, BinaryCrossEntropy):
        if outputs == 1:
            return TwoClasses(loss.from_logits, learned)
        return Flags(outputs, loss.from_logits)
    if isinstance(loss, Focal | ClippedBCEWithLogits):
        return TwoClasses(True, learned) if outputs == 1 else Flags(outputs, True)
    flat = bool(learned)
    if isinstance(loss, PoissonNLL):
        return Rates(outputs, flat, loss.log_input)
    if isinstance(loss, HalfPoissonDeviance):
        return Rates(outputs, flat, True)
    if isinstance(loss, GaussianNLL):
        return MeansAndVariances(outputs, flat)
    if isinstance(loss, Quantile):
        return Quantiles(outputs, flat, loss.quantiles)
    return Numbers(outputs, flat) if isinstance(loss, Loss) else Own(outputs, flat)
