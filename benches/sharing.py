"""Two processes that train on the same cores at once: each should have half of its speed alone.

    python benches/sharing.py [--quick] [--networks cancer,mnist] [--rounds 5] [--window 0.15]

Both are pinned to the same two cores and use two threads. In turn each trains for a window alone,
and for one while the other trains for longer. A share is the median time alone over that beside the
other; what is below 45 % is marked. A network that is too small for two threads leaves a core to
the other process, and keeps more than half.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from comparison import PAUSE
from workers import Worker, cores, counted, listed
from workloads import BY_NAME, QUICK, WORKLOADS

# Within 10 % of half the speed.
LEAST = 0.45
# The other process has this many times the epochs of a window, so that it outlasts it.
LONGER = 4


def parsed(description: str | None, argv: list[str] | None = None) -> argparse.Namespace:
    """The options of this program, and of others that take the same."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="three networks, two short windows each")
    add("--networks", type=listed(list(BY_NAME)), help=", ".join(BY_NAME))
    add("--rounds", type=int, help="windows of each kind (5)")
    add("--window", type=float, help="seconds of a window (0.15)")
    arguments = parser.parse_args(argv)
    dense = [workload.name for workload in WORKLOADS]
    usual = (list(QUICK), 2, 0.03) if arguments.quick else (dense, 5, 0.15)
    for name, value in zip(("networks", "rounds", "window"), usual, strict=True):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    return arguments


def beside(measured: Worker, other: Worker, epochs: int) -> float:
    """Seconds of a window during the whole of which the other process trains."""
    longer = LONGER
    with ThreadPoolExecutor(1) as aside:
        while True:
            training = aside.submit(other.ask, "window", epochs=longer * epochs)
            time.sleep(PAUSE)
            seconds: float = measured.ask("window", epochs=epochs)["seconds"]
            outlasted = not training.done()
            training.result()
            if outlasted:
                return seconds
            longer *= 2


def shares(alone: list[list[float]], together: list[list[float]]) -> list[float]:
    """The part of its speed alone that each process has beside the other."""
    return [
        statistics.median(by_itself) / statistics.median(with_other)
        for by_itself, with_other in zip(alone, together, strict=True)
    ]


def row(name: str, step: float, found: list[float]) -> str:
    """A network's line: microseconds of a step alone, and the processes' shares."""
    mark = f"   below {LEAST:.0%}" if min(found) < LEAST else ""
    return f"{name:13} {1e6 * step:12.2f} {''.join(f'{share:9.0%}' for share in found)}{mark}"


def measured(pair: list[Worker], arguments: argparse.Namespace) -> Iterator[str]:
    """A line for each network."""
    for name in arguments.networks:
        for worker in pair:
            worker.ask("load", workload=name)
        epochs = pair[0].ask("calibrate", seconds=arguments.window)["epochs"]
        alone: list[list[float]] = [[], []]
        together: list[list[float]] = [[], []]
        for _ in range(arguments.rounds):
            for number, worker in enumerate(pair):
                time.sleep(PAUSE)
                alone[number].append(worker.ask("window", epochs=epochs)["seconds"])
                together[number].append(beside(worker, pair[1 - number], epochs))
        step = statistics.median(alone[0]) / epochs / BY_NAME[name].steps
        yield row(name, step, shares(alone, together))
        for worker in pair:
            worker.ask("drop")


def main() -> None:
    arguments = parsed(__doc__)
    threads = min(2, len(cores()))
    pair = [Worker("ironmlp", threads) for _ in range(2)]
    try:
        for worker in pair:
            worker.greet()
        print(f"two processes of {counted(threads)} on the same cores", flush=True)
        print(f"{'network':13} {'us a step':>12}     first   second", flush=True)
        for line in measured(pair, arguments):
            print(line, flush=True)
    finally:
        for worker in pair:
            worker.close()


if __name__ == "__main__":
    main()
