"""`python -m ironmlp demo`."""

import json
import subprocess
import sys

import pytest

import ironmlp as im
from ironmlp._commands import demo


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "ironmlp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, object]]:
    done = run("demo", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    loaded: dict[str, dict[str, object]] = json.loads(done.stdout)
    return loaded


def test_json_has_the_agreed_keys(results: dict[str, dict[str, object]]) -> None:
    assert {name: list(part) for name, part in results.items()} == {
        "xor": ["loss", "outputs", "max_abs_diff_to_numpy", "seconds", "numpy_seconds"],
        "digits": ["test_accuracy", "n_test", "seconds", "numpy_seconds"],
    }


def test_xor_is_learnt_and_equals_numpy(results: dict[str, dict[str, object]]) -> None:
    xor = results["xor"]
    assert [epoch for epoch, _ in xor["loss"]] == list(range(0, 10_000, 1000))
    losses = [loss for _, loss in xor["loss"]]
    assert losses == sorted(losses, reverse=True)
    assert all(abs(p - t) < 0.1 for p, t in zip(xor["outputs"], [0, 1, 1, 0], strict=True))
    assert xor["max_abs_diff_to_numpy"] <= 1e-12


def test_digits_are_read(results: dict[str, dict[str, object]]) -> None:
    assert results["digits"]["test_accuracy"] >= 0.97
    assert results["digits"]["n_test"] == 360


def test_demo_prints_all_parts() -> None:
    done = run("demo")
    assert done.returncode == 0, done.stderr
    for words in (
        "XOR: 2-3-2-1",
        "epoch  9000",
        "[0.41667, -0.55556, 1.66667]",
        "logits",
        "Handwritten digits: 64-100-10",
        "test accuracy 0.9",
    ):
        assert words in done.stdout
    ratios = [line for line in done.stdout.splitlines() if "times faster" in line]
    assert len(ratios) == 2
    assert all(line.endswith("one thread each, best of 5") for line in ratios)


def test_both_sides_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """BLAS reads its number of threads when NumPy is loaded, so the process begins with it."""
    begun = []

    def begin(command: list[str], *, env: dict[str, str], **_: object) -> object:
        words = [name for name in env if name.endswith(("NUM_THREADS", "MAXIMUM_THREADS"))]
        begun.append((command[1:], {name: env[name] for name in words}))
        return subprocess.CompletedProcess(command, 0, stdout="{}")

    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(demo.subprocess, "run", begin)
    assert demo.measured() == {}
    ((command, threads),) = begun
    assert command == ["-m", "ironmlp._commands.demo_measure"]
    assert set(threads.values()) == {"1"}
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} <= set(threads)


def test_models_of_the_demo_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from ironmlp._commands import demo_measure

    made = []

    class Noted(im.MLP):
        def __init__(self, *given: object, **settings: object) -> None:
            super().__init__(*given, **settings)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(demo_measure.im, "MLP", Noted)
    monkeypatch.setattr(demo_measure, "XOR_EPOCHS", 10)
    monkeypatch.setattr(demo_measure, "XOR_PRINTED", 10)
    monkeypatch.setattr(
        demo_measure,
        "best_times",
        lambda *calls: [call() for call in calls] and {"seconds": 0.0, "numpy_seconds": 0.0},
    )
    demo_measure.xor()
    assert [model.n_threads for model in made] == [1]
    monkeypatch.setattr(demo_measure, "DIGITS_SPLITS", 2)
    demo_measure.digits()
    assert [model.n_threads for model in made] == [1, 1, 1]


def test_the_shortest_of_several_times_counts_and_sides_take_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ironmlp._commands import demo_measure

    clock, calls = [0.0], []
    monkeypatch.setattr(demo_measure.time, "perf_counter", lambda: clock[0])
    durations = {"ours": iter([5.0, 2.0, 3.0, 2.5, 9.0]), "numpy": iter([7.0, 8.0, 6.0, 9.0, 9.0])}

    def takes(name: str) -> None:
        calls.append(name)
        clock[0] += next(durations[name])

    times = demo_measure.best_times(lambda: takes("ours"), lambda: takes("numpy"))
    assert times == {"seconds": 2.0, "numpy_seconds": 6.0}
    assert calls == ["ours", "numpy"] * 5


def test_a_measurement_that_fails_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        demo.subprocess,
        "run",
        lambda command, **_: subprocess.CompletedProcess(command, 3, stdout=""),
    )
    with pytest.raises(SystemExit) as caught:
        demo.run_demo(as_json=True)
    assert caught.value.code == 3


def test_version() -> None:
    assert run("--version").stdout == f"ironmlp {im.__version__}\n"


def test_help_and_unknown_commands() -> None:
    assert "demo" in run("--help").stdout
    assert run("dance").returncode == 2
    assert run().returncode == 2
