"""Frames of other libraries through the protocol `__dataframe__`
(https://data-apis.org/dataframe-protocol): addresses and sizes of buffers.

The address of a buffer must be believed, as in any protocol of pointers. What is said about lengths
is held against the size that its buffer has.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ironmlp._arguments.frames.frame import Array, Frame, MissingError

# Kinds of the protocol.
INTEGER, UNSIGNED, FLOAT, BOOL = 0, 1, 2, 20
KINDS = {INTEGER: "i", UNSIGNED: "u", FLOAT: "f", BOOL: "b"}
OTHERS = {21: "text", 22: "times", 23: "categories"}
# How missing values are told; otherwise there are none, or they are NaN.
BY_VALUE, BY_BIT, BY_BYTE = 2, 3, 4


def frame(value: Any) -> Frame:
    shown = value.__dataframe__()
    names = list(shown.column_names())
    return Frame(names, [shown.get_column(i) for i in range(len(names))], read)


def read(column: Any) -> Array | str:
    kind = int(column.dtype[0])
    if kind not in KINDS:
        return OTHERS.get(kind, f"kind {kind}")
    chunks = [chunk for chunk in column.get_chunks() if chunk.size()]
    parts: list[Array] = []
    for chunk in chunks:
        buffers = chunk.get_buffers()
        values = elements(chunk, *buffers["data"])
        missing = missing_of(chunk, values, buffers.get("validity"))
        if missing is not None and missing.any():
            raise MissingError(sum(map(len, parts)) + int(missing.argmax()))
        parts.append(values)
    return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(0)])


def missing_of(chunk: Any, values: Array, validity: Any) -> Array | None:
    how, value = chunk.describe_null
    if how == BY_VALUE:
        return np.asarray(values == value)
    if how in (BY_BIT, BY_BYTE) and validity is not None:
        return np.asarray(elements(chunk, *validity) == value)
    return None


def elements(chunk: Any, buffer: Any, dtype: Any) -> Array:
    """The elements of a chunk in one of its buffers, which must have room for them."""
    kind, bits, _, order = dtype
    first, count = int(chunk.offset), int(chunk.size())
    if first < 0 or count < 0:
        raise ValueError(f"a column's chunk has {count} elements from {first} on")
    memory = memory_of(buffer)
    if int(bits) == 1:
        packed = np.frombuffer(memory, np.uint8, (first + count + 7) // 8)
        return np.unpackbits(packed, bitorder="little")[first : first + count].astype(bool)
    own = np.dtype(f"{'>' if order == '>' else '<'}{KINDS.get(int(kind), 'u')}{int(bits) // 8}")
    return np.frombuffer(memory, own, count, first * own.itemsize)


def memory_of(buffer: Any) -> Any:
    """The bytes of a buffer, which stay while they are referred to."""
    size, address = int(buffer.bufsize), int(buffer.ptr)
    if size <= 0 or address == 0:
        return b""
    memory = (ctypes.c_char * size).from_address(address)
    memory._buffer = buffer  # type: ignore[attr-defined]
    return memory
