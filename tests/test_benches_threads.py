"""The benches of shared cores and of numbers of threads: what they count. No time is looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fits
import in_turn
import scaling
import sharing
from results import Line

BENCHES = Path(__file__).resolve().parent.parent / "benches"
LINUX = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to cores"
)


def test_a_share_is_the_speed_beside_the_other_over_that_alone() -> None:
    found = sharing.shares([[1.0, 9.0, 1.0], [2.0]], [[2.0, 2.0, 1.0], [5.0]])
    assert found == [0.5, 0.4]
    assert sharing.row("xor", 1e-6, found).split(maxsplit=4) == [
        "xor", "1.00", "50%", "40%", "below 45%",
    ]  # fmt: skip
    assert "below" not in sharing.row("xor", 1e-6, [0.5, 0.45])


class Process:
    """A worker that writes down the epochs of its windows."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def ask(self, do: str, epochs: int) -> dict[str, float]:
        self.asked.append(epochs)
        return {"seconds": float(epochs)}


class Aside:
    """For a pool of one thread: a window of under 100 epochs has ended when it is looked at."""

    def __init__(self, workers: int) -> None:
        self.ended = False

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def submit(self, ask: Any, do: str, epochs: int) -> Aside:
        ask(do, epochs)
        self.ended = epochs < 100
        return self

    def done(self) -> bool:
        return self.ended

    def result(self) -> None:
        pass


def test_a_window_counts_only_if_the_other_outlasts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, other = Process(), Process()
    monkeypatch.setattr(sharing, "ThreadPoolExecutor", Aside)
    assert sharing.beside(measured, other, 7) == 7.0  # type: ignore[arg-type]
    assert other.asked == [28, 56, 112]
    assert measured.asked == [7, 7, 7]


@pytest.mark.parametrize(
    ("cores", "kinds"),
    [
        (1, [(1, 1)]),
        (2, [(1, 1), (2, 1), (1, 2), (2, 2)]),
        (4, [(1, 1), (2, 1), (4, 1), (1, 4), (4, 4)]),
        (6, [(1, 1), (2, 1), (4, 1), (6, 1), (1, 6), (6, 6)]),
    ],
)
def test_kinds_of_fits(cores: int, kinds: list[tuple[int, int]]) -> None:
    assert fits.kinds(cores) == kinds


def test_a_speed_up_counts_all_models() -> None:
    times = {(1, 1): [2.0, 1.0, 9.0], (2, 1): [2.5], (1, 2): [1.0]}
    assert fits.speedups(times) == {(1, 1): 1.0, (2, 1): 1.6, (1, 2): 2.0}


def test_more_threads_that_are_slower_are_found() -> None:
    medians = {1: 10.0, 2: 10.4, 4: 6.0, 8: 6.4, 16: 6.2}
    found = [Line("odd", count, {"ironmlp": time}, {}, None) for count, time in medians.items()]
    times = scaling.by_network([*reversed(found), Line("odd", 3, {"numpy": 1.0}, {}, None)])
    assert times == {"odd": medians}
    assert scaling.slower(medians) == [8]
    assert scaling.slower({1: 10.0, 2: 10.6, 4: 10.6}) == [2, 4]


def test_a_ratio_of_two_builds_is_taken_round_by_round() -> None:
    ours, others = Process(), Process()
    assert in_turn.alternated([ours, others], 3, 5) == [[5.0] * 3, [5.0] * 3]
    found = in_turn.row("xor", 1, 1000, [[1.0, 2.0, 4.0], [2.0, 4.0, 4.0]]).split()
    # Ratios of 2, 2 and 1; 2 s and 4 s are 2000 and 4000 us for each of 1000 steps.
    assert found == ["xor", "1", "thread", "2000", "4000", "2.000", "1.500", "to", "2.000"]


def test_who_begins_changes_from_round_to_round() -> None:
    asked: list[str] = []

    class Named(Process):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def ask(self, do: str, epochs: int) -> dict[str, float]:
            asked.append(self.name)
            return super().ask(do, epochs)

    in_turn.alternated([Named("this"), Named("other")], 2, 1)
    assert asked == ["this", "other", "other", "this"]


@LINUX
def test_two_builds_that_are_one_have_a_row_for_each_number_of_threads() -> None:
    command = [sys.executable, str(BENCHES / "in_turn.py"), sys.executable]
    options = ["--networks", "xor", "--threads", "1,2", "--rounds", "2", "--window", "0.002"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["xor", "1"],
        ["xor", "2"],
    ]


@LINUX
@pytest.mark.parametrize("program", ["sharing.py", "fits.py"])
def test_a_quick_run_has_a_line_for_each_network(program: str) -> None:
    options = ["--networks", "xor,cancer", "--rounds", "1", "--window", "0.002"]
    command = [sys.executable, str(BENCHES / program), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-2:]] == ["xor", "cancer"]
