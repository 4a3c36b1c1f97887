"""The same models in ironmlp.sklearn and in scikit-learn, and the table of them in the docs.

    python tests/sklearn_equality.py            # prints the table
    python tests/sklearn_equality.py --write    # puts it into docs/sklearn-equality.md

Both estimators get the same arguments and calls, and begin from the same random_state. What whole
numbers and labels say must be equal; parameters and losses may differ by what rounding comes to.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_cases import CASES, STATES, Case, data

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sklearn-equality.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"


def tolerance(case: Case) -> float:
    """The largest difference that rounding explains, over the largest number of an array.

    BLAS adds products in another order than ironmlp does. In float64 that is some 1e-15 a step, and
    line searches of L-BFGS make more of it. In float32 it is 1e-7 a step; with that, an activation
    near the bend of relu may come out on the other side of it, which moves a gradient by a row's
    part of it.
    """
    if case.dtype == "float32":
        return 2e-5
    return 1e-8 if case.lbfgs else 1e-11


@dataclass
class Trained:
    """What a fit leaves behind."""

    exact: dict[str, Any]
    near: dict[str, list[np.ndarray]]


def calls(case: Case, model: Any, X: Any, y: Any, weights: Any) -> None:
    """Train `model` as the case says."""
    given = {} if weights is None else {"sample_weight": weights}

    def partial_fits() -> None:
        half = X.shape[0] // 2
        parts = [slice(0, half), slice(half, None), slice(0, None)]
        for number, part in enumerate(parts):
            some = {name: values[part] for name, values in given.items()}
            if case.kind == "MLPClassifier" and number == 0 and not hasattr(model, "classes_"):
                every = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
                some["classes"] = every
            model.partial_fit(X[part], y[part], **some)

    steps = {"fit": lambda: model.fit(X, y, **given), "partial_fit": partial_fits}
    plan = ["fit", "fit"] if case.how == "fit twice" else case.how.split(", ")
    for number, step in enumerate(plan):
        if number:
            model.set_params(**case.after)
        steps[step]()


def left_in(generator: Any) -> list[np.ndarray]:
    """The state of NumPy's global generator, or of the one that the estimator was given."""
    state = generator.get_state(legacy=False)
    inner = state["state"]
    return [np.array([int(value) % 2**63 for value in np.ravel(inner[key])]) for key in inner]


def train(case: Case, module: Any) -> Trained:
    """Fit the case's model with the estimators of `module`."""
    X, y, weights = data(case)
    state = STATES[case.state]()
    model = getattr(module, case.kind)(random_state=state, **case.arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # where NumPy's sums diverge
        calls(case, model, X, y, weights)
    given = isinstance(state, np.random.RandomState)
    generator = state if given else np.random.mtrand._rand
    exact = {
        "n_iter_": model.n_iter_,
        "t_": model.t_,
        "n_layers_": model.n_layers_,
        "n_outputs_": model.n_outputs_,
        "out_activation_": model.out_activation_,
        "_no_improvement_count": getattr(model, "_no_improvement_count", None),
        "epochs": len(getattr(model, "loss_curve_", ())),
        "dtype": {array.dtype for array in model.coefs_ + model.intercepts_},
    }
    near = {
        "coefs_": model.coefs_,
        "intercepts_": model.intercepts_,
        "loss_curve_": [np.array(getattr(model, "loss_curve_", [model.loss_]), float)],
        "loss_": [np.array([model.loss_])],
    }
    if case.options.get("solver") == "sgd":
        near["_optimizer.learning_rate"] = [np.array([model._optimizer.learning_rate])]
    if given or state is None:
        exact["generator"] = [part.tolist() for part in left_in(generator)]
    predicted = model.predict(X)
    if case.kind == "MLPClassifier":
        exact["classes_"] = model.classes_.tolist()
        exact["predict"] = predicted.tolist()
        near["predict_proba"] = [model.predict_proba(X)]
    else:
        near["predict"] = [predicted]
    for name in ("validation_scores_", "best_validation_score_", "best_loss_"):
        value = getattr(model, name, None)
        if value is None:
            exact[name] = None
        elif case.kind == "MLPClassifier" and "score" in name and weights is None:
            exact[name] = np.array(value).tolist()
        else:
            near[name] = [np.atleast_1d(np.array(value, float))]
    return Trained(exact, near)


def difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The largest difference of two lists of arrays, each over the largest number of its array.

    Infinite where the shapes differ, or one side alone has a number: a loss that is NaN here after
    the parameters overflowed may be infinite there.
    """
    if [array.shape for array in ours] != [array.shape for array in theirs]:
        return np.inf
    worst = 0.0
    for our, their in zip(ours, theirs, strict=True):
        ours_finite, finite = np.isfinite(our), np.isfinite(their)
        if (ours_finite != finite).any():
            return np.inf
        gap = np.abs(np.asarray(our, float)[finite] - their[finite]).max(initial=0)
        size = np.abs(their[finite]).max(initial=0)
        worst = max(worst, gap / size if size else gap)
    return worst


def differences(case: Case, ours: Any, theirs: Any) -> tuple[dict[str, float], dict[str, Any]]:
    """How far what is near is apart, and what is not equal but should be."""
    mine, other = train(case, ours), train(case, theirs)
    apart = {
        name: difference(mine.near.get(name, []), other.near.get(name, []))
        for name in mine.near | other.near
    }
    unequal = {
        name: (mine.exact.get(name), value)
        for name, value in other.exact.items()
        if mine.exact.get(name) != value
    }
    return apart, unequal


def shown(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"


def table(ours: Any, theirs: Any) -> list[str]:
    """The rows of the page: a case, its epochs and what was found."""
    rows = ["| configuration | `coefs_` | `loss_curve_` | predictions |", "|---|---|---|---|"]
    for case in CASES:
        apart, unequal = differences(case, ours, theirs)
        predicted = apart.get("predict_proba", apart.get("predict", 0.0))
        weights = max(apart["coefs_"], apart["intercepts_"])
        found = " | ".join(map(shown, (weights, apart["loss_curve_"], predicted)))
        wrong = f" unequal: {', '.join(unequal)}" if unequal else ""
        rows.append(f"| {case.name}{wrong} | {found} |")
    return rows


def main(arguments: list[str]) -> int:
    from sklearn import neural_network

    from ironmlp import sklearn as ours

    rows = "\n".join(table(ours, neural_network)) + "\n"
    if "--write" not in arguments:
        print(rows, end="")
        return 0
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + rows + END + rest.split(END)[1], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
