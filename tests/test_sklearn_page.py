"""docs/sklearn.md: its tables name all that scikit-learn's estimators and ours have, and say truly
which of it is the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network

import ironmlp.sklearn

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sklearn.md"
NAMES = ("MLPClassifier", "MLPRegressor")
X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def table(head: str) -> dict[str, str]:
    """What the table with that head says of each name."""
    text = PAGE.read_text(encoding="utf-8")
    rows = text.split(f"| {head} | |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    found: dict[str, str] = {}
    for row in rows:
        names, said = row.strip("| ").split(" | ", 1)
        for name in re.findall(r"`(\w+)`", names):
            assert name not in found
            found[name] = said
    return found


def both(name: str) -> tuple[Any, Any]:
    return getattr(sklearn.neural_network, name), getattr(ironmlp.sklearn, name)


def is_ours(said: str) -> bool:
    return said.startswith("here alone")


def test_parameters() -> None:
    said = table("parameter")
    known: set[str] = set()
    for name in NAMES:
        theirs, ours = (inspect.signature(kind).parameters for kind in both(name))
        # Same names, places, kinds and defaults, then ours.
        assert [(p.name, p.kind, p.default) for p in ours.values()][: len(theirs)] == [
            (p.name, p.kind, p.default) for p in theirs.values()
        ]
        more = list(ours)[len(theirs) :]
        assert all(ours[parameter].kind == inspect.Parameter.KEYWORD_ONLY for parameter in more)
        assert all(is_ours(said[parameter]) for parameter in more)
        assert all(said[parameter].startswith("theirs") for parameter in theirs)
        known |= set(ours)
    assert said.keys() == known


def fitted(kind: Any) -> set[str]:
    """The attributes that fits of all solvers leave, but for parameters."""
    found: set[str] = set()
    for settings in ({"solver": "lbfgs"}, {"solver": "sgd"}, {"early_stopping": True}):
        model = kind(max_iter=2, **settings).fit(X, Y)
        found |= vars(model).keys() - model.get_params().keys()
    return found


def test_attributes() -> None:
    said = table("attribute")
    known: set[str] = set()
    for name in NAMES:
        theirs, ours = (fitted(kind) for kind in both(name))
        public = {attribute for attribute in theirs if not attribute.startswith("_")}
        assert public == {attribute for attribute in ours if not attribute.startswith("_")}
        assert public <= said.keys()
        for attribute in theirs - {"_random_state"}:
            assert said[attribute].startswith("do not exist") == (attribute not in ours)
        known |= theirs
    # With names of columns there is one more.
    assert said.keys() == known - {"_random_state"} | {"feature_names_in_"}


def test_methods() -> None:
    said = table("method")
    known: set[str] = set()
    for name in NAMES:
        theirs, ours = (
            {method for method, _ in inspect.getmembers(kind) if not method.startswith("_")}
            for kind in both(name)
        )
        assert theirs <= ours
        assert {method for method in said if is_ours(said[method])} == ours - theirs
        known |= ours
    assert said.keys() == known


def test_names_of_solvers_and_activations() -> None:
    """Each name is on the page, and those that scikit-learn has not are not accepted by it."""
    text = PAGE.read_text(encoding="utf-8")
    theirs, ours = both("MLPRegressor")
    for parameter in ("solver", "activation"):
        (allowed,) = ours._parameter_constraints[parameter]
        (fewer,) = theirs._parameter_constraints[parameter]
        assert fewer.options < allowed.options
        assert all(f'"{option}"' in text for option in allowed.options - fewer.options)
