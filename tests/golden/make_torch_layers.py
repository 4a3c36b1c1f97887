"""Writes torch_layers.json, beside this file: norms and residuals in PyTorch, in float64.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_layers.py`. Each network
has its "layers" (class and arguments, a list for those of a Residual), "image" (the features of X,
as drawn.py asks), "rows", "outputs", "loss", "lr" and "coarse", which is false. drawn.py makes X, y
and the initial parameters. Results, the tensors among them as digests:

- "forward": the output of each layer by its name
- "loss_before", "grads" by the keys of state_dict, and "input_grad"
- "losses" of 200 steps of SGD, each before its update, and the "final" parameters
"""

import json
from pathlib import Path
from typing import Any

import torch
from drawn import batch, digest, parameters
from torch import nn

Case = dict[str, Any]

STEPS = 200


class Residual(nn.Sequential):
    """x + layers(x)."""

    def forward(self, x: Any) -> Any:
        return x + super().forward(x)


def linear(inputs: int, outputs: int) -> list[Any]:
    return ["Linear", {"in_features": inputs, "out_features": outputs}]


def norm(features: int, **options: Any) -> list[Any]:
    return ["LayerNorm", {"n": features, **options}]


def prelu(**options: Any) -> list[Any]:
    return ["PReLU", options]


def residual(*layers: Any) -> list[Any]:
    return ["Residual", list(layers)]


RELU, TANH, GELU = ["ReLU", {}], ["Tanh", {}], ["GELU", {}]

# name: layers, features, rows, outputs, loss, learning rate
NETWORKS: dict[str, tuple[Any, ...]] = {
    "norms": (
        [linear(7, 20), norm(20), RELU, linear(20, 17), norm(17, eps=0.01), TANH, linear(17, 3)],
        *([7], 40, 3, "CrossEntropy", 0.05),
    ),
    "norms without parameters": (
        [norm(6, affine=False), linear(6, 33), norm(33, eps=0.5, affine=False), linear(33, 2)],
        *([6], 25, 2, "MSE", 0.05),
    ),
    "norms at both ends": (
        [norm(16), linear(16, 5), TANH, linear(5, 4), norm(4)],
        *([16], 30, 4, "MSE", 0.02),
    ),
    "residual": (
        [linear(9, 18), residual(linear(18, 30), GELU, linear(30, 18)), linear(18, 3)],
        *([9], 33, 3, "CrossEntropy", 0.05),
    ),
    "residuals in one another": (
        [
            linear(5, 12),
            residual(norm(12), linear(12, 24), GELU, linear(24, 12)),
            TANH,
            residual(residual(TANH), residual(norm(12), residual(linear(12, 12)), TANH)),
            norm(12),
            linear(12, 2),
        ],
        *([5], 50, 2, "CrossEntropy", 0.02),
    ),
    "slopes": (
        [
            *(linear(7, 20), prelu(), linear(20, 17), prelu(num_parameters=17, init=0.5)),
            *(residual(prelu(num_parameters=17)), linear(17, 3)),
        ],
        *([7], 40, 3, "CrossEntropy", 0.05),
    ),
    "slopes at both ends": (
        [prelu(num_parameters=18), linear(18, 33), prelu(), linear(33, 2), prelu(num_parameters=2)],
        *([18], 300, 2, "MSE", 0.05),
    ),
    "residual around all": (
        [residual(linear(3, 8), TANH, linear(8, 3))],
        *([3], 20, 3, "MSE", 0.1),
    ),
}


def made(layer: list[Any]) -> nn.Module:
    kind, options = layer
    if kind == "Residual":
        return Residual(*map(made, options))
    if kind == "LayerNorm":
        affine, eps = options.get("affine", True), options.get("eps", 1e-5)
        return nn.LayerNorm(options["n"], eps, elementwise_affine=affine)
    module: nn.Module = getattr(nn, kind)(**options)
    return module


def results(case: Case) -> Case:
    model = nn.Sequential(*map(made, case["layers"])).to(torch.float64)
    shapes = {key: tuple(w.shape) for key, w in model.state_dict().items()}
    drawn = parameters(shapes)
    model.load_state_dict({key: torch.tensor(w) for key, w in drawn.items()})
    x, y = (torch.tensor(array) for array in batch(case))
    outputs: dict[str, Any] = {}
    for name, module in model.named_modules():
        if name:
            keep = lambda _, __, output, name=name: outputs.update({name: output})  # noqa: E731
            module.register_forward_hook(keep)
    loss = {"CrossEntropy": nn.CrossEntropyLoss(), "MSE": nn.MSELoss()}[case["loss"]]
    x.requires_grad_()
    value = loss(model(x), y)
    value.backward()
    found: Case = {
        "forward": {name: digest(output.detach()) for name, output in outputs.items()},
        "loss_before": value.item(),
        "grads": {key: digest(w.grad) for key, w in model.named_parameters()},
        "input_grad": digest(x.grad),
    }
    optimizer = torch.optim.SGD(model.parameters(), lr=case["lr"])
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    final = {key: digest(w.detach()) for key, w in model.named_parameters()}
    return {**found, "losses": losses[::20], "final": final}


def main() -> None:
    names = ("layers", "image", "rows", "outputs", "loss", "lr")
    lines = []
    for name, values in NETWORKS.items():
        case = {"name": name, "coarse": False, **dict(zip(names, values, strict=True))}
        lines.append(json.dumps(case | results(case)))
    text = f'{{"torch": "{torch.__version__}",\n"networks": [\n' + ",\n".join(lines) + "\n]}\n"
    Path(__file__).with_name("torch_layers.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
