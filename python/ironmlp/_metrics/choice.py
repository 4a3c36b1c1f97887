"""The metrics by name, and what the argument `metrics` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ironmlp._arguments.arrays import Array
from ironmlp._arguments.values import hint
from ironmlp._environment import computed
from ironmlp._labels import Classification, Reading
from ironmlp._metrics.errors import mae, r2, rmse
from ironmlp._metrics.labels import TOP, balanced_accuracy, f1, log_loss, top5
from ironmlp._metrics.ranking import average_precision, roc_auc
from ironmlp._metrics.task import KINDS, Prediction, Task
from ironmlp.metrics import Metric

Compute = Callable[[Prediction], float]

CHOSEN = ("two", "classes")
RANKED = ("two", "classes", "flags")

# What each fits, and how it is computed; the compiled part does those without a function.
NAMED: dict[str, tuple[tuple[str, ...], Compute | None]] = {
    "accuracy": (("two", "classes", "flags", "probabilities"), None),
    "top5": (("classes",), top5),
    "balanced_accuracy": (CHOSEN, balanced_accuracy),
    "f1": (RANKED, f1),
    "roc_auc": (RANKED, roc_auc),
    "average_precision": (RANKED, average_precision),
    "log_loss": (CHOSEN, log_loss),
    "r2": (("numbers",), None),
    "mae": (("numbers",), mae),
    "rmse": (("numbers",), rmse),
}


@dataclass(frozen=True, eq=False)
class Asked:
    """Metrics of some rows."""

    task: Task
    # All, in the order of their columns.
    names: tuple[str, ...]
    # Those that are computed here; the compiled part's score is any other.
    functions: dict[str, Compute]
    # Whether a "min" or "max" is better, of those that say so themselves.
    modes: dict[str, str]

    @property
    def score(self) -> bool:
        """Whether the compiled part is to compute its score, accuracy or r2."""
        return len(self.functions) < len(self.names)

    def compute(self, outputs: Array) -> dict[str, float] | None:
        """The numbers of all rows' outputs (n, K); None if something cannot be predicted of one."""
        if not self.functions:
            return {}
        made = Prediction(self.task, outputs)
        if not made.is_defined():
            return None
        return {name: function(made) for name, function in self.functions.items()}


def asked_for(
    metrics: Any,
    reading: Reading,
    targets: Any,
    weights: NDArray[np.float64] | None,
    has_loss: bool,
) -> Asked:
    """The argument `metrics`, if it is not "auto"; ValueError for one that does not fit."""
    task = Task(reading, targets, weights)
    asked = Asked(task, (), {}, {})
    for metric in listed(metrics):
        if isinstance(metric, str):
            name, function, mode = metric, named(metric, task, has_loss), "auto"
            function = None if function is None else computed(function)
        else:
            own = metric if isinstance(metric, Metric) else made_of(metric)
            name, function, mode = own.name, of_user(own, task), own.mode
        if name in asked.names:
            raise ValueError(f"metrics has {name!r} twice: give one of them another name")
        functions = asked.functions | ({} if function is None else {name: function})
        modes = asked.modes | ({} if mode == "auto" else {name: mode})
        asked = Asked(task, (*asked.names, name), functions, modes)
    return asked


def listed(metrics: Any) -> list[Any]:
    if isinstance(metrics, str | Metric) or callable(metrics):
        return [metrics]
    if metrics is None:
        return []
    if not isinstance(metrics, Iterable):
        raise TypeError(
            f"metrics is {metrics!r} ({type(metrics).__name__}), it must be 'auto', a name, a "
            "function, a Metric or a list of them"
        )
    return list(metrics)


def made_of(metric: Any) -> Metric:
    if not callable(metric) or isinstance(metric, type):
        raise TypeError(
            f"metrics has {metric!r} ({type(metric).__name__}), it must have names, functions "
            "f(y_true, y_pred) or Metrics"
        )
    return Metric(metric)


def named(name: str, task: Task, has_loss: bool) -> Compute | None:
    """How the metric of this name is computed; None if the compiled part does it."""
    if name not in NAMED:
        known = ", ".join(repr(known) for known in NAMED)
        close = hint("metrics", name, NAMED)
        raise ValueError(f"metrics has {name!r}, known are {known}{close}")
    kinds, function = NAMED[name]
    if task.kind not in kinds:
        takes = " or ".join(KINDS[kind] for kind in kinds)
        fitting = [repr(name) for name, (kinds, _) in NAMED.items() if task.kind in kinds]
        cure = f": {', '.join(fitting)} fit it" if fitting else ""
        raise ValueError(f"metric {name!r} is for {takes}, the model has {KINDS[task.kind]}{cure}")
    if name == "top5" and task.reading.outputs <= TOP:
        raise ValueError(
            f"metric 'top5' is for more than {TOP} classes, the model has {task.reading.outputs}"
        )
    return r2 if function is None and not has_loss else function


def of_user(metric: Metric, task: Task) -> Compute:
    """How a metric of the user's is computed; its function finds the environment as it left it."""
    if metric.takes == "probabilities" and not isinstance(task.reading, Classification):
        raise ValueError(
            f"metric {metric.name!r} takes probabilities, which only models with a cross-entropy "
            "or Focal have: takes='outputs' is what forward gives"
        )

    def compute(made: Prediction) -> float:
        if metric.takes == "labels":
            predicted = made.labels
        else:
            predicted = made.outputs if metric.takes == "outputs" else made.positive
        weighted = metric._weighted and task.weights is not None
        options = {"sample_weight": task.weights} if weighted else {}
        return number(metric, metric.function(task.truth, predicted, **options))

    return compute


def number(metric: Metric, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"metric {metric.name!r} returned {value!r}, it must return a number"
        ) from error
