"""The bench of what LeNet-5 learns in two libraries: its claims hold for a twin, and fail for one
that trains otherwise. Instead of PyTorch, which tests do without, it meets ironmlp again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cracks

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to cores"
)


@pytest.fixture(scope="module")
def surfaces() -> cracks.Surfaces:
    return cracks.Surfaces.drawn(200, 32)


def twin(lr: float) -> type:
    """Stands for `cracks.Theirs`: ironmlp with another learning rate."""

    class Twin(cracks.Ours):
        def __init__(self, surfaces: Any, form: str, start: Any, threads: int) -> None:
            super().__init__(surfaces, form, 99, threads)
            self.model.load_state_dict(start)
            self.model.learning_rate = lr

    return Twin


def rows_of(
    lr: float, path: Path, monkeypatch: pytest.MonkeyPatch, *options: str
) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the rows of a run beside such a twin."""
    monkeypatch.setattr(cracks, "Theirs", twin(lr))
    monkeypatch.setattr(cracks, "run_pinned", lambda threads: None)
    monkeypatch.setattr(cracks, "versions", dict)
    sizes = ["--images", "200", "--size", "32"]
    monkeypatch.setattr(sys, "argv", ["cracks.py", *sizes, "--out", str(path), *options])
    code = cracks.main()
    return code, [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_twin_trains_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, rows = rows_of(cracks.LR, tmp_path / "a", monkeypatch, "--form", "sigmoid")
    assert code == 0
    assert [row["kind"] for row in (rows[0], rows[-1])] == ["run", "end"]
    ours, theirs = (row["losses"] for row in rows if row["kind"] == "steps")
    assert ours == theirs
    assert len(ours) == 2  # 160 images in batches of 128
    claims = [row for row in rows if row["kind"] == "claim"]
    assert [(row["value"], row["holds"]) for row in claims[1:]] == [(0, True)] * 2


def test_a_learning_rate_off_by_a_percent_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, rows = rows_of(1.01 * cracks.LR, tmp_path / "a", monkeypatch, "--form", "sigmoid")
    assert code == 1
    way = rows[-2]
    assert way["name"].endswith("over the way they went")
    assert not way["holds"]
    assert way["value"] == pytest.approx(0.01, rel=0.2)


def test_too_little_learnt_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--form", "relu", "--epochs", "6", "--seeds", "2"]
    code, rows = rows_of(cracks.LR, tmp_path / "a", monkeypatch, *options)
    assert code == 1
    epochs = [row for row in rows if row["kind"] == "epoch"]
    assert len(epochs) == 2 * 2 * 6
    assert {row["epoch"] for row in epochs if "accuracy" in row} == {5, 6}
    accuracy, apart = rows[-3:-1]
    last = [r["accuracy"] for r in epochs if r["epoch"] == 6 and r["library"] == "ironmlp"]
    assert accuracy["value"] == pytest.approx(np.mean(last))
    assert not accuracy["holds"]
    assert (apart["value"], apart["holds"]) == (0, True)


def test_batches_are_all_rows_in_another_order_each_epoch(surfaces: cracks.Surfaces) -> None:
    epochs = [surfaces.batches(seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    for batches in epochs:
        assert [len(rows) for rows in batches] == [128, 32]
        assert sorted(np.concatenate(batches)) == list(range(160))
    assert len({tuple(batches[0]) for batches in epochs}) == 3
    assert np.array_equal(epochs[0][0], surfaces.batches(0, 0)[0])


def test_the_distance_of_states() -> None:
    a, b = ({"w": np.full((2, 2), v), "b": np.full(1, 0.0)} for v in (1.0, 3.0))
    assert cracks.distance(a, b) == 4.0
