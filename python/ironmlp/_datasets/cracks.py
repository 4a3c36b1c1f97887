"""Photographs of surfaces that never were: grey plaster, sound or with cracks.

Each image is lit unevenly, rough, and has pits; a cracked one has dark random walks besides.
Brightness says nothing about the class: every image is brought to a mean and a spread of its own,
drawn without regard to it. A photograph of a crack is taken along it and has it in the middle: that
is the first thing a network finds, which then learns the shapes.

Drawing is in integers, and what follows in single float64 operations on each pixel, so that a seed
gives the same bytes on every machine and with every version of NumPy.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import Array

# Fixed-point numbers have 8 bits behind the point.
ONE = 256

# Directions of a crack; neighbours are 360 / 64 degrees apart.
TURNS = 64
ANGLES = 2.0 * math.pi / TURNS * np.arange(TURNS)
DIRECTIONS = np.stack([np.rint(ONE * np.sin(ANGLES)), np.rint(ONE * np.cos(ANGLES))]).astype(int)

# The amplitudes of light and roughness, and the depths of pits and cracks: grey levels, before the
# image is brought to its mean and spread.
LIGHT, ROUGH, PIT, CRACK = 16, 16, 40, 60

# The largest radius of a crack; pits have 1 or 2 pixels.
WIDEST = 7


class Words:
    """The words of one stream of Philox4x64-10; see docs/random.md."""

    def __init__(self, seed: int) -> None:
        self.bits = np.random.Philox(key=np.array([seed, 0], np.uint64))

    def below(self, limit: int, *shape: int) -> NDArray[np.int64]:
        """Integers from 0 to limit - 1, limit at most 2**31; even to within limit / 2**32."""
        words = self.bits.random_raw(math.prod(shape)) >> np.uint64(32)
        scaled: NDArray[np.int64] = (words * np.uint64(limit) >> np.uint64(32)).astype(np.int64)
        return scaled.reshape(shape)

    def bytes(self, *shape: int) -> NDArray[np.uint8]:
        count = math.prod(shape)
        words = self.bits.random_raw(-(-count // 8)).astype("<u8")
        return words.view(np.uint8)[:count].reshape(shape)


def surfaces(n: int, size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (n, size, size, 1), and y: 1 where the surface is cracked; half of them are."""
    words = Words(seed)
    # The cracked ones are the n // 2 with the smallest keys.
    keys = words.bits.random_raw(n)
    y = np.zeros(n, np.int64)
    y[np.argsort(keys, kind="stable")[: n // 2]] = 1
    marks = np.zeros((n, size, size), np.uint8)
    pits(words, marks)
    cracks(words, marks, np.flatnonzero(y))
    images = np.empty((n, size, size, 1), np.uint8)
    means, spreads = 115 + words.below(36, n), 30 + words.below(20, n)
    for k in range(n):
        surface = light(words, size) + roughness(words, size) - marks[k]
        images[k, :, :, 0] = exposed(surface, int(means[k]), int(spreads[k]))
    return images, y


def light(words: Words, size: int) -> Array:
    """Large bright and dark areas: random levels on a coarse grid, straight lines between."""
    cells = 4
    levels = words.below(2 * LIGHT + 1, cells + 1, cells + 1) - LIGHT
    place = np.arange(size) * (cells * ONE) // size  # in cells
    cell, part = place // ONE, place % ONE
    rows = levels[cell] * (ONE - part)[:, None] + levels[cell + 1] * part[:, None]
    areas: Array = rows[:, cell] * (ONE - part) + rows[:, cell + 1] * part
    return areas // ONE**2


def roughness(words: Words, size: int) -> Array:
    """Grain of about two pixels: the sum of four neighbours' noise."""
    noise = words.bytes(size + 1, size + 1).astype(np.int64)
    grain: Array = noise[1:, 1:] + noise[1:, :-1] + noise[:-1, 1:] + noise[:-1, :-1]
    return (grain - 2 * 255) * (4 + words.below(ROUGH, 1)) // 255


def pits(words: Words, marks: Array) -> None:
    """Up to 12 small round holes in every surface."""
    n, size, _ = marks.shape
    for k in range(12):
        centre = words.below(size, 2, n) * ONE
        there = np.flatnonzero(words.below(12, n) >= k)
        paint(marks, there, centre[:, there], 1 + words.below(2, n)[there], PIT)


def cracks(words: Words, marks: Array, images: Array) -> None:
    """One to three cracks in each of these images, from its middle ninth upwards and downwards."""
    _, size, _ = marks.shape
    number = 1 + words.below(3, len(images))
    for k in range(3):
        start = (4 * size + words.below(size, 2, len(images))) * ONE // 9
        first = TURNS // 8 + words.below(TURNS // 4, len(images))
        radius = WIDEST - words.below(3, len(images))
        for side in (0, TURNS // 2):
            place, angle = start, first + side
            length = size // 4 + words.below(size // 2, len(images))
            for step, turn in enumerate(words.below(3, size * 3 // 4, len(images)) - 1):
                angle = (angle + turn) % TURNS
                place = place + DIRECTIONS[:, angle]
                within = np.all((place >= 0) & (place < size * ONE), axis=0)
                on = within & (number > k) & (step < length)
                if step % 2 == 0:  # discs a pixel apart would look the same
                    paint(marks, images[on], place[:, on], radius[on], CRACK)


def paint(marks: Array, images: Array, place: Array, radius: Array, depth: int) -> None:
    """A disc of this radius in each of the images, as dark as the darkest paint there."""
    size, reach = marks.shape[1], int(radius.max(initial=0))
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    disc, pixel = np.nonzero(rows**2 + columns**2 < (radius**2 + radius)[:, None])
    row, column = place[:, disc] // ONE + np.stack([rows[pixel], columns[pixel]])
    seen = (row >= 0) & (row < size) & (column >= 0) & (column < size)
    at = (images[disc[seen]], row[seen], column[seen])
    marks[at] = np.maximum(marks[at], depth)


def exposed(surface: Array, mean: int, spread: int) -> NDArray[np.uint8]:
    """The surface as bytes with about this mean and standard deviation."""
    count = surface.size
    total, squares = int(surface.sum()), int((surface * surface).sum())
    scale = spread / math.sqrt((squares - total * total / count) / count)
    levels = np.rint((surface - total / count) * scale + mean)
    return np.clip(levels, 0, 255).astype(np.uint8)
