"""Cross-entropies and what is made of them, for classes and probabilities."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ironmlp._arguments.values import choice, flag, index, real, reals
from ironmlp.losses.base import REDUCTIONS, Loss, Reduction

if TYPE_CHECKING:
    import numpy as np


class BinaryCrossEntropy(Loss):
    """-(q t log p + (1 - t) log(1 - p)) for targets t in [0, 1] and probabilities p, (n, K).

    With `from_logits` (the default) the network's output is the logit x, p = sigmoid(x), and value
    and gradient come from x directly: finite for every finite x, and right to the last digits where
    p rounds to 1. With `from_logits=False` the output is p itself, both logarithms are at least
    -100, and the network ends in `Sigmoid`.

    `pos_weight` is q: one number, or one for each of the K outputs; it needs `from_logits`. With
    one output and two labels it weighs `model.classes_[1]`, the label that sorts second: "yes" of
    "no" and "yes", but also "sound" of "cracked" and "sound". `fit(classes=["sound", "cracked"])`
    puts them in another order.
    """

    __slots__ = ("from_logits", "pos_weight", "reduction")
    from_logits: bool
    pos_weight: float | tuple[float, ...] | None

    def __init__(
        self,
        *,
        from_logits: bool = True,
        pos_weight: float | Sequence[float] | np.ndarray[Any, Any] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        weight: float | tuple[float, ...] | None
        if pos_weight is None:
            weight = None
        elif isinstance(pos_weight, numbers.Real):
            weight = real("pos_weight", pos_weight, at_least=0.0)
        else:
            weight = reals("pos_weight", pos_weight)
        logits = flag("from_logits", from_logits)
        if weight is not None and not logits:
            raise ValueError(
                f"pos_weight is {pos_weight!r}, with from_logits=False it must be None"
            )
        self._set(
            from_logits=logits,
            pos_weight=weight,
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("pos_weight",)


class CrossEntropy(Loss):
    """-log softmax(x)[t] for logits x, (n, K), and classes t: indices (n,) or probabilities (n, K).

    `class_weight` holds K numbers. `label_smoothing` s in [0, 1] mixes each target with the uniform
    distribution: (1 - s) t + s / K. Rows whose index is `ignore_index` count for nothing. All three
    work as in PyTorch, weights and smoothing together too.
    """

    __slots__ = ("class_weight", "label_smoothing", "ignore_index", "reduction")  # noqa: RUF023
    class_weight: tuple[float, ...] | None
    label_smoothing: float
    ignore_index: int | None

    def __init__(
        self,
        *,
        class_weight: Sequence[float] | np.ndarray[Any, Any] | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        if ignore_index is not None:
            ignore_index = index("ignore_index", ignore_index)
        self._set(
            class_weight=None if class_weight is None else reals("class_weight", class_weight),
            label_smoothing=real("label_smoothing", label_smoothing, at_least=0.0, at_most=1.0),
            ignore_index=ignore_index,
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        # Under "mean" they are divided by their sum before they are rounded.
        return ("class_weight",) if self.reduction == "sum" else ()


class Focal(Loss):
    """The binary cross-entropy of logits x times (1 - p_t)^gamma, where p_t is the probability that
    sigmoid(x) gives the target: what is well classified counts little.

    Targets t are as those of `BinaryCrossEntropy`: with one output two labels or numbers in [0, 1],
    with K outputs flags (n, K). For classes that exclude each other y is one-hot, (n, K), so that
    each output is a class against all others. For t between 0 and 1, p_t is t p + (1 - t) (1 - p).
    `alpha` in [0, 1] multiplies the loss by alpha t + (1 - alpha) (1 - t).

    It is torchvision's `sigmoid_focal_loss` (Lin et al. 2017), whose alpha is 0.25 unless it is
    given, and -1 where there is none.
    """

    __slots__ = ("gamma", "alpha", "reduction")  # noqa: RUF023
    gamma: float
    alpha: float | None

    def __init__(
        self, gamma: float = 2.0, alpha: float | None = None, *, reduction: Reduction = "mean"
    ) -> None:
        if alpha is not None:
            alpha = real("alpha", alpha, at_least=0.0, at_most=1.0)
        self._set(
            gamma=real("gamma", gamma, at_least=0.0),
            alpha=alpha,
            reduction=choice("reduction", reduction, REDUCTIONS),
        )

    def _rounded(self) -> tuple[str, ...]:
        return ("gamma",)
