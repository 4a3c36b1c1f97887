"""A run that times training steps of all peers in turn, on networks that they were found to train
alike: what peers.py and lenet.py do.

Each peer and number of threads has a process of its own, pinned to its cores. For each network all
load it, and first train a few epochs from the same parameters on the same batches: a peer whose
losses are not those of a float64 reference is an error, and the network is not timed. Then they are
asked in turn for windows of training, several rounds, so that whatever else the machine does meets
all alike. Rows go to a file in benches/results/ (results.py says what they are).

Exit codes: 0; 1 if a peer failed, disagreed, or is required and not installed.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import agreement
import machine
from record import Record, recorded
from report import console
from results import lines
from workers import PEERS, NotInstalledError, PeerError, Worker, cores, counted, listed
from workloads import BY_NAME, Workload

# Threads of OpenMP and of ironmlp's pool wait in a loop for a while after their work.
PAUSE = 0.01


def report_failure(record: Record, workload: str | None, worker: Worker, error: Exception) -> None:
    where = f"{worker.peer}, {counted(worker.threads)}, {workload or 'start'}"
    print(f"ERROR: {where}: {error}", file=sys.stderr, flush=True)
    record.add(
        "failure",
        workload=workload,
        peer=worker.peer,
        threads=worker.threads,
        message=str(error),
    )


@contextlib.contextmanager
def started(peers: list[str], threads: list[int], record: Record) -> Iterator[list[Worker]]:
    """The processes of all peers that are installed."""
    everyone = [Worker(peer, count) for count in threads for peer in peers]
    try:
        there = []
        for worker in everyone:
            try:
                worker.greet()
            except NotInstalledError as error:
                if worker.threads == threads[0]:
                    record.add("missing", peer=worker.peer, package=str(error))
                continue
            except PeerError as error:
                report_failure(record, None, worker, error)
                continue
            there.append(worker)
            record.add("peer", peer=worker.peer, threads=worker.threads, **worker.about)
            versions = ", ".join(
                f"{name} {value}" for name, value in worker.about["versions"].items()
            )
            blas = "; ".join(worker.about["blas"])
            print(f"{worker.peer}, {counted(worker.threads)}: {versions} [{blas}]", flush=True)
        yield there
    finally:
        for worker in everyone:
            worker.close()


def reference_losses(workload: Workload) -> list[float]:
    """The losses of the epochs that are compared, in float64."""
    if workload.image:
        from peer_reference import Trainer
    else:
        from peer_numpy import Trainer

    trainer = Trainer(workload, 0, "float64")
    return agreement.with_average(trainer, trainer.train(workload.check_epochs, shuffle=False))


def checked(workload: Workload, workers: list[Worker], record: Record) -> bool:
    """Load the network everywhere and compare losses; whether all agree."""
    reference = reference_losses(workload)
    before = record.failures
    for worker in workers:
        try:
            agreement.check_movement(reference, workload.dtype)
            worker.ask("load", workload=workload.name)
            losses = worker.ask("check")["losses"]
            difference = agreement.difference(losses, reference, workload.dtype)
        except (PeerError, agreement.DisagreementError) as error:
            report_failure(record, workload.name, worker, error)
            continue
        record.add(
            "agreement",
            workload=workload.name,
            peer=worker.peer,
            threads=worker.threads,
            losses=losses,
            difference=difference,
            tolerance=agreement.tolerance(workload.dtype),
        )
    return record.failures == before


class Peaks:
    """Measures the multiply-add peak between the windows, if its program can be built."""

    def __init__(self, workers: list[Worker]) -> None:
        self.isa = next((w.about["versions"]["isa"] for w in workers if w.peer == "ironmlp"), None)
        self.program = None
        try:
            if self.isa:
                self.program = machine.Peak()
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            print(f"The multiply-add peak is not measured: {error}", flush=True)

    def measure(self, dtype: str, threads: list[int], record: Record) -> None:
        if self.program and self.isa:
            for count in threads:
                gflops = self.program.measure(self.isa, dtype, count)
                record.add("peak", dtype=dtype, threads=count, isa=self.isa, gflops=gflops)


def timed(
    workload: Workload, workers: list[Worker], rounds: int, seconds: float, record: Record
) -> None:
    """Ask the workers in turn for windows; the one that begins changes from round to round."""
    epochs = [worker.ask("calibrate", seconds=seconds)["epochs"] for worker in workers]
    plan = list(zip(workers, epochs, strict=True))
    for number in range(rounds):
        shift = number % len(plan)
        for worker, count in plan[shift:] + plan[:shift]:
            time.sleep(PAUSE)
            took = worker.ask("window", epochs=count)["seconds"]
            record.add(
                "window",
                workload=workload.name,
                peer=worker.peer,
                threads=worker.threads,
                round=number,
                epochs=count,
                steps=count * workload.steps,
                seconds=took,
            )


def run(arguments: argparse.Namespace, record: Record) -> int:
    networks, threads = arguments.networks, arguments.threads
    with started(arguments.peers, threads, record) as workers:
        peaks = Peaks(workers)
        for workload in (BY_NAME[name] for name in networks):
            print(
                f"\n{workload.name}: {workload.label}, {workload.flops / 1e6:.4g} MFLOP", flush=True
            )
            try:
                if checked(workload, workers, record):
                    peaks.measure(workload.dtype, threads, record)
                    timed(workload, workers, arguments.rounds, arguments.window, record)
                    peaks.measure(workload.dtype, threads, record)
                    for line in lines(record.rows):
                        if line.workload == workload.name:
                            print(console(line), flush=True)
                else:
                    print("  not timed: see the errors above", flush=True)
                for worker in workers:
                    worker.ask("drop")
            except PeerError as error:
                # A process that ended cannot go on with the next network.
                report_failure(record, workload.name, error.worker, error)
                break
    record.add("end")
    return finish(arguments, record)


def finish(arguments: argparse.Namespace, record: Record) -> int:
    """Say what is missing and what failed; the exit code."""
    print(f"\nrows: {record.file.name}")
    missing = {row["peer"]: row["package"] for row in record.rows if row["kind"] == "missing"}
    for peer, package in missing.items():
        print(f"not installed: {package}, so {PEERS[peer][2]} was not measured")
    required = sorted({package for package in missing.values() if package in arguments.require})
    if required:
        print(f"ERROR: required and not installed: {', '.join(required)}", file=sys.stderr)
    if record.failures:
        print(f"ERROR: {record.failures} failures, see above", file=sys.stderr)
    return 1 if required or record.failures else 0


@dataclass(frozen=True)
class Program:
    """What a program compares, and how long when its options do not say."""

    doc: str | None
    prefix: str  # of the files in benches/results/
    networks: tuple[Workload, ...]
    quick: tuple[str, ...]
    peers: tuple[str, ...]
    rounds: int
    window: float


def parsed(program: Program, argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=program.doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    names, peers = [w.name for w in program.networks], list(program.peers)
    packages = sorted({PEERS[peer][1] for peer in peers})
    add("--quick", action="store_true", help="few networks, one thread, short windows")
    add("--networks", type=listed(names), help=", ".join(names))
    add("--peers", type=listed(peers), default=peers, help=", ".join(peers))
    add("--require", type=listed(packages), default=[], help="packages that must be installed")
    add("--threads", type=lambda text: [int(part) for part in text.split(",")], help="such as 1,2")
    add("--rounds", type=int, help=f"windows of each peer ({program.rounds})")
    add("--window", type=float, help=f"seconds of a window ({program.window})")
    add("--out", type=Path, help="the file for the rows")
    arguments = parser.parse_args(argv)
    usual: dict[str, Any] = {"networks": names, "threads": [1, 2]}
    usual |= {"rounds": program.rounds, "window": program.window}
    if arguments.quick:
        usual = {"networks": list(program.quick), "threads": [1], "rounds": 3, "window": 0.05}
    for name, value in usual.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    usable = len(cores())
    if not 1 <= min(arguments.threads) <= max(arguments.threads) <= usable:
        parser.error(f"--threads is {arguments.threads}, this process may use 1 to {usable}")
    return arguments


def main(program: Program) -> int:
    arguments = parsed(program)
    chosen = {
        name: getattr(arguments, name)
        for name in ("networks", "threads", "rounds", "window", "quick")
    }
    prefix = f"{'quick-' if arguments.quick else ''}{program.prefix}"
    with recorded(prefix, arguments.out, **chosen) as record:
        return run(arguments, record)
