"""Losses as data. Each compares the network's output, shape (n, K), with the targets.

`reduction` is "mean" or "sum". "mean" divides by the sum of the sample weights (without them: the
rows) times K, `GaussianNLL`, which has two outputs for each number, by K / 2 in place of K,
`CrossEntropy` by the sum over the rows of sample weight times class weight. If every row is ignored
or has weight 0, the loss and its gradient are 0.

A loss function of your own is f(outputs, y[rows]) -> (loss, dloss / doutputs), for each batch: the
outputs (n, K) in the model's dtype, the batch's rows of y, one number, and an array (n, K). With
`sample_weight` it is f(outputs, y[rows], weight[rows]), weights (n,) in float64, and does its own
weighting. y is any array of n rows, objects and records too, or a tuple of such arrays, as
(action, advantage), of which f gets a tuple. Numbers of shape (n,) for one output, or (n, K), come
as (n, K) in the model's dtype, everything else as it is. f may read the model (`forward`,
`predict`, `state_dict`, ...); what changes it raises RuntimeError.

Constructors raise TypeError for a value of the wrong kind and ValueError for one out of range; the
message names the argument and what it must be.
"""

from ironmlp.losses.base import REDUCTIONS as REDUCTIONS
from ironmlp.losses.base import Loss
from ironmlp.losses.base import LossFunction as LossFunction
from ironmlp.losses.classification import BinaryCrossEntropy, CrossEntropy, Focal
from ironmlp.losses.likelihood import GaussianNLL, PoissonNLL
from ironmlp.losses.regression import MAE, MSE, Huber, LogCosh, Quantile
from ironmlp.losses.resolve import LOSSES as LOSSES
from ironmlp.losses.resolve import resolve_loss as resolve_loss
from ironmlp.losses.rows import ClippedBCEWithLogits as ClippedBCEWithLogits
from ironmlp.losses.rows import ClippedCrossEntropy as ClippedCrossEntropy
from ironmlp.losses.rows import HalfPoissonDeviance as HalfPoissonDeviance
from ironmlp.losses.rows import HalfSquaredError as HalfSquaredError

__all__ = [
    "MAE",
    "MSE",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Focal",
    "GaussianNLL",
    "Huber",
    "LogCosh",
    "Loss",
    "PoissonNLL",
    "Quantile",
]


def __dir__() -> list[str]:
    return __all__
