"""Which rows `validation_split` holds out: against the definition of docs/random.md in a loop."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import _core
from ironmlp._training.split import last, split, stratified


def words(count: int, seed: int) -> list[int]:
    key, counter = np.array([seed, 5 << 32], np.uint64), np.array([0, 0, 0, 0], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count).tolist()


def naive_order(n: int, seed: int) -> list[int]:
    order = list(range(n))
    for i, r in zip(range(n - 1, 0, -1), words(max(n - 1, 0), seed), strict=True):
        j = r * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    return order


def naive(share: float, n: int, seed: int, strata: Any) -> list[int]:
    count, order = math.ceil(share * n), naive_order(n, seed)
    if strata is None:
        return sorted(order[:count])
    sizes = {label: strata.count(label) for label in sorted(set(strata))}
    most = {label: size - (label >= 0) for label, size in sizes.items()}
    quotas = {label: min(size * count // n, most[label]) for label, size in sizes.items()}
    ranked = sorted(sizes, key=lambda label: -(sizes[label] * count % n))
    while sum(quotas.values()) < count:
        for label in ranked:
            if sum(quotas.values()) < count and quotas[label] < most[label]:
                quotas[label] += 1
    return sorted(
        row
        for label, quota in quotas.items()
        for row in [row for row in order if strata[row] == label][:quota]
    )


def drawn() -> list[Any]:
    rng = np.random.default_rng(9)
    cases: list[Any] = []
    for _ in range(60):
        n = int(rng.integers(6, 90))
        share = float(rng.choice([0.01, 0.1, 0.2, 1 / 3, 0.5, 0.61]))
        classes = int(rng.integers(1, 5))
        strata = rng.integers(-1, classes, size=n) if rng.random() < 0.8 else None
        cases.append((share, n, int(rng.integers(2**63)), strata))
    return cases


@pytest.mark.parametrize(("share", "n", "seed", "strata"), drawn())
def test_it_is_that_of_the_definition(share: float, n: int, seed: int, strata: Any) -> None:
    found = split(share, n, seed, strata)
    assert found.held_out.tolist() == naive(
        share, n, seed, None if strata is None else strata.tolist()
    )
    assert len(found.held_out) == math.ceil(share * n)
    together = np.concatenate([found.trained, found.held_out])
    assert sorted(together.tolist()) == list(range(n))
    assert (np.diff(found.trained.astype(int)) > 0).all()


def test_the_order_is_numpys() -> None:
    for n in (0, 1, 2, 5, 100):
        assert _core.split_order(7, n).tolist() == naive_order(n, 7)


def test_each_class_gives_its_share() -> None:
    strata = np.repeat([0, 1, 2], [700, 200, 100])
    found = split(0.2, 1000, 3, strata)
    assert np.bincount(strata[found.held_out]).tolist() == [140, 40, 20]


def test_the_largest_remainders_go_first() -> None:
    zero = np.zeros(3, int)
    assert stratified(2, np.array([5, 5, 5]), zero).tolist() == [1, 1, 0]
    assert stratified(4, np.array([1, 6, 3]), zero).tolist() == [1, 2, 1]
    assert stratified(4, np.array([1, 6, 3]), zero + 1).tolist() == [0, 3, 1]


def test_rare_classes_stay() -> None:
    strata = np.array([0] * 20 + [1])
    for seed in range(20):
        found = split(0.5, 21, seed, strata)
        assert 20 not in found.held_out
        assert len(found.held_out) == 11
    with pytest.raises(ValueError, match="only 2 can go with one of each class staying"):
        split(0.6, 4, 0, np.array([0, 0, 1, 1]))


def test_ignored_rows_are_no_class() -> None:
    strata = np.array([-1] * 10 + [0] * 5 + [1] * 5)
    found = split(0.8, 20, 1, strata)
    assert np.bincount(strata[found.trained] + 1)[1:].min() >= 1


def test_it_depends_on_seed_y_and_share_alone() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 3
    seen: list[Any] = []

    def rows(truth: Any, _predicted: Any, sample_weight: Any) -> float:
        seen.append(sample_weight.tolist())
        return float(len(truth))

    def held(seed: int, x: Any = X, **settings: Any) -> Any:
        seen.clear()
        model = im.MLP([3, 4, 3], loss="cross_entropy", seed=seed)
        # Weights that say which row it is.
        settings = {"validation_split": 0.3, "batch_size": 8, **settings}
        model.fit(x, y, epochs=2, sample_weight=np.arange(1.0, 41.0), metrics=rows, **settings)
        model.fit(x, y, epochs=1, sample_weight=np.arange(1.0, 41.0), metrics=rows, **settings)
        assert seen[0] == seen[1] == seen[2]
        return [int(row) - 1 for row in seen[0]]

    first = held(5)
    assert first == held(5, x=rng.normal(size=(40, 3)), batch_size=3) == held(5, batch_size=None)
    assert first == naive(0.3, 40, 5, y.tolist())
    assert first != held(6)
    assert held(5, shuffle=False) == list(range(28, 40))


def test_without_shuffling_the_last_rows_are_held_out() -> None:
    found = last(0.26, 10, None)
    assert found.held_out.tolist() == [7, 8, 9]
    assert found.trained.tolist() == list(range(7))
    with pytest.raises(ValueError, match="a class that no other row has"):
        last(0.2, 10, np.arange(10) // 5 + np.arange(10) // 9)
    # Ignored rows may all be the last.
    assert last(0.2, 5, np.array([0, 1, 0, 1, -1])).held_out.tolist() == [4]


def test_only_classes_are_stratified() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 3))
    soft = rng.dirichlet(np.ones(2), size=30)
    order = naive(0.2, 30, 4, None)
    cases: list[tuple[Any, Any, int]] = [
        ("cross_entropy", soft, 2),
        ("binary_cross_entropy", soft, 2),
        ("binary_cross_entropy", soft[:, 0], 1),
        ("mse", np.repeat([0.0, 1.0], 15), 1),
    ]
    for loss, y, outputs in cases:
        seen: list[Any] = []

        def rows(_truth: Any, _predicted: Any, sample_weight: Any, seen: Any = seen) -> float:
            seen.append((sample_weight - 1).astype(int).tolist())
            return 0.0

        model = im.MLP([3, 4, outputs], loss=loss, seed=4)
        metric = im.Metric(rows, "rows", takes="outputs")
        weights = np.arange(1.0, 31.0)
        model.fit(X, y, sample_weight=weights, validation_split=0.2, metrics=metric)
        assert seen == [order]
