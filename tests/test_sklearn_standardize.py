"""`standardize=True` of the estimators."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

import ironmlp as im
from ironmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 3)) * [1, 20, 0.1] + [0, 300, 2]
NUMBERS = (X[:, 0] * (X[:, 1] - 300) / 20) ** 2
LABELS = np.where(NUMBERS > 0.5, "far", "near")


def regressor(**given: Any) -> MLPRegressor:
    settings = {"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 0, "standardize": True}
    return MLPRegressor(**{**settings, **given})


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_coefs_act_on_standardized_inputs(solver: str) -> None:
    scaler = StandardScaler().fit(X)
    found = regressor(solver=solver).fit(X, NUMBERS)
    plain = regressor(solver=solver, standardize=False).fit(scaler.transform(X), NUMBERS)
    tolerance = 1e-9 if solver == "lbfgs" else 1e-12
    np.testing.assert_allclose(found.coefs_[0], plain.coefs_[0], tolerance, tolerance)
    np.testing.assert_allclose(found.mean_, scaler.mean_, 1e-14)
    np.testing.assert_allclose(found.scale_, scaler.scale_, 1e-14)
    expected = plain.predict(scaler.transform(X))
    np.testing.assert_allclose(found.predict(X), expected, 10 * tolerance, tolerance)


def test_rows_that_are_held_out_have_no_part_in_it() -> None:
    given: dict[str, Any] = {"early_stopping": True, "validation_fraction": 0.5}
    found = regressor(**given).fit(X, NUMBERS)
    spoiled = X.copy()
    trained = np.flatnonzero(np.isin(NUMBERS, NUMBERS[_trained()]))
    spoiled[np.setdiff1d(np.arange(90), trained)] += 1e6
    other = regressor(**given).fit(spoiled, NUMBERS)
    np.testing.assert_array_equal(found.mean_, other.mean_)
    assert found.loss_curve_[0] == other.loss_curve_[0]
    np.testing.assert_allclose(found.mean_, X[trained].mean(axis=0), 1e-13)


def _trained() -> np.ndarray:
    from sklearn.model_selection import train_test_split

    random = np.random.RandomState(0)
    for shape in ((3, 6), 6, (6, 1), 1):
        random.uniform(size=shape)  # the initial values
    return train_test_split(np.arange(90), random_state=random, test_size=0.5)[0]


def test_it_stays_through_copies_partial_fit_and_warm_start() -> None:
    found = MLPClassifier((4,), max_iter=3, random_state=0, standardize=True).fit(X, LABELS)
    before = found.mean_
    copied = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copied.predict_proba(X), found.predict_proba(X))
    for one in (found, copied):
        one.partial_fit(X[:40] + 5, LABELS[:40])
        one.set_params(warm_start=True).fit(X + 1, LABELS)
        np.testing.assert_array_equal(one.mean_, before)
    np.testing.assert_array_equal(copied.coefs_[0], found.coefs_[0])
    found.set_params(warm_start=False, standardize=False).fit(X, LABELS)
    assert not hasattr(found, "mean_")
    assert not hasattr(found, "scale_")


def test_sparse_rows_are_dense_ones() -> None:
    sparse = regressor().fit(scipy.sparse.csr_array(X), NUMBERS)
    np.testing.assert_array_equal(sparse.coefs_[0], regressor().fit(X, NUMBERS).coefs_[0])


def test_to_a_sequential_and_back() -> None:
    found = regressor().fit(X, NUMBERS)
    model = found.to_model()
    np.testing.assert_array_equal(model.predict(X), found.predict(X))
    back = MLPRegressor.from_model(model)
    np.testing.assert_array_equal(back.predict(X), found.predict(X))
    assert back.standardize


@pytest.mark.parametrize("given", [{"scale": 4.0}, {"standardize_y": True}])
def test_what_no_estimator_has_is_refused(given: Any) -> None:
    model = im.MLP([3, 4, 1], loss="mse", seed=0, **given)
    with pytest.raises(ValueError, match="scale or standardize_y"):
        MLPRegressor.from_model(model)


def test_a_model_needs_a_fit_and_two_classes() -> None:
    for estimator in (MLPClassifier(), MLPRegressor()):
        with pytest.raises(NotFittedError):
            estimator.to_model()
    one = MLPClassifier(max_iter=1).fit(X, np.zeros(90, int))
    with pytest.raises(ValueError, match="needs two classes or more"):
        one.to_model()
