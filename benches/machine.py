"""What a run was made on: the CPU, the versions, and the multiply-add peak of its cores."""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from workers import cores

ROOT = Path(__file__).resolve().parent.parent


def cpu_model() -> str:
    """The CPU's name as the kernel gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """CPU, caches, system, Python, date, and the commit of this repository if there is one."""
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (index / name).read_text().strip() for name in ("level", "type", "size")
        )
        if kind != "Instruction":
            caches[f"L{level}"] = size
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "caches": caches,
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": commit.stdout.strip() or None,
    }


class Peak:
    """GFLOP/s of multiply-adds on registers alone, by benches/peak.rs."""

    def __init__(self) -> None:
        """Builds the program; FileNotFoundError without cargo, CalledProcessError if it fails."""
        if not shutil.which("cargo"):
            raise FileNotFoundError("cargo is not installed")
        command = ["cargo", "bench", "--locked", "--bench", "peak", "--no-run"]
        built = subprocess.run(
            [*command, "--message-format", "json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        messages = map(json.loads, built.stdout.splitlines())
        (self.program,) = [m["executable"] for m in messages if m.get("executable")]

    def measure(self, isa: str, dtype: str, threads: int) -> float:
        """The sum over `threads` cores at the same time."""
        running = [
            subprocess.Popen(
                [self.program, isa, dtype],
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda core=core: os.sched_setaffinity(0, [core]),
            )
            for core in cores()[:threads]
        ]
        return sum(float(process.communicate()[0].split()[2]) for process in running)
