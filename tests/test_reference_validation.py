"""`reference` holds out the same rows, weighs classes alike, and validates to the same numbers."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference

Array = np.ndarray[Any, Any]

RNG = np.random.default_rng(0)
N = 47
X = RNG.normal(size=(N, 5)) * [1.0, 10.0, 0.1, 1.0, 3.0]
NUMBERS = X[:, :2] * [1.0, 0.1] + RNG.normal(size=(N, 2))
LABELS = np.array(["a", "b", "c"])[RNG.choice(3, size=N, p=[0.6, 0.3, 0.1])]
WEIGHT = RNG.uniform(0.0, 2.0, size=N)
OWN = RNG.normal(size=(9, 5)), RNG.choice(["a", "b", "c"], size=9)


def own_loss(outputs: Array, y: Array, weight: Array | None = None) -> tuple[float, Array]:
    share = np.ones(len(y)) if weight is None else weight
    share = (share / share.sum())[:, np.newaxis].astype(outputs.dtype)
    return float((share * (outputs - y) ** 2).sum()), 2.0 * share * (outputs - y)


Y: dict[str, Any] = {
    "labels": LABELS,
    "two": LABELS == "a",
    "ignored": np.where(RNG.random(N) < 0.2, -100, RNG.integers(3, size=N)),
    "soft": RNG.dirichlet(np.ones(3), size=N),
    "flags": RNG.integers(2, size=(N, 3)),
    "numbers": NUMBERS,
    "quantiles": NUMBERS[:, 0],
    "rates": np.abs(NUMBERS),
    "means": NUMBERS,
    "focal": LABELS == "a",
    "own": NUMBERS,
}
LOSSES: dict[str, tuple[int, Any]] = {
    "labels": (3, "cross_entropy"),
    "two": (1, "binary_cross_entropy"),
    "ignored": (3, im.CrossEntropy(ignore_index=-100)),
    "soft": (3, "cross_entropy"),
    "flags": (3, "binary_cross_entropy"),
    "numbers": (2, "mse"),
    "quantiles": (3, im.Quantile([0.6, 0.2, 0.9])),
    "rates": (2, "poisson_nll"),
    "means": (4, "gaussian_nll"),
    "focal": (1, "focal"),
    "own": (2, own_loss),
}


def both(kind: str, **settings: Any) -> list[Any]:
    outputs, loss = LOSSES[kind]
    made: dict[str, Any] = {"loss": loss, "optimizer": im.Adam(lr=1e-2), "dtype": "float64"}
    makers = (im.MLP, reference.MLP)
    return [make([5, 6, outputs], seed=3, **made, **settings) for make in makers]


def compare(models: list[Any], y: Any, **arguments: Any) -> Any:
    ours, theirs = (model.fit(X, y, epochs=6, batch_size=8, **arguments) for model in models)
    assert [*ours.keys()] == [*theirs]
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-10, err_msg=name)
    for name, array in models[0].state_dict().items():
        np.testing.assert_allclose(array, models[1].state_dict()[name], rtol=1e-9, atol=1e-12)
    return ours


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", LOSSES)
def test_a_split(kind: str, shuffle: bool, weight: Any) -> None:
    # In their order the last rows hold all classes.
    history = compare(
        both(kind), Y[kind], validation_split=0.25, shuffle=shuffle, sample_weight=weight
    )
    assert not np.isnan(history["val_loss"]).any()


def test_validation_data_every_second_epoch() -> None:
    history = compare(both("labels"), LABELS, validation_data=OWN, validation_freq=2)
    assert np.isnan(history["val_accuracy"]).tolist() == [True, False] * 3
    compare(both("labels"), LABELS, validation_data=(*OWN, WEIGHT[:9]))


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 0.5, "c": 3.0}])
def test_class_weights(class_weight: Any) -> None:
    models = both("labels")
    compare(models, LABELS, class_weight=class_weight, sample_weight=WEIGHT, validation_split=0.2)


def test_only_rows_that_train_are_standardized_by() -> None:
    models = both("numbers", standardize=True, standardize_y=True)
    compare(models, NUMBERS, validation_split=0.3)
    kept = models[1].standards["X"].mean
    assert not np.allclose(kept, X.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("kind", LOSSES)
def test_evaluate_with_weights(kind: str) -> None:
    models = both(kind)
    for model in models:
        model.fit(X, Y[kind], epochs=1)
    ours, theirs = (model.evaluate(X, Y[kind], sample_weight=WEIGHT) for model in models)
    assert ours == pytest.approx(theirs, rel=1e-10)
