"""One peer with one number of threads in a process of its own; `workers.py` starts it.

    python benches/worker.py MODULE THREADS CORE,CORE,...

Reads one request a line from standard input and answers with one line, both JSON. Requests:

    {"do": "load", "workload": name}      make the network and its data
    {"do": "check"}                       -> {"losses": [...]}, in the rows' own order; the last
                                             is that of the averaged parameters, if there are any
    {"do": "calibrate", "seconds": s}     -> {"epochs": n}, which take about s
    {"do": "window", "epochs": n}         -> {"seconds": s}, shuffled, from the initial parameters
    {"do": "drop"}                        free it all

The first line that it writes says what it is: {"versions": ..., "blas": ...}; without the package
it is {"missing": package}, and the process ends.
Every error is answered as {"error": traceback}.
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import sys
import time
import traceback
from typing import Any

import agreement
from workloads import BY_NAME


class Session:
    """The state between requests."""

    def __init__(self, module: Any, threads: int) -> None:
        self.module, self.threads = module, threads
        self.trainer: Any = None

    def load(self, workload: str) -> dict[str, Any]:
        self.trainer = self.module.Trainer(BY_NAME[workload], self.threads)
        return {}

    def check(self) -> dict[str, Any]:
        self.trainer.reset()
        losses = self.trainer.train(self.trainer.workload.check_epochs, shuffle=False)
        return {"losses": agreement.with_average(self.trainer, losses)}

    def calibrate(self, seconds: float) -> dict[str, Any]:
        if hasattr(self.trainer, "prepare"):
            self.trainer.prepare()
        grain = epochs = getattr(self.trainer, "grain", 1)
        self.timed(epochs)
        while (took := self.timed(epochs)) < seconds / 4:
            epochs *= 2
        return {"epochs": max(grain, math.ceil(seconds / took * epochs / grain) * grain)}

    def window(self, epochs: int) -> dict[str, Any]:
        # Code, parameters and rows come back into the caches that another worker has used.
        grain = getattr(self.trainer, "grain", 1)
        if epochs >= 16 * grain:
            self.timed(epochs // 16 // grain * grain)
        return {"seconds": self.timed(epochs)}

    def drop(self) -> dict[str, Any]:
        self.trainer = None
        gc.collect()
        return {}

    def timed(self, epochs: int) -> float:
        self.trainer.reset()
        gc.collect()
        gc.disable()
        begin = time.perf_counter()
        self.trainer.train(epochs, shuffle=True)
        seconds = time.perf_counter() - begin
        gc.enable()
        return seconds


def blas() -> list[str]:
    """The matrix libraries of this process with their kernels and threads."""
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return ["unknown: threadpoolctl is not installed"]
    return sorted(
        {
            f"{info['internal_api']} {info.get('version')} {info.get('architecture', '')}, "
            f"{info['num_threads']} threads"
            for info in threadpool_info()
        }
    )


def main() -> None:
    module, threads = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, [int(core) for core in sys.argv[3].split(",")])
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        peer = importlib.import_module(module)
    except ModuleNotFoundError as error:
        answer({"missing": error.name})
        return
    except Exception:
        answer({"error": traceback.format_exc()})
        return
    answer({"versions": peer.versions(), "blas": blas()})
    session = Session(peer, threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(session, request.pop("do"))(**request))
        except Exception:
            answer({"error": traceback.format_exc()})


if __name__ == "__main__":
    main()
