"""ironmlp's estimators in scikit-learn's other parts: what its own networks give there."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import datasets
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ironmlp import sklearn as ours

pytestmark = pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")

Make = Callable[..., Any]
# Rounding, and what a calibration's own solver makes of it.
WITHIN, CALIBRATED = 1e-10, 1e-5

X, Y = datasets.load_iris(return_X_y=True)
WORDS = np.array(["setosa", "versicolor", "virginica"])[Y]
XR, YR = datasets.load_diabetes(return_X_y=True)
XR, YR = XR[:120] * 20, (YR[:120] - 150) / 80
FLAGS = np.column_stack([Y == 0, Y > 1, X[:, 1] > 3]).astype(int)
WEIGHTS = np.random.default_rng(0).uniform(0.2, 2, len(Y))


def classifier(module: Any, rate: float = 0.02) -> Make:
    return maker_of(module.MLPClassifier, rate)


def regressor(module: Any, rate: float = 0.02) -> Make:
    return maker_of(module.MLPRegressor, rate)


def maker_of(kind: Any, rate: float) -> Make:
    """Makes small estimators with a learning rate, as a place asks for them."""

    def make(**options: Any) -> Any:
        usual = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0}
        return kind(learning_rate_init=rate, **usual | options)

    return make


def grid_search(make: Make) -> Iterator[Any]:
    grid = {"alpha": [1e-4, 1.0], "solver": ["adam", "sgd"], "hidden_layer_sizes": [(4,), (6, 3)]}
    search = GridSearchCV(make(), grid, cv=3, return_train_score=True).fit(X, WORDS)
    yield search.cv_results_["mean_test_score"]
    yield search.cv_results_["split1_train_score"]
    yield search.best_index_
    yield from search.best_estimator_.coefs_


def grid_search_in_processes(make: Make) -> Iterator[Any]:
    search = GridSearchCV(make(), {"alpha": [1e-4, 1.0]}, cv=2, n_jobs=2, scoring="neg_log_loss")
    yield search.fit(X, Y).cv_results_["mean_test_score"]
    yield from search.best_estimator_.coefs_


def cross_validation(make: Make) -> Iterator[Any]:
    yield cross_val_score(make(), X, WORDS, cv=4)
    yield cross_val_score(make(), X, Y, cv=3, scoring="roc_auc_ovr")
    yield cross_val_predict(make(), X, Y, cv=3, method="predict_proba")


def learning_curves(make: Make) -> Iterator[Any]:
    yield from learning_curve(make(), X, Y, cv=2, train_sizes=[0.4, 1.0], shuffle=True,
                              random_state=1, exploit_incremental_learning=True,
                              scoring="neg_log_loss")  # fmt: skip


def pipeline(make: Make) -> Iterator[Any]:
    missing = X.copy()
    missing[::7, 1] = np.nan
    steps = [("fill", SimpleImputer()), ("scale", StandardScaler()), ("network", make())]
    model = Pipeline(steps).set_params(network__alpha=0.01)
    model.fit(missing, WORDS, network__sample_weight=WEIGHTS)
    yield model.score(missing, WORDS)
    yield model.predict_proba(missing)
    yield from model.named_steps["network"].coefs_


def columns_of_a_frame(make: Make) -> Iterator[Any]:
    frame = pd.DataFrame({"length": X[:, 0], "width": X[:, 1], "kind": WORDS})
    split = make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler())
    model = make_pipeline(split, make()).fit(frame, Y)
    yield model.predict_proba(frame)
    split.set_output(transform="pandas").set_params(onehotencoder__sparse_output=False)
    model = make_pipeline(split, make()).fit(frame, Y)
    yield list(model[-1].feature_names_in_)
    yield model.predict_proba(frame)


def calibration(make: Make) -> Iterator[Any]:
    yield CalibratedClassifierCV(make(), cv=3).fit(X, WORDS).predict_proba(X)
    yield CalibratedClassifierCV(make(), cv=3, ensemble=False).fit(X, Y, WEIGHTS).predict_proba(X)


def importance(make: Make) -> Iterator[Any]:
    model = make().fit(X, Y)
    yield permutation_importance(model, X, Y, n_repeats=3, random_state=0).importances
    yield partial_dependence(model, X, [0], grid_resolution=5)["average"]


def importance_by_threads(make: Make) -> Iterator[Any]:
    model = make().fit(X, Y)
    with joblib.parallel_backend("threading"):
        found = permutation_importance(model, X, Y, n_repeats=4, random_state=0, n_jobs=2)
    yield found.importances
    yield model.predict_proba(X)


def voting(make: Make) -> Iterator[Any]:
    members = [("small", make()), ("deep", make(hidden_layer_sizes=(6, 4))),
               ("line", LogisticRegression())]  # fmt: skip
    yield VotingClassifier(members, voting="soft", n_jobs=2).fit(X, WORDS).predict_proba(X)
    hard = VotingClassifier(members, weights=[2, 1, 1]).fit(X, WORDS, sample_weight=WEIGHTS)
    yield hard.predict(X).tolist()
    yield [array.sum() for array in hard.estimators_[0].coefs_]


def bagging(make: Make) -> Iterator[Any]:
    model = BaggingClassifier(make(), n_estimators=4, max_features=3, random_state=0).fit(X, Y)
    yield model.predict_proba(X)
    yield model.estimators_[3].coefs_[0]


def boosting(make: Make) -> Iterator[Any]:
    model = AdaBoostClassifier(make(), n_estimators=3, random_state=0).fit(X, Y)
    yield model.estimator_weights_
    yield model.decision_function(X)


def several_outputs(make: Make) -> Iterator[Any]:
    model = MultiOutputClassifier(make()).fit(X, FLAGS)
    yield model.predict(X)
    yield np.stack(model.predict_proba(X))
    parts = MultiOutputClassifier(make())
    parts.partial_fit(X[:60], FLAGS[:60], classes=[[0, 1]] * 3)
    yield np.stack(parts.partial_fit(X[60:], FLAGS[60:]).predict_proba(X))
    yield ClassifierChain(make(), order=[2, 0, 1]).fit(X, FLAGS).predict_proba(X)
    yield OneVsRestClassifier(make(), n_jobs=2).fit(X, WORDS).predict_proba(X)


def routed_weights(make: Make) -> Iterator[Any]:
    with sklearn.config_context(enable_metadata_routing=True):
        asking = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(asking, X, Y, cv=3, params={"sample_weight": WEIGHTS},
                               return_estimator=True)  # fmt: skip
    yield found["test_score"]
    yield found["estimator"][2].coefs_[0]


CLASSIFIERS = [
    grid_search, grid_search_in_processes, cross_validation, learning_curves, pipeline,
    columns_of_a_frame, calibration, importance, importance_by_threads, voting, bagging, boosting,
    several_outputs, routed_weights,
]  # fmt: skip


def regression_scores(make: Make) -> Iterator[Any]:
    yield cross_val_score(make(), XR, YR, cv=3)
    yield cross_val_predict(make(early_stopping=True), XR, YR, cv=3)
    search = GridSearchCV(make(), {"activation": ["tanh", "relu"]}, cv=2).fit(XR, YR)
    yield search.cv_results_["mean_test_score"]


def transformed_targets(make: Make) -> Iterator[Any]:
    positive = np.exp(YR)
    model = TransformedTargetRegressor(make(), func=np.log, inverse_func=np.exp).fit(XR, positive)
    yield model.predict(XR)


def stacking(make: Make) -> Iterator[Any]:
    members = [("network", make()), ("line", Ridge())]
    yield StackingRegressor(members, final_estimator=Ridge(), cv=3).fit(XR, YR).predict(XR)


def regression_importance(make: Make) -> Iterator[Any]:
    model = make().fit(XR, YR)
    yield permutation_importance(model, XR, YR, n_repeats=2, random_state=0).importances


REGRESSORS = [regression_scores, transformed_targets, stacking, regression_importance]


def apart(found: list[Any], wanted: list[Any]) -> float:
    """The largest difference over the largest number; infinite if words or shapes differ."""
    worst = 0.0
    assert len(found) == len(wanted)
    for mine, others in zip(map(np.asarray, found), map(np.asarray, wanted), strict=True):
        if mine.shape != others.shape:
            return np.inf
        if others.dtype.kind not in "fiub":
            worst = max(worst, 0.0 if (mine == others).all() else np.inf)
        else:
            gap = np.abs(mine.astype(float) - others)
            worst = max(worst, float(np.nanmax(gap)) / float(np.nanmax(np.abs(others))))
    return worst


PLACES = [(place, classifier) for place in CLASSIFIERS] + [
    (place, regressor) for place in REGRESSORS
]


@pytest.mark.parametrize(("place", "maker"), PLACES, ids=lambda value: value.__name__)
def test_the_same_in_the_same_place(place: Any, maker: Any) -> None:
    wanted = list(place(maker(theirs)))
    found = list(place(maker(ours)))
    assert apart(found, wanted) < (CALIBRATED if place is calibration else WITHIN)
    other = list(place(maker(ours, rate=0.021)))
    assert apart(other, wanted) > CALIBRATED  # the numbers are of the network


def parameters(model: Any) -> bytes:
    return b"".join(array.tobytes() for array in model.coefs_ + model.intercepts_)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("maker", [classifier, regressor])
def test_jobs_side_by_side_give_the_bits_of_one_after_the_other(maker: Any, backend: str) -> None:
    data = (X, WORDS) if maker is classifier else (XR, YR)
    make = maker(ours)
    settings = [(state, threads) for state in range(4) for threads in (None, 1)]
    models = [make(random_state=state, n_threads=threads) for state, threads in settings]
    wanted = [parameters(clone(model).fit(*data)) for model in models]
    with joblib.parallel_config(backend, n_jobs=2):
        fitted = joblib.Parallel()(joblib.delayed(model.fit)(*data) for model in models)
    assert [parameters(model) for model in fitted] == wanted
    assert len(set(wanted)) == 4
    for model in fitted:
        assert (model.predict(data[0]) == clone(model).fit(*data).predict(data[0])).all()


def test_one_model_predicts_for_several_threads() -> None:
    model = classifier(ours)().fit(X, WORDS)
    parts = [X[start : start + 30] for start in range(0, 120, 5)] * 8
    wanted = [model.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.predict_proba, parts))
    assert all((one == other).all() for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("copied", ["pickle", "joblib", "clone"])
def test_copies(copied: str, tmp_path: Any) -> None:
    model = make_pipeline(StandardScaler(), classifier(ours)()).fit(X, WORDS)
    if copied == "joblib":
        joblib.dump(model, tmp_path / "model.joblib")
        other = joblib.load(tmp_path / "model.joblib")
    else:
        other = pickle.loads(pickle.dumps(model)) if copied == "pickle" else clone(model)
    if copied == "clone":
        assert not hasattr(other[-1], "coefs_")
        other.fit(X, WORDS)
    assert (other.predict_proba(X) == model.predict_proba(X)).all()
    assert other[-1].get_params() == model[-1].get_params()
