"""Parameters as (in, out) arrays, kept copies of them, and the loss as their function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ironmlp import _core
from ironmlp.layers import Linear, Tanh
from ironmlp.losses.rows import HalfSquaredError
from ironmlp.optimizers import Adam

SIZES = (3, 19, 2)
ROWS = 40
LOSS = HalfSquaredError()


def network(
    dtype: str = "float64", seed: int = 0, sizes: tuple[int, int, int] = SIZES, loss: Any = LOSS
) -> _core.Model:
    first, hidden, last = sizes
    return _core.Model(
        [Linear(first, hidden), Tanh(), Linear(hidden, last)],
        loss,
        Adam(l2=0.2),
        dtype=dtype,
        seed=seed,
        n_threads=1,
        scale=None,
        channels_last=False,
        standardize=False,
        standardize_y=False,
    )


def arrays(seed: int, dtype: str = "float64") -> tuple[list[np.ndarray], list[np.ndarray]]:
    random = np.random.default_rng(seed)
    first, hidden, last = SIZES
    shapes = [(first, hidden), (hidden, last)]
    coefs = [random.normal(size=shape).astype(dtype) for shape in shapes]
    return coefs, [random.normal(size=shape[1]).astype(dtype) for shape in shapes]


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(4)
    X, y = random.normal(size=(ROWS, 3)), random.normal(size=(ROWS, 2))
    return X, y, random.uniform(0.5, 2, ROWS)


def read(model: _core.Model, dtype: str = "float64") -> tuple[list[np.ndarray], list[np.ndarray]]:
    coefs, intercepts = ([np.empty_like(a) for a in part] for part in arrays(0, dtype))
    model.read(coefs, intercepts)
    return coefs, intercepts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_arrays_are_taken_as_inputs_by_outputs(dtype: str, given: str, layout: str) -> None:
    coefs, intercepts = arrays(1, given)
    if layout == "strided":
        coefs = [np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3] for a in coefs]
        intercepts = [np.repeat(a, 2)[::2] for a in intercepts]
    model = network(dtype)
    model.assign([np.array(a, order=layout) if layout in "CF" else a for a in coefs], intercepts)
    wanted = [a.T for a in coefs], intercepts
    for found, want in zip(model.parameters()[::2], wanted[0], strict=True):
        np.testing.assert_array_equal(found, want.astype(dtype))
    for found, want in zip(model.parameters()[1::2], wanted[1], strict=True):
        np.testing.assert_array_equal(found, want.astype(dtype))
    again = read(model, dtype)
    for found, want in zip(again[0] + again[1], coefs + intercepts, strict=True):
        np.testing.assert_array_equal(found, want.astype(dtype))


def test_edits_in_place_are_seen_and_train_on() -> None:
    X, y, _ = data()
    coefs, intercepts = arrays(2)
    model, other = network(seed=1), network(seed=2)
    model.assign(coefs, intercepts)
    before = model.forward(X, False, None)
    coefs[1][0, 0] += 1
    model.assign(coefs, intercepts)
    assert not np.array_equal(model.forward(X, False, None), before)
    other.assign(coefs, intercepts)
    # The second copies of the weights, which the way back reads, are new as well.
    for one in (model, other):
        one.train_on_batch(X, y, None)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_minus_zero_is_another_number() -> None:
    coefs, intercepts = arrays(2)
    intercepts[1][:] = 0.0
    model = network()
    model.assign(coefs, intercepts)
    intercepts[1][:] = -0.0
    model.assign(coefs, intercepts)
    assert np.signbit(model.parameters()[-1]).all()


def test_hostile_arrays_change_nothing() -> None:
    model = network()
    before = model.parameters()
    coefs, intercepts = arrays(1)
    with pytest.raises(ValueError, match=r"coefs has 1 arrays, the network has 2"):
        model.assign(coefs[:1], intercepts)
    with pytest.raises(ValueError, match=r"intercepts has 3 arrays, the network has 2"):
        model.assign(coefs, [*intercepts, intercepts[0]])
    with pytest.raises(ValueError, match=r"coefs\[1\] has shape \(2, 19\), it must have \(19, 2\)"):
        model.assign([coefs[0], coefs[1].T], intercepts)
    with pytest.raises(ValueError, match=r"intercepts\[0\] has shape \(19, 1\)"):
        model.assign(coefs, [intercepts[0][:, None], intercepts[1]])
    with pytest.raises(TypeError, match=r"coefs\[0\] has dtype complex128"):
        model.assign([coefs[0].astype(complex), coefs[1]], intercepts)
    with pytest.raises(TypeError, match="coefs has dtype float32"):
        model.read([c.astype(np.float32) for c in coefs], intercepts)
    intercepts[1].flags.writeable = False
    with pytest.raises(ValueError, match="intercepts is read-only"):
        model.read(coefs, intercepts)
    for a, b in zip(before, model.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_snapshot_brings_parameters_back_and_nothing_else() -> None:
    X, y, weights = data()
    model = network()
    kept = model.snapshot()
    start = model.parameters()
    model.train_on_batch(X, y, weights)
    trained = model.parameters()
    renewed = model.snapshot()
    model.restore(kept)
    assert model.steps == 1
    for a, b in zip(start, model.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)
    kept.take(network(seed=9))
    model.restore(renewed)
    for a, b in zip(trained, model.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.restore(kept)
    for a, b in zip(network(seed=9).parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_snapshot_is_of_one_kind_of_model() -> None:
    kept = network().snapshot()
    with pytest.raises(ValueError, match="another dtype"):
        network("float32").restore(kept)
    with pytest.raises(ValueError, match="another network's"):
        network(sizes=(3, 18, 2)).restore(kept)
    with pytest.raises(ValueError, match="another network's"):
        kept.take(network(sizes=(3, 18, 2)))


def test_the_optimizer_begins_anew_with_the_parameters_that_there_are() -> None:
    X, y, weights = data()
    model = network()
    for _ in range(3):
        model.train_on_batch(X, y, weights)
    model.reset_optimizer()
    assert model.steps == 0
    fresh = network(seed=5)
    fresh.set_parameters(model.parameters())
    for one in (model, fresh):
        one.train_on_batch(X, y, weights)
    for a, b in zip(model.parameters(), fresh.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)


def packed(coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([a.ravel() for a in coefs + intercepts])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [ROWS, 5000])
def test_the_objective_is_the_loss_with_its_penalty(weighted: bool, rows: int) -> None:
    X, y, weights = (np.resize(a, (rows, *a.shape[1:])) for a in data())
    sample_weight = weights if weighted else None
    model, other = network(), network()
    objective = _core.Objective(model, X, y, sample_weight)
    coefs, intercepts = arrays(3)
    gradient = np.empty(sum(a.size for a in coefs + intercepts))
    loss = objective(packed(coefs, intercepts), gradient)
    other.assign(coefs, intercepts)
    _, gradients, _ = other.loss_and_grad(X, y, sample_weight, True, False)
    wanted = packed([g.T for g in gradients[::2]], gradients[1::2])
    np.testing.assert_array_equal(gradient, wanted)
    # scikit-learn's loss: half the mean over rows and outputs, and alpha / 2 |W|^2 / s.
    hidden = np.tanh(X @ coefs[0] + intercepts[0])
    squares = (hidden @ coefs[1] + intercepts[1] - y) ** 2
    means = np.average(squares, axis=0, weights=sample_weight).mean() / 2
    s = rows if sample_weight is None else sample_weight.sum()
    penalty = 0.1 * sum(np.sum(c * c) for c in coefs) / s
    assert loss == pytest.approx(means + penalty, rel=1e-13)
    found = read(model)
    np.testing.assert_array_equal(packed(*found), packed(coefs, intercepts))


def test_hostile_objectives() -> None:
    X, y, _ = data()
    model = network()
    objective = _core.Objective(model, X, y, None)
    count = sum(a.size for part in arrays(0) for a in part)
    good = np.zeros(count)
    with pytest.raises(ValueError, match="parameters has shape"):
        objective(good[1:], good)
    with pytest.raises(ValueError, match="gradient has shape"):
        objective(good, good[1:])
    with pytest.raises(TypeError, match="gradient has dtype"):
        objective(good, good.astype(np.float32))
    bad = X.copy()
    bad[2, 1] = np.nan
    with pytest.raises(ValueError, match="row 2"):
        _core.Objective(model, bad, y, None)
    own = network(loss=None)
    with pytest.raises(TypeError, match="a function, which only its caller can compute"):
        _core.Objective(own, X, y, None)
