"""Values and gradients from PyTorch; make_torch.py made the file and says what is in it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def golden() -> dict[str, Any]:
    """The lists of cases "losses", "activations" and "optimizers", and the version of "torch"."""
    path = Path(__file__).with_name("torch.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def array(numbers: Any) -> np.ndarray[Any, Any]:
    """A list of a case as an array: int64 for class indices, else float64."""
    return np.array(numbers)


def name(case: dict[str, Any]) -> str:
    """A test's id: what the case is, and its options."""
    options = ",".join(f"{key}={value}" for key, value in case["options"].items())
    return f"{case['name']}({options})"
