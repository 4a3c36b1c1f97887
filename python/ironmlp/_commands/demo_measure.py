"""What the demo measures: `python -m ironmlp._commands.demo_measure` prints it as JSON.

It is a process of its own, whose environment keeps NumPy's BLAS to one thread (`demo.ONE_THREAD`):
that is read when NumPy is loaded. ironmlp has one thread too. Both sides take turns, and the
shortest of several times counts: other programs make a time longer, never shorter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp import datasets
from ironmlp._commands import demo_numpy as by_hand

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

# Times of each side, of which the shortest counts.
WINDOWS = 5


def best_times(ours: Callable[[], object], numpy: Callable[[], object]) -> dict[str, float]:
    """The shortest of `WINDOWS` times of each side, in seconds."""
    times: list[list[float]] = [[], []]
    for _ in range(WINDOWS):
        for side, call in zip(times, (ours, numpy), strict=True):
            begin = time.perf_counter()
            call()
            side.append(time.perf_counter() - begin)
    return {"seconds": min(times[0]), "numpy_seconds": min(times[1])}


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
        n_threads=1,
    )
    # NumPy code keeps weights as (inputs, outputs).
    start = [w.T for w in model.state_dict().values()]
    parameters: list[Any] = []
    losses: list[list[float]] = [[], []]

    def ours() -> None:
        model.reset()
        history = model.fit(X, y, epochs=XOR_EPOCHS, batch_size=None, verbose=False)
        losses[0] = history["loss"].tolist()

    def numpy() -> None:
        parameters[:] = [np.array(w, order="C") for w in start]
        losses[1], _ = by_hand.train_xor(X, y[:, np.newaxis], parameters, XOR_LR, XOR_EPOCHS)

    times = best_times(ours, numpy)
    trained = model.state_dict().values()
    differences = [np.abs(w.T - other).max() for w, other in zip(trained, parameters, strict=True)]
    differences.append(np.abs(np.subtract(losses[0], losses[1])).max())
    printed = range(0, XOR_EPOCHS, XOR_PRINTED)
    return {
        "loss": [[epoch, losses[0][epoch]] for epoch in printed],
        "outputs": model.predict_proba(X)[:, 1].tolist(),
        "max_abs_diff_to_numpy": float(max(differences)),
        **times,
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
            n_threads=1,
        )
        rows = X_train, y_train
        times = best_times(
            partial(train_digits, model, *rows),
            partial(
                by_hand.train_digits,
                *rows,
                hidden=DIGITS_HIDDEN,
                lr=DIGITS_LR,
                batch_size=DIGITS_BATCH,
                epochs=DIGITS_EPOCHS,
                seed=seed,
            ),
        )
        seconds += times["seconds"]
        numpy_seconds += times["numpy_seconds"]
        accuracies.append(model.evaluate(X_test, y_test)["accuracy"])
        n_test = len(y_test)
    return {
        "test_accuracy": float(np.mean(accuracies)),
        "n_test": n_test,
        "seconds": seconds,
        "numpy_seconds": numpy_seconds,
    }


def train_digits(model: im.MLP, X: Any, y: Any) -> None:
    model.reset()
    model.fit(X, y, epochs=DIGITS_EPOCHS, batch_size=DIGITS_BATCH, verbose=False)


if __name__ == "__main__":
    print(json.dumps({"xor": xor(), "digits": digits()}))
