"""`schedule=` of the estimators."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import ironmlp as im
from ironmlp import schedules
from ironmlp.sklearn import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(90, 4))
Y = X[:, 0] ** 2
SCHEDULES = [
    schedules.StepLR(0.05, step_size=2, gamma=0.5),
    schedules.ExponentialLR(0.05, gamma=0.9),
    schedules.CosineAnnealingLR(0.05, 10, by="step"),
]


def regressor(**given: Any) -> MLPRegressor:
    settings = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 6, "tol": 0}
    return MLPRegressor(**{**settings, "shuffle": False, "batch_size": 30, **given})


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_rates_are_those_of_the_schedule(schedule: Any) -> None:
    found = regressor(solver="sgd", momentum=0.0, alpha=0.0, schedule=schedule).fit(X, Y)
    start = regressor(max_iter=1, learning_rate_init=1e-300).fit(X, Y)
    # The gradient of the mean of squares is twice that of half of it.
    half = type(schedule)(**{**schedule._arguments(), "lr": schedule.lr / 2})
    twin = im.MLP([4, 5, 1], loss="mse", optimizer=im.SGD(lr=half), dtype="float64", seed=0)
    twin.load_state_dict(start.to_model().state_dict())
    twin.fit(X, Y, epochs=6, batch_size=30, shuffle=False)
    np.testing.assert_allclose(found.predict(X), twin.predict(X), 1e-11, 1e-13)
    assert found._optimizer.learning_rate == pytest.approx(2 * twin._core.rates.last)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_begins_anew_in_fit_and_goes_on_elsewhere(schedule: Any) -> None:
    whole = regressor(schedule=schedule).fit(X, Y)
    parts = regressor(schedule=schedule)
    for _ in range(6):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(X, Y)))
    resumed = regressor(schedule=schedule, max_iter=3, resume=True).fit(X, Y).fit(X, Y)
    for one in (parts, resumed, clone(whole).fit(X, Y)):
        np.testing.assert_array_equal(one.coefs_[0], whole.coefs_[0])
    first = whole.coefs_[0]
    np.testing.assert_array_equal(whole.fit(X, Y).coefs_[0], first)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"solver": "lbfgs"}, "needs a stochastic solver"),
        ({"solver": "sgd", "learning_rate": "adaptive"}, "both set the rate"),
        ({"schedule": 0.1}, "'schedule' parameter"),
        ({"schedule": schedules.StepLR}, "'schedule' parameter"),
    ],
)
def test_what_a_schedule_does_not_go_with(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regressor(**{"schedule": SCHEDULES[0], **given}).fit(X, Y)
