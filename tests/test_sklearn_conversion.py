"""An estimator as a Sequential, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 4))
TARGETS: dict[str, Any] = {
    "classes": np.array(["a", "b", "c"])[RANDOM.integers(3, size=50)],
    "binary": np.where(X[:, 0] > 0, "yes", "no"),
    "multilabel": (X[:, :3] > 0.2).astype(int),
    "numbers": X[:, 0] * X[:, 1],
    "several": X[:, :2] ** 2,
    "poisson": RANDOM.poisson(2, 50).astype(float),
}


def fitted(kind: str, activation: str, dtype: str, solver: str) -> Any:
    settings: dict[str, Any] = {"hidden_layer_sizes": (7, 5), "max_iter": 5, "random_state": 0}
    settings |= {"activation": activation, "solver": solver}
    if kind in ("classes", "binary", "multilabel"):
        return MLPClassifier(**settings).fit(X.astype(dtype), TARGETS[kind])
    loss = "poisson" if kind == "poisson" else "squared_error"
    return MLPRegressor(loss, **settings).fit(X.astype(dtype), TARGETS[kind])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu", "gelu"])
@pytest.mark.parametrize("kind", TARGETS)
def test_there_and_back(kind: str, activation: str, dtype: str) -> None:
    solver = {"identity": "sgd", "tanh": "lbfgs"}.get(activation, "adam")
    estimator = fitted(kind, activation, dtype, solver)
    model = estimator.to_model()
    assert model.dtype == dtype
    given = X.astype(dtype)
    np.testing.assert_array_equal(model.predict(given), estimator.predict(given))
    if hasattr(estimator, "predict_proba"):
        np.testing.assert_array_equal(
            model.predict_proba(given).reshape(len(X), -1)[:, -1],
            estimator.predict_proba(given)[:, -1],
        )
    again = type(estimator).from_model(model)
    np.testing.assert_array_equal(again.predict(given), estimator.predict(given))
    assert again.activation == activation
    assert again.hidden_layer_sizes == (7, 5)
    assert again.out_activation_ == estimator.out_activation_
    if hasattr(estimator, "classes_"):
        np.testing.assert_array_equal(again.classes_, estimator.classes_)
    # Each has arrays of its own.
    model.fit(given, TARGETS[kind], epochs=1)
    np.testing.assert_array_equal(again.predict(given), estimator.predict(given))
    again.partial_fit(given, TARGETS[kind], **_classes(estimator))


def _classes(estimator: Any) -> dict[str, Any]:
    return {"classes": estimator.classes_} if hasattr(estimator, "classes_") else {}


def test_a_sequential_trains_on_as_the_estimator_does() -> None:
    y = TARGETS["numbers"]
    estimator = MLPRegressor(
        hidden_layer_sizes=(6,),
        shuffle=False,
        solver="sgd",
        momentum=0.0,
        max_iter=2,
        learning_rate_init=0.1,
        random_state=0,
        warm_start=True,
    ).fit(X, y)
    model = estimator.to_model()
    # The gradient of MSE is twice that of half the squared error.
    model.learning_rate = 0.05
    model.fit(X, y, epochs=2, batch_size=200, shuffle=False)
    estimator.set_params(alpha=0.0)
    plain = estimator.fit(X, y).coefs_[0]
    np.testing.assert_allclose(model.state_dict()["0.weight"].T, plain, rtol=1e-3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([im.Linear(4, 3), im.LeakyReLU(0.3), im.Linear(3, 2)], "must be Linear, with one"),
        (
            [im.Linear(4, 3), im.Tanh(), im.Linear(3, 3), im.ReLU(), im.Linear(3, 2)],
            "one activation",
        ),
        ([im.Linear(4, 3), im.Tanh(), im.Linear(3, 3), im.Linear(3, 2)], "one activation"),
        ([im.Linear(4, 3, bias=False), im.Tanh(), im.Linear(3, 2)], "must have a bias"),
    ],
)
def test_what_scikit_learn_has_not(layers: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPClassifier.from_model(im.Sequential(layers, loss="cross_entropy", seed=0))


def test_losses_that_do_not_fit() -> None:
    model = im.MLP([4, 3, 2], loss="mse", seed=0)
    with pytest.raises(ValueError, match="it must be one of CrossEntropy, BinaryCrossEntropy"):
        MLPClassifier.from_model(model)
    with pytest.raises(ValueError, match="it must be one of MSE, PoissonNLL"):
        MLPRegressor.from_model(im.MLP([4, 3, 2], loss="cross_entropy", seed=0))
