"""The rows of a run of peers.py or lenet.py, a JSON object a line, and what follows from them.

Each row has a "kind":

    run        machine, versions and arguments; the first row
    peer       peer, threads, versions, blas
    missing    peer, package: not installed
    agreement  workload, peer, threads, losses, difference (relative), tolerance
    peak       dtype, threads, isa, gflops
    window     workload, peer, threads, round, epochs, steps, seconds
    failure    workload, peer, threads, message
    end        the last row: a file without it is of a run that was stopped
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from record import Row
from workloads import BY_NAME


def read(path: Path) -> list[Row]:
    """The rows of a file; ValueError if it is not that of a whole run without failures."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if not rows or rows[0]["kind"] != "run" or rows[-1]["kind"] != "end":
        raise ValueError(f"{path} does not hold a whole run")
    failures = [row for row in rows if row["kind"] == "failure"]
    if failures:
        named = ", ".join(sorted({f"{row['peer']} on {row['workload']}" for row in failures}))
        raise ValueError(f"{path} is of a run with failures: {named}")
    return rows


@dataclass(frozen=True)
class Line:
    """One network with one number of threads: microseconds a step by peer."""

    workload: str
    threads: int
    median: dict[str, float]
    least: dict[str, float]
    share: float | None  # of the multiply-add peak, ironmlp's median; None without a peak

    @property
    def best_peer(self) -> str | None:
        """The quickest of the others, None if there is none."""
        others = [peer for peer in self.median if peer != "ironmlp"]
        return min(others, key=self.median.__getitem__, default=None)

    @property
    def ratio(self) -> float | None:
        """The best peer's median over ironmlp's: how many times quicker ironmlp is."""
        if self.best_peer is None or "ironmlp" not in self.median:
            return None
        return self.over(self.best_peer)

    def over(self, peer: str) -> float:
        """The peer's median over ironmlp's."""
        return self.median[peer] / self.median["ironmlp"]


def peaks(rows: list[Row]) -> dict[tuple[str, int], float]:
    """The highest GFLOP/s that was measured, by dtype and threads."""
    found: dict[tuple[str, int], float] = defaultdict(float)
    for row in rows:
        if row["kind"] == "peak":
            key = row["dtype"], row["threads"]
            found[key] = max(found[key], row["gflops"])
    return found


def lines(rows: list[Row]) -> list[Line]:
    """The networks in the order of workloads.py, for each number of threads in turn."""
    windows: dict[tuple[int, str], dict[str, list[float]]] = {}
    for row in rows:
        if row["kind"] == "window":
            times = windows.setdefault((row["threads"], row["workload"]), defaultdict(list))
            times[row["peer"]].append(1e6 * row["seconds"] / row["steps"])
    peak, names = peaks(rows), list(BY_NAME)
    found = []
    for (threads, name), times in sorted(
        windows.items(), key=lambda i: (i[0][0], names.index(i[0][1]))
    ):
        median = {peer: statistics.median(values) for peer, values in times.items()}
        top, share = peak.get((BY_NAME[name].dtype, threads)), None
        if top and "ironmlp" in median:
            share = BY_NAME[name].flops / median["ironmlp"] / 1e3 / top
        least = {peer: min(values) for peer, values in times.items()}
        found.append(Line(name, threads, median, least, share))
    return found


def percent(share: float) -> str:
    """A share in percent, with a digit after the point where there is none before it."""
    return f"{share:.1%}" if share < 0.01 else f"{share:.0%}"


def digits(value: float) -> str:
    """Three significant digits, more before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.{2 if value < 10 else 1}f}"
