"""Writes torch_options.json, beside this file: 200 steps with what every optimizer takes.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_options.py`. All is in
float64. The file has "torch", the version; "steps"; the network's "sizes", "X", "targets" and
"initial" parameters, in the order of state_dict, for tanh layers and the mean squared error; and
"cases", each with a "name" (ironmlp's class), "options" (its constructor's arguments), the
"penalties" before the first step and before the last, the parameters after the steps, "final", and
with ema their average, "average".

Gradients are clipped by `clip_grad_value_` and `clip_grad_norm_`; penalties are terms of the loss;
what does not decay is a group of its own; the average is made by hand.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from written import start, write

STEPS = 200

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1, "clip_norm": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "clip_norm": 0.05, "clip_value": 0.02}),
    ("SGD", {"lr": 0.05, "l1": 0.02, "l2": 0.3}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05, "decay_bias": False}),
    ("SGD", {"lr": 0.1, "ema": 0.95}),
    ("Adam", {"lr": 0.02, "clip_value": 0.01}),
    ("Adam", {"lr": 0.02, "l2": 0.5, "clip_norm": 0.1, "ema": 0.99}),
    ("Adam", {"lr": 0.02, "weight_decay": 0.1, "decay_bias": False, "l1": 0.05}),
    ("AdamW", {"lr": 0.02, "weight_decay": 0.2, "decay_bias": False, "clip_norm": 0.2}),
    ("AdamW", {"lr": 0.01, "l1": 0.01, "l2": 0.1, "clip_value": 0.1, "ema": 0.9}),
]

OURS = ("clip_norm", "clip_value", "l1", "l2", "decay_bias", "ema")


def tensor(array: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(array))


def groups(net: nn.Module, decay: float, decay_bias: bool) -> list[dict[str, Any]]:
    """Weights and biases, of which the latter may have no decay."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    biases = [p for p in net.parameters() if p.ndim == 1]
    return [
        {"params": weights, "weight_decay": decay},
        {"params": biases, "weight_decay": decay if decay_bias else 0.0},
    ]


def trained(name: str, options: dict[str, Any], initial: Any, X: Any, targets: Any) -> Any:
    theirs = {key: value for key, value in options.items() if key not in OURS}
    decay = theirs.pop("weight_decay", 1e-2 if name == "AdamW" else 0.0)
    l1, l2, ema = options.get("l1", 0.0), options.get("l2", 0.0), options.get("ema")
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        for p, value in zip(net.parameters(), initial, strict=True):
            p.copy_(tensor(value))
    parameters = groups(net, decay, options.get("decay_bias", True))
    optimizer = getattr(torch.optim, name)(parameters, **theirs)
    average = [p.detach().clone() for p in net.parameters()]
    penalties = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        weights = [p for p in net.parameters() if p.ndim > 1]
        magnitudes, squares = (sum(f(w).sum() for w in weights) for f in (torch.abs, torch.square))
        penalty = (l1 * magnitudes + 0.5 * l2 * squares) / len(X)
        penalties.append(float(penalty.detach()) if l1 or l2 else 0.0)
        (functional.mse_loss(net(X), targets) + penalty).backward()
        if "clip_value" in options:
            nn.utils.clip_grad_value_(net.parameters(), options["clip_value"])
        if "clip_norm" in options:
            nn.utils.clip_grad_norm_(net.parameters(), options["clip_norm"])
        optimizer.step()
        if ema is not None:
            average = [
                ema * a + (1 - ema) * p.detach()
                for a, p in zip(average, net.parameters(), strict=True)
            ]
    case = {"name": name, "options": options, "penalties": [penalties[0], penalties[-1]]}
    case["final"] = [p.tolist() for p in net.parameters()]
    return case | ({} if ema is None else {"average": [a.tolist() for a in average]})


def main() -> None:
    started = X, targets, initial = start(1)
    cases = [trained(*case, initial, tensor(X), tensor(targets)) for case in CASES]
    write("torch_options.json", torch.__version__, STEPS, started, cases)


if __name__ == "__main__":
    main()
