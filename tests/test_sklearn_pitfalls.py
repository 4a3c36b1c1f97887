"""What people rely on, and run into, with scikit-learn's networks."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import ironmlp as im
import ironmlp.sklearn
from ironmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4))
Y = np.where(X[:, 0] * X[:, 1] > 0, "yes", "no")
NUMBERS = X[:, 0] - X[:, 1]


def classifier(**settings: Any) -> MLPClassifier:
    return MLPClassifier(
        **{"hidden_layer_sizes": (7,), "max_iter": 6, "random_state": 1} | settings
    )


def regressor(**settings: Any) -> MLPRegressor:
    return MLPRegressor(**{"hidden_layer_sizes": (7,), "max_iter": 6, "random_state": 1} | settings)


def parameters(estimator: Any) -> list[np.ndarray]:
    return [*estimator.coefs_, *estimator.intercepts_]


def assert_equal(one: Any, other: Any) -> None:
    for a, b in zip(parameters(one), parameters(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_importing_ironmlp_does_not_import_scikit_learn() -> None:
    code = "import sys, ironmlp; sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_coefs_are_arrays_of_the_users_whose_edits_reach_predict() -> None:
    model = classifier().fit(X, Y)
    for array in parameters(model):
        assert type(array) is np.ndarray
        assert array.flags.writeable
        assert array.flags.c_contiguous
    assert [a.shape for a in parameters(model)] == [(4, 7), (7, 1), (7,), (1,)]
    before = model.predict_proba(X)
    model.coefs_[1][:] = 0
    model.intercepts_[1][:] = 1
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-1)), rtol=1e-15)
    assert not np.allclose(before, model.predict_proba(X))
    # And what goes on goes on from there.
    other = classifier(warm_start=True).fit(X, Y)
    other.coefs_[1][:] = 0
    other.fit(X, Y)
    third = classifier(warm_start=True).fit(X, Y)
    third.fit(X, Y)
    assert not np.array_equal(other.coefs_[1], third.coefs_[1])


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_predict_leaves_the_estimator_alone(solver: str) -> None:
    model = classifier(solver=solver).fit(X, Y)
    before = {name: copy.copy(value) for name, value in vars(model).items()}
    model.predict(X)
    model.predict_proba(X.astype(np.float32))
    assert list(vars(model)) == list(before)
    assert all(vars(model)[name] is not None or before[name] is None for name in before)


def test_float32_predicts_in_the_wider_type() -> None:
    for name in ("MLPRegressor", "MLPClassifier"):
        y = NUMBERS if name == "MLPRegressor" else Y
        ours, theirs = (
            getattr(module, name)((7,), max_iter=5, random_state=1)
            if name == "MLPClassifier"
            else getattr(module, name)(hidden_layer_sizes=(7,), max_iter=5, random_state=1)
            for module in (ironmlp.sklearn, sklearn.neural_network)
        )
        for model in (ours, theirs):
            model.fit(X.astype(np.float32), y)
            assert {a.dtype for a in parameters(model)} == {np.dtype(np.float32)}
        method = "predict" if name == "MLPRegressor" else "predict_proba"
        for dtype in (np.float32, np.float64):
            given = X.astype(dtype)
            found, wanted = getattr(ours, method)(given), getattr(theirs, method)(given)
            assert found.dtype == wanted.dtype == dtype
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_fit_counts_anew_while_the_curve_goes_on_under_warm_start() -> None:
    model = classifier(warm_start=True).fit(X, Y)
    for fits in (2, 3):
        model.fit(X, Y)
        assert model.n_iter_ == 6
        assert len(model.loss_curve_) == 6 * fits
        assert model.t_ == 6 * fits * len(X)


def test_attributes_of_stopping() -> None:
    without = classifier().fit(X, Y)
    assert without.validation_scores_ is None
    assert without.best_validation_score_ is None
    assert without.best_loss_ == min(without.loss_curve_)
    stopping = classifier(early_stopping=True).fit(X, Y)
    assert stopping.best_loss_ is None
    assert stopping.best_validation_score_ == max(stopping.validation_scores_)
    assert stopping.loss == without.loss == "log_loss"
    assert "loss" not in stopping.get_params()


def test_the_loss_of_the_regressor_is_its_first_parameter() -> None:
    assert MLPRegressor("poisson").loss == "poisson"
    with pytest.raises(ValueError, match="'loss' parameter of MLPRegressor"):
        MLPRegressor((50,)).fit(X, NUMBERS)


@pytest.mark.parametrize("sizes", [5, [5], (5,), np.array([5]), (), []])
def test_hidden_layers_as_people_write_them(sizes: Any) -> None:
    model = classifier(hidden_layer_sizes=sizes).fit(X, Y)
    assert model.n_layers_ == (2 if np.size(sizes) == 0 else 3)


def test_units_that_are_no_whole_numbers_are_refused() -> None:
    for sizes in ((5.5,), np.array([5.0])):
        with pytest.raises(TypeError, match="integer"):
            MLPClassifier(sizes).fit(X, Y)


@pytest.mark.parametrize("wrong", [{"alpha": -1}, {"activation": "swish"}, {"max_iter": 0}])
def test_wrong_parameters_are_both_errors(wrong: dict[str, Any]) -> None:
    for kind in (ValueError, TypeError):
        with pytest.raises(kind, match=f"'{next(iter(wrong))}' parameter"):
            classifier(**wrong).fit(X, Y)


def test_negative_and_zero_weights() -> None:
    weights = np.ones(len(X))
    weights[3] = -1
    with pytest.raises(ValueError, match="sample_weight has negative values"):
        classifier().fit(X, Y, weights)
    for kind in (ValueError, ZeroDivisionError):
        with pytest.raises(kind, match=r"weight.*zero"):
            classifier().fit(X, Y, np.zeros(len(X)))


def test_a_batch_without_weight_is_an_error_before_its_step() -> None:
    weights = np.ones(len(X))
    weights[20:40] = 0
    for kind in (ValueError, ZeroDivisionError):
        model = classifier(shuffle=False, batch_size=20, solver="sgd", momentum=0)
        with pytest.raises(kind, match="weight"):
            model.fit(X, Y, weights)
        once = classifier(shuffle=False, batch_size=20, solver="sgd", momentum=0, max_iter=1)
        once.fit(X[:20], Y[:20])
        assert_equal(model, once)


def test_poisson_needs_counts() -> None:
    with pytest.raises(ValueError, match="y has negative values, loss='poisson'"):
        regressor(loss="poisson").fit(X, NUMBERS)


def test_warm_start_with_other_layers_is_refused() -> None:
    model = classifier(warm_start=True).fit(X, Y)
    model.set_params(hidden_layer_sizes=(9,))
    before = [a.copy() for a in parameters(model)]
    with pytest.raises(ValueError, match=r"\[4, 7, 1\] units, and \[4, 9, 1\]"):
        model.fit(X, Y)
    for a, b in zip(parameters(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_lbfgs_has_no_partial_fit() -> None:
    for estimator in (classifier(solver="lbfgs"), regressor(solver="lbfgs")):
        assert not hasattr(estimator, "partial_fit")
        estimator.set_params(solver="adam")
        assert hasattr(estimator, "partial_fit")


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_learning_rate_may_be_assigned_between_partial_fits(solver: str) -> None:
    kinds = MLPClassifier, sklearn.neural_network.MLPClassifier
    pair = [kind(5, solver=solver, max_iter=3, random_state=0) for kind in kinds]
    for model in pair:
        model.fit(X, Y)
        model._optimizer.learning_rate = 0.3  # which Adam makes anew in each update
        model._optimizer.learning_rate_init = 0.2
        model.partial_fit(X, Y).partial_fit(X, Y)
    for ours, theirs in zip(pair[0].coefs_, pair[1].coefs_, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)
    assert pair[0]._optimizer.learning_rate == pytest.approx(pair[1]._optimizer.learning_rate)


def test_early_stopping_has_no_partial_fit_and_needs_two_rows() -> None:
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping"):
        classifier(early_stopping=True).partial_fit(X, Y, classes=["no", "yes"])
    with pytest.raises(ValueError, match="The validation set is too small"):
        regressor(early_stopping=True, validation_fraction=0.01).fit(X, NUMBERS)


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_on_in_a_copy(solver: str, way: str) -> None:
    take = {
        "pickle": lambda model: pickle.loads(pickle.dumps(model)),
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
    }[way]
    model = classifier(solver=solver)
    for _ in range(3):
        model.partial_fit(X, Y, classes=["no", "yes"])
    twin = take(model)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    for one in (twin, model):
        one.partial_fit(X, Y)
    assert_equal(twin, model)
    assert twin._optimizer.learning_rate == model._optimizer.learning_rate
    theirs = sklearn.neural_network.MLPClassifier((7,), solver=solver, random_state=1)
    for _ in range(4):
        theirs.partial_fit(X, Y, classes=["no", "yes"])
    for a, b in zip(parameters(twin), parameters(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def test_partial_fit_goes_on_after_fit() -> None:
    ours, theirs = (
        module.MLPClassifier((7,), max_iter=4, random_state=2)
        for module in (ironmlp.sklearn, sklearn.neural_network)
    )
    for model in (ours, theirs):
        model.fit(X, Y)
        model.partial_fit(X, Y)
    twin = pickle.loads(pickle.dumps(ours))
    for model in (ours, twin, theirs):
        model.partial_fit(X, Y)
        assert model._no_improvement_count == theirs._no_improvement_count
    for a, b, c in zip(*map(parameters, (ours, twin, theirs)), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("early", [False, True])
def test_a_pickle_holds_parameters_once(early: bool) -> None:
    settings: dict[str, Any] = {"hidden_layer_sizes": (500,), "early_stopping": early}
    model = classifier(solver="lbfgs", **settings) if not early else classifier(**settings)
    model.fit(X, Y)
    size = sum(a.nbytes for a in parameters(model))
    moments = 2 * size if early else 0
    assert len(pickle.dumps(model)) < size + moments + 8000


def test_a_fit_that_is_interrupted_warns_and_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from ironmlp.sklearn.optimizers import Rate

    def interrupted(rate: Rate, samples: int) -> None:
        if samples >= 3 * len(X):
            raise KeyboardInterrupt

    monkeypatch.setattr(Rate, "end_epoch", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = classifier().fit(X, Y)
    assert model.n_iter_ == 3
    model.predict(X)
    monkeypatch.undo()
    assert_equal(model, classifier(max_iter=3).fit(X, Y))


def test_divergence_is_their_error_at_once() -> None:
    model = regressor(solver="sgd", learning_rate_init=1e6, max_iter=10**9)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.fit(X, NUMBERS)


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_divergence_with_early_stopping_keeps_the_best() -> None:
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (7,),
        "solver": "sgd",
        "learning_rate_init": 30.0,
        "activation": "identity",
        "early_stopping": True,
        "max_iter": 40,
        "random_state": 1,
        "n_iter_no_change": 1000,
    }
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        ours = MLPRegressor(**settings).fit(X, NUMBERS)
    with np.errstate(all="ignore"), pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        theirs = sklearn.neural_network.MLPRegressor(**settings).fit(X, NUMBERS)
    assert ours.n_iter_ == theirs.n_iter_ == len(ours.validation_scores_) == 40
    assert np.isnan(ours.validation_scores_[-1])
    assert ours._no_improvement_count == theirs._no_improvement_count
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
    for a, b in zip(parameters(ours), parameters(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_unfitted() -> None:
    for name in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError):
            getattr(classifier(), name)(X)
    with pytest.raises(NotFittedError):
        regressor().predict(X)


@pytest.mark.parametrize("wrong", ["nan", "inf", "columns", "one dimension"])
def test_what_predict_refuses(wrong: str) -> None:
    model = classifier().fit(X, Y)
    given: Any = X.copy()
    if wrong in ("nan", "inf"):
        given[2, 1] = float(wrong)
    elif wrong == "columns":
        given = given[:, :3]
    else:
        given = given[0]
    with pytest.raises(ValueError, match=r"NaN|infinity|features|1D array"):
        model.predict(given)


@pytest.mark.parametrize("convert", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_rows_predict_as_dense_ones(convert: Any) -> None:
    sparse = np.where(X > 0.5, X, 0.0)
    model = classifier().fit(convert(sparse), Y)
    assert_equal(model, classifier().fit(sparse, Y))
    np.testing.assert_array_equal(model.predict_proba(convert(X)), model.predict_proba(X))


def test_labels_keep_their_type() -> None:
    for labels in (Y, Y.astype(object), np.where(Y == "yes", 3.0, 5.0), Y == "yes"):
        model = classifier().fit(X, labels)
        theirs = sklearn.neural_network.MLPClassifier((7,), max_iter=2).fit(X, labels)
        assert model.classes_.dtype == theirs.classes_.dtype
        assert model.predict(X).dtype == theirs.predict(X).dtype
    single = classifier().fit(X, np.full(len(X), 4))
    np.testing.assert_array_equal(single.predict(X), np.full(len(X), 4))


def test_no_result_depends_on_threads() -> None:
    big = RANDOM.normal(size=(2000, 40))
    models = [
        regressor(n_threads=n, hidden_layer_sizes=(90,), max_iter=2).fit(big, big[:, 0])
        for n in (1, 2, 5, None)
    ]
    for other in models[1:]:
        assert_equal(models[0], other)
    with im.threads(1):
        assert_equal(models[0], models[0].fit(big, big[:, 0]))


def test_verbose_prints_what_scikit_learn_prints(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for module in (ironmlp.sklearn, sklearn.neural_network):
        module.MLPClassifier(
            (7,),
            solver="sgd",
            learning_rate="adaptive",
            tol=0.5,
            n_iter_no_change=1,
            verbose=True,
            random_state=1,
            max_iter=30,
        ).fit(X, Y)
        module.MLPRegressor(
            hidden_layer_sizes=(7,),
            early_stopping=True,
            tol=0.5,
            n_iter_no_change=1,
            verbose=True,
            random_state=1,
        ).fit(X, NUMBERS)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Setting learning rate to" in printed[0]
