"""Writes philox.txt: random numbers as NumPy's own Philox gives them (needs NumPy alone).

Run it in this folder; the file is kept in the repository, and the tests read it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

WEIGHT, BIAS, SHUFFLE, DROPOUT = 1, 2, 3, 4


def words(seed: int, purpose: int, layer: int, row: int, step: int, n: int) -> np.ndarray:
    key = np.array([seed, purpose << 32 | layer], np.uint64)
    counter = np.array([0, row, step, 0], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(n)


def bits(x: np.ndarray) -> list[int]:
    return x.view({4: np.uint32, 8: np.uint64}[x.itemsize]).tolist()


def line(name: str, arguments: list[object], values: list[int]) -> str:
    return " ".join([name, *map(str, arguments), ":", *(format(v, "x") for v in values)])


def uniform(seed: int, layer: int, bound: float, n: int) -> np.ndarray:
    u = (words(seed, WEIGHT, layer, 0, 0, n) >> np.uint64(11)) * 2.0**-53
    return (2.0 * u - 1.0) * bound


def normal(seed: int, layer: int, std: float, n: int) -> np.ndarray:
    raw = words(seed, BIAS, layer, 0, 0, 2 * n) >> np.uint64(11)
    u1, u2 = (raw[0::2] + np.uint64(1)) * 2.0**-53, raw[1::2] * 2.0**-53
    return np.sqrt(-2.0 * np.log(u1)) * np.cos(2.0 * math.pi * u2) * std


def permutation(seed: int, epoch: int, n: int) -> list[int]:
    order = list(range(n))
    raw = words(seed, SHUFFLE, 0, 0, epoch, n).tolist()
    for i, word in zip(range(n - 1, 0, -1), raw, strict=False):
        j = word * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return order


def dropout(seed: int, layer: int, step: int, row: int, units: int, p: float) -> list[int]:
    raw = words(seed, DROPOUT, layer, row, step, 4 * math.ceil(units / 16))
    fields = raw.astype("<u8").view("<u2")[:units]
    return (fields >= round(p * 65536)).astype(int).tolist()


def main() -> None:
    streams = [
        [0, WEIGHT, 0, 0, 0],
        [2**64 - 1, DROPOUT, 2**32 - 1, 2**64 - 1, 2**64 - 1],
        [12345, BIAS, 7, 3, 99],
    ]
    lines = [line("words", stream, words(*stream, 18).tolist()) for stream in streams]
    for seed, layer, bound, n in [(0, 0, 1.0, 5), (42, 2, 0.17677669529663687, 33)]:
        values = uniform(seed, layer, bound, n)
        lines.append(line("uniform32", [seed, layer, bound], bits(values.astype(np.float32))))
        lines.append(line("uniform64", [seed, layer, bound], bits(values)))
    for seed, layer, std, n in [(0, 0, 1.0, 37), (42, 2, 0.2581988897471611, 16)]:
        lines.append(line("normal64", [seed, layer, std], bits(normal(seed, layer, std, n))))
    for seed, epoch, n in [(0, 0, 1), (0, 0, 2), (7, 3, 10), (2**63, 2**40, 257)]:
        lines.append(line("permutation", [seed, epoch], permutation(seed, epoch, n)))
    for seed, layer, step, row, units, p in [
        (0, 1, 0, 0, 16, 0.5),
        (42, 3, 17, 130, 37, 0.1),
        (42, 3, 18, 131, 5, 0.9),
        (1, 0, 2, 0, 40, 0.0),
        (1, 0, 2, 3, 20, 0.999999),
    ]:
        values = dropout(seed, layer, step, row, units, p)
        lines.append(line("dropout", [seed, layer, step, row, p], values))
    Path("philox.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
