"""What a drawn program may use: it begins with `from fuzzing.prelude import *`."""

from __future__ import annotations

import copy
import os
import pickle
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import ironmlp as im
import states

__all__ = ["copy", "damaged", "force_threads", "im", "labels", "laid_out", "normal", "np"]
__all__ += ["parameters", "pickled", "saved", "squares", "whole"]


def normal(seed: int, *shape: int) -> Any:
    """Normal numbers that float32 has, in float64."""
    return np.random.default_rng(seed).normal(size=shape).astype("f4").astype("f8")


def whole(seed: int, high: int, *shape: int) -> Any:
    """Integers from 0 on and below `high`."""
    return np.random.default_rng(seed).integers(0, high, size=shape)


def labels(seed: int, names: list[Any], n: int) -> Any:
    """n of the names, each at least once if n allows, as an array of their own type."""
    order = np.random.default_rng(seed).permutation(n) % len(names)
    return np.array(names)[order]


class Liar(np.ndarray):
    """An array that gives other numbers, and fewer, when it is asked for a copy of itself."""

    def _less(self, *given: Any, **named: Any) -> Any:
        return np.zeros(1, self.dtype)

    copy = ravel = flatten = astype = reshape = tobytes = _less


def laid_out(a: Any, how: str) -> Any:
    """The same numbers in another memory layout, or by way of another type."""
    if how == "subclass":
        return np.ascontiguousarray(a[..., ::-1])[..., ::-1].view(Liar)
    if how == "fortran":
        return np.asfortranarray(a)
    if how == "backwards":
        return np.ascontiguousarray(a[::-1])[::-1]
    if how == "strided":
        spread = np.zeros((2 * a.shape[0], *a.shape[1:]), a.dtype)
        spread[::2] = a
        return spread[::2]
    if how == "unaligned":
        return np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape)
    if how == "read-only":
        a = a.copy()
        a.flags.writeable = False
        return a
    if how == "list":
        return a.tolist()
    raise ValueError(how)


def squares(outputs: Any, targets: Any) -> tuple[float, Any]:
    """A loss function of the user's own, which may overflow, and does not mind complex targets."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        return states.squares(outputs, targets)


def force_threads() -> None:
    """All threads take part in every op from here on, however small it is."""
    im._core._force_threads(True)


def parameters(model: Any) -> dict[str, Any]:
    """What `state_dict` has but for running values."""
    return states.parameters(model.state_dict())


def pickled(model: Any) -> Any:
    """The model by way of a pickle."""
    return pickle.loads(pickle.dumps(model))


def saved(model: Any) -> Any:
    """The model by way of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return im.load(path)


def damaged(model: Any, seed: int) -> Any:
    """The model that a file with a few other bytes gives, if it is not refused."""
    rng = np.random.default_rng(seed)
    descriptor, path = tempfile.mkstemp(suffix=".safetensors")
    os.close(descriptor)
    try:
        model.save(path)
        raw = bytearray(Path(path).read_bytes())
        start = 8 + int.from_bytes(raw[:8], "little")  # where the values begin
        if rng.random() < 0.2:
            del raw[int(rng.integers(len(raw))) :]
        elif rng.random() < 0.5:
            signs = [i for i in range(8, start) if chr(raw[i]) in '0123456789,:.[]{}"-']
            raw[rng.choice(signs)] = ord(rng.choice(list('0123456789,:.[]{}"-e')))
        else:
            for _ in range(rng.integers(1, 4)):
                raw[int(rng.integers(len(raw)))] = int(rng.integers(256))
        Path(path).write_bytes(raw)
        with warnings.catch_warnings():
            # The number may be the byte that was changed.
            warnings.filterwarnings("ignore", "the file was written with numerics", UserWarning)
            return im.load(path)
    finally:
        Path(path).unlink()
