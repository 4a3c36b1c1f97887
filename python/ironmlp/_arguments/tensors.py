"""Numbers that NumPy alone does not take: tensors of PyTorch, and dtypes of other packages.

Neither package is imported: what has the methods of a tensor is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._environment import computed

# `numpy.dtype.isbuiltin` of a dtype that another package has registered.
REGISTERED = 2


def without_tensors(name: str, value: Any) -> Any:
    """`value` with tensors made arrays: itself one, or the entries of a list or tuple."""
    if type(value) is np.ndarray:
        return value
    if is_tensor(value):
        return array_of(name, value)
    if isinstance(value, list | tuple) and any(map(is_tensor, value)):
        entries = enumerate(value)
        return [array_of(f"{name}[{i}]", x) if is_tensor(x) else x for i, x in entries]
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return of_dlpack(name, value)
    return value


def is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "cpu")


def array_of(name: str, tensor: Any) -> NDArray[Any]:
    """The values of a tensor, which may need gradients, lie on a device, be negated lazily or have
    a dtype that NumPy lacks, as bfloat16; without a copy where there is none of it."""
    tensor = tensor.detach().cpu()
    if hasattr(tensor, "resolve_neg"):
        tensor = tensor.resolve_neg()
    try:
        try:
            return np.asarray(tensor)
        except TypeError:
            # Floats of at most 16 bits are the same numbers in float32.
            return np.asarray(tensor.float())
    except (AttributeError, TypeError, RuntimeError) as error:
        raise TypeError(
            f"{name} is a {type(tensor).__name__} that NumPy cannot read ({error}): "
            "make an array of it"
        ) from None


def of_dlpack(name: str, value: Any) -> NDArray[Any]:
    """The values of what other libraries exchange as DLPack, in place."""
    try:
        return np.from_dlpack(value)
    except (AttributeError, BufferError, TypeError, RuntimeError, ValueError) as error:
        raise TypeError(
            f"{name} is a {type(value).__name__} that NumPy cannot read by DLPack ({error}): copy "
            "it to the CPU, or make an array of it"
        ) from None


def in_own_dtype(array: NDArray[Any]) -> NDArray[Any]:
    """The array in one of NumPy's own dtypes, where another package's dtype holds real numbers:
    bfloat16, the 8-bit floats and the 4-bit integers of ml_dtypes."""
    return widened(array) if array.dtype.isbuiltin == REGISTERED else array


@computed
def widened(array: NDArray[Any]) -> NDArray[Any]:
    wider = np.float32 if array.dtype.itemsize <= 2 else np.float64
    try:
        return array.astype(wider)
    except TypeError:
        return array
