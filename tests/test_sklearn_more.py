"""What our estimators take beyond scikit-learn's parameters."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.base import clone
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.class_weight import compute_sample_weight

import ironmlp as im
from ironmlp.sklearn import MLPClassifier, MLPRegressor
from ironmlp.sklearn.networks import ACTIVATIONS
from ironmlp.sklearn.optimizers import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(80, 5))
Y = np.where(X[:, 0] + 0.3 * RANDOM.normal(size=80) > 0.8, "rare", "often")
NUMBERS = X[:, 0] * X[:, 1]


def classifier(**settings: Any) -> MLPClassifier:
    return MLPClassifier(
        **{"hidden_layer_sizes": (9,), "max_iter": 8, "random_state": 1} | settings
    )


def regressor(**settings: Any) -> MLPRegressor:
    return MLPRegressor(**{"hidden_layer_sizes": (9,), "max_iter": 8, "random_state": 1} | settings)


def parameters(estimator: Any) -> list[np.ndarray]:
    return [*estimator.coefs_, *estimator.intercepts_]


def assert_equal(one: Any, other: Any) -> None:
    for a, b in zip(parameters(one), parameters(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_new_parameters_are_last_and_by_keyword(name: str) -> None:
    theirs = inspect.signature(getattr(sklearn.neural_network, name).__init__).parameters
    ours = inspect.signature(
        getattr(__import__("ironmlp.sklearn").sklearn, name).__init__
    ).parameters
    known = list(ours.values())[: len(theirs)]
    for our, their in zip(known, theirs.values(), strict=True):
        assert (our.name, our.kind, our.default) == (their.name, their.kind, their.default)
    assert all(p.kind is p.KEYWORD_ONLY for p in list(ours.values())[len(theirs) :])


@pytest.mark.parametrize("early", [False, True])
def test_class_weights_are_weights_of_rows_that_scores_do_not_know(early: bool) -> None:
    weights = {"rare": 5.0, "often": 0.5}
    found = classifier(class_weight=weights, early_stopping=early).fit(X, Y)
    if not early:
        assert_equal(found, classifier().fit(X, Y, compute_sample_weight(weights, Y)))
        balanced = classifier(class_weight="balanced").fit(X, Y)
        assert_equal(balanced, classifier().fit(X, Y, compute_sample_weight("balanced", Y)))
        both = np.linspace(0.5, 2, len(X))
        together = classifier(class_weight=weights).fit(X, Y, both)
        assert_equal(together, classifier().fit(X, Y, both * compute_sample_weight(weights, Y)))
        return
    # The scores are shares of 8 rows, each of weight 1.
    assert all((8 * score).is_integer() for score in found.validation_scores_)
    other = classifier(early_stopping=True).fit(X, Y, compute_sample_weight(weights, Y))
    assert not all((8 * score).is_integer() for score in other.validation_scores_)
    for a, b in zip(found.loss_curve_, other.loss_curve_, strict=True):
        assert a == pytest.approx(b, rel=1e-14)


def test_hostile_class_weights() -> None:
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight="heavy").fit(X, Y)
    with pytest.raises(ValueError, match="class_weight is for one label a row"):
        classifier(class_weight="balanced").fit(X, (X[:, :2] > 0).astype(int))


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_your_own_validate(weighted: bool) -> None:
    trained, held = slice(0, 60), slice(60, 80)
    w = np.linspace(0.2, 3, 20) if weighted else None
    model = classifier(early_stopping=True, n_iter_no_change=100, tol=0)
    model.fit(X[trained], Y[trained], X_val=X[held], y_val=Y[held], sample_weight_val=w)
    found = accuracy_score(Y[held], model.predict(X[held]), sample_weight=w)
    assert found == pytest.approx(max(model.validation_scores_))
    # No split is drawn: the losses are those of a fit without one.
    plain = classifier().fit(X[trained], Y[trained])
    assert model.loss_curve_ == plain.loss_curve_
    numbers = regressor(early_stopping=True, n_iter_no_change=100, tol=0)
    numbers.fit(X[trained], NUMBERS[trained], X_val=X[held], y_val=NUMBERS[held])
    score = r2_score(NUMBERS[held], numbers.predict(X[held]))
    assert score == pytest.approx(numbers.best_validation_score_)


def test_hostile_rows_that_validate() -> None:
    with pytest.raises(ValueError, match="X_val is for early_stopping=True"):
        classifier().fit(X, Y, X_val=X, y_val=Y)
    model = classifier(early_stopping=True)
    with pytest.raises(ValueError, match="given together"):
        model.fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="features"):
        model.fit(X, Y, X_val=X[:, :3], y_val=Y)
    with pytest.raises(ValueError, match="classes not in"):
        model.fit(X, Y, X_val=X, y_val=np.full(80, "never"))
    one_class = X[:5], np.full(5, "often")
    model.set_params(warm_start=True).fit(X, Y, X_val=one_class[0], y_val=one_class[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_of_a_dtype(dtype: str) -> None:
    for given in (np.float32, np.float64):
        model = classifier(dtype=dtype).fit(X.astype(given), Y)
        assert {a.dtype for a in parameters(model)} == {np.dtype(dtype)}
    assert_equal(classifier(dtype=dtype).fit(X, Y), classifier().fit(X.astype(dtype), Y))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_resume_goes_on_with_moments_and_rate(solver: str) -> None:
    # Orders of epochs begin anew with each fit, so there are none here.
    settings: dict[str, Any] = {"solver": solver, "tol": 0, "shuffle": False, "batch_size": 30}
    settings |= {"learning_rate": "invscaling", "early_stopping": False}
    whole = classifier(max_iter=12, **settings).fit(X, Y)
    parts = classifier(max_iter=4, resume=True, **settings)
    forgets = classifier(max_iter=4, warm_start=True, **settings)
    for _ in range(3):
        parts.fit(X, Y)
        forgets.fit(X, Y)
    assert_equal(whole, parts)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts._optimizer.learning_rate == whole._optimizer.learning_rate
    assert forgets.loss_curve_[:4] == whole.loss_curve_[:4]
    assert forgets.loss_curve_[4:] != whole.loss_curve_[4:]


def test_dropout_is_one_more_draw_and_only_if_it_is_on() -> None:
    plain, random, other = classifier(), np.random.RandomState(3), np.random.RandomState(3)
    plain.set_params(random_state=random, shuffle=False).fit(X, Y)
    dropped = classifier(dropout=0.4, random_state=other, shuffle=False).fit(X, Y)
    random.randint(2**31 - 1)
    assert random.randint(1000) == other.randint(1000)
    assert dropped.loss_curve_[0] != plain.loss_curve_[0]
    assert_equal(dropped, clone(dropped).set_params(random_state=3).fit(X, Y))
    np.testing.assert_array_equal(dropped.predict_proba(X), dropped.predict_proba(X))
    with pytest.raises(ValueError, match="dropout needs a stochastic solver"):
        classifier(dropout=0.1, solver="lbfgs").fit(X, Y)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("solver", [*SOLVERS, "lbfgs"])
def test_all_activations_and_solvers_train(activation: str, solver: str) -> None:
    rate = 1e-3 if solver == "lion" else 1e-2
    model = regressor(
        activation=activation, solver=solver, learning_rate_init=rate, max_iter=40, alpha=1e-3
    ).fit(X, NUMBERS)
    first = model.loss_curve_[0] if solver != "lbfgs" else np.var(NUMBERS) / 2
    assert model.loss_ < first
    twin = model.to_model()
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_adamw_decays_weights_alone_by_alpha() -> None:
    settings: dict[str, Any] = {"shuffle": False, "batch_size": 80, "max_iter": 5, "tol": 0}
    ours = regressor(solver="adamw", alpha=0.3, **settings)
    ours.fit(X, NUMBERS)
    start = regressor(max_iter=1, learning_rate_init=1e-300, shuffle=False).fit(X, NUMBERS)
    model = start.to_model()
    twin = im.Sequential(
        model.layers,
        loss="mse",
        optimizer=im.AdamW(lr=1e-3, weight_decay=0.3, decay_bias=False, eps=2e-8),
        dtype="float64",
        seed=0,
    )
    twin.load_state_dict(model.state_dict())
    # The gradient of the mean of squares is twice that of half of it, and so is its epsilon.
    twin.fit(X, NUMBERS, epochs=5, batch_size=80, shuffle=False)
    np.testing.assert_allclose(twin.predict(X), ours.predict(X), rtol=1e-9)
