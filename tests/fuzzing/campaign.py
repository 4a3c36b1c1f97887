"""Many programs, in child processes: one may crash or hang, and the others still run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzing import plants
from fuzzing.failure import Failure
from fuzzing.judge import judge
from fuzzing.programs import Program, program
from fuzzing.shrink import shrunk

COMMAND = Path(__file__).resolve().parents[1] / "fuzz.py"

# Programs for one child; to start it takes as long as some fifty.
BATCH = 1000
# Seconds without a word from a child after which it counts as hanging.
PATIENCE = 120.0

# Programs with one of these words are passed over: faults that are known and not yet mended.
KNOWN: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """A program that fails, and why."""

    number: int
    source: str
    reason: str

    def __str__(self) -> str:
        return (
            f"case {self.number}: {self.reason}\n"
            f"The least that fails, with the folder tests/ in PYTHONPATH:\n\n{self.source}\n\n"
            f"Again: python tests/fuzz.py --case {self.number}\n"
        )


def reason_of(given: Program) -> str | None:
    """Why a program fails, or None."""
    try:
        judge(given)
    except Failure as failure:
        return str(failure)
    return None


def tried(number: int) -> Finding | None:
    """The program of a number, made as small as its failure allows."""
    whole = program(number)
    if any(word in whole.source for word in KNOWN):
        return None
    reason = reason_of(whole)
    if reason is None:
        return None
    kind = kind_of(reason)
    small = shrunk(whole, lambda other: kind_of(reason_of(other) or "") == kind)
    return Finding(number, small.source, reason_of(small) or reason)


def kind_of(reason: str) -> str:
    """What tells one fault from another: how the last line begins, without its numbers."""
    last = reason.splitlines()[-1] if reason else ""
    return "".join(letter for letter in last if not letter.isdigit())[:30]


def as_child(first: int, end: int, plant: str) -> None:
    """Try these numbers; a line before each one, and a line of JSON for each that fails."""
    plants.sow(plant)
    for number in range(first, end):
        print(number, flush=True)
        found = tried(number)
        if found:
            print(json.dumps([found.number, found.source, found.reason]), flush=True)


def campaign(first: int, end: int, plant: str = "") -> Iterator[Finding]:
    """What fails among the programs of these numbers, in their order."""
    while first < end:
        last = first
        for word in words_of(first, min(first + BATCH, end), plant):
            if isinstance(word, Finding):
                yield word
            else:
                last = word
        first = last + 1


def words_of(first: int, end: int, plant: str) -> Iterator[Any]:
    """What a child says: numbers that it begins, and findings; its own end, if it is a bad one."""
    command = [sys.executable, "-X", "faulthandler", str(COMMAND), "--child", f"{first}:{end}"]
    number = first
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*command, "--plant", plant], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):
        try:
            for line in spoken(child):
                word = json.loads(line)
                number = word if isinstance(word, int) else number
                yield word if isinstance(word, int) else Finding(*word)
        finally:
            child.kill()  # if nobody wants to hear more
        status = child.wait()
        errors.seek(0)
        if status != 0:
            reason = f"the process ended with status {status}\n{errors.read()[:3000]}"
            yield Finding(number, program(number).source, reason)
        elif number != end - 1:
            yield Finding(number, "", "the process ended too soon")


def spoken(child: subprocess.Popen[str]) -> Iterator[str]:
    """The lines that a child prints. One that is silent for too long is killed."""
    assert child.stdout is not None
    lines = iter(child.stdout)
    while True:
        watch = threading.Timer(PATIENCE, child.kill)
        watch.start()
        line = next(lines, None)
        watch.cancel()
        if line is None:
            child.wait()
            return
        yield line
