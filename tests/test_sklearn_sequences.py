"""Whatever is called after what, the estimators stay in the state of scikit-learn's."""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network as theirs
from sklearn.base import clone

import ironmlp.sklearn as ours

KINDS = ["binary", "multiclass", "multilabel", "regression", "outputs", "poisson"]
STATE = [
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "t_",
    "coefs_",
    "intercepts_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "classes_",
    "n_features_in_",
    "_no_improvement_count",
]


def data(random: np.random.Generator, kind: str) -> tuple[Any, Any]:
    X = random.normal(size=(int(random.choice([20, 45, 70])), 3))
    signal = X @ random.normal(size=(3, 3))
    y: Any = {
        "binary": np.array(["no", "yes"])[(signal[:, 0] > 0).astype(int)],
        "multiclass": np.append([0, 1, 2], signal[3:].argmax(axis=1)),
        "multilabel": (signal > 0).astype(int),
        "regression": signal[:, 0],
        "outputs": signal,
        "poisson": random.poisson(np.exp(np.clip(signal[:, 0], -2, 2))).astype(float),
    }[kind]
    return X, y


def settings(random: np.random.Generator) -> dict[str, Any]:
    """Settings whose trainings are not chaotic: there rounding would grow to any size."""

    def one(*choices: Any) -> Any:
        return choices[random.integers(len(choices))]

    return {
        "activation": one("identity", "logistic", "tanh", "relu"),
        "solver": one("adam", "sgd", "sgd", "adam", "lbfgs"),
        "alpha": one(0.0, 1e-4, 0.1, 2.0),
        "batch_size": one("auto", 7, 16, 1000),
        "learning_rate": one("constant", "invscaling", "adaptive"),
        "learning_rate_init": one(1e-3, 0.01),
        "power_t": one(0.5, 0.3, 0.0),
        "max_iter": one(1, 3, 12),
        "shuffle": one(True, True, True, False),
        "random_state": int(random.integers(100)),
        "tol": one(0.0, 1e-4, 1e-2, 0.5),
        "verbose": one(True, False),
        "warm_start": one(True, False),
        "momentum": one(0.0, 0.5, 0.9),
        "nesterovs_momentum": one(True, False),
        "early_stopping": one(False, False, True),
        "validation_fraction": one(0.1, 0.3),
        "beta_1": one(0.9, 0.5),
        "beta_2": one(0.999, 0.9),
        "epsilon": one(1e-8, 1e-3),
        "n_iter_no_change": one(1, 2, 10),
    }


def outcome(function: Any) -> tuple[str | None, list[str], str]:
    """The begin of a call's ValueError or AttributeError, its warnings, and what it prints."""
    printed, error = io.StringIO(), None
    with warnings.catch_warnings(record=True) as seen, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            function()
        except (ValueError, AttributeError) as raised:
            error = str(raised)[:30]
    # In NumPy an overflow is a RuntimeWarning, of SciPy's L-BFGS the count of calls is told.
    of = [str(one.message) for one in seen if issubclass(one.category, UserWarning)]
    return error, [message for message in of if "lbfgs" not in message], printed.getvalue()


def through_a_pickle(estimator: Any) -> Any:
    return pickle.loads(pickle.dumps(estimator))


def assert_same_state(theirs: Any, ours: Any, tolerance: float) -> None:
    for name in STATE:
        assert hasattr(theirs, name) == hasattr(ours, name), name
        expected, found = getattr(theirs, name, None), getattr(ours, name, None)
        pairs = (
            zip(expected, found, strict=True)
            if name in ("coefs_", "intercepts_") and expected is not None
            else [(expected, found)]
        )
        for one, other in pairs:
            if isinstance(one, np.ndarray | float | list) and np.asarray(one).dtype.kind == "f":
                np.testing.assert_allclose(other, one, tolerance, tolerance, err_msg=name)
            else:
                np.testing.assert_array_equal(other, one, name)
    if hasattr(theirs, "_optimizer"):
        rate = ours._optimizer.learning_rate
        assert rate == pytest.approx(theirs._optimizer.learning_rate, rel=1e-14)


@pytest.mark.parametrize("seed", range(80))
def test_in_any_sequence_of_calls_the_state_is_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    kind = str(random.choice(KINDS))
    X, y = data(random, kind)
    name = "MLPClassifier" if kind.startswith(("b", "m")) else "MLPRegressor"
    given = settings(random) | {"hidden_layer_sizes": [(5,), (), (4, 3), 7][random.integers(4)]}
    if name == "MLPRegressor":
        given["loss"] = "poisson" if kind == "poisson" else "squared_error"
    pair = [getattr(module, name)(**given) for module in (theirs, ours)]
    tolerance = 1e-10
    for _ in range(int(random.integers(2, 8))):
        call = random.choice(
            ["fit", "fit", "partial_fit", "partial_fit", "partial_fit", "set", "copy", "edit"]
        )
        if call == "fit" or (call == "partial_fit" and pair[0].solver != "lbfgs"):
            weights = random.random(len(X)) if random.random() < 0.3 else None
            rows = scipy.sparse.csr_array(X) if random.random() < 0.2 else X
            more: dict[str, Any] = {}
            if call == "partial_fit" and name == "MLPClassifier":
                more["classes"] = np.arange(3) if kind == "multilabel" else np.unique(y)
            ends = [
                outcome(lambda: getattr(one, call)(rows, y, sample_weight=weights, **more))  # noqa: B023
                for one in pair
            ]
            assert ends[0][:2] == ends[1][:2]
            if pair[0].solver == "lbfgs":
                tolerance = 1e-6  # from here on both begin where SciPy's BLAS has led them
            elif tolerance < 1e-6:
                assert ends[0][2] == ends[1][2]
            if ends[0][0] is not None:
                return  # scikit-learn's networks may be half trained after an error
        elif call == "set":
            changed = settings(random)
            names = {"alpha", *random.choice(sorted(changed), 2)}
            for one in pair:
                one.set_params(**{of: changed[of] for of in names})
        elif call == "copy":
            way = [through_a_pickle, copy.deepcopy, clone][random.integers(3)]
            pair = [way(one) for one in pair]
        elif call == "edit" and hasattr(pair[0], "coefs_"):
            for one in pair:
                one.coefs_[0][0] = 0.25
                one.intercepts_[-1][:] += 0.5
        assert_same_state(*pair, tolerance)
        if hasattr(pair[0], "coefs_"):
            of = "predict" if name == "MLPRegressor" else "predict_proba"
            expected, found = (getattr(one, of)(X) for one in pair)
            np.testing.assert_allclose(found, expected, 10 * tolerance, 10 * tolerance)
