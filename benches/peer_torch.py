"""PyTorch: `nn.Sequential` with a fused optimizer, eager or through `torch.compile`.

Data are resident, batches are gathered by `index_select`, and losses stay tensors until the end of
a window, so that no step waits for a number. Images lie in memory as `memory_format` says: channels
first, as they come.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import nn
from torch.optim import swa_utils

from workloads import BETAS, Workload, data, initial, orders

PACKAGE = "torch"

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
LOSSES = {"softmax": nn.CrossEntropyLoss, "binary": nn.BCEWithLogitsLoss, "mse": nn.MSELoss}


def network(workload: Workload) -> nn.Sequential:
    """The layers; parameters are PyTorch's own until they are loaded."""
    activation, layers = ACTIVATIONS[workload.activation], list[nn.Module]()
    for c, channels, _ in workload.stages:
        layers += [nn.Conv2d(channels, c.channels, c.kernel, padding=c.padding), activation()]
        layers += [nn.AvgPool2d(c.pool)] if c.pool > 1 else []
    layers += [nn.Flatten()] if workload.image else []
    for inputs, outputs in itertools.pairwise(workload.sizes):
        norm = [nn.BatchNorm1d(outputs)] if workload.norm else []
        layers += [nn.Linear(inputs, outputs), *norm, activation()]
    last = 2 if workload.norm else 1
    return nn.Sequential(*layers[:-last])


class Trainer:
    compiled = False
    memory_format = torch.contiguous_format

    def __init__(self, workload: Workload, threads: int) -> None:
        torch.set_num_threads(threads)
        self.workload = workload
        self.X, self.y = (torch.from_numpy(array) for array in data(workload))
        self.random = np.random.default_rng(3)
        self.model = network(workload).to(self.X.dtype)
        if workload.image:
            self.X = self.X.contiguous(memory_format=self.memory_format)
            self.model = self.model.to(memory_format=self.memory_format)
        loss = LOSSES[workload.loss]()

        def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss(self.model(x), y)

        self.loss_of = loss_of
        if self.compiled:
            # What was compiled for another network would make shapes variables here.
            torch.compiler.reset()
            self.loss_of = torch.compile(loss_of, dynamic=False)
        self.start = initial(workload)
        self.reset()

    def reset(self) -> None:
        """Back to the initial parameters, with a new optimizer."""
        weighted = [layer for layer in self.model if isinstance(layer, nn.Linear | nn.Conv2d)]
        with torch.no_grad():
            for layer, (weight, bias) in zip(weighted, self.start, strict=True):
                weight = weight if weight.ndim == 4 else weight.T.copy()
                layer.weight.copy_(torch.from_numpy(weight))
                layer.bias.copy_(torch.from_numpy(bias))
        for layer in self.model:
            if isinstance(layer, nn.BatchNorm1d):
                layer.reset_parameters()
        parameters, workload = self.model.parameters(), self.workload
        settings = {"lr": workload.lr, "fused": True}
        adam = {"betas": BETAS, "eps": workload.eps}
        if workload.optimizer == "sgd":
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(
                parameters, momentum=workload.momentum, **settings
            )
        elif workload.optimizer == "adam":
            self.optimizer = torch.optim.Adam(parameters, **settings, **adam)
        else:
            decay = workload.weight_decay
            self.optimizer = torch.optim.AdamW(parameters, weight_decay=decay, **settings, **adam)
        if workload.ema:
            average = swa_utils.get_ema_multi_avg_fn(workload.ema)
            self.average = swa_utils.AveragedModel(self.model, multi_avg_fn=average)
            self.average.update_parameters(self.model)  # the first one copies

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad()
        loss = self.loss_of(x, y)
        loss.backward()
        if self.workload.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.workload.clip_norm)
        self.optimizer.step()
        if self.workload.ema:
            self.average.update_parameters(self.model)
        return loss.detach()

    @torch.no_grad()
    def averaged_loss(self) -> float:
        """The loss of the averaged parameters for the first batch."""
        batch = self.workload.batch
        loss = LOSSES[self.workload.loss]()(self.average(self.X[:batch]), self.y[:batch])
        return float(loss)

    def train(self, epochs: int, *, shuffle: bool) -> list[float]:
        """The mean loss of each epoch, each batch before its update."""
        losses, random = [], self.random if shuffle else None
        for _ in range(epochs):
            if self.workload.steps == 1:
                losses.append(self.step(self.X, self.y))
                continue
            total = torch.zeros(())
            for rows in torch.from_numpy(orders(self.workload, random)):
                x, y = self.X.index_select(0, rows), self.y.index_select(0, rows)
                total = total + self.step(x, y)
            losses.append(total / self.workload.steps)
        return torch.stack(losses).tolist()


def versions() -> dict[str, str]:
    return {"torch": torch.__version__}
