"""The demo: XOR, the two binary cross-entropies, and handwritten digits, beside plain NumPy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp import datasets, functional
from ironmlp._commands.demo_measure import (
    DIGITS_EPOCHS,
    DIGITS_HIDDEN,
    DIGITS_SPLITS,
    WINDOWS,
    XOR_EPOCHS,
)

# What the libraries behind NumPy's products read when they are loaded. More threads than one make
# the demo's small products slower, sometimes by far.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)


def run_demo(as_json: bool) -> None:
    """Run all parts and print them, as text or as one JSON object."""
    if as_json:
        print(json.dumps(measured()))
        return
    print_configuration()
    results = measured()
    print_xor(results["xor"])
    print_losses()
    print_digits(results["digits"])


def measured() -> dict[str, Any]:
    """What `demo_measure.py` prints, in a process where NumPy has one thread from the beginning."""
    command = [sys.executable, "-m", "ironmlp._commands.demo_measure"]
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def print_configuration() -> None:
    found = im.config()
    print(f"ironmlp {found['version']}, {found['isa']}: this takes some seconds", flush=True)


def print_xor(results: dict[str, Any]) -> None:
    print(f"\nXOR: 2-3-2-1, sigmoid, {XOR_EPOCHS:,} epochs of all four rows, float64")
    for epoch, loss in results["loss"]:
        print(f"  epoch {epoch:5d}   loss {loss:.6f}")
    rows = datasets.xor()[0].astype(int).tolist()
    for row, output in zip(rows, results["outputs"], strict=True):
        print(f"  {row} -> {output:.4f}")
    print(f"  largest difference to NumPy: {results['max_abs_diff_to_numpy']:.1e}")
    print_times(results)


def print_losses() -> None:
    y, p = [0.0, 1.0, 0.0], [0.2, 0.6, 0.8]
    value, gradient = functional.binary_cross_entropy_value_and_grad(p, y)
    print("\nBinary cross-entropy of probabilities")
    print(f"  y {y}, p {p}: loss {value:.5f}, dL/dp {rounded(gradient)}")
    logits = [-2.0, 0.5, 1000.0]
    value, gradient = functional.sigmoid_cross_entropy_with_logits_value_and_grad(logits, y)
    print("Sigmoid cross-entropy with logits")
    print(f"  y {y}, x {logits}: loss {value:.5f}, dL/dx {rounded(gradient)}")


def print_digits(results: dict[str, Any]) -> None:
    print(
        f"\nHandwritten digits: 64-{DIGITS_HIDDEN}-10, ReLU, Adam, {DIGITS_EPOCHS} epochs, "
        f"mean of {DIGITS_SPLITS} splits with {results['n_test']} test images each"
    )
    print(f"  test accuracy {results['test_accuracy']:.4f}")
    print_times(results)


def print_times(results: dict[str, Any]) -> None:
    ours, numpy = results["seconds"], results["numpy_seconds"]
    print(
        f"  ironmlp {ours:.4f} s, NumPy {numpy:.4f} s: {numpy / ours:.1f} times faster, "
        f"one thread each, best of {WINDOWS}"
    )


def rounded(numbers: np.ndarray[Any, Any]) -> list[float]:
    return [round(float(number), 5) for number in numbers]
