"""What an estimator draws from its random_state is what scikit-learn draws, in the same order."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle

from ironmlp.sklearn import MLPClassifier
from ironmlp.sklearn.generators import GivenOrders, LegacyOrders, orders, split


def same_state(one: np.random.RandomState, other: np.random.RandomState) -> bool:
    return one.get_state()[2] == other.get_state()[2] and np.array_equal(
        one.get_state()[1], other.get_state()[1]
    )


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a function returns, as lists, or the text of its ValueError."""
    try:
        return [array.tolist() for array in function(*args, **kwargs)]
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("rows", [4, 5, 10, 37, 100, 569, 1797])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9])
def test_a_split_is_train_test_splits(rows: int, share: float) -> None:
    for seed, kind in itertools.product(range(5), ("plain", "balanced", "rare")):
        labels = None
        if kind != "plain":
            labels = np.random.default_rng(seed).random(rows) < (0.5 if kind == "balanced" else 0.9)
            labels[:4] = [False, True, True, False]
        random, other = (np.random.RandomState(seed) for _ in range(2))
        stratify = None if labels is None else labels[:, None]
        found = outcome(split, other, rows, share, labels)
        assert found == outcome(
            train_test_split,
            np.arange(rows),
            random_state=random,
            test_size=share,
            stratify=stratify,
        )
        assert same_state(random, other)


@pytest.mark.parametrize("ending", ["done", "error", "interrupt"])
def test_the_callers_generator_is_put_back_in_every_ending(ending: str) -> None:
    random, other = (np.random.RandomState(1) for _ in range(2))
    assert random.normal() == other.normal()  # the second normal of a pair waits in the state
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    raised = {"done": None, "error": RuntimeError, "interrupt": KeyboardInterrupt}[ending]
    try:
        with orders(random, 30, True) as order:
            assert isinstance(order, LegacyOrders)
            order.argument.permutation(30)
            if raised is not None:
                raise raised
    except (RuntimeError, KeyboardInterrupt):
        pass
    shuffle(np.arange(30), random_state=other)
    assert same_state(random, other)
    assert random.normal() == other.normal()
    del X, y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_without_a_random_state_numpys_global_generator_is_drawn_from() -> None:
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    coefs = []
    for _ in range(2):
        np.random.seed(5)  # noqa: NPY002
        coefs.append(MLPClassifier((3,), max_iter=2, tol=0).fit(X, y).coefs_)
    after = np.random.random_sample()  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(*coefs, strict=True))
    np.random.seed(5)  # noqa: NPY002
    assert after != np.random.random_sample()  # noqa: NPY002


def test_other_bit_generators_shuffle_in_numpy() -> None:
    random = np.random.RandomState(np.random.PCG64(3))  # type: ignore[arg-type]
    with orders(random, 5, True) as order:
        assert isinstance(order, GivenOrders)
    with orders(random, 5, False) as order:
        assert order is None
