"""scikit-learn's networks and ironmlp.sklearn's: a fit of the same model, on one core.

    python benches/sklearn_mlp.py [--quick] [--rows digits,sparse] [--dtypes float64] [--rounds 7]

Both fit in this process, in turn, on one pinned core, as many epochs of the same data from the same
random_state. Before a row is timed, both must have trained the same model: coefs_ within rounding
in float64; in float32, where the best epoch may be another by one row, the same losses of the
epochs. A ratio is scikit-learn's time over ironmlp's, round by round; its median stands beside the
quartiles and the goal, and what misses that is marked. Then what a fit costs that has nothing to do
with its epochs, and what a prediction of one row costs.

Exit codes: 0; 1 if a model was not the same.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import machine
from workers import listed, run_pinned

Data = tuple[Any, np.ndarray]

# Relative to the largest number of an array, after some hundred steps in another order of sums.
COEFS, LOSSES = 1e-9, 1e-4
FIXED_MS, PREDICT_US = 1.5, 60.0


@functools.cache
def digits() -> Data:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X / 16, y


@functools.cache
def cancer() -> Data:
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


@functools.cache
def regression() -> Data:
    generator = np.random.default_rng(0)
    X = generator.standard_normal((20_000, 8))
    y = np.sin(X[:, 0] * 2) + X[:, 1] * X[:, 2] + 0.1 * generator.standard_normal(len(X))
    return X, y


@functools.cache
def sparse() -> Data:
    """Rows of 40 ones among 20,000 columns, 0.2 %."""
    from scipy.sparse import random

    generator = np.random.default_rng(0)
    X = random(2_000, 20_000, density=0.002, format="csr", random_state=generator)
    return X, (np.asarray(X[:, :10_000].sum(axis=1)).ravel() > 10).astype(int)


@dataclass(frozen=True)
class Row:
    """A fit that is timed: data, kind of estimator, epochs, arguments, goals by dtype."""

    name: str
    data: Callable[[], Data]
    kind: str
    epochs: int
    goals: dict[str, float]
    options: dict[str, Any] = field(default_factory=dict)

    def model(self, module: Any, epochs: int | None = None) -> Any:
        # It neither converges nor stops: both have as many epochs.
        usual = {"max_iter": epochs or self.epochs, "random_state": 0, "tol": 0.0}
        if self.options.get("solver") != "lbfgs":
            usual["n_iter_no_change"] = np.inf
        return getattr(module, self.kind)(**usual | self.options)


def row(name: str, data: Callable[[], Data], goals: tuple[float, ...], **options: Any) -> Row:
    kind = "MLPRegressor" if data is regression else "MLPClassifier"
    epochs = {digits: 30, cancer: 50, regression: 10, sparse: 4}[data]
    by_dtype = dict(zip(("float64", "float32"), goals, strict=False))
    return Row(name, data, kind, epochs, by_dtype, options)


STOPPING = {"early_stopping": True}
ROWS = [
    row("digits (100,)", digits, (6, 9)),
    row("digits early stopping", digits, (6, 12), **STOPPING),
    row("digits SGD batch 32", digits, (11, 20), solver="sgd", batch_size=32),
    row("cancer (100,)", cancer, (7, 11)),
    row("cancer early stopping", cancer, (12, 18), **STOPPING),
    row("cancer (64, 64) batch 32", cancer, (11, 18), hidden_layer_sizes=(64, 64), batch_size=32),
    row("regression (100,)", regression, (8.5, 10)),
    row("regression early stopping", regression, (9, 20), **STOPPING),
    row("regression (10,)", regression, (22, 30), hidden_layer_sizes=(10,)),
    row("digits L-BFGS", digits, (1.3,), solver="lbfgs"),
    row("sparse (100,)", sparse, (3, 3)),
]
QUICK = ("cancer (100,)", "digits L-BFGS")
FIXED = [
    row("cancer (100,)", cancer, ()),
    row("cancer early stopping", cancer, (), **STOPPING),
    row("regression (10,)", regression, (), hidden_layer_sizes=(10,)),
]


class DifferentError(Exception):
    """The two have not trained the same model."""


def check(ours: Any, theirs: Any, dtype: str) -> float:
    """How far the models are apart; DifferentError if that is more than rounding."""
    if ours.n_iter_ != theirs.n_iter_:
        raise DifferentError(f"{ours.n_iter_} epochs, scikit-learn's has {theirs.n_iter_}")
    if dtype == "float64":
        pairs, most, what = zip(ours.coefs_, theirs.coefs_, strict=True), COEFS, "coefs_"
    else:
        curves = (np.array(model.loss_curve_) for model in (ours, theirs))
        pairs, most, what = iter([tuple(curves)]), LOSSES, "loss_curve_"
    worst = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)
    if not worst <= most:
        raise DifferentError(f"{what} is {worst:.1e} from scikit-learn's, at most {most} passes")
    return worst


def seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def in_turn(calls: list[Callable[[], Any]], rounds: int) -> list[list[float]]:
    """The seconds of each call by round; who begins changes from round to round."""
    found: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        order = range(len(calls)) if number % 2 == 0 else reversed(range(len(calls)))
        for index in order:
            found[index].append(seconds(calls[index]))
    return found


def line(name: str, dtype: str, ours: list[float], theirs: list[float], goal: float | None) -> str:
    """A row: milliseconds of both, the ratio, its quartiles, the goal, a mark if that is missed."""
    ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    times = "".join(f"{1e3 * statistics.median(all_):12.2f}" for all_ in (theirs, ours))
    aim = "" if goal is None else f"{goal:8g}"
    mark = "   below its goal" if goal is not None and middle < goal else ""
    return f"{name:27} {dtype:8}{times}{middle:8.2f}  {low:6.2f} to {high:6.2f}{aim}{mark}"


def typed(data: Data, dtype: str, kind: str) -> Data:
    X, y = data
    return X.astype(dtype), y.astype(dtype) if kind == "MLPRegressor" else y


def fits(rows: list[Row], dtypes: list[str], rounds: int, modules: tuple[Any, Any]) -> None:
    """A line for each row and dtype that has a goal."""
    heads = f"{'scikit-learn':>12}{'ironmlp':>12}{'ratio':>8}  {'quartiles':>16}{'goal':>8}"
    print(f"{'a fit, ms':27} {'':8}{heads}", flush=True)
    for of in rows:
        for dtype in dtypes:
            if dtype not in of.goals:
                continue
            X, y = typed(of.data(), dtype, of.kind)
            models = [of.model(module) for module in modules]
            check(*(model.fit(X, y) for model in models), dtype)
            calls = [functools.partial(model.fit, X, y) for model in models]
            print(line(of.name, dtype, *in_turn(calls, rounds), of.goals[dtype]), flush=True)


def fixed(rounds: int, modules: tuple[Any, Any]) -> None:
    """What a fit of one epoch takes beyond an epoch, by the difference to one of eleven."""
    print(f"\n{'beyond its epochs, ms':36}{'scikit-learn':>12}{'ironmlp':>12}", flush=True)
    for of in FIXED:
        X, y = (part[:500] for part in of.data())
        calls = [
            functools.partial(of.model(module, epochs).fit, X, y)
            for module in modules
            for epochs in (1, 11)
        ]
        medians = [statistics.median(all_) for all_ in in_turn(calls, 3 * rounds)]
        ours, theirs = (
            one - max(0.0, (eleven - one) / 10) for one, eleven in (medians[:2], medians[2:])
        )
        mark = "   above its goal" if 1e3 * ours > FIXED_MS else ""
        print(f"{of.name:36}{1e3 * theirs:12.3f}{1e3 * ours:12.3f}{mark}", flush=True)


def predictions(rounds: int, modules: tuple[Any, Any]) -> None:
    """`predict` of one row, in microseconds."""
    print(f"\n{'predict of one row, us':36}{'scikit-learn':>12}{'ironmlp':>12}", flush=True)
    for of in (ROWS[0], ROWS[6]):
        X, y = of.data()
        models = [of.model(module, 2).fit(X, y) for module in modules]
        one = X[:1]
        if not np.allclose(*(model.predict(one) for model in models), rtol=COEFS, atol=0):
            raise DifferentError("the predictions of a row are not the same")
        repeats = 300

        def many(model: Any, one: Any = one, repeats: int = repeats) -> None:
            for _ in range(repeats):
                model.predict(one)

        calls = [functools.partial(many, model) for model in models]
        ours, theirs = (1e6 * statistics.median(all_) / repeats for all_ in in_turn(calls, rounds))
        mark = "   above its goal" if ours > PREDICT_US else ""
        print(f"{of.name:36}{theirs:12.1f}{ours:12.1f}{mark}", flush=True)


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="two rows, two rounds")
    add("--rows", help="rows whose names begin with one of these, comma-separated")
    add("--dtypes", type=listed(["float64", "float32"]), default=["float64", "float32"])
    add("--rounds", type=int, help="fits of each (7)")
    arguments = parser.parse_args(argv)
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 7)
    names = list(QUICK) if arguments.quick else (arguments.rows or "").split(",")
    arguments.rows = [of for of in ROWS if of.name.startswith(tuple(names))]
    return arguments


def main(argv: list[str] | None = None) -> int:
    arguments = parsed(argv)
    run_pinned(1)
    from sklearn import neural_network
    from sklearn.exceptions import ConvergenceWarning

    from ironmlp import sklearn

    warnings.simplefilter("ignore", ConvergenceWarning)
    modules = (sklearn, neural_network)
    about = machine.describe()
    print(f"{about['cpu']}, one core, Python {about['python']}, load {about['load']:.1f}")
    try:
        fits(arguments.rows, arguments.dtypes, arguments.rounds, modules)
        fixed(arguments.rounds, modules)
        predictions(arguments.rounds, modules)
    except DifferentError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
