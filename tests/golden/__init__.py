"""Values, gradients and updates from PyTorch; make_torch.py and make_torch_optimizers.py made the
files and say what is in them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def golden() -> dict[str, Any]:
    """The lists of cases "losses", "activations" and "optimizers", and the version of "torch"."""
    trained = read("torch_optimizers.json")
    cases = trained.pop("cases")
    return read("torch.json") | {"optimizers": [trained | case for case in cases]}


def read(file: str) -> dict[str, Any]:
    path = Path(__file__).with_name(file)
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def array(numbers: Any) -> np.ndarray[Any, Any]:
    """A list of a case as an array: int64 for class indices, else float64."""
    return np.array(numbers)


def name(case: dict[str, Any]) -> str:
    """A test's id: what the case is, and its options."""
    options = ",".join(f"{key}={value}" for key, value in case["options"].items())
    return f"{case['name']}({options})"
