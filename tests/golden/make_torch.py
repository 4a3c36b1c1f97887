"""Writes torch.json, beside this file: what PyTorch computes in float64 on fixed small inputs.

Run it with PyTorch and NumPy installed: `python tests/golden/make_torch.py`. Every case has a
"name" (ironmlp's class), "options" (its constructor's arguments), inputs, and results:

- losses: "outputs" (n, K), "targets", "weight" (BCE of any kind: per element; else null),
  "value" and "grad" (by the outputs; for reduction "none" of the sum of the values)
- activations: "x", "y", "grad" (by x, of sum(y * "grad_output"))
"""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

Case = dict[str, Any]

REDUCTIONS = ("none", "mean", "sum")
ROWS, OUTPUTS = 6, 4


def tensor(array: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(array))


def loss_case(name: str, options: Case, outputs: Any, targets: Any, weight: Any, f: Any) -> Case:
    x = tensor(outputs).requires_grad_()
    value = f(x, tensor(targets))
    value.sum().backward()
    return {
        "name": name,
        "options": options,
        "outputs": np.asarray(outputs).tolist(),
        "targets": np.asarray(targets).tolist(),
        "weight": None if weight is None else np.asarray(weight).tolist(),
        "value": value.detach().tolist(),
        "grad": x.grad.tolist(),
    }


def log_cosh(reduction: str) -> Any:
    """PyTorch has no such loss: its own softplus and abs in |d| + softplus(-2 |d|) - log 2."""
    reduce = {"none": lambda x: x, "mean": torch.mean, "sum": torch.sum}[reduction]

    def loss(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        size = (x - t).abs()
        return reduce(size + functional.softplus(-2.0 * size) - math.log(2.0))

    return loss


def losses(rng: np.random.Generator) -> list[Case]:
    logits = np.round(3 * rng.normal(size=(ROWS, OUTPUTS)), 3)
    soft = np.round(rng.uniform(size=logits.shape), 3)
    hard = (soft > 0.5) * 1.0
    weight = np.round(rng.uniform(0.1, 2.0, logits.shape), 3)
    probabilities = np.round(rng.uniform(0.01, 0.99, logits.shape), 3)
    classes = np.array([0, 3, 1, 2, 2, 3])
    mixed = soft / soft.sum(axis=1, keepdims=True)
    per_class = [0.5, 2.0, 1.25, 0.75]
    cases = []
    for targets, w, q, reduction in itertools.product(
        (soft, hard), (None, weight), (None, 2.5, [0.5, 1.0, 2.0, 4.0]), REDUCTIONS
    ):
        options = {"pos_weight": q, "reduction": reduction}

        def with_logits(x: Any, t: Any, w: Any = w, q: Any = q, reduction: str = reduction) -> Any:
            pos = None if q is None else torch.tensor(q, dtype=torch.float64)
            given = None if w is None else tensor(w)
            return functional.binary_cross_entropy_with_logits(
                x, t, given, None, None, reduction, pos
            )

        cases.append(loss_case("BinaryCrossEntropy", options, logits, targets, w, with_logits))
    for targets, w, reduction in itertools.product((soft, hard), (None, weight), REDUCTIONS):
        options = {"from_logits": False, "reduction": reduction}

        def plain(x: Any, t: Any, w: Any = w, reduction: str = reduction) -> Any:
            given = None if w is None else tensor(w)
            return functional.binary_cross_entropy(x, t, given, reduction=reduction)

        cases.append(loss_case("BinaryCrossEntropy", options, probabilities, targets, w, plain))
    for targets, c, smoothing, ignore, reduction in itertools.product(
        (classes, mixed), (None, per_class), (0.0, 0.1), (None, 2), REDUCTIONS
    ):
        if ignore is not None and targets.ndim == 2:
            continue
        options = {
            "class_weight": c,
            "label_smoothing": smoothing,
            "ignore_index": ignore,
            "reduction": reduction,
        }

        def softmax(x: Any, t: Any, o: Case = options) -> Any:
            c = o["class_weight"]
            return functional.cross_entropy(
                x,
                t,
                weight=None if c is None else tensor(c),
                label_smoothing=o["label_smoothing"],
                ignore_index=-100 if o["ignore_index"] is None else o["ignore_index"],
                reduction=o["reduction"],
            )

        cases.append(loss_case("CrossEntropy", options, logits, targets, None, softmax))
    for reduction in REDUCTIONS:
        elementwise = {
            "MSE": (nn.MSELoss(reduction=reduction), {}),
            "MAE": (nn.L1Loss(reduction=reduction), {}),
            "LogCosh": (log_cosh(reduction), {}),
        }
        for name, (f, options) in elementwise.items():
            options = {**options, "reduction": reduction}
            cases.append(loss_case(name, options, logits, soft, None, f))
        for delta in (0.5, 1.0, 3.0):
            f = nn.HuberLoss(reduction=reduction, delta=delta)
            options = {"delta": delta, "reduction": reduction}
            cases.append(loss_case("Huber", options, logits, soft, None, f))
    return cases


def quantile(levels: list[float], reduction: str) -> Any:
    """PyTorch has no such loss: its maximum of both lines."""
    reduce = {"none": lambda x: x, "mean": torch.mean, "sum": torch.sum}[reduction]
    q = torch.tensor(levels, dtype=torch.float64)

    def loss(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return reduce(torch.maximum(q * (t - x), (q - 1.0) * (t - x)))

    return loss


def focal(gamma: float, alpha: float | None, reduction: str) -> Any:
    """The formula of torchvision's sigmoid_focal_loss."""
    reduce = {"none": lambda x: x, "mean": torch.mean, "sum": torch.sum}[reduction]

    def loss(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        p = torch.sigmoid(x)
        entropy = functional.binary_cross_entropy_with_logits(x, t, reduction="none")
        p_t = p * t + (1.0 - p) * (1.0 - t)
        value = entropy * (1.0 - p_t) ** gamma
        if alpha is not None:
            value = (alpha * t + (1.0 - alpha) * (1.0 - t)) * value
        return reduce(value)

    return loss


def gaussian(reduction: str) -> Any:
    """Of means and logarithms of variances, none of which is below the logarithm of its eps."""
    loss = nn.GaussianNLLLoss(reduction=reduction)

    def of_halves(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        mean, log_variance = x.chunk(2, dim=1)
        return loss(mean, t, log_variance.exp())

    return of_halves


def further_losses(rng: np.random.Generator) -> list[Case]:
    outputs = np.round(1.5 * rng.normal(size=(ROWS, OUTPUTS)), 3)
    rates = np.round(rng.uniform(0.05, 12.0, outputs.shape), 3)
    counts = np.round(rng.uniform(0.0, 6.0, outputs.shape), 1)
    counts *= rng.uniform(size=outputs.shape) > 0.2
    counts[0, :3] = [0.0, 1.0, 40.0]
    soft = np.round(rng.uniform(size=outputs.shape), 3)
    numbers = np.round(rng.normal(size=outputs.shape), 3)
    cases = []
    for log_input, full, eps, reduction in itertools.product(
        (True, False), (False, True), (1e-8, 0.125), REDUCTIONS
    ):
        if log_input and eps != 1e-8:
            continue
        options = {"log_input": log_input, "full": full, "eps": eps, "reduction": reduction}
        given = outputs if log_input else rates
        f = nn.PoissonNLLLoss(**options)
        cases.append(loss_case("PoissonNLL", options, given, counts, None, f))
    for reduction in REDUCTIONS:
        f = gaussian(reduction)
        wanted, options = numbers[:, : OUTPUTS // 2], {"reduction": reduction}
        cases.append(loss_case("GaussianNLL", options, outputs, wanted, None, f))
        levels = [0.05, 0.75, 0.5, 0.9]
        f = quantile(levels, reduction)
        options = {"quantiles": levels, "reduction": reduction}
        cases.append(loss_case("Quantile", options, outputs, numbers[:, :1], None, f))
    for targets, gamma, alpha, reduction in itertools.product(
        (soft, np.round(soft)), (2.0, 1.5, 0.0), (None, 0.25), REDUCTIONS
    ):
        options = {"gamma": gamma, "alpha": alpha, "reduction": reduction}
        f = focal(gamma, alpha, reduction)
        cases.append(loss_case("Focal", options, outputs, targets, None, f))
    return cases


def activations(rng: np.random.Generator) -> list[Case]:
    layers: list[tuple[str, Case, Any]] = [
        ("Identity", {}, nn.Identity()),
        ("Sigmoid", {}, nn.Sigmoid()),
        ("Tanh", {}, nn.Tanh()),
        ("ReLU", {}, nn.ReLU()),
        ("LeakyReLU", {}, nn.LeakyReLU()),
        ("LeakyReLU", {"negative_slope": 0.2}, nn.LeakyReLU(0.2)),
        ("ELU", {}, nn.ELU()),
        ("ELU", {"alpha": 0.7}, nn.ELU(0.7)),
        ("SELU", {}, nn.SELU()),
        ("GELU", {"approximate": "none"}, nn.GELU()),
        ("GELU", {"approximate": "tanh"}, nn.GELU(approximate="tanh")),
        ("SiLU", {}, nn.SiLU()),
        ("Mish", {}, nn.Mish()),
        ("Hardswish", {}, nn.Hardswish()),
        ("Softplus", {}, nn.Softplus()),
        ("Softplus", {"beta": 2.0, "threshold": 5.0}, nn.Softplus(2.0, 5.0)),
    ]
    extremes = [-50.0, -25.0, -8.0, -2.5, -1.0, -0.25, -1e-8, 0.0]
    x = np.array(
        [*extremes, *(-value for value in extremes[:-1]), *np.round(rng.normal(size=9), 3)]
    )
    grad_output = np.round(rng.normal(size=x.shape), 3)
    cases = []
    for name, options, layer in layers:
        given = tensor(x).requires_grad_()
        y = layer(given)
        y.backward(tensor(grad_output))
        cases.append(
            {
                "name": name,
                "options": options,
                "x": x.tolist(),
                "grad_output": grad_output.tolist(),
                "y": y.detach().tolist(),
                "grad": given.grad.tolist(),
            }
        )
    return cases


def main() -> None:
    rng = np.random.default_rng(0)
    made = {"losses": losses(rng), "activations": activations(rng)}
    made["losses"] += further_losses(np.random.default_rng(1))
    lines = [
        f'"{group}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]"
        for group, cases in made.items()
    ]
    text = "{\n" + ",\n".join([f'"torch": "{torch.__version__}"', *lines]) + "\n}\n"
    Path(__file__).with_name("torch.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
