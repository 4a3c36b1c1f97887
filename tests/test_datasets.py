"""The data sets in the package, and the split."""

import hashlib
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import datasets

DIGITS_SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"

# Of images and labels of cracks(9, 32, seed=5).
CRACKS_SHA256 = "1bf1041a95af07265b51f7cdd56d6e247733ed28d3355240fe2723bb4f77e8d7"


def test_xor() -> None:
    X, y = datasets.xor()
    assert X.dtype == np.float64
    assert y.dtype == np.int64
    assert y.tolist() == [int(a != b) for a, b in X.tolist()] == [0, 1, 1, 0]


def test_digits() -> None:
    X, y = datasets.digits()
    assert (X.shape, X.dtype) == ((1797, 64), np.float32)
    assert (y.shape, y.dtype) == ((1797,), np.int64)
    assert (X.min(), X.max()) == (0.0, 16.0)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert X[0, :8].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    # All of it; the same numbers as sklearn.datasets.load_digits.
    found = hashlib.sha256(X.astype(np.uint8).tobytes() + y.astype(np.uint8).tobytes())
    assert found.hexdigest() == DIGITS_SHA256


def test_digits_equal_scikit_learns() -> None:
    sklearn = pytest.importorskip("sklearn.datasets")
    X, y = datasets.digits()
    theirs = sklearn.load_digits()
    assert np.array_equal(X, theirs.data)
    assert np.array_equal(y, theirs.target)


def test_digits_are_the_callers_own() -> None:
    X, _ = datasets.digits()
    X /= 16
    assert datasets.digits()[0].max() == 16.0


def test_split_keeps_rows_together_and_loses_none() -> None:
    X, y = datasets.digits()
    rows = np.arange(len(y))
    train, test, y_train, y_test = datasets.stratified_split(rows, y)
    assert len(test) == 360
    assert np.array_equal(np.sort(np.concatenate([train, test])), rows)
    assert np.array_equal(y[train], y_train)
    assert np.array_equal(y[test], y_test)
    X_train, X_test, _, _ = datasets.stratified_split(X, y)
    assert np.array_equal(X_train, X[train])
    assert np.array_equal(X_test, X[test])


@pytest.mark.parametrize("test_size", [0.1, 0.2, 0.5])
def test_split_keeps_the_classes_shares(test_size: float) -> None:
    y = np.repeat([0, 1, 2], [100, 33, 7])
    _, test, _, y_test = datasets.stratified_split(np.arange(140), y, test_size)
    assert len(test) == np.ceil(140 * test_size)
    assert (np.abs(np.bincount(y_test, minlength=3) - [100, 33, 7] * np.array(test_size)) < 1).all()


@pytest.mark.parametrize(
    ("rows", "test_size", "n_test"), [(10, 0.2, 2), (35, 0.2, 7), (11, 0.2, 3)]
)
def test_split_rounds_up(rows: int, test_size: float, n_test: int) -> None:
    y = np.arange(rows) % 2
    assert len(datasets.stratified_split(y, y, test_size)[1]) == n_test


def test_split_depends_on_the_seed() -> None:
    y = np.arange(100) % 4
    splits = [datasets.stratified_split(np.arange(100), y, seed=seed)[1] for seed in (0, 0, 1)]
    assert np.array_equal(splits[0], splits[1])
    assert not np.array_equal(np.sort(splits[0]), np.sort(splits[2]))
    # The rows of this split on every machine and with every NumPy.
    assert splits[0][:5].tolist() == [66, 0, 54, 43, 69]


@pytest.mark.parametrize("test_size", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_one_row_stays_in_training(test_size: float, seed: int) -> None:
    y = np.array([0, 1, 1, 1, 1, 1])
    train, test, y_train, y_test = datasets.stratified_split(np.arange(6), y, test_size, seed)
    assert len(test) == np.ceil(round(6 * test_size, 9))
    assert 0 in train
    if test_size < 0.8:  # else training has one row for two classes
        assert 1 in y_train
    assert set(y_test) == {1}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("test_size", [0.02, 0.05, 0.1, 0.2, 0.34, 0.5, 0.66, 0.8, 0.9, 0.97])
def test_larger_classes_are_in_both_parts(test_size: float, seed: int) -> None:
    counts = np.array([1, 2, 2, 3, 150, 7, 1, 41, 2])
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(9), counts))
    train, test, _, y_test = datasets.stratified_split(np.arange(len(y)), y, test_size, seed)
    assert len(test) == np.ceil(round(test_size * len(y), 9))
    assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
    given = np.bincount(y_test, minlength=9)
    several = counts > 1
    if len(test) >= several.sum() and len(train) >= 9:
        assert (given[~several] == 0).all()
        assert (given[several] >= 1).all()
        assert (given[several] < counts[several]).all()
        # Those that no bound holds share out the rest.
        free = (given > 1) & (given < counts - 1)
        share = given[free].sum() / max(counts[free].sum(), 1)
        assert (np.abs(given[free] - share * counts[free]) < 2).all()


def test_a_part_that_is_smaller_than_the_classes_keeps_the_shares() -> None:
    y = np.concatenate([np.zeros(1000, int), np.repeat(np.arange(1, 10), 2)])
    _, _, _, y_test = datasets.stratified_split(y, y, 0.005)
    assert y_test.tolist() == [0] * 6
    few = np.repeat(np.arange(10), 2)
    _, _, _, y_test = datasets.stratified_split(few, few, 0.2)
    assert len(set(y_test)) == 4
    _, _, y_train, _ = datasets.stratified_split(few, few, 0.8)
    assert len(set(y_train)) == 4
    each_its_own = np.arange(10)
    assert len(datasets.stratified_split(each_its_own, each_its_own, 0.3)[1]) == 3


def test_equal_shares_are_decided_by_the_seed() -> None:
    y = np.repeat(np.arange(4), 5)
    chosen = np.zeros(4)
    for seed in range(200):
        _, _, _, y_test = datasets.stratified_split(y, y, 0.3, seed)
        given = np.bincount(y_test, minlength=4)
        assert sorted(given) == [1, 1, 2, 2]
        chosen += given == 2
    # 100 of 200 are expected, with a deviation of 7.
    assert (np.abs(chosen - 100) < 35).all()


def test_split_takes_the_first_of_each_class_in_a_random_order() -> None:
    y = np.repeat([0, 1, 2], [100, 33, 8])
    train, test, _, _ = datasets.stratified_split(np.arange(141), y, 0.2, seed=3)
    words = np.random.Philox(key=np.array([3, 0], np.uint64)).random_raw(141)
    order = sorted(range(141), key=lambda row: words[row])
    # 29 rows: the shares are 20.6, 6.8 and 1.6, and two of them are rounded up.
    first = [[row for row in order if y[row] == label][:n] for label, n in enumerate((20, 7, 2))]
    chosen = {row for rows in first for row in rows}
    assert test.tolist() == [row for row in order if row in chosen]
    assert train.tolist() == [row for row in order if row not in chosen]


def test_split_refuses_a_missing_label() -> None:
    with pytest.raises(ValueError, match="row 1"):
        datasets.stratified_split(range(4), ["a", None, "a", "b"])
    with pytest.raises(ValueError, match="row 2"):
        datasets.stratified_split(range(4), [0.0, 1.0, np.nan, 1.0])


def test_split_takes_labels_of_any_type() -> None:
    y = np.array(["a", "b"])[np.arange(20) % 2]
    _, _, _, y_test = datasets.stratified_split(list(range(20)), y.tolist())
    assert sorted(y_test.tolist()) == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("X", "y", "settings", "error", "words"),
    [
        (np.ones((4, 2)), np.ones(3), {}, ValueError, ["(4, 2)", "(3,)"]),
        (np.ones((4, 2)), np.ones((4, 1)), {}, ValueError, ["(4, 1)"]),
        (np.ones(4), np.ones(4), {"test_size": 0.0}, ValueError, ["test_size"]),
        (np.ones(4), np.ones(4), {"test_size": 1.0}, ValueError, ["test_size"]),
        (np.ones(4), np.ones(4), {"test_size": 0.99}, ValueError, ["test_size", "4 rows"]),
        (np.ones(0), np.ones(0), {}, ValueError, ["0 rows"]),
        (np.ones(4), np.ones(4), {"seed": -1}, ValueError, ["seed", "-1"]),
        (np.ones(4), np.ones(4), {"seed": 0.5}, TypeError, ["seed", "0.5"]),
    ],
)
def test_split_refuses(
    X: Any, y: Any, settings: Any, error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        datasets.stratified_split(X, y, **settings)
    assert all(word in str(caught.value) for word in words), caught.value


def test_digit_images_are_the_digits_between_their_pixels() -> None:
    images, labels = datasets.digit_images(16)
    X, y = datasets.digits()
    assert images.shape == (1797, 1, 16, 16)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(labels, y)
    pixels = X.reshape(-1, 8, 8)
    # A corner lies outside all centres; places in between are at 1/4 and 3/4 of two pixels.
    np.testing.assert_array_equal(images[:, 0, 0, 0], np.rint(pixels[:, 0, 0] * (255 / 16)))
    between = 0.75 * pixels[:, 0, 3] + 0.25 * pixels[:, 0, 4]
    np.testing.assert_array_equal(images[:, 0, 0, 7], np.rint(between * (255 / 16)))


def test_cracks_depend_on_the_seed_alone() -> None:
    X, y = datasets.cracks(9, 32, seed=5)
    assert X.shape == (9, 32, 32, 1)
    assert X.dtype == np.uint8
    assert sorted(y) == [0] * 5 + [1] * 4
    assert (datasets.cracks(9, 32, seed=6)[0] != X).any()
    # These bytes on every machine and with every NumPy.
    assert hashlib.sha256(X.tobytes() + y.tobytes()).hexdigest() == CRACKS_SHA256


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda: datasets.cracks(1), ValueError, "n is 1"),
        (lambda: datasets.cracks(2.0), TypeError, "n is 2.0"),  # type: ignore[arg-type]
        (lambda: datasets.cracks(2, 15), ValueError, "size is 15"),
        (lambda: datasets.cracks(2, 16, -1), ValueError, "seed is -1"),
        (lambda: datasets.digit_images(7), ValueError, "size is 7"),
        (lambda: datasets.digit_images(600), ValueError, "from 8 to 512"),
    ],
)
def test_images_refuse(call: Any, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        call()


def test_brightness_does_not_tell_cracked_from_sound() -> None:
    X, y = datasets.cracks(400)
    images = X.reshape(400, -1)
    mean, deviation = images.mean(axis=1), images.std(axis=1)
    for statistic in (mean, deviation):
        # The best threshold on it is right for little more than half of them.
        order = y[np.argsort(statistic)]
        right = np.cumsum(2 * order - 1)
        assert np.abs(right).max() / len(y) < 0.1
    both = np.stack([(v - v.mean()) / v.std() for v in (mean, deviation)], axis=1)
    model = im.MLP([2, 1], loss="binary_cross_entropy", optimizer=im.SGD(lr=1.0), seed=0)
    model.fit(both, y, epochs=200, batch_size=None)
    assert model.evaluate(both, y)["accuracy"] < 0.6
    # The middle of the images does tell them, so there is something to begin with.
    middle = X[:, 75:150, 75:150].mean(axis=(1, 2, 3)) - mean
    assert middle[y == 1].mean() < middle[y == 0].mean() - 10
