"""Writes torch_optimizers.json, beside this file: 200 steps of each optimizer in float64.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_optimizers.py`. The file
has "torch", the version; "steps"; the network's "sizes", "X", "targets" and "initial" parameters,
in the order of state_dict, for tanh layers and the mean squared error; and "cases", each with a
"name" (ironmlp's class), "options" (its constructor's arguments) and the parameters after the
steps, "final".

PyTorch has no Lion: `Lion` below is algorithm 2 of its paper, line by line. It has neither Adam by
epsilon hat, which is the order of Kingma and Ba's section 2, nor SGD whose velocity has the rate in
it, which is that of Keras's documentation.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from written import start, write

STEPS = 200


class Lion(torch.optim.Optimizer):
    """Chen and others, "Symbolic discovery of optimization algorithms" (2023), algorithm 2."""

    def __init__(self, parameters: Any, lr: float, betas: Any, weight_decay: float) -> None:
        super().__init__(parameters, {})
        self.lr, (self.b1, self.b2), self.weight_decay = lr, betas, weight_decay

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for w in self.param_groups[0]["params"]:
            m = self.state[w].setdefault("m", torch.zeros_like(w))
            c = self.b1 * m + (1 - self.b1) * w.grad
            w.copy_(w - self.lr * (torch.sign(c) + self.weight_decay * w))
            self.state[w]["m"] = self.b2 * m + (1 - self.b2) * w.grad


class EpsHat(torch.optim.Optimizer):
    """Kingma and Ba, "Adam: a method for stochastic optimization" (2015), section 2."""

    def __init__(self, parameters: Any, lr: float, betas: Any, eps: float) -> None:
        super().__init__(parameters, {})
        self.lr, (self.b1, self.b2), self.eps, self.t = lr, betas, eps, 0

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        self.t += 1
        rate = self.lr * (1 - self.b2**self.t) ** 0.5 / (1 - self.b1**self.t)
        for w in self.param_groups[0]["params"]:
            m = self.state[w].setdefault("m", torch.zeros_like(w))
            v = self.state[w].setdefault("v", torch.zeros_like(w))
            m.copy_(self.b1 * m + (1 - self.b1) * w.grad)
            v.copy_(self.b2 * v + (1 - self.b2) * w.grad**2)
            w.copy_(w - rate * m / (torch.sqrt(v) + self.eps))


class Velocity(torch.optim.Optimizer):
    """`keras.optimizers.SGD`, as its documentation has it."""

    def __init__(self, parameters: Any, lr: float, momentum: float, nesterov: bool = False) -> None:
        super().__init__(parameters, {})
        self.lr, self.momentum, self.nesterov = lr, momentum, nesterov

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for w in self.param_groups[0]["params"]:
            velocity = self.state[w].setdefault("velocity", torch.zeros_like(w))
            velocity.copy_(self.momentum * velocity - self.lr * w.grad)
            ahead = self.momentum * velocity - self.lr * w.grad
            w.copy_(w + (ahead if self.nesterov else velocity))


def adam(parameters: Any, eps_hat: bool = False, **options: Any) -> torch.optim.Optimizer:
    return (EpsHat if eps_hat else torch.optim.Adam)(parameters, **options)


def sgd(parameters: Any, lr_in_velocity: bool = False, **options: Any) -> torch.optim.Optimizer:
    return (Velocity if lr_in_velocity else torch.optim.SGD)(parameters, **options)


# What makes an optimizer of parameters, by ironmlp's class.
MAKERS: dict[str, Any] = {
    "SGD": sgd,
    "Adam": adam,
    "AdamW": torch.optim.AdamW,
    "NAdam": torch.optim.NAdam,
    "RAdam": torch.optim.RAdam,
    "RMSprop": torch.optim.RMSprop,
    "Adagrad": torch.optim.Adagrad,
    "Lion": Lion,
}

# Training that goes far below eps, or turns around a minimum, is no case: there a difference of one
# rounding grows to any size in 200 steps, in PyTorch too.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.05, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "dampening": 1.0, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "dampening": 0.5}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "lr_in_velocity": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "nesterov": True, "lr_in_velocity": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": [0.8, 0.95], "eps": 1e-4}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"lr": 0.05, "betas": [0.8, 0.95], "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-2, "eps_hat": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-4, "weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-2, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05, "momentum_decay": 0.3}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-4, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "betas": [0.8, 0.6]}),
    ("RMSprop", {"lr": 1e-3}),
    ("RMSprop", {"lr": 1e-3, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 2e-3, "alpha": 0.9, "momentum": 0.8}),
    ("RMSprop", {"lr": 0.005, "eps": 1e-2, "centered": True}),
    ("RMSprop", {"lr": 1e-3, "alpha": 0.9, "eps": 1e-2, "momentum": 0.8, "centered": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.02, "weight_decay": 0.05, "eps": 1e-4}),
    ("Lion", {"lr": 1e-4, "betas": [0.9, 0.99], "weight_decay": 0.0}),
    ("Lion", {"lr": 0.01, "betas": [0.7, 0.9], "weight_decay": 0.3}),
]


def tensor(array: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(array))


def main() -> None:
    # NAdam's product of momenta is in the default dtype, whatever the parameters are in.
    torch.set_default_dtype(torch.float64)
    started = X, targets, initial = start(0)
    cases = []
    for name, options in CASES:
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        with torch.no_grad():
            for p, value in zip(net.parameters(), initial, strict=True):
                p.copy_(tensor(value))
        optimizer = MAKERS[name](net.parameters(), **options)
        for _ in range(STEPS):
            optimizer.zero_grad()
            functional.mse_loss(net(tensor(X)), tensor(targets)).backward()
            optimizer.step()
        final = [p.tolist() for p in net.parameters()]
        cases.append({"name": name, "options": options, "final": final})
    write("torch_optimizers.json", torch.__version__, STEPS, started, cases)


if __name__ == "__main__":
    main()
