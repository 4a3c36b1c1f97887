"""Writes torch_batch_norm.json, beside this file: batch normalization in PyTorch, in float64.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_batch_norm.py`. Each
network has its "layers" (class and arguments, a list for those of a Residual), "image" (the
shape of a sample, as drawn.py asks), "rows", "outputs", "loss", "lr", "coarse", which is false, and
"cuts", where the rows are cut into batches. drawn.py makes X, y and the initial parameters; running
values begin as PyTorch's. Results, the tensors among them as digests:

- "training": "loss", "grads" by the keys of state_dict and "input_grad" of all rows, in training
- "losses" of 200 steps of SGD, each before its update, which take the batches in turn
- "final": state_dict after these, running values too
- "forward": the output of each layer by its name, then, of all rows, with running values
- "inference": as "training", with running values
"""

import json
from pathlib import Path
from typing import Any

import torch
from drawn import batch, digest, parameters
from make_torch_layers import GELU, RELU, TANH, Residual, linear, norm, residual
from make_torch_layers import made as made_layer
from torch import nn

Case = dict[str, Any]

STEPS = 200


def batch_norm(features: int, **options: Any) -> list[Any]:
    return ["BatchNorm1d", {"n": features, **options}]


def of_images(channels: int, **options: Any) -> list[Any]:
    return ["BatchNorm2d", {"n": channels, **options}]


def conv(inputs: int, outputs: int, kernel: int) -> list[Any]:
    sizes = {"in_channels": inputs, "out_channels": outputs, "kernel_size": kernel}
    return ["Conv2d", sizes]


# name: layers, features, rows, outputs, loss, learning rate, cuts
NETWORKS: dict[str, tuple[Any, ...]] = {
    "two": (
        [
            *(linear(7, 20), batch_norm(20), RELU),
            *(linear(20, 17), batch_norm(17, eps=0.01, momentum=0.3), TANH, linear(17, 3)),
        ],
        *([7], 40, 3, "CrossEntropy", 0.05, [16, 32]),
    ),
    "all batches alike, no parameters": (
        [
            *(batch_norm(6, affine=False, momentum=None), linear(6, 33)),
            *(batch_norm(33, eps=0.5, affine=False, momentum=None), linear(33, 2)),
        ],
        *([6], 25, 2, "MSE", 0.05, [23]),
    ),
    "in a residual and at the end": (
        [
            linear(5, 12),
            residual(batch_norm(12), GELU, linear(12, 12)),
            *(norm(12), linear(12, 4), batch_norm(4, momentum=1.0)),
        ],
        *([5], 30, 4, "MSE", 0.02, [8, 13, 20]),
    ),
    "images": (
        [
            *(conv(2, 5, 3), of_images(5), RELU, ["MaxPool2d", {"kernel_size": 2}]),
            *(conv(5, 7, 2), of_images(7, eps=0.01, momentum=0.3), TANH, ["Flatten", {}]),
            *(linear(28, 12), batch_norm(12), RELU, linear(12, 3)),
        ],
        *([2, 8, 8], 40, 3, "CrossEntropy", 0.05, [16, 33]),
    ),
    "images alike, no parameters": (
        [
            *(of_images(3, affine=False, momentum=None), conv(3, 18, 2), GELU),
            *(of_images(18, eps=0.5, affine=False, momentum=None), ["Flatten", {}]),
            linear(54, 2),
        ],
        *([3, 4, 2], 25, 2, "MSE", 0.02, [23]),
    ),
}


def made(layer: list[Any]) -> nn.Module:
    kind, options = layer
    if kind == "Residual":
        return Residual(*map(made, options))
    if kind.startswith("BatchNorm"):
        others = {key: value for key, value in options.items() if key != "n"}
        norm: nn.Module = getattr(nn, kind)(options["n"], **others)
        return norm
    return made_layer(layer)


def gradients(model: nn.Module, loss: Any, x: Any, y: Any) -> Case:
    """The loss of all rows and its gradients."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    value = loss(model(x), y)
    value.backward()
    grads = {key: digest(w.grad) for key, w in model.named_parameters()}
    return {"loss": value.item(), "grads": grads, "input_grad": digest(x.grad)}


def results(case: Case) -> Case:
    model = nn.Sequential(*map(made, case["layers"])).to(torch.float64)
    shapes = {key: tuple(w.shape) for key, w in model.named_parameters()}
    drawn = parameters(shapes)
    model.load_state_dict({key: torch.tensor(w) for key, w in drawn.items()}, strict=False)
    fresh = {key: w.clone() for key, w in model.state_dict().items()}
    x, y = (torch.tensor(array) for array in batch(case))
    loss = {"CrossEntropy": nn.CrossEntropyLoss(), "MSE": nn.MSELoss()}[case["loss"]]
    training = gradients(model, loss, x, y)
    model.load_state_dict(fresh)
    batches = [*zip(x.tensor_split(case["cuts"]), y.tensor_split(case["cuts"]), strict=True)]
    optimizer = torch.optim.SGD(model.parameters(), lr=case["lr"])
    losses = []
    for step in range(STEPS):
        rows, targets = batches[step % len(batches)]
        optimizer.zero_grad()
        value = loss(model(rows), targets)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    final = {key: digest(w) for key, w in model.state_dict().items()}
    model.eval()
    outputs: dict[str, Any] = {}
    for name, module in model.named_modules():
        if name:
            keep = lambda _, __, output, name=name: outputs.update({name: output})  # noqa: E731
            module.register_forward_hook(keep)
    inference = gradients(model, loss, x, y)
    forward = {name: digest(output.detach()) for name, output in outputs.items()}
    found = {"training": training, "losses": losses[::20], "final": final}
    return found | {"forward": forward, "inference": inference}


def main() -> None:
    names = ("layers", "image", "rows", "outputs", "loss", "lr", "cuts")
    lines = []
    for name, values in NETWORKS.items():
        case = {"name": name, "coarse": False, **dict(zip(names, values, strict=True))}
        lines.append(json.dumps(case | results(case)))
    text = f'{{"torch": "{torch.__version__}",\n"networks": [\n' + ",\n".join(lines) + "\n]}\n"
    Path(__file__).with_name("torch_batch_norm.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
