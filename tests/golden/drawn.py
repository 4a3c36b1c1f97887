"""Numbers that tests and the programs beside this file draw alike, and the digest of a tensor.

Large inputs and results would make large files: inputs are drawn anew, results kept as digests.
"""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Elements of a tensor that its digest shows as they are.
SHOWN = 5


def drawn(shape: tuple[int, ...], stream: int) -> Array:
    """Multiples of 2**-20 in [-1, 1), the same with every version of NumPy."""
    words = np.random.Philox(key=stream).random_raw(math.prod(shape))
    return ((words >> np.uint64(43)) * 2.0**-20 - 1.0).reshape(shape)


def digest(tensor: Any) -> dict[str, Any]:
    """The shape, a sum of all elements with irregular weights, and some elements.

    Any wrong or misplaced element changes the sum. "size" is what the sum would be of magnitudes:
    differences are relative to it.
    """
    values = np.asarray(tensor, np.float64)
    weights = drawn(values.shape, 99)
    return {
        "shape": list(values.shape),
        "sum": float(np.sum(weights * values)),
        "size": float(np.sum(np.abs(weights * values))),
        "some": values.reshape(-1)[:: max(1, values.size // SHOWN)][:SHOWN].tolist(),
    }


def parameters(shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Initial parameters of about the size that PyTorch draws."""
    return {
        key: drawn(shape, 10 + number) / math.sqrt(math.prod(shape[1:]) or 1)
        for number, (key, shape) in enumerate(shapes.items())
    }


def batch(case: dict[str, Any]) -> tuple[Array, Array]:
    """X (n, C, H, W), and y: classes (n,), or numbers (n, K) for the mean squared error."""
    X = drawn((case["rows"], *case["image"]), 1)
    if case["coarse"]:  # three values, so that many windows have several largest ones
        X = np.floor(1.5 * (X + 1.0)) / 2.0
    unit = (drawn((case["rows"], case["outputs"]), 2) + 1.0) / 2.0
    return X, (unit if case["loss"] == "MSE" else unit.argmax(axis=1))
