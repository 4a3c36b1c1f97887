"""The benches' own parts: what they refuse, count and print. Nothing here looks at a time."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import math
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agreement
import ironmlp as im
import peer_ironmlp
import peer_numpy
import peer_reference
import report
import workers
from record import Record, Row
from results import Line, digits, lines, percent, read
from workloads import BY_NAME, IMAGES, WORKLOADS, Workload, data, initial, orders

ROOT = Path(__file__).resolve().parent.parent
# A check of the others takes seconds; peers.py makes it before it times them.
LARGE = ("mnist-small", "mnist", "wide", "simplechains")
SMALL = [w for w in WORKLOADS if w.name not in LARGE]
LINUX = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to cores"
)


@functools.cache
def reference(workload: Workload) -> list[float]:
    trainer = peer_numpy.Trainer(workload, 1, "float64")
    return trainer.train(workload.check_epochs, shuffle=False)


def ids(workload: Workload) -> str:
    return workload.name


@pytest.mark.parametrize("workload", SMALL, ids=ids)
@pytest.mark.parametrize("module", [peer_numpy, peer_ironmlp])
def test_peers_agree(module: Any, workload: Workload) -> None:
    wanted = reference(workload)
    agreement.check_movement(wanted, workload.dtype)
    losses = module.Trainer(workload, 1).train(workload.check_epochs, shuffle=False)
    assert agreement.difference(losses, wanted, workload.dtype) <= agreement.tolerance(
        workload.dtype
    )


@pytest.mark.parametrize("workload", SMALL, ids=ids)
@pytest.mark.parametrize("module", [peer_numpy, peer_ironmlp])
def test_a_learning_rate_off_by_a_percent_is_seen(module: Any, workload: Workload) -> None:
    wrong = dataclasses.replace(workload, lr=1.01 * workload.lr)
    losses = module.Trainer(wrong, 1).train(workload.check_epochs, shuffle=False)
    with pytest.raises(agreement.DisagreementError, match="relative difference"):
        agreement.difference(losses, reference(workload), workload.dtype)


def test_another_order_of_batches_is_seen() -> None:
    workload = BY_NAME["cancer"]
    losses = peer_numpy.Trainer(workload, 1).train(workload.check_epochs, shuffle=True)
    with pytest.raises(agreement.DisagreementError):
        agreement.difference(losses, reference(workload), workload.dtype)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([1.0], "1 losses, the reference has 2"),
        ([1.0, math.nan], "epoch 1 is nan"),
        ([math.inf, 0.5], "epoch 0 is inf"),
        ([1.0, 0.50001], "epoch 1 is 0.50001"),
    ],
)
def test_losses_that_disagree(losses: list[float], message: str) -> None:
    with pytest.raises(agreement.DisagreementError, match=message):
        agreement.difference(losses, [1.0, 0.5], "float32")
    assert agreement.difference([1.0, 0.5], [1.0, 0.5], "float32") == 0


def test_losses_that_stand_still_check_nothing() -> None:
    with pytest.raises(agreement.DisagreementError, match="move by"):
        agreement.check_movement([1.0, 0.999], "float32")
    with pytest.raises(agreement.DisagreementError, match="move by nan"):
        agreement.check_movement([1.0, math.nan], "float32")


@pytest.mark.parametrize("workload", SMALL, ids=ids)
def test_flops_are_those_of_the_products(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, product, counted = peer_numpy.Trainer(workload, 1), np.matmul, []

    def matmul(a: np.ndarray, b: np.ndarray, **out: Any) -> Any:
        if a.ndim == 2:  # and not a sum of rows by a vector of ones
            counted.append(2 * a.shape[0] * a.shape[1] * b.shape[1])
        return product(a, b, **out)

    monkeypatch.setattr(np, "matmul", matmul)
    trainer.step(trainer.X[: workload.batch], trainer.y[: workload.batch])
    assert sum(counted) == workload.flops


@pytest.fixture(scope="module")
def images() -> Workload:
    return dataclasses.replace(BY_NAME["lenet-28"], batch=32, rows=256)


@pytest.fixture(scope="module")
def of_images(images: Workload) -> list[float]:
    return peer_reference.Trainer(images, 1, "float64").train(images.check_epochs, shuffle=False)


def test_networks_of_images_agree(images: Workload, of_images: list[float]) -> None:
    agreement.check_movement(of_images, images.dtype)
    losses = peer_ironmlp.Trainer(images, 1).train(images.check_epochs, shuffle=False)
    agreement.difference(losses, of_images, images.dtype)
    wrong = dataclasses.replace(images, lr=1.01 * images.lr)
    losses = peer_ironmlp.Trainer(wrong, 1).train(images.check_epochs, shuffle=False)
    with pytest.raises(agreement.DisagreementError, match="relative difference"):
        agreement.difference(losses, of_images, images.dtype)


@pytest.mark.parametrize("workload", IMAGES, ids=ids)
def test_flops_of_images_are_those_of_the_layers(workload: Workload) -> None:
    image = np.zeros((1, *(workload.image or ())), np.float32)
    model = im.Sequential(peer_ironmlp.layers(workload), loss="cross_entropy", seed=0)
    trace, products = model.trace(image, [0]), []
    for key, w in model.state_dict().items():
        name, part = key.split(".")
        if part == "weight":
            products.append(w.size * math.prod(trace[f"{name}.output"].shape[2:]))
    assert workload.flops == 2 * workload.batch * (3 * sum(products) - products[0])


@pytest.mark.parametrize("workload", [*WORKLOADS, *IMAGES], ids=ids)
def test_workloads_are_whole_batches(workload: Workload) -> None:
    assert workload.rows == workload.steps * workload.batch
    for weight, bias in initial(workload):
        assert weight.dtype == bias.dtype == workload.dtype
    shuffled = orders(workload, np.random.default_rng(0))
    assert np.array_equal(np.sort(shuffled.ravel()), orders(workload, None).ravel())


@pytest.mark.parametrize("workload", [*SMALL, BY_NAME["channels-24"]], ids=ids)
def test_data_are_the_same_each_time(workload: Workload) -> None:
    X, y = data(workload)
    again = data(workload)
    assert np.array_equal(X, again[0])
    assert np.array_equal(y, again[1])
    assert X.shape == (workload.rows, *(workload.image or workload.sizes[:1]))
    assert X.dtype == workload.dtype


def test_labels() -> None:
    assert BY_NAME["wide"].label == "1024x4-10 relu (1024, SGD)"
    assert BY_NAME["odd"].label == "37-91-53-7 relu (50, SGD+momentum)"
    assert BY_NAME["double"].label == "50-120-60-12 sigmoid (96, SGD, f64)"
    assert BY_NAME["lenet-28"].label == ("1x28x28, 6@5x5, 16@5x5, 400-120-84-10 sigmoid (128, SGD)")


def window(workload: str, peer: str, threads: int, round_: int, seconds: float) -> Row:
    return {
        "kind": "window",
        "workload": workload,
        "peer": peer,
        "threads": threads,
        "round": round_,
        "epochs": 1,
        "steps": 10,
        "seconds": seconds,
    }


@pytest.fixture
def rows() -> list[Row]:
    """A run of two peers; cancer is 1.044 MFLOP, so 20 us a step are 52.2 GFLOP/s."""
    run = {
        "kind": "run",
        "cpu": "A CPU",
        "date": "2020-02-03T04:05:06+00:00",
        "python": "3.11.0",
        "rounds": 3,
        "window": 0.1,
        "quick": False,
        "networks": ["cancer", "xor"],
    }
    found = [run, {"kind": "missing", "peer": "torch", "package": "torch"}]
    for peer, versions in (("numpy", {"numpy": "2.0"}), ("ironmlp", {"isa": "avx2"})):
        found.append({"kind": "peer", "peer": peer, "threads": 1, "versions": versions})
    peak = {"kind": "peak", "dtype": "float32", "threads": 1}
    found += [{**peak, "gflops": gflops} for gflops in (90.0, 104.4, 80.0)]
    for number, (numpy, ironmlp) in enumerate([(5e-4, 2e-4), (7e-4, 9e-4), (6e-4, 1e-4)]):
        found.append(window("cancer", "numpy", 1, number, numpy))
        found.append(window("cancer", "ironmlp", 1, number, ironmlp))
    found.append(window("xor", "ironmlp", 2, 0, 1e-6))
    return [*found, {"kind": "end"}]


def test_lines(rows: list[Row]) -> None:
    cancer, xor = lines(rows)
    assert cancer.median == pytest.approx({"numpy": 60, "ironmlp": 20})
    assert cancer.least == pytest.approx({"numpy": 50, "ironmlp": 10})
    assert cancer.best_peer == "numpy"
    assert cancer.ratio == pytest.approx(3)
    assert cancer.share == pytest.approx(1.04448e6 / 20e-6 / 104.4e9)
    assert (xor.threads, xor.best_peer, xor.ratio, xor.share) == (2, None, None, None)


def test_a_slower_ironmlp_shows() -> None:
    line = Line("xor", 1, {"numpy": 1.0, "jax": 2.0, "ironmlp": 4.0}, {}, None)
    assert line.ratio == pytest.approx(0.25)
    assert "| 0.0003 | **1.00** | 2.00 | 4.00 | 0.25 |" in report.table([line], 1)


def test_the_line_for_people_who_wait(rows: list[Row]) -> None:
    cancer, xor = map(report.console, lines(rows))
    us = "numpy 60.0 (50.0) 3.00 x, ironmlp 20.0 (10.0)"
    assert cancer == f"  1 thread, us: {us}; 52.2 GFLOP/s, 50% of the peak"
    assert xor == "  2 threads, us: ironmlp 0.10 (0.10); 2.88 GFLOP/s"


def test_the_readme_part(rows: list[Row]) -> None:
    text = report.part(rows, "benches/results/a.jsonl")
    assert "| network (batch, optimizer) | MFLOP | NumPy | ironmlp |" in text
    assert "| cancer: 30-64x2-1 sigmoid (32, SGD) | 1.04 | 60.0 | **20.0** | 3.00 | 50% |" in text
    for words in ("A CPU, 2020-02-03", "numpy 2.0", "ran avx2", "104 GFLOP/s (float32, 1 core)"):
        assert words in text
    assert "Not installed, so not measured: PyTorch." in text
    assert text.index("1 thread:") < text.index("2 threads:")


def test_the_readme_is_rewritten_between_its_marks() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    changed = report.rewritten(readme, "new")
    assert f"{report.BEGIN}\nnew\n{report.END}" in changed
    assert report.rewritten(changed, "old") != changed
    assert report.rewritten(report.rewritten(readme, "a"), "b") == report.rewritten(readme, "b")
    for broken in ("", report.BEGIN, 2 * readme, f"{report.END} {report.BEGIN}"):
        with pytest.raises(ValueError, match=r"README\.md"):
            report.rewritten(broken, "new")


def test_what_is_no_whole_run_is_refused(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "a.jsonl"

    def written(listed: list[Row]) -> Path:
        path.write_text("".join(json.dumps(row) + "\n" for row in listed), "utf-8")
        return path

    assert read(written(rows)) == rows
    failure = {"kind": "failure", "workload": "xor", "peer": "jax", "threads": 1, "message": ""}
    with pytest.raises(ValueError, match="jax on xor"):
        read(written([*rows[:-1], failure, rows[-1]]))
    for broken in (rows[:-1], rows[1:], []):
        with pytest.raises(ValueError, match="whole run"):
            read(written(broken))


def test_a_quick_run_is_not_for_the_readme(
    tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    path = tmp_path / "a.jsonl"
    rows[0]["quick"] = True
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    monkeypatch.setattr(sys, "argv", ["report.py", str(path)])
    assert report.main() == 1
    assert "quick" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["report.py", str(path), "--print"])
    assert report.main() == 0


def test_digits() -> None:
    assert [percent(share) for share in (0.0023, 0.0123, 0.915)] == ["0.2%", "1%", "92%"]
    assert [digits(v) for v in (0.099, 1.234, 12.34, 123.4, 12345.6)] == [
        "0.10",
        "1.23",
        "12.3",
        "123",
        "12346",
    ]


def test_settings_that_slow_peers_are_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "XLA_FLAGS", "OMP_PROC_BIND"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    chosen = workers.environment(2)
    assert not set(workers.CLEARED) & set(chosen)
    assert {chosen[name] for name in workers.COUNTS} == {"2"}


class Stub:
    """A worker that answers a check with given losses."""

    peer, threads = "jax", 1

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return {"losses": self.losses} if do == "check" else {}


@LINUX
def test_a_peer_that_disagrees_is_an_error() -> None:
    import comparison

    workload = BY_NAME["cancer"]
    right = reference(workload)
    record = Record(io.StringIO())
    assert comparison.checked(workload, [Stub(right)], record)  # type: ignore[list-item]
    wrong = [*right[:-1], right[-1] * (1 + 1e-4)]
    assert not comparison.checked(workload, [Stub(right), Stub(wrong)], record)  # type: ignore[list-item]
    assert record.failures == 1
    arguments = Namespace(require=[])
    assert comparison.finish(arguments, named(record)) == 1


def named(record: Any) -> Any:
    record.file.name = "rows"
    return record


@LINUX
def test_a_peer_that_is_not_installed_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import comparison

    monkeypatch.setitem(workers.PEERS, "jax", ("no_such_package", "no_such_package", "JAX"))
    record = Record(io.StringIO())
    with comparison.started(["jax"], [1], record) as there:
        assert there == []
    assert record.rows == [{"kind": "missing", "peer": "jax", "package": "no_such_package"}]
    assert comparison.finish(Namespace(require=[]), named(record)) == 0
    assert "not installed: no_such_package, so JAX was not measured" in capsys.readouterr().out
    assert comparison.finish(Namespace(require=["no_such_package"]), record) == 1


@LINUX
def test_images_are_timed_and_are_not_for_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    import comparison
    import lenet

    path = tmp_path / "rows.jsonl"
    options = ["--networks", "lenet-28", "--peers", "ironmlp", "--threads", "1", "--rounds", "1"]
    options += ["--window", "0.001", "--out", str(path)]
    monkeypatch.setattr(comparison, "Peaks", NoPeaks)
    monkeypatch.setattr(sys, "argv", ["lenet.py", *options])
    assert comparison.main(lenet.PROGRAM) == 0
    (line,) = lines(read(path))
    assert (line.workload, line.threads, list(line.median)) == ("lenet-28", 1, ["ironmlp"])
    assert "GFLOP/s" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["report.py", str(path)])
    assert report.main() == 1
    assert "networks of images" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["report.py", str(path), "--print"])
    assert report.main() == 0
    assert "| lenet-28: 1x28x28, " in capsys.readouterr().out


class NoPeaks:
    """No program is built."""

    def __init__(self, workers: Any) -> None:
        pass

    def measure(self, *arguments: Any) -> None:
        pass


@LINUX
def test_a_worker_answers_and_reports_its_errors() -> None:
    worker = workers.Worker("numpy", 1)
    try:
        worker.greet()
        assert worker.about["versions"] == {"numpy": np.__version__}
        worker.ask("load", workload="xor")
        assert worker.ask("check")["losses"] == pytest.approx(reference(BY_NAME["xor"]), rel=1e-5)
        with pytest.raises(workers.PeerError, match="KeyError") as caught:
            worker.ask("load", workload="no such network")
        assert caught.value.worker is worker
        assert worker.ask("drop") == {}
        worker.process.kill()
        worker.process.wait()
        with pytest.raises(workers.PeerError, match="ended"):
            worker.ask("drop")
    finally:
        worker.close()
