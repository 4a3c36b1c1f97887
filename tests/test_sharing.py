"""Cores that are shared: processes and Python threads that train at once get the bits of alone."""

import json
import os
import subprocess
import threading

import pytest

import processes
from networks import trained

# By their cost the first two use several threads, the third is for one.
NAMES = ["wide", "slabs", "tiny"]

# Trains over and over from the word to go until the word to end, so that both processes surely
# train at the same time; then shows every hash it has seen.
TRAIN = f"""
import os, sys, threading
import networks, processes
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
processes.show("ready")
sys.stdin.readline()
found, rounds, end = {{name: set() for name in {NAMES}}}, 0, threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), end.set()), daemon=True).start()
while not end.is_set():
    for name, hashes in found.items():
        hashes.add(networks.trained(name, "float32", n_threads=2))
    rounds += 1
    if rounds == 3:
        processes.show("trained")
processes.show({{name: sorted(hashes) for name, hashes in found.items()}})
"""


@pytest.mark.skipif(
    hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) < 2,
    reason="two processes that share two cores: this host has one",
)
def test_two_processes_on_the_same_cores_get_the_bits_of_alone() -> None:
    alone = {name: [trained(name, "float32", n_threads=1)] for name in NAMES}
    pair = [processes.start(TRAIN, stdin=subprocess.PIPE) for _ in range(2)]

    def say(word: str) -> None:
        for process in pair:
            assert process.stdin
            process.stdin.write(f"{word}\n")
            process.stdin.flush()

    def hear(word: str) -> None:
        for process in pair:
            assert process.stdout
            assert json.loads(process.stdout.readline()) == word

    # A process that says nothing more must not hold up the tests.
    watch = threading.Timer(processes.LIMIT, lambda: [process.kill() for process in pair])
    watch.start()
    try:
        hear("ready")
        say("go")
        hear("trained")
        say("end")
        assert [processes.finish(process) for process in pair] == [[alone]] * 2
    finally:
        watch.cancel()
        for process in pair:
            process.kill()
