"""Wrote format_1/, beside this file: what `save` of format 1 made of small models.

    python tests/golden/make_format_1.py

It was run with the last ironmlp that wrote format 1, and refuses any other: the files stay as they
are, so that models saved then go on now. NAME.safetensors is a model after its first epochs.
expected.json has for each NAME two hashes of `digest`: of its outputs on `inputs` as loaded, with
all parameters ("loaded"), and of the losses of two more epochs with all parameters ("continued").
`made` and `rows` are for the test as well, which loads each file and trains on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp._commands.selfcheck_networks import digest, unit
from ironmlp._files import saving

FOLDER = Path(__file__).with_name("format_1")
ROWS, BATCH, EPOCHS = 40, 16, 2


def made() -> dict[str, im.Sequential]:
    """The models, untrained: every optimizer of format 1 and its options, in both dtypes."""
    adam = im.Adam(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=1e-3)
    sizes = [4, 9, 3]
    return {
        "adam_float32": im.MLP(sizes, loss="mse", optimizer=adam, seed=1),
        "adam_float64": im.MLP(sizes, loss="mse", optimizer=adam, dtype="float64", seed=2),
        "plain_sgd": im.MLP(sizes, loss="mae", optimizer=im.SGD(lr=0.1), seed=3),
        "nesterov": im.MLP(
            sizes,
            activation="tanh",
            loss=im.Huber(0.5),
            optimizer=im.SGD(lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True),
            seed=4,
        ),
        "labels": im.MLP(sizes, loss="cross_entropy", optimizer=im.SGD(0.1, 0.5), seed=5),
        "wider": im.Sequential(
            [
                im.Linear(4, 20, lr_scale=0.5),
                im.LeakyReLU(0.3),
                im.Dropout(0.2),
                im.Linear(20, 6, trainable=False),
                im.GELU(approximate="tanh"),
                im.Linear(6, 3, bias=False, init="he_normal"),
            ],
            loss=im.CrossEntropy(class_weight=[1.0, 2.0, 1 / 3], label_smoothing=0.1),
            optimizer="adam",
            seed=2**64 - 1,
        ),
        "images": im.Sequential(
            [
                im.Conv2d(1, 3, 3, padding=1),
                im.Sigmoid(),
                im.AvgPool2d(2),
                im.Conv2d(3, 4, 3),
                im.Sigmoid(),
                im.AvgPool2d(2),
                im.Flatten(),
                im.Linear(16, 3),
            ],
            loss="cross_entropy",
            optimizer=im.Adam(lr=0.01),
            scale=0.5,
            seed=6,
        ),
    }


def rows(name: str) -> tuple[Any, Any]:
    """X and y for a model: multiples of 2**-20, labels of text for "labels"."""
    shape = (1, 12, 12) if name == "images" else (4,)
    X, y = unit((ROWS, *shape), 1), unit((ROWS, 3), 2)
    if name in ("wider", "images"):
        return X, y.argmax(axis=1)
    return X, np.array(["bird", "cat", "newt"])[y.argmax(axis=1)] if name == "labels" else y


def loaded_hash(name: str, model: im.Sequential) -> str:
    """The hash of a model's outputs and parameters."""
    outputs = model(rows(name)[0])
    return digest(outputs, model.state_dict())


def continued_hash(name: str, model: im.Sequential) -> str:
    """The hash of two more epochs of a model."""
    return digest(trained(name, model)["loss"], model.state_dict())


def trained(name: str, model: im.Sequential) -> Any:
    return model.fit(*rows(name), epochs=EPOCHS, batch_size=BATCH, verbose=False)


def main() -> int:
    if saving.FORMAT_VERSION != 1:
        print(f"this ironmlp writes format {saving.FORMAT_VERSION}", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for name, model in made().items():
        trained(name, model)
        model.save(FOLDER / f"{name}.safetensors")
        expected[name] = {
            "loaded": loaded_hash(name, model),
            "continued": continued_hash(name, model),
        }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
