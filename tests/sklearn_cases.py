"""The configurations that tests/sklearn_equality.py trains with ironmlp and with scikit-learn."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn import datasets

Data = tuple[Any, np.ndarray]
How = Literal["fit", "fit twice", "partial_fit", "fit, partial_fit", "partial_fit, fit"]


def standardized(values: np.ndarray) -> np.ndarray:
    deviations = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviations == 0, 1, deviations)


def digits(rows: int = 150) -> Data:
    X, y = datasets.load_digits(return_X_y=True)
    return X[:rows] / 16, y[:rows]


def iris() -> Data:
    X, y = datasets.load_iris(return_X_y=True)
    return standardized(X), np.array(["setosa", "versicolor", "virginica"])[y]


def cancer() -> Data:
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return standardized(X[:160]), y[:160]


def diabetes() -> Data:
    X, y = datasets.load_diabetes(return_X_y=True)
    return standardized(X[:160]), standardized(y[:160])


def two_outputs() -> Data:
    X, y = diabetes()
    return X, np.column_stack([y, np.abs(y)])


def counts() -> Data:
    X, y = diabetes()
    return X, np.floor(np.exp(y))


def rates() -> Data:
    X, y = two_outputs()
    return X, np.exp(y / 2)


def labels() -> Data:
    """Several labels of a row: the bits of the digit that it shows."""
    X, y = digits()
    return X, (y[:, None] >> np.arange(4)) & 1


def words() -> Data:
    """Rows of a few ones in many columns, as counts of words are."""
    generator = np.random.default_rng(0)
    X = sparse.random(120, 300, density=0.03, format="csr", random_state=generator)
    y = np.asarray(X[:, :40].sum(axis=1)).ravel() > np.asarray(X[:, 40:80].sum(axis=1)).ravel()
    return X, y.astype(int)


def sparse_digits() -> Data:
    X, y = digits()
    return sparse.csr_matrix(X), y


def sparse_diabetes() -> Data:
    X, y = diabetes()
    return sparse.csc_matrix(np.where(np.abs(X) < 0.7, 0, X)), y


DATA: dict[str, Callable[[], Data]] = {
    kind.__name__.replace("_", " "): functools.cache(kind)
    for kind in (
        digits, iris, cancer, diabetes, two_outputs, counts, rates, labels, words, sparse_digits,
        sparse_diabetes,
    )
}  # fmt: skip
REGRESSION = {"diabetes", "two outputs", "counts", "rates", "sparse diabetes"}

# What random_state is, each time that both begin from it.
STATES: dict[str, Callable[[], Any]] = {
    "0": lambda: 0,
    "17": lambda: 17,
    "RandomState(3)": lambda: np.random.RandomState(3),
    "RandomState(PCG64(3))": lambda: np.random.RandomState(np.random.PCG64(3)),
    "None": lambda: np.random.seed(5),  # noqa: NPY002 - the generator that None means
}


# What a case has unless it says otherwise, so that a fit takes milliseconds.
USUAL = {"hidden_layer_sizes": (12,), "max_iter": 6}


@dataclass(frozen=True)
class Case:
    """One model: data, arguments of the estimator, and the calls that train it."""

    data: str
    options: dict[str, Any]
    how: How = "fit"
    state: str = "0"
    weights: Literal["", "weights", "zeros"] = ""
    dtype: str = "float64"
    after: dict[str, Any] = field(default_factory=dict)  # set between two calls

    @property
    def arguments(self) -> dict[str, Any]:
        """What the estimator is called with, besides random_state."""
        return USUAL | self.options

    @property
    def kind(self) -> str:
        return "MLPRegressor" if self.data in REGRESSION else "MLPClassifier"

    @property
    def lbfgs(self) -> bool:
        return self.options.get("solver") == "lbfgs"

    @property
    def name(self) -> str:
        """Its row in the table, which tells it from all others."""
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        state = "" if self.state == "0" else f"random_state={self.state}"
        given = ", ".join(part for part in (options, state) if part)
        words = [self.data, f"{self.kind}({given})"]
        if self.how != "fit" or self.after:
            later = ", ".join(f"{name}={value!r}" for name, value in self.after.items())
            words.append(f"{self.how}, between them {later}" if later else self.how)
        weights = {"": "", "weights": "sample_weight", "zeros": "sample_weight with zeros"}
        dtype = "" if self.dtype == "float64" else self.dtype
        return "; ".join([*words, *filter(None, (weights[self.weights], dtype))])


def case(data: str, how: How = "fit", **options: Any) -> Case:
    """A case; `state`, `weights`, `dtype` and `after` are its own, all else is the estimator's."""
    own = {
        name: options.pop(name)
        for name in ("state", "weights", "dtype", "after")
        if name in options
    }
    return Case(data, options, how, **own)


SGD = {"solver": "sgd", "learning_rate_init": 0.05}
LBFGS = {"solver": "lbfgs", "max_iter": 15}

CASES = [
    # Solvers and their numbers.
    case("digits"),
    case("diabetes"),
    case("digits", learning_rate_init=0.01, beta_1=0.8, beta_2=0.95, epsilon=1e-6),
    case("digits", beta_1=0.0, beta_2=0.0),
    case("digits", **SGD),
    case("digits", **SGD, nesterovs_momentum=False),
    case("digits", **SGD, momentum=0.0),
    case("digits", **SGD, momentum=0.0, nesterovs_momentum=False),
    case("digits", **SGD, momentum=1.0),
    case("diabetes", **SGD, momentum=0.5),
    case("digits", **LBFGS),
    case("diabetes", **LBFGS),
    case("digits", solver="lbfgs", max_iter=200, max_fun=20),
    case("iris", solver="lbfgs", max_iter=40, tol=1e-2),
    # Schedules and stopping.
    case("digits", **SGD, learning_rate="invscaling"),
    case("digits", **SGD, learning_rate="invscaling", power_t=0.3, momentum=0.0),
    case("diabetes", **SGD, learning_rate="invscaling", power_t=1.0),
    case("cancer", **SGD, learning_rate="adaptive", max_iter=40, tol=1e-2, n_iter_no_change=2),
    case("diabetes", solver="sgd", learning_rate_init=0.2, learning_rate="adaptive", max_iter=60,
         tol=1e-2, n_iter_no_change=1),
    case("iris", max_iter=60, tol=1e-2, n_iter_no_change=3, learning_rate_init=0.02),
    case("digits", early_stopping=True, max_iter=20, n_iter_no_change=2),
    case("digits", **SGD, early_stopping=True, validation_fraction=0.3),
    case("cancer", early_stopping=True, max_iter=40, n_iter_no_change=3, tol=1e-3),
    case("cancer", **SGD, early_stopping=True, learning_rate="adaptive", max_iter=40,
         n_iter_no_change=1),
    case("iris", early_stopping=True, validation_fraction=0.25, state="17"),
    case("diabetes", early_stopping=True, max_iter=20, n_iter_no_change=3, learning_rate_init=0.02),
    case("two outputs", early_stopping=True),
    case("labels", early_stopping=True),
    case("counts", loss="poisson", early_stopping=True),
    # Divergence: the best epoch stays, and the generator stands where all epochs leave it.
    case("rates", "fit twice", solver="sgd", learning_rate_init=40.0, early_stopping=True,
         state="RandomState(3)", learning_rate="invscaling", power_t=0.1),
    case("diabetes", "fit twice", solver="sgd", learning_rate_init=40.0, early_stopping=True,
         state="RandomState(PCG64(3))", max_iter=12, activation="identity"),
    # Activations, depth and the penalty.
    case("digits", activation="identity"),
    case("digits", activation="logistic"),
    case("digits", activation="tanh"),
    case("diabetes", activation="tanh", **LBFGS),
    case("diabetes", activation="logistic", **SGD),
    case("digits", hidden_layer_sizes=()),
    case("diabetes", hidden_layer_sizes=(), **SGD),
    case("digits", hidden_layer_sizes=20),
    case("digits", hidden_layer_sizes=[17, 9]),
    case("digits", hidden_layer_sizes=np.array([8, 7, 6]), activation="tanh"),
    case("digits", alpha=0.0),
    case("digits", alpha=0.3),
    case("digits", alpha=1.0, **SGD, momentum=0.0),
    case("diabetes", alpha=2.0, **LBFGS),
    # Batches.
    case("digits", batch_size=150),
    case("digits", batch_size=150, shuffle=False, **SGD),
    case("digits", batch_size=1, max_iter=2),
    case("digits", batch_size=32),
    case("digits", batch_size=149, **SGD),
    case("digits", batch_size=50, shuffle=False),
    case("diabetes", batch_size=7, **SGD),
    case("cancer", hidden_layer_sizes=(16, 16), batch_size=32),
    # Targets.
    case("iris"),
    case("cancer"),
    case("cancer", **LBFGS),
    case("labels"),
    case("labels", **SGD),
    case("labels", **LBFGS),
    case("two outputs"),
    case("two outputs", **SGD),
    case("two outputs", **LBFGS),
    case("counts", loss="poisson"),
    case("counts", loss="poisson", **SGD, batch_size=25),
    case("counts", loss="poisson", **LBFGS),
    case("rates", loss="poisson"),
    # Weights of the rows.
    case("digits", weights="weights"),
    case("digits", weights="weights", **SGD, batch_size=40),
    case("cancer", weights="zeros", early_stopping=True),
    case("labels", weights="weights"),
    case("diabetes", weights="weights", early_stopping=True),
    case("two outputs", weights="zeros", **SGD, early_stopping=True),
    case("counts", weights="weights", loss="poisson"),
    case("diabetes", weights="weights", **LBFGS),
    case("digits", weights="zeros", **LBFGS),
    # Going on.
    case("digits", "fit twice", warm_start=True),
    case("digits", "fit twice", warm_start=True, **SGD, learning_rate="invscaling"),
    case("cancer", "fit twice", warm_start=True, early_stopping=True),
    case("diabetes", "fit twice", warm_start=True, state="RandomState(3)",
         after={"learning_rate_init": 0.01}),
    case("diabetes", "fit twice", warm_start=True, **LBFGS),
    case("digits", "fit twice", state="RandomState(3)"),
    case("digits", "partial_fit"),
    case("digits", "partial_fit", **SGD, learning_rate="invscaling"),
    case("labels", "partial_fit", state="RandomState(3)"),
    case("diabetes", "partial_fit", **SGD),
    case("two outputs", "partial_fit", weights="weights"),
    case("digits", "fit, partial_fit"),
    case("diabetes", "fit, partial_fit", **SGD, state="None"),
    case("cancer", "partial_fit, fit"),
    # Generators.
    case("digits", state="RandomState(3)", early_stopping=True),
    case("digits", state="RandomState(PCG64(3))"),
    case("diabetes", state="RandomState(PCG64(3))", early_stopping=True),
    case("digits", state="None"),
    case("cancer", state="None", early_stopping=True),
    case("digits", state="17", **LBFGS),
    # Sparse rows.
    case("words"),
    case("words", **SGD, early_stopping=True),
    case("words", **LBFGS),
    case("words", "partial_fit"),
    case("sparse digits", batch_size=32),
    case("sparse digits", weights="weights", hidden_layer_sizes=()),
    case("sparse diabetes"),
    # Half the digits.
    case("digits", dtype="float32"),
    case("digits", dtype="float32", **SGD, early_stopping=True),
    case("cancer", dtype="float32", weights="weights"),
    case("diabetes", dtype="float32", **SGD),
    case("counts", dtype="float32", loss="poisson"),
    case("words", dtype="float32"),
]  # fmt: skip


def data(of: Case) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """X, y and the weights of the rows; a copy, so that no fit can change another's."""
    X, y = DATA[of.data]()
    X = X.astype(of.dtype)
    if of.data in REGRESSION:
        y = y.astype(of.dtype)
    if not of.weights:
        return X, y.copy(), None
    weights = np.random.default_rng(1).uniform(0.1, 3, len(y))
    if of.weights == "zeros":
        weights[::9] = 0
    return X, y.copy(), weights
