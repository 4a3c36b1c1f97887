"""What features of `fit` cost: an epoch with one of them over a plain epoch.

    python benches/features.py [--quick] [--networks digits,cancer] [--rounds 11] [--window 0.15]

- forward: 1 and a forward pass over a tenth of the rows, as a share of an epoch: what validation
  has to cost at least.
- validation: validation_data of a tenth of the rows, with the loss and the accuracy (or r2).
- stopping: the same with EarlyStopping, which keeps the best state.
- metrics: the same with three metrics, of which NumPy computes two.
- standardize: X by its mean and standard deviation while rows are gathered.
- callback: a function at each epoch's end; batch hook: a method at each batch's end.
- own loss: the mean squared error as a function, itself included, over that of the library.
- stream: the batches as a list of (X, y), over the same in order.

One thread, medians of several windows, all kinds in turn; each ratio is that of two windows next to
each other. Features that do not change what is trained must leave the same losses.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import ironmlp as im
from peer_ironmlp import Trainer
from sharing import parsed
from workers import counted, run_pinned
from workloads import BY_NAME, Workload


class Fit:
    """A model, and the `fit` that is timed."""

    def __init__(self, workload: Workload, change: Callable[[Fit], None]) -> None:
        trainer = Trainer(workload, 1)
        self.workload, self.model, self.start = workload, trainer.model, trainer.start
        self.X: Any = trainer.X
        self.y: Any = trainer.y
        self.arguments: dict[str, Any] = {"batch_size": workload.batch, "verbose": False}
        change(self)

    def make(self, **settings: Any) -> None:
        """Another model of the same layers."""
        made = self.model
        given = {"loss": made.loss, "optimizer": made.optimizer, "dtype": made.dtype, "seed": 0}
        self.model = im.Sequential(made.layers, n_threads=1, **(given | settings))

    def run(self, epochs: int) -> tuple[float, np.ndarray]:
        """Seconds, and the losses."""
        self.model.reset()
        self.model.load_state_dict(self.start)
        begin = time.perf_counter()
        history = self.model.fit(self.X, self.y, epochs=epochs, **self.arguments)
        return time.perf_counter() - begin, history["loss"]


def nothing(model: Any, logs: dict[str, Any]) -> None:
    """Nothing: what is timed is the way there."""


class BatchHook(im.Callback):
    def on_train_batch_end(self, model: Any, logs: dict[str, Any]) -> None:
        """The same."""


def mse(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    error = outputs - targets
    return float(np.mean(error**2)), 2.0 / error.size * error


def plain(fit: Fit) -> None:
    """As it is."""


def validation(fit: Fit) -> None:
    held_out = max(1, len(fit.X) // 10)
    fit.arguments["validation_data"] = fit.X[:held_out], fit.y[:held_out]


def stopping(fit: Fit) -> None:
    validation(fit)
    fit.arguments["callbacks"] = [im.EarlyStopping(patience=10**9)]


def metrics(fit: Fit) -> None:
    stopping(fit)
    names = {
        "mse": ["r2", "mae", "rmse"],
        "binary": ["accuracy", "log_loss", "f1"],
        "softmax": ["accuracy", "log_loss", "balanced_accuracy"],
    }
    fit.arguments["metrics"] = names[fit.workload.loss]


def standardize(fit: Fit) -> None:
    fit.make(standardize=True)


def callback(fit: Fit) -> None:
    fit.arguments["callbacks"] = [nothing]


def batch_hook(fit: Fit) -> None:
    fit.arguments["callbacks"] = [BatchHook()]


def built_in(fit: Fit) -> None:
    numbers(fit)
    fit.make(loss="mse")


def own_loss(fit: Fit) -> None:
    numbers(fit)
    fit.make(loss=mse)


def numbers(fit: Fit) -> None:
    """Targets for the mean squared error of all outputs."""
    shape = len(fit.X), fit.workload.sizes[-1]
    fit.y = np.resize(fit.y, shape).astype(fit.workload.dtype)


def in_order(fit: Fit) -> None:
    fit.arguments["shuffle"] = False


def stream(fit: Fit) -> None:
    size = fit.arguments.pop("batch_size")
    cuts = range(0, len(fit.X), size)
    fit.X, fit.y = [(fit.X[cut : cut + size], fit.y[cut : cut + size]) for cut in cuts], None


# Each feature, and what it is compared with.
FEATURES: dict[str, tuple[Callable[[Fit], None], Callable[[Fit], None]]] = {
    "validation": (validation, plain),
    "stopping": (stopping, plain),
    "metrics": (metrics, plain),
    "standardize": (standardize, plain),
    "callback": (callback, plain),
    "batch hook": (batch_hook, plain),
    "own loss": (own_loss, built_in),
    "stream": (stream, in_order),
}


def ratios(
    workload: Workload, name: str, rounds: int, window: float
) -> tuple[list[float], float, int]:
    """The ratios of a feature, seconds of what it is compared with, and epochs of these."""
    fits = [Fit(workload, change) for change in reversed(FEATURES[name])]
    epochs = 1
    while (took := fits[0].run(epochs)[0]) < window / 4:
        epochs *= 2
    epochs = max(1, round(window / took * epochs))
    losses = [fit.run(epochs)[1] for fit in fits]
    if name != "standardize":
        rtol = 1e-3 if name == "own loss" else 0.0
        np.testing.assert_allclose(losses[1][:3], losses[0][:3], rtol=rtol, err_msg=name)
    times: list[list[float]] = [[], []]
    for number in range(rounds):
        for index in (0, 1) if number % 2 == 0 else (1, 0):
            times[index].append(fits[index].run(epochs)[0])
    found = [feature / plain for plain, feature in zip(*times, strict=True)]
    return found, statistics.median(times[0]), epochs


def forward_share(workload: Workload, seconds: float, epochs: int) -> float:
    """1 and the time of a forward pass over a tenth of the rows over that of an epoch."""
    fit = Fit(workload, plain)
    X = fit.X[: max(1, len(fit.X) // 10)]
    times = []
    for _ in itertools.repeat(None, 21):
        begin = time.perf_counter()
        fit.model.forward(X)
        times.append(time.perf_counter() - begin)
    return 1.0 + statistics.median(times) * epochs / seconds


def line(workload: Workload, rounds: int, window: float) -> str:
    columns: list[str] = []
    share = None
    for feature in FEATURES:
        found, seconds, epochs = ratios(workload, feature, rounds, window)
        share = share or forward_share(workload, seconds, epochs)
        low, median, high = statistics.quantiles(found, n=4, method="inclusive")
        columns.append(f"{median:6.3f} ({low:.3f}-{high:.3f})")
    return f"{workload.name:13} {share:8.3f} " + " ".join(f"{text:>22}" for text in columns)


def main() -> None:
    arguments = parsed(__doc__)
    run_pinned(1)
    print(f"an epoch over a plain one, {counted(1)}; medians (quartiles)")
    heads: Callable[[str], str] = "{:>22}".format
    print(f"{'network':13} {'forward':>8} " + " ".join(map(heads, FEATURES)), flush=True)
    for name in arguments.networks:
        print(line(BY_NAME[name], arguments.rounds, arguments.window), flush=True)


if __name__ == "__main__":
    main()
