"""Wrote pickles/, beside this file: models and what belongs to them, as an ironmlp pickled them
whose modules had other names.

    python tests/golden/make_pickles.py

The files stay as they are, so that what was pickled then is unpickled now; `made` is for the test
as well.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

import ironmlp as im

FOLDER = Path(__file__).with_name("pickles")
ROWS = 40


def rows() -> np.ndarray[Any, Any]:
    """X (40, 4) without a random number: multiples of 1/16 in [-1, 1)."""
    return (np.arange(ROWS * 4).reshape(ROWS, 4) * 7 % 32 / 16 - 1).astype(np.float32)


def targets(name: str) -> np.ndarray[Any, Any]:
    """y for the model of this name."""
    X = rows()
    return {
        "binary": np.where(X[:, 0] > 0, "sound", "cracked"),
        "classes": np.array(["bird", "cat", "newt"])[np.arange(ROWS) % 3],
        "flags": (X[:, :2] > 0).astype(np.int64),
        "numbers": X[:, 1] * X[:, 2],
    }[name]


def made(name: str) -> im.Sequential:
    """The model of this name, trained."""
    models = {
        "binary": im.MLP([4, 5, 1], loss="binary_cross_entropy", seed=1),
        "classes": im.Sequential(
            [im.Linear(4, 6), im.GELU(), im.Dropout(0.1), im.Linear(6, 3)],
            loss=im.CrossEntropy(label_smoothing=0.1),
            optimizer=im.SGD(0.1, momentum=0.9),
            seed=2,
        ),
        "flags": im.MLP([4, 5, 2], loss="binary_cross_entropy", seed=3),
        "numbers": im.MLP([4, 5, 1], loss=im.Huber(0.5), dtype="float64", seed=4),
    }
    model = models[name]
    model.fit(rows(), targets(name), epochs=3, callbacks=[note])
    return model


def note(model: im.Sequential, logs: dict[str, Any]) -> None:
    """A column of the history."""
    logs["rate"] = model.learning_rate


def others() -> list[Any]:
    """What is pickled beside models."""
    return [im.EarlyStopping("loss", patience=3), im.ProgressBar, im.StopTraining("why")]


MODELS = ("binary", "classes", "flags", "numbers")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        (FOLDER / f"{name}.pickle").write_bytes(pickle.dumps(made(name), 4))
    (FOLDER / "others.pickle").write_bytes(pickle.dumps(others(), 4))


if __name__ == "__main__":
    main()
