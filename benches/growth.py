"""How the cost of a training step grows with batch, width, depth and rows, through `fit`.

    python benches/growth.py [THREADS]

Medians of several windows. GFLOP/s should grow with batch and width up to a level and stay there,
and a step should cost the same for any number of rows, but for their way from memory.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

from peer_ironmlp import Trainer
from workers import counted, run_pinned
from workloads import Workload

ROUNDS, WINDOW = 5, 0.05
BASE = Workload("base", (64, 128, 128, 10), "relu", 128, 2048, "softmax", 0.01)


def widths(hidden: int, layers: int) -> tuple[int, ...]:
    return (64, *[hidden] * layers, 10)


SERIES = {
    "batch": {
        batch: replace(BASE, batch=batch, rows=max(1024, batch))
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
    },
    "width": {
        width: replace(BASE, sizes=widths(width, 2), rows=512)
        for width in (1, 4, 15, 16, 17, 32, 64, 128, 256, 512, 1024)
    },
    "depth": {depth: replace(BASE, sizes=widths(64, depth)) for depth in (1, 2, 4, 8, 16, 32)},
    "rows": {rows: replace(BASE, rows=rows) for rows in (128, 1024, 8192, 65536, 524288)},
}


def step_time(workload: Workload, threads: int) -> float:
    """Seconds of a step, the median of the windows."""
    trainer = Trainer(workload, threads)
    trainer.train(1, shuffle=True)
    begin = time.perf_counter()
    trainer.train(1, shuffle=True)
    epochs = max(1, round(WINDOW / (time.perf_counter() - begin)))
    times = []
    for _ in range(ROUNDS):
        trainer.reset()
        begin = time.perf_counter()
        trainer.train(epochs, shuffle=True)
        times.append((time.perf_counter() - begin) / epochs / workload.steps)
    return statistics.median(times)


def main() -> None:
    threads = int(sys.argv[1]) if sys.argv[1:] else 1
    run_pinned(threads)
    print(f"{BASE.label}, {counted(threads)}, where nothing else is said", flush=True)
    for name, series in SERIES.items():
        print(f"{name:>8} {'us a step':>12} {'us a row':>10} {'GFLOP/s':>8}")
        for value, workload in series.items():
            seconds = step_time(workload, threads)
            print(
                f"{value:8} {1e6 * seconds:12.2f} {1e6 * seconds / workload.batch:10.3f} "
                f"{workload.flops / seconds / 1e9:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
