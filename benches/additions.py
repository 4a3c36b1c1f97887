"""What layers and options cost: an epoch of a network that has one over the same without it.

    python benches/additions.py [--networks mnist,lenet-28] [--rounds 11] [--window 0.15]
                                [--threads 1]

- norm: BatchNorm1d after each Linear but the last, BatchNorm2d after each Conv2d.
- clip_norm, ema, l2, schedule: the optimizer's options of these names, and a OneCycleLR.

Medians (quartiles) of several windows, each kind in turn with the plain network; each ratio is that
of two windows next to each other.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import ironmlp as im
from peer_ironmlp import Trainer
from workers import counted, listed, run_pinned
from workloads import BY_NAME, Workload


def with_norms(layers: list[im.layers.Layer]) -> list[im.layers.Layer]:
    """The same layers, each sum but the last made normal."""
    found: list[im.layers.Layer] = []
    for index, layer in enumerate(layers):
        found.append(layer)
        if isinstance(layer, im.Conv2d):
            found.append(im.BatchNorm2d(layer.out_channels))
        elif isinstance(layer, im.Linear) and index + 1 < len(layers):
            found.append(im.BatchNorm1d(layer.out_features))
    return found


def norm(settings: dict[str, Any]) -> None:
    settings["layers"] = with_norms(list(settings["layers"]))


def option(**options: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the optimizer."""

    def change(settings: dict[str, Any]) -> None:
        before = settings["optimizer"]
        settings["optimizer"] = type(before)(**{**before._arguments(), **options})

    return change


def one_cycle(settings: dict[str, Any]) -> None:
    before = settings["optimizer"]
    option(lr=im.OneCycleLR(before.lr, total_steps=10**6))(settings)


ADDITIONS: dict[str, Callable[[dict[str, Any]], None]] = {
    "norm": norm,
    "clip_norm": option(clip_norm=1.0),
    "ema": option(ema=0.999),
    "l2": option(l2=1e-4),
    "schedule": one_cycle,
}


def fits(workload: Workload, threads: int, name: str) -> list[Callable[[int], float]]:
    """The seconds of so many epochs, without and with an addition."""
    trainer = Trainer(workload, threads)
    made = trainer.model
    plain = {
        "layers": made.layers,
        "loss": made.loss,
        "optimizer": made.optimizer,
        "dtype": made.dtype,
        "seed": 0,
        "n_threads": threads,
    }
    changed = dict(plain)
    ADDITIONS[name](changed)

    def fit(settings: dict[str, Any]) -> Callable[[int], float]:
        model = im.Sequential(**settings)

        def run(epochs: int) -> float:
            begin = time.perf_counter()
            model.fit(trainer.X, trainer.y, epochs=epochs, batch_size=workload.batch, verbose=False)
            return time.perf_counter() - begin

        return run

    return [fit(plain), fit(changed)]


def line(workload: Workload, threads: int, rounds: int, window: float) -> str:
    columns = []
    for name in ADDITIONS:
        runs = fits(workload, threads, name)
        epochs = 1
        while (took := runs[0](epochs)) < window / 4:
            epochs *= 2
        epochs = max(1, round(window / took * epochs))
        runs[1](1)
        times: list[list[float]] = [[], []]
        for number in range(rounds):
            for index in (0, 1) if number % 2 == 0 else (1, 0):
                times[index].append(runs[index](epochs))
        found = [more / plain for plain, more in zip(*times, strict=True)]
        low, median, high = statistics.quantiles(found, n=4, method="inclusive")
        columns.append(f"{median:6.3f} ({low:.3f}-{high:.3f})")
    return f"{workload.name:13} " + " ".join(f"{text:>22}" for text in columns)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=listed(list(BY_NAME)), default=["mnist", "lenet-28"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--window", type=float, default=0.15)
    arguments = parser.parse_args()
    run_pinned(arguments.threads)
    print(f"an epoch over a plain one, {counted(arguments.threads)}; medians (quartiles)")
    print(f"{'network':13} " + " ".join(f"{name:>22}" for name in ADDITIONS), flush=True)
    for name in arguments.networks:
        workload = BY_NAME[name]
        print(line(workload, arguments.threads, arguments.rounds, arguments.window), flush=True)


if __name__ == "__main__":
    main()
