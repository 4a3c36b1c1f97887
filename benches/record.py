"""The rows of a run, a JSON object a line, in a file of benches/results/."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import machine

Row = dict[str, Any]

RESULTS = Path(__file__).parent / "results"


class Record:
    """The rows of this run, each in the file as soon as it exists."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.rows = file, list[Row]()

    def add(self, kind: str, **fields: Any) -> None:
        row = {"kind": kind, **fields}
        self.rows.append(row)
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()

    @property
    def failures(self) -> int:
        return sum(row["kind"] == "failure" for row in self.rows)


@contextlib.contextmanager
def recorded(prefix: str, path: Path | None, **arguments: Any) -> Iterator[Record]:
    """A record whose first row is of the machine and the arguments; it prints what they are.

    Without a `path` the file is named by `prefix`, date and CPU.
    """
    about = machine.describe()
    if path is None:
        cpu = re.sub(r"[^a-z0-9]+", "-", about["cpu"].lower()).strip("-")
        path = RESULTS / f"{prefix}{about['date'][:19].replace(':', '')}-{cpu}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        record = Record(file)
        record.add("run", **about, **arguments)
        print(f"{about['cpu']}, {about['cpus']} CPUs, Python {about['python']}", flush=True)
        if about["load"] > 0.5:
            print(f"The machine is not quiet: its load was {about['load']:.1f} at the start.")
        yield record
