"""Starts the peers' processes, pinned to cores, with their threads set before they import."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Peers by name: the module that trains, the package that must be there, the title in tables.
PEERS = {
    "numpy": ("peer_numpy", "numpy", "NumPy"),
    "sklearn": ("peer_sklearn", "sklearn", "scikit-learn"),
    "torch": ("peer_torch", "torch", "PyTorch"),
    "torch-compile": ("peer_torch_compile", "torch", "torch.compile"),
    "torch-channels-last": ("peer_torch_channels_last", "torch", "PyTorch, channels last"),
    "jax": ("peer_jax", "jax", "JAX"),
    "ironmlp": ("peer_ironmlp", "ironmlp", "ironmlp"),
}

# Settings that make a peer slower, or pin its threads elsewhere: OPENBLAS_CORETYPE and
# OPENBLAS_L2_SIZE choose kernels and blocks that need not suit this machine.
CLEARED = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_MAIN_FREE",
    "GOTOBLAS_MAIN_FREE",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_DEBUG_CPU_TYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "XLA_FLAGS",
)
# PyTorch and BLAS read the first three; XLA's pool has NPROC threads.
COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NPROC",
    "IRONMLP_NUM_THREADS",
)


class PeerError(Exception):
    """A peer's process, `worker`, reported an error or ended."""

    def __init__(self, worker: Worker, message: str) -> None:
        super().__init__(message)
        self.worker = worker


class NotInstalledError(Exception):
    """The peer's package is not there."""


def environment(threads: int) -> dict[str, str]:
    """This process's environment with the peers' settings for `threads` threads."""
    chosen = {name: value for name, value in os.environ.items() if name not in CLEARED}
    chosen.update(dict.fromkeys(COUNTS, str(threads)))
    chosen["JAX_PLATFORMS"] = "cpu"
    chosen.pop("IRONMLP_BENCH_PINNED", None)
    if threads == 1:
        chosen["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return chosen


def cores() -> list[int]:
    """The logical CPUs that this process may use, one of each physical core first."""
    first, others, seen = [], [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = path.read_text() if path.exists() else str(cpu)
        (others if core in seen else first).append(cpu)
        seen.add(core)
    return first + others


def run_pinned(threads: int) -> None:
    """Start this program again, on its cores and with the settings of `threads` threads.

    Returns in the new program; libraries read their settings when they are imported.
    """
    if os.environ.get("IRONMLP_BENCH_PINNED") != str(threads):
        os.sched_setaffinity(0, cores()[:threads])
        chosen = {**environment(threads), "IRONMLP_BENCH_PINNED": str(threads)}
        os.execve(sys.executable, [sys.executable, *sys.argv], chosen)


def counted(threads: int) -> str:
    """ "1 thread", "2 threads", ..."""
    return f"{threads} thread" if threads == 1 else f"{threads} threads"


def listed(known: list[str]) -> Any:
    """A parser of comma-separated names."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


class Worker:
    """A peer's process; `ask` sends a request of worker.py and returns the answer."""

    def __init__(self, peer: str, threads: int, python: str = sys.executable) -> None:
        self.peer, self.threads = peer, threads
        module, self.package, _ = PEERS[peer]
        command = [python, str(Path(__file__).with_name("worker.py")), module, str(threads)]
        self.process = subprocess.Popen(
            [*command, ",".join(map(str, cores()[:threads]))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(threads),
            text=True,
        )
        self.about: dict[str, Any] = {}

    def greet(self) -> None:
        """Wait until its imports are done; NotInstalledError if the package is missing."""
        self.about = self.answer()
        missing = self.about.get("missing")
        if missing == self.package:
            raise NotInstalledError(missing)
        if missing:
            raise PeerError(self, f"{missing} is not installed")

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(self, "its process has ended") from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(self, f"its process ended, exit code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(self, answer["error"])
        return answer

    def close(self) -> None:
        """End the process, which stops at the end of its input."""
        assert self.process.stdin
        assert self.process.stdout
        # A request that the process has not read, as it had ended.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
