"""ironmlp.sklearn gives scikit-learn's model, from the same random_state, in all configurations."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn import neural_network as theirs

import sklearn_equality
from ironmlp import sklearn as ours
from sklearn_cases import CASES, Case, case
from sklearn_equality import BEGIN, END, PAGE, difference, differences, tolerance

# Of each kind one, for tests of the test itself.
SOME = [case("digits"), case("diabetes", solver="sgd"), case("cancer", solver="lbfgs", max_iter=15)]


def changed(**options: Any) -> Any:
    """ironmlp.sklearn with other numbers than it was given."""

    def made(kind: Any) -> Any:
        return lambda **given: kind(**given | options)

    return SimpleNamespace(
        MLPClassifier=made(ours.MLPClassifier), MLPRegressor=made(ours.MLPRegressor)
    )


def theirs_fails(of: Case) -> bool:
    """Before 1.9 it asked whether labels are finite, which words cannot be."""
    version = tuple(map(int, sklearn.__version__.split(".")[:2]))
    early = "early_stopping" in of.options
    return early and of.data == "iris" and version < (1, 9)


@pytest.mark.parametrize("of", CASES, ids=lambda of: of.name)
def test_the_same_model(of: Case) -> None:
    if theirs_fails(of):
        with pytest.raises(TypeError, match="isnan"):
            sklearn_equality.train(of, theirs)
        assert sklearn_equality.train(of, ours).exact["epochs"] == of.arguments["max_iter"]
        return
    apart, unequal = differences(of, ours, theirs)
    assert not unequal
    assert {name: value for name, value in apart.items() if value > tolerance(of)} == {}


def test_at_least_sixty_configurations() -> None:
    assert len({of.name for of in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("solver", {"adam", "sgd", "lbfgs"}),
        ("learning_rate", {"constant", "invscaling", "adaptive"}),
        ("activation", {"identity", "logistic", "tanh", "relu"}),
        ("momentum", {0.0, 0.5, 0.9, 1.0}),
        ("nesterovs_momentum", {True, False}),
        ("early_stopping", {True, False}),
        ("warm_start", {True, False}),
        ("shuffle", {True, False}),
    ],
)
def test_every_choice_is_among_them(name: str, values: set[Any]) -> None:
    usual = theirs.MLPClassifier().get_params()[name]
    assert {of.options.get(name, usual) for of in CASES} == values


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("name", ["how", "data", "state", "weights", "dtype"])
def test_every_solver_meets_more_than_one_kind(solver: str, name: str) -> None:
    met = {getattr(of, name) for of in CASES if of.options.get("solver", "adam") == solver}
    if (solver, name) == ("lbfgs", "dtype"):  # evaluated in float64 here, in float32 there
        assert met == {"float64"}
    else:
        assert len(met) > 1


@pytest.mark.parametrize("of", SOME, ids=lambda of: of.name)
@pytest.mark.parametrize(
    "options",
    [{"alpha": 1.001e-4}, {"random_state": 1}, {"max_iter": 5}, {"activation": "tanh"}],
    ids=str,
)
def test_another_model_would_be_seen(of: Case, options: dict[str, Any]) -> None:
    apart, _ = differences(of, changed(**options), theirs)
    assert apart["coefs_"] > tolerance(of)
    assert apart["loss_curve_"] > tolerance(of)


def test_nan_on_one_side_alone_is_seen() -> None:
    nan, one = np.array([np.nan]), np.array([1.0])
    assert difference([nan], [one]) == difference([one], [nan]) == np.inf
    assert difference([nan], [nan]) == 0
    assert difference([np.array([np.nan, 2.0])], [np.array([np.inf, 1.0])]) == 1


def test_other_shapes_are_seen() -> None:
    assert difference([np.ones(2)], [np.ones(3)]) == difference([], [np.ones(3)]) == np.inf


def rows() -> dict[str, list[str]]:
    """The page's table: what stands beside each configuration."""
    table = PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    lines = [line[2:-2].split(" | ") for line in table.splitlines()[2:]]
    return {name: numbers for name, *numbers in lines}


def test_the_page_lists_every_configuration() -> None:
    assert list(rows()) == [of.name for of in CASES]


@pytest.mark.parametrize("of", CASES, ids=lambda of: of.name)
def test_what_the_page_says_is_within_the_tolerance(of: Case) -> None:
    numbers = rows()[of.name]
    assert len(numbers) == 3
    assert all(re.fullmatch(r"0|\de-\d\d", number) for number in numbers)
    assert all(float(number) <= tolerance(of) for number in numbers)
