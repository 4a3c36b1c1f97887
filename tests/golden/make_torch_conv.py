"""Writes torch_conv.json, beside this file: convolutional networks in PyTorch, in float64.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch_conv.py`. Each network has
its "layers" (class and arguments, the same here and there), "image" (C, H, W), "rows", "outputs",
"loss", "lr", and "coarse" for images of three values only. drawn.py makes X, y and the initial
parameters. Results, the tensors among them as digests:

- "forward": the output of each layer
- "loss_before", "grads" by the keys of state_dict, and "input_grad"
- "losses" of ten steps of SGD, each before its update, and the "final" parameters
"""

import json
from pathlib import Path
from typing import Any

import torch
from drawn import batch, digest, parameters
from torch import nn

Case = dict[str, Any]

STEPS = 10


def conv(*sizes: Any, **options: Any) -> list[Any]:
    names = ("in_channels", "out_channels", "kernel_size")
    return ["Conv2d", dict(zip(names, sizes, strict=True)) | options]


def pool(kind: str, kernel_size: Any, **options: Any) -> list[Any]:
    return [f"{kind}Pool2d", {"kernel_size": kernel_size, **options}]


def head(inputs: int, outputs: int) -> list[list[Any]]:
    return [["Flatten", {}], linear(inputs, outputs)]


def linear(inputs: int, outputs: int) -> list[Any]:
    return ["Linear", {"in_features": inputs, "out_features": outputs}]


def lenet(activation: str, kind: str) -> list[list[Any]]:
    """LeNet-5 for images of 28 x 28."""
    between = [activation, {}]
    return [
        *[conv(1, 6, 5, padding=2), between, pool(kind, 2)],
        *[conv(6, 16, 5), between, pool(kind, 2)],
        *[["Flatten", {}], linear(400, 120), between, linear(120, 84), between, linear(84, 10)],
    ]


RELU, TANH, SIGMOID, GELU = (["ReLU", {}], ["Tanh", {}], ["Sigmoid", {}], ["GELU", {}])

# name: layers, image, rows, outputs, loss, learning rate
NETWORKS: dict[str, tuple[Any, ...]] = {
    "plain": ([conv(1, 4, 3), RELU, *head(100, 3)], [1, 7, 7], 3, 3, "CrossEntropy", 0.2),
    "stride and padding": (
        [conv(2, 5, 3, stride=2, padding=1), TANH, pool("Max", 2), *head(30, 4)],
        *([2, 11, 9], 17, 4, "CrossEntropy", 0.3),
    ),
    "rectangles": (
        [
            conv(3, 4, [3, 5], stride=[1, 2], padding=[0, 2]),
            SIGMOID,
            pool("Avg", [2, 3]),
            *head(24, 3),
        ],
        *([3, 8, 13], 33, 3, "CrossEntropy", 0.5),
    ),
    "dilation": (
        [conv(2, 3, 3, dilation=[2, 1], padding=[2, 1]), RELU, *head(189, 2)],
        *([2, 9, 7], 1, 2, "CrossEntropy", 0.1),
    ),
    "dilation and stride": (
        [conv(1, 17, [2, 3], dilation=3, stride=[3, 2]), TANH, *head(17 * 4 * 3, 5)],
        *([1, 14, 11], 16, 5, "CrossEntropy", 0.1),
    ),
    "groups": (
        [
            *[conv(4, 6, 3, groups=2), SIGMOID],
            *[conv(6, 12, [1, 3], groups=6, bias=False), TANH],
            *head(240, 3),
        ],
        *([4, 7, 8], 17, 3, "CrossEntropy", 0.2),
    ),
    "overlapping pools": (
        [conv(1, 3, 2), pool("Max", 3, stride=2), RELU, pool("Avg", 3, stride=1), *head(18, 2)],
        *([1, 13, 11], 33, 2, "CrossEntropy", 0.5),
    ),
    "pools with gaps": (
        [pool("Avg", 2, stride=3), conv(2, 3, 2), pool("Max", [2, 1], stride=[3, 2]), *head(6, 2)],
        *([2, 16, 13], 5, 2, "MSE", 0.5),
    ),
    "one by one": (
        [conv(3, 8, 1), GELU, conv(8, 2, 1), *head(50, 2)],
        *([3, 5, 5], 3, 2, "MSE", 0.1),
    ),
    "slopes": (
        [
            *[["PReLU", {"num_parameters": 2}], conv(2, 18, 3), ["PReLU", {"num_parameters": 18}]],
            *[pool("Avg", 2), ["PReLU", {}], conv(18, 3, 2), ["PReLU", {"num_parameters": 3}]],
            *[pool("Max", 2), *head(6, 2)],
        ],
        *([2, 11, 14], 35, 2, "CrossEntropy", 0.3),
    ),
    "wide padding": (
        [conv(1, 2, 5, padding=4, stride=3), TANH, *head(24, 2)],
        *([1, 4, 6], 3, 2, "CrossEntropy", 0.3),
    ),
    "ties": (
        [pool("Max", 3, stride=2), conv(1, 4, 2), RELU, pool("Max", 2, stride=1), *head(36, 3)],
        *([1, 11, 11], 33, 3, "CrossEntropy", 0.3),
    ),
    "LeNet-5": (lenet("Sigmoid", "Avg"), [1, 28, 28], 17, 10, "CrossEntropy", 2.0),
    "LeNet-5, rectified": (lenet("ReLU", "Max"), [1, 28, 28], 33, 10, "CrossEntropy", 0.1),
}


def network(layers: list[list[Any]]) -> nn.Sequential:
    made = []
    for name, options in layers:
        tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        made.append(getattr(nn, name)(**tuples))
    return nn.Sequential(*made).double()


def results(case: Case) -> Case:
    net = network(case["layers"])
    shapes = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    net.load_state_dict({key: torch.tensor(w) for key, w in parameters(shapes).items()})
    loss = {"CrossEntropy": nn.CrossEntropyLoss, "MSE": nn.MSELoss}[case["loss"]]()
    X, y = map(torch.tensor, batch(case))
    X.requires_grad_()
    outputs = [X]
    for layer in net:
        outputs.append(layer(outputs[-1]))
    before = loss(outputs[-1], y)
    before.backward()
    found: Case = {
        "forward": [digest(output.detach()) for output in outputs[1:]],
        "loss_before": before.item(),
        "grads": {key: digest(w.grad) for key, w in net.named_parameters()},
        "input_grad": digest(X.grad),
    }
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=case["lr"]), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss(net(X.detach()), y)
        value.backward()
        optimizer.step()
        losses.append(value.item())
    final = {key: digest(w.detach()) for key, w in net.named_parameters()}
    return found | {"losses": losses, "final": final}


def main() -> None:
    lines = []
    for name, (layers, image, rows, outputs, loss, lr) in NETWORKS.items():
        case: Case = {"name": name, "layers": layers, "image": image, "rows": rows}
        case |= {"outputs": outputs, "loss": loss, "lr": lr, "coarse": name == "ties"}
        lines.append(json.dumps(case | results(case)))
    text = f'{{"torch": "{torch.__version__}",\n"networks": [\n' + ",\n".join(lines) + "\n]}\n"
    Path(__file__).with_name("torch_conv.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
