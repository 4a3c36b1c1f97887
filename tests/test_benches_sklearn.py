"""The benches beside scikit-learn's networks: what they compare and print. No time is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import neural_network as theirs

import sklearn_jobs
import sklearn_mlp
from ironmlp import sklearn as ours
from sklearn_jobs import WAYS
from sklearn_mlp import COEFS, LOSSES, ROWS, DifferentError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

STOCHASTIC = [of for of in ROWS if of.options.get("solver") != "lbfgs"]


def fitted(of: sklearn_mlp.Row, dtype: str = "float64", **options: Any) -> tuple[Any, Any]:
    X, y = sklearn_mlp.typed(of.data(), dtype, of.kind)
    mine, other = (of.model(module, 2).set_params(max_iter=2) for module in (ours, theirs))
    return mine.set_params(**options).fit(X[:200], y[:200]), other.fit(X[:200], y[:200])


@pytest.mark.parametrize("of", ROWS[:-1], ids=lambda of: of.name)
def test_a_row_is_the_same_model_on_both_sides(of: sklearn_mlp.Row) -> None:
    for dtype in of.goals:
        assert sklearn_mlp.check(*fitted(of, dtype), dtype) <= (
            COEFS if dtype == "float64" else LOSSES
        )


@pytest.mark.parametrize("of", STOCHASTIC[:-1], ids=lambda of: of.name)
def test_no_row_stops_before_its_epochs(of: sklearn_mlp.Row) -> None:
    assert all(of.model(module, 3).tol == 0 for module in (ours, theirs))
    assert all(of.model(module, 3).n_iter_no_change == np.inf for module in (ours, theirs))
    assert of.model(theirs).max_iter == of.epochs


@pytest.mark.parametrize(
    ("dtype", "options", "message"),
    [
        ("float64", {"alpha": 1.01e-4}, "coefs_ is .* from scikit-learn's"),
        ("float32", {"learning_rate_init": 1.1e-3}, "loss_curve_ is .* from scikit-learn's"),
        ("float64", {"max_iter": 1}, "1 epochs, scikit-learn's has 2"),
    ],
)
def test_another_model_is_not_timed(dtype: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DifferentError, match=message):
        sklearn_mlp.check(*fitted(ROWS[0], dtype, **options), dtype)


def test_nan_is_not_the_same_model() -> None:
    mine, other = fitted(ROWS[0])
    mine.coefs_[0][0, 0] = np.nan
    with pytest.raises(DifferentError, match="nan"):
        sklearn_mlp.check(mine, other, "float64")


def test_a_line_has_the_median_of_the_ratios_and_its_goal() -> None:
    mine, other = [1.0, 1.0, 2.0, 1.0, 1.0], [5.0, 6.0, 14.0, 8.0, 9.0]
    line = sklearn_mlp.line("digits", "float64", mine, other, 7.0)
    assert line.split() == [
        "digits",
        "float64",
        "8000.00",
        "1000.00",
        "7.00",
        "6.00",
        "to",
        "8.00",
        "7",
    ]
    assert line.endswith("       7")
    assert sklearn_mlp.line("digits", "float64", mine, other, 7.5).endswith("below its goal")


def test_turns_change_who_begins() -> None:
    asked: list[str] = []
    calls = [lambda: asked.append("a"), lambda: asked.append("b")]
    found = sklearn_mlp.in_turn(calls, 3)
    assert "".join(asked) == "abbaab"
    assert [len(seconds) for seconds in found] == [3, 3]


def test_rows_are_chosen_by_how_they_begin() -> None:
    chosen = sklearn_mlp.parsed(["--rows", "cancer,sparse", "--dtypes", "float32"])
    assert [of.name for of in chosen.rows] == [
        "cancer (100,)", "cancer early stopping", "cancer (64, 64) batch 32", "sparse (100,)",
    ]  # fmt: skip
    assert chosen.dtypes == ["float32"]
    assert [of.name for of in sklearn_mlp.parsed(["--quick"]).rows] == list(sklearn_mlp.QUICK)
    assert len(sklearn_mlp.parsed([]).rows) == len(ROWS)


def test_all_ways_of_joblib_give_the_same_bits() -> None:
    X, y = sklearn_mlp.cancer()
    options = {"hidden_layer_sizes": (5,), "max_iter": 2}
    by_threads = [way for way in WAYS if way[0] == "threading" or way[1] == 1]
    found = {tuple(sklearn_jobs.together(way, (X, y), options, 3)) for way in by_threads}
    assert len(found) == 1
    assert len(set(found.pop())) == 3


def test_lines_of_joblib_mark_what_misses_its_goal() -> None:
    seconds = [1.8, 1.8, 1.0, 1.06, 1.01, 1.02]
    lines = sklearn_jobs.lines(dict(zip(WAYS, seconds, strict=True)))
    marks = [line.rpartition("   ")[2] for line in lines]
    assert marks[3:5] == ["slower than n_threads=1", "below 1.8"]
    assert all(mark[-1].isdigit() for mark in marks[:3] + marks[5:])
