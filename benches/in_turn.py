"""Two builds of ironmlp in turn: whether a change has made training faster or slower.

    python benches/in_turn.py OTHER_PYTHON [--networks cancer,mnist] [--threads 1,2] [--rounds 11]
                              [--window 0.15]

OTHER_PYTHON is the interpreter of a virtual environment with the other build, usually the one
before a change. Both train the same network in processes of their own on the same cores, a window
each, in turn, and begin in turn. A ratio above 1 means that this Python's build is the faster: the
other's time over this one's, round by round. Quartiles say how far the rounds are apart, and so how
small a difference the run could have shown. Both must train to the same losses within rounding.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

import agreement
from comparison import PAUSE
from workers import PeerError, Worker, counted, listed
from workloads import BY_NAME, WORKLOADS

ROW = "{:14} {:9} {:>12} {:>12} {:>8} {:>16}"


def parsed(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("other", help="the interpreter that has the other build")
    add("--networks", type=listed(list(BY_NAME)), help=", ".join(BY_NAME))
    add("--threads", type=listed(["1", "2", "4", "8", "16"]), default=["1"])
    add("--rounds", type=int, default=11, help="windows of each build (11)")
    add("--window", type=float, default=0.15, help="seconds of a window (0.15)")
    arguments = parser.parse_args(argv)
    arguments.networks = arguments.networks or [
        *(workload.name for workload in WORKLOADS), "lenet-28", "lenet-227"
    ]  # fmt: skip
    return arguments


def alternated(workers: list[Any], rounds: int, epochs: int) -> list[list[float]]:
    """The seconds of each worker's windows; who begins changes from round to round."""
    seconds: list[list[float]] = [[], []]
    for number in range(rounds):
        for index in (0, 1) if number % 2 == 0 else (1, 0):
            seconds[index].append(workers[index].ask("window", epochs=epochs)["seconds"])
            time.sleep(PAUSE)
    return seconds


def row(name: str, threads: int, steps: int, seconds: list[list[float]]) -> str:
    """A network's line: microseconds for a step, and the ratio with its quartiles."""
    ours, others = seconds
    ratios = [other / our for our, other in zip(ours, others, strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    times = (f"{statistics.median(all_) / steps * 1e6:.4g}" for all_ in (ours, others))
    return ROW.format(name, counted(threads), *times, f"{median:.3f}", f"{low:.3f} to {high:.3f}")


def compare(name: str, threads: int, workers: list[Worker], rounds: int, window: float) -> str:
    """Load a network in both, compare what they train, time both."""
    workload = BY_NAME[name]
    for worker in workers:
        worker.ask("load", workload=name)
    ours, others = (worker.ask("check")["losses"] for worker in workers)
    agreement.difference(ours, others, workload.dtype)
    epochs = workers[1].ask("calibrate", seconds=window)["epochs"]
    seconds = alternated(workers, rounds, epochs)
    for worker in workers:
        worker.ask("drop")
    return row(name, threads, epochs * workload.steps, seconds)


def main(argv: list[str] | None = None) -> int:
    arguments = parsed(argv)
    print(ROW.format("network", "", "this, us", "other, us", "ratio", "quartiles"), flush=True)
    for threads in map(int, arguments.threads):
        workers = [
            Worker("ironmlp", threads, python) for python in (sys.executable, arguments.other)
        ]
        try:
            for worker in workers:
                worker.greet()
            for name in arguments.networks:
                line = compare(name, threads, workers, arguments.rounds, arguments.window)
                print(line, flush=True)
        except (PeerError, agreement.DisagreementError) as error:
            print(f"ERROR: {error}", file=sys.stderr)
            return 1
        finally:
            for worker in workers:
                worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
