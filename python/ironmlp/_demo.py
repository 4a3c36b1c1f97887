"""The demo: XOR, the two binary cross-entropies, and handwritten digits, beside plain NumPy."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp import _demo_numpy as by_hand
from ironmlp import datasets, functional

XOR_EPOCHS = 10_000
XOR_PRINTED = 1000
XOR_LR = 0.1
# One of the many seeds from which the network learns XOR; a few end in another minimum.
XOR_SEED = 1

DIGITS_HIDDEN = 100
DIGITS_EPOCHS = 40
DIGITS_BATCH = 100
DIGITS_LR = 0.01
DIGITS_SPLITS = 5


def run_demo(as_json: bool) -> None:
    """Run all parts and print them, as text or as one JSON object."""
    if as_json:
        print(json.dumps({"xor": xor(), "digits": digits()}))
        return
    print_configuration()
    print_xor(xor())
    print_losses()
    print_digits(digits())


def xor() -> dict[str, Any]:
    """A 2-3-2-1 network learns exclusive or, here and in NumPy from the same parameters."""
    X, y = datasets.xor()
    model = im.MLP(
        [2, 3, 2, 1],
        activation="sigmoid",
        loss=im.BinaryCrossEntropy(reduction="sum"),
        optimizer=im.SGD(lr=XOR_LR),
        init="normal",
        dtype="float64",
        seed=XOR_SEED,
    )
    # NumPy code keeps weights as (inputs, outputs).
    parameters = [np.ascontiguousarray(w.T) for w in model.state_dict().values()]

    begin = time.perf_counter()
    history = model.fit(X, y, epochs=XOR_EPOCHS, batch_size=None, verbose=False)
    seconds = time.perf_counter() - begin

    begin = time.perf_counter()
    numpy_losses, _ = by_hand.train_xor(X, y[:, np.newaxis], parameters, XOR_LR, XOR_EPOCHS)
    numpy_seconds = time.perf_counter() - begin

    trained = model.state_dict().values()
    differences = [np.abs(ours.T - w).max() for ours, w in zip(trained, parameters, strict=True)]
    differences.append(np.abs(history["loss"] - numpy_losses).max())
    printed = range(0, XOR_EPOCHS, XOR_PRINTED)
    return {
        "loss": [[epoch, float(history["loss"][epoch])] for epoch in printed],
        "outputs": model.predict_proba(X)[:, 1].tolist(),
        "max_abs_diff_to_numpy": float(max(differences)),
        "seconds": seconds,
        "numpy_seconds": numpy_seconds,
    }


def digits() -> dict[str, Any]:
    """A 64-100-10 network reads digits: the mean over five splits, times summed over them."""
    X, y = datasets.digits()
    X /= 16.0
    accuracies, seconds, numpy_seconds, n_test = [], 0.0, 0.0, 0
    for seed in range(DIGITS_SPLITS):
        X_train, X_test, y_train, y_test = datasets.stratified_split(X, y, 0.2, seed)
        model = im.MLP(
            [64, DIGITS_HIDDEN, 10],
            loss="cross_entropy",
            optimizer=im.Adam(lr=DIGITS_LR),
            seed=seed,
        )
        begin = time.perf_counter()
        model.fit(X_train, y_train, epochs=DIGITS_EPOCHS, batch_size=DIGITS_BATCH, verbose=False)
        seconds += time.perf_counter() - begin
        accuracies.append(model.evaluate(X_test, y_test)["accuracy"])

        begin = time.perf_counter()
        by_hand.train_digits(
            X_train, y_train, DIGITS_HIDDEN, DIGITS_LR, DIGITS_BATCH, DIGITS_EPOCHS, seed
        )
        numpy_seconds += time.perf_counter() - begin
        n_test = len(y_test)
    return {
        "test_accuracy": float(np.mean(accuracies)),
        "n_test": n_test,
        "seconds": seconds,
        "numpy_seconds": numpy_seconds,
    }


def print_configuration() -> None:
    found = im.config()
    print(f"ironmlp {found['version']}, {found['isa']}, {found['num_threads']} threads")


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
    print(f"  ironmlp {ours:.4f} s, NumPy {numpy:.4f} s: {numpy / ours:.1f} times faster")


def rounded(numbers: np.ndarray[Any, Any]) -> list[float]:
    return [round(float(number), 5) for number in numbers]
