"""Negative log likelihoods of distributions whose parameters a network puts out."""

from __future__ import annotations

from ironmlp._arguments.values import choice, flag, real
from ironmlp.losses.base import REDUCTIONS, Loss, Reduction


class PoissonNLL(Loss):
    """exp(x) - t x for counts or rates t >= 0, whose expected value is exp(x), as in PyTorch's
    `PoissonNLLLoss`. `predict` gives exp(x).

    With `log_input=False` the output is the expected value itself, which must be positive
    (`Softplus` as the last layer makes it so), and the loss x - t log(x + eps). `full` adds what
    depends on t alone, by Stirling's approximation of log t!: t log t - t + log(2 pi t) / 2 where
    t > 1.
    """

    __slots__ = ("log_input", "full", "eps", "reduction")  # noqa: RUF023
    log_input: bool
    full: bool
    eps: float

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-8,
        *,
        reduction: Reduction = "mean",
    ) -> None:
        self._set(
            log_input=flag("log_input", log_input),
            full=flag("full", full),
            eps=real("eps", eps, at_least=0.0),
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("eps",)


class GaussianNLL(Loss):
    """(s + (m - t)^2 exp(-s)) / 2 for a mean m and the logarithm s of a variance.

    A network with 2 K outputs for K numbers of y, (n,) or (n, K): first the K means, then the K
    logarithms. `predict` gives the means; with `return_std=True` also the standard deviations,
    exp(s / 2).

    It is PyTorch's `GaussianNLLLoss` of the variance exp(s), which is positive without a clamp:
    theirs takes variances below its `eps`, 1e-6, for `eps`. "mean" divides by rows times K.
    """

    __slots__ = ("reduction",)

    def __init__(self, *, reduction: Reduction = "mean") -> None:
        self._set(reduction=choice("reduction", reduction, REDUCTIONS))
