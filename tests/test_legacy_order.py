"""Orders that NumPy's legacy generator shuffles, and those that the caller gives."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.utils import shuffle

from ironmlp import _core
from ironmlp.layers import Linear, ReLU
from ironmlp.losses.rows import ClippedCrossEntropy
from ironmlp.optimizers import SGD

ROWS = 23


def legacy(random: np.random.RandomState) -> _core.LegacyShuffle:
    state = random.get_state(legacy=False)["state"]
    return _core.LegacyShuffle(state["key"], state["pos"])


def assert_same_state(generator: _core.LegacyShuffle, random: np.random.RandomState) -> None:
    key, pos = generator.state()
    wanted = random.get_state(legacy=False)["state"]
    assert pos == wanted["pos"]
    np.testing.assert_array_equal(key, wanted["key"])
    assert key.dtype == np.uint32


@pytest.mark.parametrize("seed", [0, 1, 20261201, 2**32 - 1])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 311, 312, 313, 623, 624, 625, 1000, 65537])
def test_a_permutation_is_numpys_and_leaves_its_state(seed: int, n: int) -> None:
    random = np.random.RandomState(seed)
    for drawn in (0, 1, 622):  # to the edge of a block, and beyond
        random.randint(2**31, size=drawn)
        generator = legacy(random)
        wanted = np.arange(n)
        random.shuffle(wanted)
        np.testing.assert_array_equal(generator.permutation(n), wanted)
        assert_same_state(generator, random)


def test_hostile_states() -> None:
    key = np.random.RandomState(0).get_state(legacy=False)["state"]["key"]
    with pytest.raises(ValueError, match="key has 623 words, MT19937 has 624"):
        _core.LegacyShuffle(key[1:], 0)
    with pytest.raises(ValueError, match="pos is 625"):
        _core.LegacyShuffle(key, 625)
    with pytest.raises(ValueError, match="no uint32"):
        _core.LegacyShuffle(key.astype(np.int64) - 2**32, 0)
    with pytest.raises(OverflowError):
        _core.LegacyShuffle(key, -1)
    with pytest.raises(TypeError):
        pickle.dumps(_core.LegacyShuffle(key, 0))


def network(lr: float = 0.1, l2: float = 0.0) -> _core.Model:
    return _core.Model(
        [Linear(3, 5), ReLU(), Linear(5, 4)],
        ClippedCrossEntropy(),
        SGD(lr=lr, l2=l2),
        dtype="float64",
        seed=0,
        n_threads=1,
        scale=None,
        channels_last=False,
        standardize=False,
        standardize_y=False,
    )


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    X = random.normal(size=(ROWS, 3))
    return X, random.integers(4, size=ROWS), random.uniform(0.5, 2, ROWS)


def fitted(model: _core.Model, epochs: int, batch: int, **how: Any) -> _core.Run:
    X, y, weights = data()
    run = model.fit(X, y, weights, epochs, batch, True, True, **how)
    while not run.done:
        run.advance(1.0, True)
    return run


def by_hand(model: _core.Model, orders: list[np.ndarray], batch: int) -> list[float]:
    """Trains batch by batch; scikit-learn's loss of each epoch."""
    X, y, weights = data()
    losses = []
    for order in orders:
        total = 0.0
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            loss, _, _ = model.loss_and_grad(X[rows], y[rows], weights[rows], True, False)
            model.train_on_batch(X[rows], y[rows], weights[rows])
            total += loss * len(rows)
        losses.append(total / len(order))
    return losses


def assert_same_parameters(one: _core.Model, other: _core.Model) -> None:
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batch", [1, 4, 8, ROWS, ROWS + 5])
def test_each_epoch_shuffles_the_order_before(batch: int) -> None:
    random = np.random.RandomState(7)
    generator = legacy(random)
    order, orders = np.arange(ROWS), []
    for _ in range(4):
        order = shuffle(order, random_state=random)
        orders.append(order)
    model, other = network(l2=0.3), network(l2=0.3)
    run = fitted(model, 4, batch, order=generator, epoch_loss="rows")
    losses = by_hand(other, orders, batch)
    assert_same_parameters(model, other)
    np.testing.assert_allclose(run.losses(0), losses, rtol=1e-14)
    assert run.last() == (run.losses(0)[-1], pytest.approx(np.nan, nan_ok=True))
    assert_same_state(generator, random)


def test_the_rows_that_train_are_shuffled_from_their_list() -> None:
    random = np.random.RandomState(8)
    generator = legacy(random)
    trained = np.random.default_rng(1).permutation(ROWS)[:15]
    held_out = np.setdiff1d(np.arange(ROWS), trained)
    places, orders = np.arange(15), []
    for _ in range(3):
        places = shuffle(places, random_state=random)
        orders.append(trained[places])
    model, other = network(), network()
    run = fitted(model, 3, 4, validation=((trained, held_out), 1, True), order=generator)
    by_hand(other, orders, 4)
    assert_same_parameters(model, other)
    assert run.last() == (run.losses(0)[-1], run.validation(0)["val_accuracy"][-1])


def test_without_shuffling_nothing_is_drawn() -> None:
    random = np.random.RandomState(9)
    generator = legacy(random)
    X, y, weights = data()
    model, other = network(), network()
    with model.fit(X, y, weights, 2, 8, False, True, order=generator) as run:
        run.advance(1.0, False)
    by_hand(other, [np.arange(ROWS)] * 2, 8)
    assert_same_parameters(model, other)
    assert_same_state(generator, random)


def test_the_generator_is_where_it_was_when_a_fit_diverges() -> None:
    random = np.random.RandomState(10)
    generator = legacy(random)
    X, y, weights = data()
    with (
        network(lr=1e300).fit(X, y, weights, 50, 4, True, True, order=generator) as run,
        pytest.raises(FloatingPointError) as caught,
    ):
        run.advance(1.0, False)
    for _ in range(caught.value.epoch + 1):  # type: ignore[attr-defined]
        shuffle(np.arange(ROWS), random_state=random)
    assert_same_state(generator, random)


def test_orders_that_are_given() -> None:
    X, y, weights = data()
    random = np.random.default_rng(5)
    orders = [random.permutation(ROWS) for _ in range(3)]
    model, other = network(), network()
    with model.fit(X, y, weights, 3, 8, True, True, order="given") as run:
        for order in orders:
            run.set_order(order)
            assert run.advance(1.0, True)
    by_hand(other, orders, 8)
    assert_same_parameters(model, other)


def test_hostile_orders() -> None:
    X, y, weights = data()
    with network().fit(X, y, weights, 1, 8, True, True, order="given") as run:
        with pytest.raises(ValueError, match=f"order has 3 places, the run has {ROWS} rows"):
            run.set_order(np.arange(3))
        for wrong in (-1, ROWS):
            order = np.arange(ROWS)
            order[5] = wrong
            with pytest.raises(ValueError, match=f"order has place {wrong}"):
                run.set_order(order)
        run.step()
        with pytest.raises(ValueError, match="an epoch has begun"):
            run.set_order(np.arange(ROWS))
    with (
        network().fit(X, y, weights, 1, 8, True, True) as run,
        pytest.raises(ValueError, match="an order of its own"),
    ):
        run.set_order(np.arange(ROWS))
    with pytest.raises(ValueError, match="order must be None, a LegacyShuffle or 'given'"):
        network().fit(X, y, weights, 1, 8, True, True, order="mine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"epoch_loss is .mean., known are weights, rows"):
        network().fit(X, y, weights, 1, 8, True, True, epoch_loss="mean")  # type: ignore[arg-type]
