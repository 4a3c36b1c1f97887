"""Array functions: matrix product, sigmoid, and three cross-entropies with their gradients.

Arguments are arrays or anything NumPy makes arrays of, of real numbers; other dtypes raise
TypeError, and shapes that do not fit ValueError. A float32 first argument (for `matmul` and
`sigmoid_backward`: both) is computed in float32, anything else in float64, and results have that
type. Nothing broadcasts between logits and targets: (n,) against (n, 1) is a ValueError.

Each loss comes as three functions: the value; `..._grad`, its gradient by the first argument; and
`..._value_and_grad`, both in one pass with the same bits. `reduction` "mean" and "sum" give the
value as a float. "none" gives an array, and the gradient of each element or row by itself. The mean
of nothing is 0. The gradient always has the shape of the first argument.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ironmlp import _core
from ironmlp._arguments.arrays import Array, real_array
from ironmlp._arguments.values import choice, index, real
from ironmlp._environment import computed

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_grad",
    "binary_cross_entropy_value_and_grad",
    "matmul",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_cross_entropy_with_logits",
    "sigmoid_cross_entropy_with_logits_grad",
    "sigmoid_cross_entropy_with_logits_value_and_grad",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_grad",
    "softmax_cross_entropy_with_logits_value_and_grad",
]


def __dir__() -> list[str]:
    return __all__


Reduction: TypeAlias = Literal["none", "mean", "sum"]
Want: TypeAlias = Literal["value", "grad", "both"]

REDUCTIONS = ("none", "mean", "sum")


@computed
def matmul(a: ArrayLike, b: ArrayLike) -> Array:
    """The matrix product of a (m, k) and b (k, n): (m, n), in float32 if both are float32."""
    left, right = pair(("a", a), ("b", b))
    for name, array in (("a", left), ("b", right)):
        if array.ndim != 2:
            raise ValueError(f"{name} has shape {array.shape}, it must have 2 dimensions")
    if left.shape[1] != right.shape[0]:
        raise ValueError(f"a has {left.shape[1]} columns, b has {right.shape[0]} rows")
    return _core.matmul(left, right)


@computed
def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)), of any shape."""
    return _core.sigmoid(floating("x", x))


@computed
def sigmoid_backward(output: ArrayLike, grad_output: ArrayLike) -> Array:
    """grad_output * output * (1 - output): the gradient by x, where output = sigmoid(x), not x."""
    y, gradient = pair(("output", output), ("grad_output", grad_output))
    same_shape("output", y, "grad_output", gradient)
    return _core.sigmoid_backward(y, gradient)


def binary_cross_entropy(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Any:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p in [0, 1] and targets t of one shape.

    Both logarithms are at least -100, as in PyTorch, so p = 0 and p = 1 are finite. `weight`
    multiplies each element (any shape that broadcasts to p's) and leaves the divisor of "mean", the
    number of elements, alone. If p comes from a sigmoid, `sigmoid_cross_entropy_with_logits` of its
    input keeps digits that p has lost.
    """
    return _binary("value", probabilities, targets, weight, reduction)


def binary_cross_entropy_grad(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """The gradient of `binary_cross_entropy` by p: -(t / p - (1 - t) / (1 - p)) / n for "mean",
    both denominators at least 1e-12."""
    gradient: Array = _binary("grad", probabilities, targets, weight, reduction)
    return gradient


def binary_cross_entropy_value_and_grad(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> tuple[Any, Array]:
    """`binary_cross_entropy` and its gradient in one pass."""
    both: tuple[Any, Array] = _binary("both", probabilities, targets, weight, reduction)
    return both


def sigmoid_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Any:
    """The binary cross-entropy of p = sigmoid(x) from logits x, of targets t of the same shape.

    (1 - t) softplus(x) + q t softplus(-x), finite for every finite x. q is `pos_weight`: a number,
    or one for each output, the last axis. `weight` multiplies each element (any shape that
    broadcasts to x's); neither changes the divisor of "mean", the number of elements.
    TensorFlow's function of this name has reduction "none".
    """
    return _sigmoid("value", logits, targets, weight, pos_weight, reduction)


def sigmoid_cross_entropy_with_logits_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """The gradient of `sigmoid_cross_entropy_with_logits` by x:
    ((1 - t) sigmoid(x) - q t sigmoid(-x)) / n for "mean", right also where it is tiny."""
    gradient: Array = _sigmoid("grad", logits, targets, weight, pos_weight, reduction)
    return gradient


def sigmoid_cross_entropy_with_logits_value_and_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    pos_weight: ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> tuple[Any, Array]:
    """`sigmoid_cross_entropy_with_logits` and its gradient in one pass."""
    both: tuple[Any, Array] = _sigmoid("both", logits, targets, weight, pos_weight, reduction)
    return both


def softmax_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Any:
    """-sum(w t log softmax(x)) over the last axis of logits x (..., K).

    `targets` are class indices (...), integers from 0 to K - 1, or probabilities t (..., K).
    `weight` w holds one number for each class (K,). `label_smoothing` s in [0, 1] takes
    (1 - s) t + s / K for t. Elements whose index is `ignore_index` count for nothing. The divisor
    of "mean" is the sum of the targets' class weights; with probabilities the number of rows, as in
    PyTorch. With "none" the value has shape (...).
    """
    return _softmax("value", logits, targets, weight, label_smoothing, ignore_index, reduction)


def softmax_cross_entropy_with_logits_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Array:
    """The gradient of `softmax_cross_entropy_with_logits` by x: softmax(x) sum(w t) - w t, over the
    divisor of "mean"."""
    gradient: Array = _softmax(
        "grad", logits, targets, weight, label_smoothing, ignore_index, reduction
    )
    return gradient


def softmax_cross_entropy_with_logits_value_and_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> tuple[Any, Array]:
    """`softmax_cross_entropy_with_logits` and its gradient in one pass."""
    both: tuple[Any, Array] = _softmax(
        "both", logits, targets, weight, label_smoothing, ignore_index, reduction
    )
    return both


@computed
def _binary(want: Want, probabilities: Any, targets: Any, weight: Any, reduction: Any) -> Any:
    p = floating("probabilities", probabilities)
    t = floating("targets", targets, p.dtype)
    same_shape("probabilities", p, "targets", t)
    if p.size and (p.min() < 0.0 or p.max() > 1.0):
        wrong = p.min() if p.min() < 0.0 else p.max()
        raise ValueError(f"probabilities holds {wrong:.6g}, they must lie from 0 to 1")
    w = spread("weight", weight, "probabilities", p, np.float64)
    return _core.binary_cross_entropy(p, t, w, choice("reduction", reduction, REDUCTIONS), want)


@computed
def _sigmoid(
    want: Want, logits: Any, targets: Any, weight: Any, pos_weight: Any, reduction: Any
) -> Any:
    x = floating("logits", logits)
    t = floating("targets", targets, x.dtype)
    same_shape("logits", x, "targets", t)
    w = spread("weight", weight, "logits", x, np.float64)
    if pos_weight is not None:
        pos_weight = real_array("pos_weight", pos_weight)
        if pos_weight.ndim > 1:
            raise ValueError(
                f"pos_weight has shape {pos_weight.shape}, it must be a number or one for each "
                "output"
            )
    q = spread("pos_weight", pos_weight, "logits", x, x.dtype)
    return _core.sigmoid_cross_entropy_with_logits(
        x, t, w, q, choice("reduction", reduction, REDUCTIONS), want
    )


@computed
def _softmax(
    want: Want,
    logits: Any,
    targets: Any,
    weight: Any,
    label_smoothing: Any,
    ignore_index: Any,
    reduction: Any,
) -> Any:
    x = floating("logits", logits)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"logits has shape {x.shape}, its last axis must hold the classes")
    classes = x.shape[-1]
    t = real_array("targets", targets)
    rows: Array
    if t.shape == x.shape:
        rows = floating("targets", t, x.dtype).reshape(-1, classes)
    elif t.shape == x.shape[:-1]:
        rows = indices("targets", t).reshape(-1)
    else:
        raise ValueError(
            f"targets has shape {t.shape}, logits {x.shape}: targets must have shape "
            f"{x.shape[:-1]} with indices, or {x.shape} with probabilities"
        )
    w = None if weight is None else floating("weight", weight, np.float64)
    if w is not None and w.shape != (classes,):
        raise ValueError(
            f"weight has shape {w.shape}, it must have one number for each of {classes} classes"
        )
    result = _core.softmax_cross_entropy_with_logits(
        x.reshape(-1, classes),
        rows,
        w,
        real("label_smoothing", label_smoothing, at_least=0.0, at_most=1.0),
        None if ignore_index is None else index("ignore_index", ignore_index),
        choice("reduction", reduction, REDUCTIONS),
        want,
    )

    def shaped(part: Any) -> Any:
        if not isinstance(part, np.ndarray):
            return part
        return part.reshape(x.shape if part.ndim == 2 else x.shape[:-1])

    return (shaped(result[0]), shaped(result[1])) if want == "both" else shaped(result)


def floating(name: str, value: Any, dtype: Any = None) -> Array:
    """`value` in `dtype`; without one float32 stays float32 and anything else becomes float64."""
    array = real_array(name, value)
    if dtype is None:
        dtype = np.float32 if array.dtype == np.float32 else np.float64
    return array.astype(dtype, copy=False)


def pair(first: tuple[str, Any], second: tuple[str, Any]) -> tuple[Array, Array]:
    """Two arrays in float32 if both are, else in float64."""
    a, b = real_array(*first), real_array(*second)
    dtype = np.float32 if a.dtype == b.dtype == np.float32 else np.float64
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def indices(name: str, array: Array) -> NDArray[np.int64]:
    """An array of integers as int64."""
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}, class indices must be integers")
    # Larger ones would turn negative and might equal an ignored index.
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{name} holds {array.max()}, which is no class index")
    return array.astype(np.int64, copy=False)


def same_shape(first: str, a: Array, second: str, b: Array) -> None:
    if a.shape != b.shape:
        raise ValueError(f"{first} has shape {a.shape}, {second} has {b.shape}: they must be equal")


def spread(name: str, value: Any, other: str, array: Array, dtype: Any) -> Array | None:
    """`value` in `dtype`, broadcast to the shape of `array`, or None."""
    if value is None:
        return None
    given = floating(name, value, dtype)
    try:
        return np.broadcast_to(given, array.shape)
    except ValueError:
        raise ValueError(
            f"{name} has shape {given.shape}, it must broadcast to the shape {array.shape} of "
            f"{other}"
        ) from None
