"""Python threads that fit different models at once: steps a second, all models together.

    python benches/fits.py [--quick] [--networks cancer,mnist] [--rounds 5] [--window 0.15]

Every figure is over that of one model on one thread. "4 x 1" are four models, each made with
n_threads=1 and fitted by a Python thread of its own: on as many cores that should be near 4. The
last column has as many models as cores, each made for all of them: it should not be below the one
before, as a fit that finds the pool in use trains on its own thread. Medians of several windows,
all kinds in turn.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator

from peer_ironmlp import Trainer
from sharing import parsed
from workers import cores, counted, run_pinned
from workloads import BY_NAME


def kinds(count: int) -> list[tuple[int, int]]:
    """(models, threads of each) to compare on `count` cores, first what the others are over."""
    models = [1, *(2**power for power in range(1, count.bit_length()) if 2**power < count)]
    several = [(count, 1), (1, count), (count, count)] if count > 1 else []
    return [*((number, 1) for number in models), *several]


def together(trainers: list[Trainer], epochs: int) -> float:
    """Seconds from a common start until the last of the trainers has trained."""
    gate = threading.Barrier(len(trainers) + 1)

    def train(trainer: Trainer) -> None:
        trainer.reset()
        gate.wait()
        trainer.train(epochs, shuffle=True)

    threads = [threading.Thread(target=train, args=(trainer,)) for trainer in trainers]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begin


def speedups(times: dict[tuple[int, int], list[float]]) -> dict[tuple[int, int], float]:
    """How many times the steps a second of the first kind each kind makes."""
    medians = {kind: statistics.median(seconds) for kind, seconds in times.items()}
    one = medians[next(iter(medians))]
    return {kind: kind[0] * one / seconds for kind, seconds in medians.items()}


def measured(
    names: list[str], count: int, rounds: int, window: float
) -> Iterator[tuple[str, float, dict[tuple[int, int], float]]]:
    """Each network's name, seconds of a step of the first kind, and speed-ups."""
    for name in names:
        trainers = {
            kind: [Trainer(BY_NAME[name], kind[1]) for _ in range(kind[0])] for kind in kinds(count)
        }
        times: dict[tuple[int, int], list[float]] = {kind: [] for kind in trainers}
        epochs = 1
        while (took := together(trainers[1, 1], epochs)) < window / 4:
            epochs *= 2
        epochs = max(1, round(window / took * epochs))
        for kind in trainers:  # wakes threads and fills caches
            together(trainers[kind], epochs)
        for _ in range(rounds):
            for kind, seconds in times.items():
                seconds.append(together(trainers[kind], epochs))
        step = statistics.median(times[1, 1]) / epochs / BY_NAME[name].steps
        yield name, step, speedups(times)


def main() -> None:
    arguments = parsed(__doc__)
    count = len(cores())
    run_pinned(count)
    print(f"models x threads of each, on {count} cores; us a step of one on {counted(1)}")
    heads = "".join(f"{f'{models} x {threads}':>9}" for models, threads in kinds(count)[1:])
    print(f"{'network':13} {'us a step':>12}{heads}", flush=True)
    for name, step, found in measured(
        arguments.networks, count, arguments.rounds, arguments.window
    ):
        columns = "".join(f"{value:9.2f}" for value in list(found.values())[1:])
        print(f"{name:13} {1e6 * step:12.2f}{columns}", flush=True)


if __name__ == "__main__":
    main()
