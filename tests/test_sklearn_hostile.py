"""What is no ordinary data or setting: scikit-learn's answer, or an error of its kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import neural_network as theirs

from ironmlp import sklearn as ours

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4))
Y, THREE, NUMBERS = (X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5]), X @ np.arange(4)
WEIGHTS = RANDOM.uniform(0.1, 2, 60)
FRAME = pd.DataFrame(X, columns=list("abcd"))
FLAGS = np.column_stack([Y, THREE > 1])
C, R = "MLPClassifier", "MLPRegressor"

TABLES = {
    "NaN": np.where(X > 2, np.nan, X),
    "infinite": np.where(X > 1, np.inf, X),
    "a vector": X[:, 0],
    "three dimensions": X[None],
    "no rows": X[:0],
    "no columns": X[:, :0],
    "fewer columns": X[:, :3],
    "a list": X.tolist(),
    "None": None,
    "a number": 3.0,
    "text": np.array([["a"] * 4] * 60),
    "objects": X.astype(object),
    "float16": X.astype(np.float16),
    "float32": X.astype(np.float32),
    "big-endian float32": X.astype(">f4"),
    "big-endian float64": X.astype(">f8"),
    "complex": X + 1j,
    "int64": (X * 3).astype(int),
    "uint8": np.abs(X * 9).astype(np.uint8),
    "big-endian int32": (X * 3).astype(">i4"),
    "flags": X > 0,
    "in columns": np.asfortranarray(X),
    "reversed": X[::-1, ::-1],
    "masked": np.ma.array(X),
    "a matrix": np.asmatrix(X),
    "a frame": FRAME,
    "a frame in another order": FRAME[list("dcba")],
    "a frame of floats with NA": FRAME.astype("Float64"),
    "a frame whose columns are numbers": FRAME.set_axis(range(4), axis=1),
    "a frame whose columns are of two kinds": FRAME.rename(columns={"a": 1}),
    "CSR": sp.csr_array(X),
    "CSR with NaN": sp.csr_matrix(X * np.nan),
    "COO": sp.coo_matrix(X),
    "LIL": sp.lil_array(X),
    "huge": X * 1e300,
}
LABELS = {
    "one class": np.zeros(60, int),
    "numbers": NUMBERS,
    "a column": Y[:, None],
    "text": np.array(["a", "b"])[Y],
    "objects": np.array(["a", "b"], object)[Y],
    "floats": Y.astype(float),
    "flags": Y == 1,
    "None": None,
    "None among them": np.array([None, "b"], object)[Y],
    "two kinds": np.array([1, "b"], object)[Y],
    "too few": Y[:-1],
    "a series": pd.Series(Y),
    "categories": pd.Series(Y).astype("category"),
    "multilabel": FLAGS,
    "multilabel, sparse": sp.csr_array(FLAGS),
    "multilabel, sparse in columns": sp.csc_matrix(FLAGS),
    "several classes a row": np.column_stack([THREE, THREE]),
    "NaN": np.where(Y, np.nan, 1.0),
}
NUMERIC = {
    "NaN": np.where(NUMBERS > 0, np.nan, NUMBERS),
    "a column": NUMBERS[:, None],
    "two columns": np.column_stack([NUMBERS, Y]),
    "three dimensions": NUMBERS[:, None, None],
    "int64": Y,
    "float32": NUMBERS.astype(np.float32),
    "big-endian": NUMBERS.astype(">f8"),
    "text": np.array(["1", "2"])[Y],
    "flags": Y == 1,
    "a frame": pd.DataFrame({"y": NUMBERS}),
    "sparse": sp.csr_array(FLAGS),
    "None": None,
}
ROW_WEIGHTS = {
    "a list": WEIGHTS.tolist(),
    "too few": WEIGHTS[:-1],
    "a column": WEIGHTS[:, None],
    "NaN": np.where(WEIGHTS > 1, np.nan, WEIGHTS),
    "infinite": np.where(WEIGHTS > 1, np.inf, WEIGHTS),
    "a number": 2.0,
    "text": "abc",
    "a series": pd.Series(WEIGHTS),
    "zeros": np.zeros(60),
    "flags": Y == 1,
}
SETTINGS: dict[str, list[Any]] = {
    "hidden_layer_sizes": [0, -1, (0,), (3, -1), "a", None, [], (), np.array([3, 2]), np.int64(3)],
    "activation": ["relu2", None, 3],
    "solver": ["x", None],
    "alpha": [-1, "a", None, np.float32(0.1), 0, np.nan, np.inf],
    "batch_size": [0, -1, "x", None, 1000, 2.5, np.int32(7)],
    "learning_rate": ["x", None],
    "learning_rate_init": [0, -1, "a", None, np.inf, np.nan, 1e300],
    "power_t": [-1, "a"],
    "max_iter": [0, -1, 2.5, None],
    "shuffle": ["a", 1, None],
    "random_state": [-1, "a", 1.5, np.random.default_rng(0), 2**32],
    "tol": [-1, "a", np.inf, np.nan],
    "verbose": [-1, "a"],
    "warm_start": ["a", 1],
    "momentum": [-1, 2, "a", np.nan],
    "nesterovs_momentum": [1, "a"],
    "early_stopping": [1, "a"],
    "validation_fraction": [0, 1, -1, 0.99, 0.001, "a"],
    "beta_1": [1, -1],
    "beta_2": [1, -0.1],
    "epsilon": [0, -1],
    "n_iter_no_change": [0, np.inf, 2.5, -1],
    "max_fun": [0, -1, 1],
}


def answer(module: Any, call: Callable[[Any], Any]) -> tuple[Any, set[tuple[type, str]]]:
    """What the call gives, or its error, and what it warns of."""
    with warnings.catch_warnings(record=True) as warned, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            found = call(module)
        except Exception as error:
            found = error
    # Of infinities on their way NumPy warns there, and nothing here.
    said = {(w.category, str(w.message)[:50]) for w in warned if w.category is not RuntimeWarning}
    return found, said


def check(call: Callable[[Any], Any]) -> None:
    """Ours is what theirs is: results of the same type and dtype, warnings, kinds of errors."""
    (found, said), (wanted, their_words) = answer(ours, call), answer(theirs, call)
    if isinstance(wanted, Exception):
        base = next(
            kind
            for kind in (ValueError, TypeError, AttributeError, Exception)
            if isinstance(wanted, kind)
        )
        assert isinstance(found, base), (found, wanted)
        return
    assert not isinstance(found, Exception), found
    assert said == their_words
    assert type(found) is type(wanted)
    if sp.issparse(wanted):
        found, wanted = found.toarray(), wanted.toarray()
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype.kind == "f":
        # How near they are is what test_sklearn_equality.py is about.
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    else:
        assert (found == wanted).all()


def fitted(kind: str, rows: Any = X, y: Any = None, **options: Any) -> Callable[[Any], Any]:
    """Fits, and predicts for X."""
    weights = options.pop("weights", None)
    settings = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0} | options
    targets = (Y if kind == C else NUMBERS) if y is None else y

    def call(module: Any) -> Any:
        model = getattr(module, kind)(**settings)
        given = {} if weights is None else {"sample_weight": weights}
        return model.fit(rows, targets, **given).predict(X)

    return call


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", [name for name in TABLES if name != "huge"])
def test_x_of_a_fit(name: str, early_stopping: bool) -> None:
    check(fitted(C, TABLES[name], early_stopping=early_stopping))


def test_moments_that_overflow_are_an_error() -> None:
    """Theirs stops to learn, and says nothing."""
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        fitted(C, TABLES["huge"])(ours)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
@pytest.mark.parametrize("name", TABLES)
def test_x_of_a_prediction(name: str, method: str, dtype: Any) -> None:
    def call(module: Any) -> Any:
        model = module.MLPClassifier((5,), max_iter=3, random_state=0)
        return getattr(model.fit(X.astype(dtype), THREE), method)(TABLES[name])

    check(call)


@pytest.mark.parametrize("name", [name for name in TABLES if "frame" in name])
def test_x_of_a_prediction_after_names(name: str) -> None:
    def call(module: Any) -> Any:
        model = module.MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0)
        return model.fit(FRAME, NUMBERS).predict(TABLES[name])

    check(call)


@pytest.mark.parametrize("name", LABELS)
def test_labels(name: str) -> None:
    if LABELS[name] is None:
        check(lambda module: getattr(module, C)().fit(X, None))
    check(fitted(C, y=LABELS[name]))


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_a_partial_fit(name: str) -> None:
    def call(module: Any) -> Any:
        model = module.MLPClassifier((5,), random_state=0)
        y = LABELS[name]
        model.partial_fit(X, y, classes=[0, 1])
        return model.partial_fit(X, y).predict(X)

    check(call)


@pytest.mark.parametrize("name", NUMERIC)
def test_targets(name: str) -> None:
    if NUMERIC[name] is None:
        check(lambda module: getattr(module, R)().fit(X, None))
    check(fitted(R, y=NUMERIC[name]))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", [C, R])
@pytest.mark.parametrize("name", ROW_WEIGHTS)
def test_weights(name: str, kind: str, solver: str) -> None:
    check(fitted(kind, weights=ROW_WEIGHTS[name], solver=solver))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str, solver: str) -> None:
    stops = name == "validation_fraction" and solver != "lbfgs"
    for value in SETTINGS[name]:
        options = {"solver": solver, "early_stopping": stops, name: value}
        check(fitted(C, **options))


def test_an_error_of_another_kind_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Any, *_: Any, **__: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(ours.MLPClassifier, "fit", fails)
    with pytest.raises(AssertionError):
        check(fitted(C, TABLES["NaN"]))
    with pytest.raises(AssertionError):
        check(fitted(C))


def test_another_dtype_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours.MLPRegressor, "predict", lambda self, X: np.zeros(60, np.float32))
    with pytest.raises(AssertionError):
        check(fitted(R))
