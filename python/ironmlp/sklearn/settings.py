"""What parameters may be: each by itself, and together."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, Options, StrOptions

from ironmlp.schedules import Schedule
from ironmlp.sklearn.networks import ACTIVATIONS
from ironmlp.sklearn.optimizers import SOLVERS

CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions({"lbfgs", *SOLVERS})],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
    "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    "dtype": [None, StrOptions({"float32", "float64"})],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "resume": ["boolean"],
    "callbacks": [None, list, tuple],
    "standardize": ["boolean"],
    "schedule": [None, Schedule],
}

# Classes with parameters that were found right: the check takes 0.25 ms, more than a small epoch.
RIGHT: set[tuple[Any, ...]] = set()
MOST_RIGHT = 256


def key_of(estimator: Any) -> tuple[Any, ...] | None:
    """What stands for the values of all parameters; None if some may change or compare oddly."""
    values = [getattr(estimator, name) for name in estimator._parameter_constraints]
    if not all(map(is_plain, values)):
        return None
    return (type(estimator), *values, *map(type, values))  # True is 1, and no whole number


def is_plain(value: Any) -> bool:
    """Whether equal values of this type are alike."""
    if type(value) is tuple:
        return all(type(item) is int for item in value)
    return type(value) in (int, float, str, bool, type(None))


def known_right(estimator: Any) -> bool:
    """Whether these values were noted as right."""
    key = key_of(estimator)
    return key is not None and key in RIGHT


def note_right(estimator: Any) -> None:
    """Note that the check found nothing wrong with the values."""
    key = key_of(estimator)
    if key is not None:
        if len(RIGHT) >= MOST_RIGHT:
            RIGHT.clear()
        RIGHT.add(key)


def solves_stochastically(estimator: Any) -> bool:
    """Whether `partial_fit` exists; AttributeError otherwise, for `available_if`."""
    if estimator.solver not in SOLVERS:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


def check_together(estimator: Any, validation: tuple[Any, Any, Any]) -> None:
    """Refuse what does not go together."""
    if estimator.solver == "lbfgs" and estimator.dropout:
        raise ValueError("dropout needs a stochastic solver, solver is 'lbfgs'")
    if estimator.solver == "lbfgs" and estimator.callbacks:
        raise ValueError("callbacks need a stochastic solver, solver is 'lbfgs'")
    if estimator.schedule is not None:
        if estimator.solver == "lbfgs":
            raise ValueError("schedule needs a stochastic solver, solver is 'lbfgs'")
        if estimator.learning_rate != "constant":
            raise ValueError(
                f"schedule and learning_rate={estimator.learning_rate!r} both set the rate: "
                "learning_rate must be 'constant'"
            )
    for callback in estimator.callbacks or ():
        if not callable(callback):
            raise TypeError(f"callbacks has {callback!r}, it must be callables")
    X_val, y_val, sample_weight_val = validation
    if X_val is None and y_val is None and sample_weight_val is None:
        return
    if X_val is None or y_val is None:
        raise ValueError("X_val and y_val must be given together, and with sample_weight_val")
    if not estimator.early_stopping or estimator.solver == "lbfgs":
        raise ValueError(
            "X_val is for early_stopping=True of a stochastic solver, early_stopping is "
            f"{estimator.early_stopping}, solver {estimator.solver!r}"
        )
