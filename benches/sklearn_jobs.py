"""Fits of ironmlp.sklearn side by side, as joblib starts them, against one after the other.

    python benches/sklearn_jobs.py [--quick] [--fits 40] [--rounds 5]

Forty fits of one network with other random states, on two cores, in processes (loky) and in
threads, each estimator with n_threads=1 and with its default. A ratio is the time of one job with
one thread over that of the row. The goals: 1.8 with two jobs of one thread each, and that the
default of n_threads makes nothing slower than n_threads=1 does, which is marked from 5 % on. All
ways must give the same bits. Medians of rounds, all ways in turn.

Exit codes: 0; 1 if a model has other bits.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
from typing import Any

import machine
from sklearn_mlp import Data, cancer, digits, in_turn
from workers import run_pinned

Way = tuple[str, int, int | None]  # backend, jobs, threads of an estimator

WAYS: list[Way] = [
    ("loky", 1, 1),
    ("loky", 1, None),
    ("loky", 2, 1),
    ("loky", 2, None),
    ("threading", 2, 1),
    ("threading", 2, None),
]
GOAL, SLOWER = 1.8, 1.05
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "digits (100,)": (digits, {"max_iter": 40}),
    "cancer (64, 64) batch 32": (
        cancer,
        {"hidden_layer_sizes": (64, 64), "batch_size": 32, "max_iter": 60},
    ),
}


def fit(model: Any, X: Any, y: Any) -> bytes:
    """Train; what tells the model from others."""
    model.fit(X, y)
    return b"".join(array.tobytes() for array in model.coefs_)


def together(way: Way, data: Data, options: dict[str, Any], fits: int) -> list[bytes]:
    """All fits of a way."""
    import joblib

    from ironmlp.sklearn import MLPClassifier

    backend, jobs, threads = way
    models = [MLPClassifier(random_state=n, n_threads=threads, **options) for n in range(fits)]
    with joblib.parallel_config(backend, n_jobs=jobs):
        return list(joblib.Parallel()(joblib.delayed(fit)(model, *data) for model in models))


def lines(medians: dict[Way, float]) -> list[str]:
    """The rows of a network: seconds, ratio, and what misses the goals."""
    one, found = medians[WAYS[0]], []
    for way, seconds in medians.items():
        backend, jobs, threads = way
        missed = ""
        if threads is None and seconds > SLOWER * medians[backend, jobs, 1]:
            missed = "   slower than n_threads=1"
        elif threads == 1 and jobs == 2 and one / seconds < GOAL:
            missed = f"   below {GOAL}"
        settings = f"n_jobs={jobs}, n_threads={threads}"
        found.append(f"{backend:10} {settings:28}{seconds:8.2f}{one / seconds:8.2f}{missed}")
    return found


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="six fits, one round")
    add("--fits", type=int, help="fits of a way (40)")
    add("--rounds", type=int, help="times that each way is timed (5)")
    arguments = parser.parse_args(argv)
    arguments.fits = arguments.fits or (6 if arguments.quick else 40)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    return arguments


def main(argv: list[str] | None = None) -> int:
    arguments = parsed(argv)
    os.environ["PYTHONWARNINGS"] = "ignore"  # so few epochs do not converge, in all processes
    run_pinned(2)
    about = machine.describe()
    print(f"{about['cpu']}, {about['cpus']} cores, load {about['load']:.1f}; s, ratio")
    for name, (data, options) in NETWORKS.items():
        calls = [functools.partial(together, way, data(), options, arguments.fits) for way in WAYS]
        # Starts the processes, too, so that no way is timed with that.
        if len({tuple(call()) for call in calls}) != 1:
            print(f"ERROR: {name}: not all ways give the same bits", file=sys.stderr)
            return 1
        times = in_turn(calls, arguments.rounds)
        print(f"{name}, {arguments.fits} fits")
        medians = dict(zip(WAYS, map(statistics.median, times), strict=True))
        print("\n".join(lines(medians)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
