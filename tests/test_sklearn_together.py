"""Callbacks of the estimators, and which of their settings go together."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.utils.class_weight import compute_sample_weight

import ironmlp as im
from ironmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 4))
Y = np.array(["a", "b", "c"])[(X @ RANDOM.normal(size=(4, 3)) + [1, 0, 0]).argmax(axis=1)]
NUMBERS = X[:, :2] ** 2
LABELS = ["a", "b", "c"]


def classifier(**given: Any) -> MLPClassifier:
    return MLPClassifier(**{"hidden_layer_sizes": 6, "max_iter": 5, "random_state": 0, **given})


def same(one: Any, other: Any, tolerance: float = 0.0) -> None:
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)


def test_callbacks_see_each_epoch_and_may_end_the_training() -> None:
    seen: list[tuple[int, float, float]] = []

    def callback(estimator: Any, logs: dict[str, float]) -> bool:
        seen.append((estimator.n_iter_, logs["loss"], estimator.score(X, Y)))
        return estimator.n_iter_ == 3

    model = classifier(callbacks=[callback]).fit(X, Y)
    assert model.n_iter_ == 3
    expected = classifier(max_iter=3).fit(X, Y)
    same(model, expected)
    assert [loss for _, loss, _ in seen] == expected.loss_curve_
    assert seen[-1][2] == expected.score(X, Y)


def test_callbacks_get_the_score_with_early_stopping_and_their_errors_end_the_fit() -> None:
    logged: list[dict[str, float]] = []
    model = classifier(callbacks=[lambda _, logs: logged.append(logs)], early_stopping=True)
    model.fit(X, Y)
    assert [logs["score"] for logs in logged] == model.validation_scores_

    def fails(estimator: Any, logs: Any) -> None:
        raise RuntimeError("mine")

    model = classifier(callbacks=[fails])
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(X, Y)
    same(model, classifier(max_iter=1).fit(X, Y))
    with pytest.raises(TypeError, match="must be callables"):
        classifier(callbacks=[3]).fit(X, Y)
    with pytest.raises(ValueError, match="callbacks need a stochastic solver"):
        classifier(callbacks=[fails], solver="lbfgs").fit(X, Y)


def test_dropout_is_that_of_a_sequential() -> None:
    """Seed, order of rows and initial values apart, it is the core's."""
    given: dict[str, Any] = {"shuffle": False, "batch_size": 30, "alpha": 0.0, "max_iter": 3}
    found = MLPRegressor(hidden_layer_sizes=6, random_state=0, dropout=0.3, solver="sgd", **given)
    found.set_params(momentum=0.0).fit(X, NUMBERS)
    random = np.random.RandomState(0)
    begin = MLPRegressor(hidden_layer_sizes=6, random_state=random, max_iter=1, shuffle=False)
    begin.set_params(learning_rate_init=1e-300).fit(X, NUMBERS)
    seed = random.randint(2**31 - 1)
    layers = [im.Linear(4, 6), im.ReLU(), im.Dropout(0.3), im.Linear(6, 2)]
    # The gradient of MSE is that of half the squares, as scikit-learn takes it, for two outputs.
    model = im.Sequential(
        layers, loss="mse", optimizer=im.SGD(lr=0.001), dtype="float64", seed=seed
    )
    pairs = zip(begin.coefs_, begin.intercepts_, strict=True)
    arrays = [array for weight, bias in pairs for array in (weight.T, bias)]
    model.load_state_dict(dict(zip(model.state_dict(), arrays, strict=True)))
    model.fit(X, NUMBERS, epochs=3, batch_size=30, shuffle=False)
    np.testing.assert_allclose(found.coefs_[0], model.state_dict()["0.weight"].T, 1e-12)


def test_dropout_in_pickles_and_partial_fits() -> None:
    one = classifier(dropout=0.5).partial_fit(X, Y, classes=LABELS).partial_fit(X, Y)
    other = classifier(dropout=0.5).partial_fit(X, Y, classes=LABELS)
    other = pickle.loads(pickle.dumps(other)).partial_fit(X, Y)
    same(one, other)
    assert not np.array_equal(one.coefs_[0], classifier().fit(X, Y).coefs_[0])
    np.testing.assert_array_equal(one.predict(X), one.predict(X))
    later = classifier().partial_fit(X, Y, classes=LABELS).set_params(dropout=0.5)
    later.partial_fit(X, Y)
    assert not np.array_equal(later.coefs_[0], classifier(max_iter=2).fit(X, Y).coefs_[0])


def test_class_weight_of_sparse_rows_with_early_stopping() -> None:
    settings: dict[str, Any] = {"class_weight": "balanced", "early_stopping": True}
    rows = scipy.sparse.csr_array(X)
    same(classifier(**settings).fit(rows, Y), classifier(**settings).fit(X, Y))


def test_class_weight_of_partial_fit_is_a_dict() -> None:
    of = {"a": 0.5, "b": 1.0, "c": 3.0}
    found = classifier(class_weight=of).partial_fit(X, Y, classes=LABELS)
    same(found, classifier().partial_fit(X, Y, compute_sample_weight(of, Y), classes=LABELS))
    with pytest.raises(ValueError, match="partial_fit knows a part"):
        classifier(class_weight="balanced").partial_fit(X, Y, classes=LABELS)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_class_weights_that_are_none(weight: float) -> None:
    with pytest.raises(ValueError, match="all weights must be finite and at least 0"):
        classifier(class_weight={"a": weight, "b": 1.0, "c": 1.0}).fit(X, Y)


@pytest.mark.parametrize(
    ("settings", "given", "message"),
    [
        ({"solver": "lbfgs", "early_stopping": True}, {"X_val": X, "y_val": Y}, "stochastic"),
        ({"early_stopping": True}, {"y_val": Y}, "given together"),
        ({"early_stopping": True}, {"sample_weight_val": np.ones(90)}, "given together"),
        ({}, {"sample_weight_val": np.ones(90)}, "given together"),
        ({"early_stopping": True}, {"X_val": X[:5], "y_val": Y}, "inconsistent"),
        (
            {"early_stopping": True},
            {"X_val": X, "y_val": Y, "sample_weight_val": np.zeros(90)},
            "at least one non-zero",
        ),
    ],
)
def test_what_validates_goes_together(settings: Any, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**settings).fit(X, Y, **given)
