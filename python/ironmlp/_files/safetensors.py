"""The safetensors file format, for tensors in float32, float64 and int64.

A file is the length of its header (8 bytes, little-endian), the header in JSON, and the values of
all tensors without gaps. The header has for each tensor "dtype", "shape" and "data_offsets", and
under "__metadata__" strings. https://github.com/huggingface/safetensors defines it.

A file may come from anyone. `read_header` holds every number of it against the file's size, so
nothing is allocated for what is not there; all that is wrong is a ValueError.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ironmlp._arguments.arrays import Array

METADATA = "__metadata__"
DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
}
NAMES = {dtype.name: name for name, dtype in DTYPES.items()}

# Parsing JSON takes some 30 times its bytes in the worst case. This is room for some thousand
# layers; `chunks` writes nothing that `read_header` would refuse.
HEADER_LIMIT = 8 * 2**20


class Tensor(NamedTuple):
    """A tensor of a file: where in the file its bytes begin, and how to read them."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int


class Header(NamedTuple):
    metadata: dict[str, str]
    tensors: dict[str, Tensor]


def chunks(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> Iterator[Any]:
    """The bytes of a file, part by part."""
    header: dict[str, Any] = {METADATA: dict(metadata)}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.nbytes
        header[name] = {
            "dtype": NAMES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # values are then aligned for readers that map the file
    if len(text) > HEADER_LIMIT:
        raise ValueError(f"the header takes {len(text)} bytes, at most {HEADER_LIMIT} are written")
    yield len(text).to_bytes(8, "little")
    yield text
    for tensor in tensors.values():
        yield np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).reshape(-1).data


def read_header(file: BinaryIO) -> Header:
    """The header, if the file is whole and holds nothing else."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ValueError(f"it has {size} bytes, fewer than its header, or is no safetensors file")
    if length > HEADER_LIMIT:
        raise ValueError(f"its header has {length} bytes, at most {HEADER_LIMIT} are read")
    header = parsed(file.read(length).decode())
    metadata = header.pop(METADATA, {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError(f"its header is no JSON object, or {METADATA!r} no object of strings")
    tensors, offset = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: first_offset(*item)):
        dtype, shape, (start, end) = checked_entry(name, entry)
        if start != offset or end - start != dtype.itemsize * math.prod(shape):
            raise ValueError(
                f"{name!r} has bytes {start} to {end}, must begin at {offset} and fit "
                f"{dtype.name} of shape {shape}"
            )
        tensors[name] = Tensor(dtype, shape, 8 + length + start)
        offset = end
    if 8 + length + offset != size:
        raise ValueError(f"it has {size} bytes, its header tells of {8 + length + offset}")
    return Header(metadata, tensors)


def read_tensor(file: BinaryIO, tensor: Tensor) -> Array:
    """The values of a tensor that `read_header` found."""
    values = np.empty(tensor.shape, tensor.dtype)
    file.seek(tensor.start)
    if file.readinto(values.reshape(-1).view(np.uint8)) != values.nbytes:  # type: ignore[attr-defined]
        raise ValueError("it was cut while it was read")
    return values


def parsed(text: str) -> Any:
    """A JSON text without NaN, infinities and repeated keys."""
    try:
        return json.loads(text, object_pairs_hook=without_repeats, parse_constant=no_number)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its JSON repeats a key")
    return found


def no_number(word: str) -> float:
    raise ValueError(f"its JSON has {word}, all numbers must be finite")


def first_offset(name: str, entry: Any) -> tuple[int, int]:
    return checked_entry(name, entry)[2]


def checked_entry(name: str, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], tuple[int, int]]:
    """dtype, shape and offsets of a tensor, each of the right kind."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} must have exactly dtype, shape and data_offsets")
    shape, offsets = whole(name, entry["shape"]), whole(name, entry["data_offsets"])
    if len(offsets) != 2 or entry["dtype"] not in [*DTYPES]:
        raise ValueError(f"{name!r} must have 2 data_offsets and one of the dtypes F32, F64, I64")
    dtype = DTYPES[entry["dtype"]]
    return dtype, shape, (offsets[0], offsets[1])


def whole(name: str, numbers: Any) -> tuple[int, ...]:
    """A list of at most 8 integers from 0 to 2**63 - 1: more dimensions, or larger numbers, would
    be no tensor of ours, and cost much to multiply."""
    fits = isinstance(numbers, list) and len(numbers) <= 8
    if not fits or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
        raise ValueError(f"{name!r} must have lists of a few integers as shape and data_offsets")
    return tuple(numbers)
