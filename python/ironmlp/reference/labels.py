"""How y is read, and how outputs become probabilities."""

from typing import Any

import numpy as np

from .activations import sigmoid
from .losses import softmax, wanted
from .silent import silent
from .specs import Array, kind

# Those with a probability for each output.
BINARY = ("BinaryCrossEntropy", "Focal", "ClippedBCEWithLogits")
# Those of one class.
SOFTMAX = ("CrossEntropy", "ClippedCrossEntropy")


@silent
def read(
    y: Any, loss: Any, k: int, dtype: Any, known: Array | None, learn: bool, given: Any
) -> tuple[Array, Array | None]:
    """What the loss takes, class indices (n,) or an array (n, C), and the classes if there are any.

    `known` classes hold. Without them y may have others if `learn`, or those `given` in order.
    """
    y, c = np.asarray(y), wanted(loss, k)
    indices = kind(loss) in SOFTMAX and y.ndim == 1
    if y.shape[1:] != (c,) and not (y.ndim == 1 and (indices or c == 1)):
        raise ValueError(f"y has shape {y.shape}, the loss takes (n, {c})")
    if not (indices or (kind(loss) in BINARY and k == 1)):
        if given is not None:
            raise ValueError("classes goes with a y of labels")
        if kind(loss) in ("PoissonNLL", "HalfPoissonDeviance") and bool((y < 0).any()):
            raise ValueError("y has a negative rate")
        return y.reshape(-1, c).astype(dtype), known
    plain, y = np.arange(k if indices else 2), y.ravel()
    ignored = ignored_rows(y, loss) if indices else np.zeros(len(y), bool)
    classes = plain if known is None else known
    if given is not None:
        classes = np.asarray(given)
        if classes.shape != plain.shape or len(set(classes.tolist())) != len(plain):
            raise ValueError(f"classes is {given}, it must list {len(plain)} different labels")
        if known is not None and classes.tolist() != known.tolist():
            raise ValueError(f"classes is {given}, the model knows {known}")
    elif y.dtype.kind in "iufb" and np.array_equal(classes, plain):
        # Class indices, or numbers in [0, 1].
        fits = (y >= 0) & (y <= plain[-1]) & (not indices or np.equal(np.floor(1.0 * y), y))
        if bool(np.all(fits | ignored)):
            if y.dtype.kind == "b" and len(plain) == 2 and known is None:
                classes = np.array([False, True])
            return y.astype(np.int64) if indices else y.reshape(-1, 1).astype(dtype), classes
    if learn and known is None and given is None:
        classes = np.unique(y[~ignored])
    places = {label: place for place, label in enumerate(classes.tolist())}
    others = [label for label in y[~ignored].tolist() if label not in places]
    if len(classes) != len(plain) or others:
        raise ValueError(f"y holds {np.unique(y)}, not {len(plain)} classes or {plain}")
    found = np.array([places.get(label, -1) for label in y.tolist()])
    if not indices:
        return found.reshape(-1, 1).astype(dtype), classes
    return np.where(ignored, y, found).astype(np.int64) if ignored.any() else found, classes


def ignored_rows(y: Array, loss: Any) -> Array:
    """Where y, class indices, says that a row counts for nothing, (n,)."""
    ignored: Any = getattr(loss, "ignore_index", None)
    return np.asarray(np.equal(y, ignored))


@silent
def probabilities(outputs: Array, loss: Any) -> Array:
    """Of classes or flags, (n, K); of the two classes of one output, (n, 2)."""
    if kind(loss) in SOFTMAX:
        # Rounded down, so that no row sums to more than 1.
        exact = softmax(outputs.astype(np.float64))
        p = exact.astype(outputs.dtype)
        return np.where(p > exact, np.nextafter(p, p.dtype.type(0)), p)
    p, q = outputs, 1.0 - outputs
    if getattr(loss, "from_logits", True):
        p, q = sigmoid(outputs), sigmoid(-outputs)
    return (np.hstack([q, p]) if outputs.shape[1] == 1 else p).astype(outputs.dtype)


@silent
def estimates(outputs: Array, loss: Any) -> Array:
    """What is compared with the numbers of y, (n, C)."""
    if kind(loss) == "HalfPoissonDeviance" or getattr(loss, "log_input", False):
        return np.exp(outputs)
    if kind(loss) == "GaussianNLL":
        return outputs[:, : wanted(loss, outputs.shape[1])]
    if kind(loss) == "Quantile":  # the one nearest to the median
        return outputs[:, [int(np.argmin(np.abs(np.asarray(loss.quantiles) - 0.5)))]]
    return outputs


def numbers(answers: Array) -> Array:
    """`answers`, if none of them is NaN."""
    for row in np.flatnonzero(np.isnan(answers).any(axis=1)):
        raise ValueError(f"row {row} of X gives NaN")
    return answers


def classes_of(targets: Array, loss: Any) -> Array:
    """The number of each row's class, (n,), -1 of an ignored one; 0 where there are no classes."""
    if kind(loss) in SOFTMAX and targets.ndim == 1:
        return np.where(ignored_rows(targets, loss), -1, targets)
    two = kind(loss) in BINARY and targets.shape[1] == 1
    if two and bool(np.all((targets == 0) | (targets == 1))):
        return targets[:, 0].astype(np.int64)
    return np.zeros(len(targets), np.int64)


def class_weights(class_weight: Any, numbers: Array, classes: Array) -> Array:
    """The factor of each row, (n,): "balanced" is n / (K count), K classes being there, and a dict
    names labels."""
    counted = numbers >= 0
    if class_weight == "balanced":
        counts = np.bincount(numbers[counted])
        factors = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        factors = np.array([float(class_weight.get(c, 1.0)) for c in classes.tolist()])
    return np.where(counted, factors[numbers], 1.0)
