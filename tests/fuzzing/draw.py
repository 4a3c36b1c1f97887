"""Choices of a case: they depend on its number and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """A stream of choices from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def maybe(self, probability: float) -> bool:
        return self.random.random() < probability

    def one(self, values: Sequence[T]) -> T:
        return values[self.random.randrange(len(values))]

    def weighted(self, shares: Mapping[T, float]) -> T:
        """A key, by the shares that are the values."""
        return self.random.choices(list(shares), list(shares.values()))[0]

    def below(self, end: int) -> int:
        return self.random.randrange(end)

    def seed(self) -> int:
        """A short number: programs are read by people."""
        return self.random.randrange(1000)


def call(name: str, *values: str, **named: object) -> str:
    """The source of a call; named values are shown by repr, those that are None left out."""
    words = [*values, *(f"{key}={value!r}" for key, value in named.items() if value is not None)]
    return f"{name}({', '.join(words)})"
