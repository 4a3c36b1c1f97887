"""The losses of scikit-learn's networks: what `ironmlp.sklearn` trains by, and nothing else names.

All reduce by "rows": the gradient is divided by s, the sum of the batch's sample weights (without
them: the rows), whatever the number of outputs K, and the loss that is reported is what
`sklearn.neural_network` reports. A batch whose weights sum to 0 is a ZeroDivisionError, before the
step.
"""

from __future__ import annotations

from ironmlp.losses.base import Loss


class RowLoss(Loss):
    """The base of these losses."""

    __slots__ = ()
    reduction = "rows"


class ClippedCrossEntropy(RowLoss):
    """-log p for the probability p = softmax(x)[t] of a row's class t, (n,), p clipped to
    [eps, 1 - eps] of the dtype; the gradient is that without clipping. Reported: the sum / s.

    Of a row of probabilities the sum over its classes is clipped.
    """

    __slots__ = ()


class ClippedBCEWithLogits(RowLoss):
    """-(t log p + (1 - t) log(1 - p)), p = sigmoid(x), for targets t in [0, 1], (n, K), each
    element clipped as that of a p in [eps, 1 - eps] of the dtype; the gradient is that without
    clipping. Reported: the sum over rows and outputs / s.
    """

    __slots__ = ()


class HalfSquaredError(RowLoss):
    """(y - t)^2 / 2, (n, K). Reported: the sum / (s K); the gradient is (y - t) / s, K times that
    of what is reported.
    """

    __slots__ = ()


class HalfPoissonDeviance(RowLoss):
    """t log(t / m) - t + m with m = exp(x), (n, K), for t >= 0. Reported: the sum over rows and
    outputs / s.
    """

    __slots__ = ()
