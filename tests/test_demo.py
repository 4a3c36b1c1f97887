"""`python -m ironmlp demo`."""

import json
import subprocess
import sys

import pytest


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
        "NumPy",
    ):
        assert words in done.stdout


def test_help_and_unknown_commands() -> None:
    assert "demo" in run("--help").stdout
    assert run("dance").returncode == 2
    assert run().returncode == 2
