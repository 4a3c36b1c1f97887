"""Writes torch_plateau.json, beside this file: the learning rates of PyTorch's ReduceLROnPlateau.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_plateau.py`. The file has
"torch", the version; "curves", numbers of 60 epochs; and "cases", each with "options" (ironmlp's
arguments), the "curve" that it watches, with the other sign where larger is better, and "changes",
the epochs after which the rate is another and that rate. At the begin it is "lr".
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

LR = 0.1

OPTIONS: list[dict[str, Any]] = [
    {},
    {"factor": 0.5, "patience": 0},
    {"factor": 0.5, "patience": 1, "threshold": 0.0},
    {"factor": 0.5, "patience": 2, "threshold": 0.05},
    {"factor": 0.3, "patience": 1, "cooldown": 3},
    {"factor": 0.3, "patience": 0, "cooldown": 1, "threshold": 0.01},
    {"factor": 0.2, "patience": 1, "min_lr": 1e-3},
    {"factor": 0.0, "patience": 3, "min_lr": 1e-4},
    {"factor": 0.1, "patience": 0, "threshold": 0.5},
    {"factor": 0.7, "patience": 1, "mode": "max"},
    {"factor": 0.7, "patience": 2, "mode": "max", "threshold": 0.02, "cooldown": 2},
]


def curves(rng: np.random.Generator) -> list[list[float]]:
    """Numbers of 60 epochs: noise around a fall, steps, small and negative ones, and infinity."""
    epochs = np.arange(60)
    noisy = np.exp(-epochs / 12) + 0.1 * rng.normal(size=60) ** 2
    steps = np.round(2 - epochs / 25, 1)
    small = 1e-6 * (1 + np.cos(epochs / 5))
    negative = -np.log1p(epochs) + 0.3 * rng.normal(size=60)
    late = np.where(epochs < 6, np.inf, noisy)
    return [np.round(curve, 9).tolist() for curve in (noisy, steps, small, negative, late)]


def changes(options: dict[str, Any], values: list[float]) -> list[tuple[int, float]]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=LR)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    rate, found = LR, []
    for epoch, value in enumerate(values):
        scheduler.step(-value if options.get("mode") == "max" else value)
        if optimizer.param_groups[0]["lr"] != rate:
            rate = optimizer.param_groups[0]["lr"]
            found.append((epoch, rate))
    return found


def main() -> None:
    drawn = curves(np.random.default_rng(0))
    cases = [
        {"options": options, "curve": number, "changes": changes(options, values)}
        for options in OPTIONS
        for number, values in enumerate(drawn)
    ]
    found = {"torch": torch.__version__, "lr": LR, "curves": drawn, "cases": cases}
    text = json.dumps(found) + "\n"
    Path(__file__).with_name("torch_plateau.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
