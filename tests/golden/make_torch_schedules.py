"""Writes torch_schedules.json, beside this file: 200 rates of each schedule, and as many steps with
them, in float64.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_schedules.py`. The file has
"torch", the version; "steps"; the network's "sizes", "X", "targets" and "initial" parameters, in
the order of state_dict, for tanh layers and the mean squared error; and "cases", each with a "name"
(ironmlp's class), "options" (its constructor's arguments, a schedule in them is [name, options]),
the "optimizer" that takes it (its name and options), the "rates" of the steps and the parameters
after them, "final". Numbers have 14 digits.

PyTorch's schedulers change the optimizer's rate, ours is an argument: `lr` is the optimizer's.
`LinearWarmup` is a `LinearLR` and what comes after it; where it begins at 0, which `LinearLR` does
not take, it is its formula.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler
from written import start, write

STEPS = 200

SGD: tuple[str, dict[str, Any]] = ("SGD", {"momentum": 0.9})
ADAM: tuple[str, dict[str, Any]] = ("Adam", {})

CASES: list[tuple[str, dict[str, Any], tuple[str, dict[str, Any]]]] = [
    ("StepLR", {"lr": 0.1, "step_size": 30}, SGD),
    ("StepLR", {"lr": 0.02, "step_size": 7, "gamma": 0.9}, ADAM),
    ("MultiStepLR", {"lr": 0.1, "milestones": [20, 20, 90, 150]}, SGD),
    ("MultiStepLR", {"lr": 0.1, "milestones": [130, 5], "gamma": 0.5}, SGD),
    ("ExponentialLR", {"lr": 0.1, "gamma": 0.97}, SGD),
    ("ExponentialLR", {"lr": 1e-3, "gamma": 1.02}, ADAM),
    ("CosineAnnealingLR", {"lr": 0.1, "T_max": 199}, SGD),
    ("CosineAnnealingLR", {"lr": 0.05, "T_max": 250, "eta_min": 0.003}, ADAM),
    ("CosineAnnealingWarmRestarts", {"lr": 0.1, "T_0": 30}, SGD),
    (
        "CosineAnnealingWarmRestarts",
        {"lr": 0.05, "T_0": 11, "T_mult": 3, "eta_min": 0.002},
        ADAM,
    ),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": 200}, SGD),
    (
        "OneCycleLR",
        {
            "max_lr": 0.1,
            "total_steps": 203,
            "pct_start": 0.41,
            "div_factor": 10.0,
            "final_div_factor": 50.0,
        },
        ADAM,
    ),
    ("PolynomialLR", {"lr": 0.1, "total_iters": 180}, SGD),
    ("PolynomialLR", {"lr": 0.1, "total_iters": 210, "power": 0.9}, ADAM),
    (
        "LinearWarmup",
        {"schedule": ["CosineAnnealingLR", {"lr": 0.1, "T_max": 170}], "steps": 30},
        SGD,
    ),
    (
        "LinearWarmup",
        {"schedule": ["StepLR", {"lr": 0.05, "step_size": 25}], "steps": 17, "start": 0.2},
        ADAM,
    ),
]


def rate(name: str, options: dict[str, Any]) -> float:
    """The optimizer's own rate."""
    if name == "LinearWarmup":
        return rate(*options["schedule"])
    return float(options["max_lr"] if name == "OneCycleLR" else options["lr"])


def scheduler(optimizer: Any, name: str, options: dict[str, Any]) -> Any:
    others = {key: value for key, value in options.items() if key != "lr"}
    if name == "OneCycleLR":
        return lr_scheduler.OneCycleLR(optimizer, cycle_momentum=False, **others)
    if name != "LinearWarmup":
        return getattr(lr_scheduler, name)(optimizer, **others)
    steps, start = options["steps"], options.get("start", 0.0)
    if start:
        first = lr_scheduler.LinearLR(optimizer, start, total_iters=steps)
        later = scheduler(optimizer, *options["schedule"])
        return lr_scheduler.SequentialLR(optimizer, [first, later], [steps])
    kind, inner = options["schedule"]
    alone = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate(kind, inner))
    later = scheduler(alone, kind, inner)
    factors = [t / steps for t in range(steps)]
    for _ in range(steps, STEPS + 1):
        factors.append(later.get_last_lr()[0] / rate(kind, inner))
        alone.step()
        later.step()
    return lr_scheduler.LambdaLR(optimizer, factors.__getitem__)


def tensor(array: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(array))


def short(numbers: Any) -> Any:
    """A nested list with 14 digits in each number."""
    if isinstance(numbers, list):
        return [short(entry) for entry in numbers]
    return float(f"{numbers:.14g}")


def main() -> None:
    started = X, targets, initial = start(0)
    cases = []
    for name, options, (kind, settings) in CASES:
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        with torch.no_grad():
            for p, value in zip(net.parameters(), initial, strict=True):
                p.copy_(tensor(value))
        optimizer = getattr(torch.optim, kind)(net.parameters(), lr=rate(name, options), **settings)
        schedule, rates = scheduler(optimizer, name, options), []
        for _ in range(STEPS):
            optimizer.zero_grad()
            functional.mse_loss(net(tensor(X)), tensor(targets)).backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        final = short([p.tolist() for p in net.parameters()])
        case = {"name": name, "options": options, "optimizer": [kind, settings]}
        cases.append({**case, "rates": short(rates), "final": final})
    write("torch_schedules.json", torch.__version__, STEPS, started, cases)


if __name__ == "__main__":
    main()
