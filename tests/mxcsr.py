"""The caller's MXCSR register on x86-64: reading it, setting it, training with it set.

`python tests/mxcsr.py` sets flush-to-zero and denormals-are-zero, as audio libraries and
`-ffast-math` objects do to a whole process, then trains and prints what came of it as JSON.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import platform
import sys
from typing import Any

FLUSH = 0x8000 | 0x0040  # flush to zero: bit 15, denormals are zero: bit 6
# Bits 13 and 14: how results are rounded.
ROUNDING = {"to nearest": 0x0000, "down": 0x2000, "up": 0x4000, "to zero": 0x6000}

# stmxcsr [rdi]; ret and ldmxcsr [rdi]; ret: the first argument of a System V function is in rdi.
READ, WRITE = b"\x0f\xae\x1f\xc3", b"\x0f\xae\x17\xc3"


def supported() -> bool:
    """Whether this is x86-64 with System V calls, which Windows has not."""
    return platform.machine() in ("x86_64", "AMD64") and sys.platform != "win32"


class Register:
    """Two functions of four bytes of machine code each, in an executable page."""

    def __init__(self) -> None:
        protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self.page = mmap.mmap(-1, mmap.PAGESIZE, prot=protection)
        self.page.write(READ + WRITE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.page))
        function = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint32))
        self.store, self.load = function(address), function(address + len(READ))

    def get(self) -> int:
        value = ctypes.c_uint32()
        self.store(ctypes.byref(value))
        return value.value

    def set(self, value: int) -> None:
        self.load(ctypes.byref(ctypes.c_uint32(value)))


def train_flushing() -> dict[str, Any]:
    """What the register was after each network's training, and the hashes."""
    import numpy as np

    import networks

    register = Register()
    found: dict[str, Any] = {"hashes": {}, "registers": []}
    smallest = np.array([2.0**-149], np.float32)
    models = {(n, d): networks.build(n, d, n_threads=2) for n, d in networks.CASES}
    for (name, dtype), model in models.items():
        networks.data(name, dtype)  # made before NumPy flushes too
        before = register.get()
        register.set(before | FLUSH)
        flushed = bool((smallest * np.float32(2.0)).item() == 0.0)
        with networks.forced_threads():
            losses = networks.fit(name, model)
        after = register.get()
        register.set(before)
        kept = after & FLUSH == FLUSH
        found["registers"].append({"caller flushes": flushed, "kept": kept})
        found["hashes"][f"{name}, {dtype}"] = networks.digest(*networks.kept(model, losses))
    return found


if __name__ == "__main__":
    json.dump(train_flushing(), sys.stdout)
