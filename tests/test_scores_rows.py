"""The scores of scikit-learn's losses after each epoch are those of scikit-learn's metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from ironmlp import _core
from ironmlp.layers import Linear, Tanh
from ironmlp.losses.rows import (
    ClippedBCEWithLogits,
    ClippedCrossEntropy,
    HalfPoissonDeviance,
    HalfSquaredError,
)
from ironmlp.optimizers import Adam

ROWS = 60


def network(loss: Any, outputs: int, dtype: str) -> _core.Model:
    return _core.Model(
        [Linear(4, 6), Tanh(), Linear(6, outputs)],
        loss,
        Adam(lr=0.05),
        dtype=dtype,
        seed=3,
        n_threads=1,
        scale=None,
        channels_last=False,
        standardize=False,
        standardize_y=False,
    )


def scores(model: _core.Model, y: np.ndarray, w: np.ndarray | None, split: bool) -> Any:
    """The scores of three epochs, and the outputs of the last with the rows that they are of."""
    X = np.random.default_rng(0).normal(size=(ROWS, 4))
    random = np.random.default_rng(1).permutation(ROWS)
    trained, held_out = random[20:], random[:20]
    if split:
        run = model.fit(X, y, w, 3, 8, True, True, ((trained, held_out), 1, True))
    else:
        own = (X[held_out], y[held_out], None if w is None else w[held_out])
        run = model.fit(X, y, w, 3, 8, True, True, (own, 1, True))
    with run:
        while not run.done:
            run.advance(1.0, True)
        (score,) = (v for name, v in run.validation(0).items() if name != "val_loss")
        assert run.last()[1] == score[-1]
        return score[-1], run.validation_outputs(), held_out


def targets(kind: str) -> tuple[Any, int, np.ndarray]:
    random = np.random.default_rng(2)
    if kind == "classes":
        return ClippedCrossEntropy(), 3, random.integers(3, size=ROWS)
    if kind == "binary":
        return ClippedBCEWithLogits(), 1, random.integers(2, size=(ROWS, 1)).astype(float)
    if kind == "multilabel":
        return ClippedBCEWithLogits(), 3, (random.random((ROWS, 3)) < 0.7).astype(float)
    if kind == "poisson":
        return HalfPoissonDeviance(), 2, random.poisson(3, (ROWS, 2)).astype(float)
    y = random.normal(size=(ROWS, 2))
    if kind == "constant":
        y[:, 1] = 2.5
    return HalfSquaredError(), 2, y


def wanted(kind: str, y: np.ndarray, outputs: np.ndarray, w: np.ndarray | None) -> float:
    if kind == "classes":
        return accuracy_score(y, outputs.argmax(axis=1), sample_weight=w)
    if kind in ("binary", "multilabel"):
        return accuracy_score(y, (outputs > 0).astype(float), sample_weight=w)
    estimates = np.exp(outputs) if kind == "poisson" else outputs
    return r2_score(y, estimates, sample_weight=w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("split", [False, True], ids=["own rows", "held out"])
@pytest.mark.parametrize(
    "kind", ["classes", "binary", "multilabel", "numbers", "constant", "poisson"]
)
def test_scores_are_scikit_learns(kind: str, split: bool, weighted: bool, dtype: str) -> None:
    loss, outputs, y = targets(kind)
    w = np.random.default_rng(5).integers(0, 4, ROWS).astype(float) + 0.25 if weighted else None
    score, found, rows = scores(network(loss, outputs, dtype), y, w, split)
    want = wanted(
        kind,
        y[rows].astype(dtype if kind != "classes" else int),
        found,
        None if w is None else w[rows],
    )
    # scikit-learn sums in the dtype that it is given.
    assert score == pytest.approx(want, rel=1e-13, abs=1e-6 if dtype == "float32" else 0.0)


def test_whole_rows_count_of_several_labels() -> None:
    loss, outputs, y = targets("multilabel")
    score, found, rows = scores(network(loss, outputs, "float64"), y, None, True)
    flags = (found > 0) == (y[rows] > 0.5)
    assert score == flags.all(axis=1).mean() != flags.mean()


def test_a_rate_beyond_all_numbers_has_no_score() -> None:
    loss, outputs, y = targets("poisson")
    model = network(loss, outputs, "float64")
    X = np.full((ROWS, 4), 1e-3)
    far = (np.full((3, 4), 50.0), y[:3], None)
    with model.fit(X, y, None, 1, 8, True, True, (far, 1, True)) as run:
        coefs = [np.full((4, 6), 1.0), np.full((6, 2), 300.0)]
        model.assign(coefs, [np.zeros(6), np.full(2, -1.0)])
        run.advance(1.0, True)
        assert np.isnan(run.last()[1])
        assert (run.validation_outputs() > np.log(np.finfo(np.float64).max)).all()
