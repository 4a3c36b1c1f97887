"""Small data sets, and a split into training and test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import as_array, plural
from ironmlp._arguments.values import checked_seed, integer, real
from ironmlp._datasets.split import counts_for_test
from ironmlp._environment import computed
from ironmlp._labels import distinct, label_array, positions

__all__ = ["cracks", "digit_images", "digits", "stratified_split", "xor"]


def __dir__() -> list[str]:
    return __all__


DIGITS = Path(__file__).parent / "data" / "digits.npz"


def xor() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The four rows of exclusive or: X (4, 2) in float64, y (4,) in int64."""
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return X, np.array([0, 1, 1, 0])


@computed
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """1797 handwritten digits: X (1797, 64) in float32, 8 x 8 pixels of 0 to 16 row by row, and the
    digits y (1797,) in int64.

    The test part of E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits,
    UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed under CC BY 4.0, in
    the order of scikit-learn's `load_digits`.
    """
    with np.load(DIGITS) as stored:
        return stored["images"].astype(np.float32), stored["labels"].astype(np.int64)


@computed
def digit_images(size: int = 28) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The `digits` as images: X (1797, 1, size, size) of bytes from 0 to 255, and y (1797,).

    Each of the 8 x 8 pixels is spread over `size` by linear interpolation between the pixels'
    centres. `size` is 8 to 512.
    """
    size = in_range("size", size, 8, 512)
    X, y = digits()
    place = np.clip((np.arange(size) + 0.5) * (8 / size) - 0.5, 0.0, 7.0)
    cell = np.minimum(place.astype(np.int64), 6)
    part = place - cell
    pixels = X.reshape(-1, 8, 8).astype(np.float64)
    rows = pixels[:, cell] * (1.0 - part)[:, None] + pixels[:, cell + 1] * part[:, None]
    images = rows[:, :, cell] * (1.0 - part) + rows[:, :, cell + 1] * part
    return np.rint(images * (255 / 16)).astype(np.uint8)[:, np.newaxis], y


@computed
def cracks(
    n: int = 1344, size: int = 227, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Made-up photographs of surfaces, half of them cracked: X (n, size, size, 1), y (n,).

    X holds grey levels from 0 to 255 in the order of most image readers, channels last; y is 1 for
    a cracked surface and 0 for a sound one. All have uneven light, rough grain and small pits; the
    cracked ones have dark lines that wander through the image. Mean and standard deviation of the
    brightness do not tell the classes apart.

    The images depend on `n`, `size` (16 to 4096) and `seed` alone, to the last bit.
    """
    from ironmlp._datasets.cracks import surfaces

    n, size = in_range("n", n, 2, 2**20), in_range("size", size, 16, 4096)
    return surfaces(n, size, checked_seed(seed))


def in_range(name: str, value: Any, least: int, most: int) -> int:
    number = integer(name, value)
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}, it must be from {least} to {most}")
    return number


@computed
def stratified_split(
    X: Any, y: Any, test_size: float = 0.2, seed: int = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Split rows at random so that each class keeps its share: X_train, X_test, y_train, y_test.

    `test_size`, between 0 and 1, is the share of test rows, rounded up to a whole number of them.
    A class of one row stays in training, and every larger one has a row in both parts; beyond that
    each class gives its share of the test rows, to within one. A part with fewer rows than there
    are such classes lacks some of them, those with the smallest remainders of their shares. What
    is chosen, also between equal shares, and the order of the rows depend on `seed` (0 to
    2**64 - 1) alone.

    ValueError if X and y differ in length, either part would be empty, or a label is missing.
    """
    X, y = as_array("X", X), label_array(y)
    share = real("test_size", test_size, above=0.0, below=1.0)
    if X.ndim == 0 or y.ndim != 1 or len(X) != len(y):
        raise ValueError(f"X has shape {X.shape}, y has {y.shape}: it must have one entry a row")
    rows = len(y)
    # The digits of the product are not the share's: 0.2 * 35 is above 7.
    n_test = int(np.ceil(round(share * rows, 9)))
    if not 0 < n_test < rows:
        raise ValueError(
            f"test_size is {share}, of {plural(rows, 'row')} both parts must get at least one"
        )
    classes = positions(y, distinct(y))
    counts = np.bincount(classes)
    seed = checked_seed(seed)
    order = np.argsort(random_words(rows, seed, 0), kind="stable")
    take = counts_for_test(counts, n_test, random_words(len(counts), seed, 1))
    # The first rows of each class in that order.
    by_class = order[np.argsort(classes[order], kind="stable")]
    first = np.cumsum(counts) - counts
    test = np.zeros(rows, dtype=bool)
    test[by_class[np.arange(rows) - np.repeat(first, counts) < np.repeat(take, counts)]] = True
    for_test, for_training = order[test[order]], order[~test[order]]
    return X[for_training], X[for_test], y[for_training], y[for_test]


def random_words(n: int, seed: int, purpose: int) -> NDArray[np.uint64]:
    """The first 64-bit words that a purpose draws with `seed`, (n,).

    Raw words of a bit generator are the part of NumPy's random numbers that no version changes.
    """
    key = np.array([seed, purpose], dtype=np.uint64)
    return np.asarray(np.random.Philox(key=key).random_raw(n))
