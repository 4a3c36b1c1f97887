"""The small network that PyTorch trains for golden files, and how such a file is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np

# Of the network in `start`.
SIZES = [3, 4, 2]


def start(seed: int) -> tuple[Any, Any, list[Any]]:
    """X, targets, and initial parameters in the order of state_dict, with three decimals."""
    rng = np.random.default_rng(seed)
    X, targets = np.round(rng.normal(size=(5, 3)), 3), np.round(rng.normal(size=(5, 2)), 3)
    initial = [np.round(rng.normal(size=shape), 3) for shape in ((4, 3), (4,), (2, 4), (2,))]
    return X, targets, initial


def write(
    name: str, torch: str, steps: int, started: tuple[Any, Any, list[Any]], cases: list[Any]
) -> None:
    """Write a file beside this one, a case in each line."""
    X, targets, initial = started
    made = {
        "torch": torch,
        "steps": steps,
        "sizes": SIZES,
        "X": X.tolist(),
        "targets": targets.tolist(),
        "initial": [value.tolist() for value in initial],
    }
    lines = [f'"{key}": {json.dumps(value)}' for key, value in made.items()]
    lines.append('"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    Path(__file__).with_name(name).write_text(text, encoding="utf-8")
