"""LeNet-5 on the 1344 surfaces of `ironmlp.datasets.cracks`, in ironmlp and in PyTorch.

    python benches/cracks.py [--form sigmoid,relu] [--epochs 50] [--seeds 5] [--threads 1]

The data are those of the script in docs/lenet.md: grey images of 227 x 227 in two classes, a
stratified split into 1075 for training and 269 for the test, batches of 128, softmax cross-entropy,
SGD with lr 0.01. For each seed both libraries start from the same weights, which go from one to the
other by `state_dict`, and see the same batches in the same order. All train in turn, an epoch each,
so that what a run that was stopped has written is of all seeds alike. What must hold:

    sigmoid     the losses of each step of one epoch are the same to rounding, and the parameters
                have gone the same way
    relu        the mean accuracy over the seeds is at least 0.80 after the last epoch, and that of
                PyTorch is within 0.01 of it
    brightness  a logistic regression on mean and standard deviation of each image stays below 0.60

Rows go to a file in benches/results/, a JSON object a line: "run" (machine, arguments), "versions",
"steps" (the losses of a sigmoid epoch), "epoch" (library, seed, loss, test accuracy, seconds),
"claim" (name, value, limit, holds) and "end".

Exit codes: 0; 1 if a claim does not hold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import agreement
from record import Record, recorded
from workers import cores, listed, run_pinned
from workloads import lenet

BATCH, LR = 128, 0.01
FORMS = ("sigmoid", "relu")
# Epochs between looks at the test images.
EVERY = 5
# How far the parameters of two libraries may be apart, over the way that they went. A learning rate
# wrong by 1 % is 1e-2.
APART = 1e-3

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class Surfaces:
    """X (n, 227, 227, 1) in uint8 and y (n,) in int64, for training and for the test."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray

    @classmethod
    def drawn(cls, n: int, size: int) -> Surfaces:
        from ironmlp import datasets

        return cls(*datasets.stratified_split(*datasets.cracks(n, size), test_size=0.2))

    def batches(self, seed: int, epoch: int) -> list[np.ndarray]:
        """Row numbers of the batches of an epoch; the last one holds what is left."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self.X_train))
        return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]

    @cached_property
    def tensors(self) -> list[Any]:
        """X_train and X_test (n, 1, 227, 227) in float32 from 0 to 1, as PyTorch takes them."""
        import torch

        return [
            torch.tensor(X / 255, dtype=torch.float32)
            .permute(0, 3, 1, 2)
            .contiguous(memory_format=torch.channels_last)
            for X in (self.X_train, self.X_test)
        ]


class Network(Protocol):
    """A LeNet-5 of one library that trains."""

    def step(self, rows: np.ndarray) -> float: ...

    def accuracy(self) -> float: ...

    def state(self) -> State: ...


class Ours:
    """In ironmlp: bytes as they are, channels last, scaled batch by batch."""

    def __init__(self, surfaces: Surfaces, form: str, seed: int, threads: int) -> None:
        import ironmlp as im

        self.surfaces = surfaces
        self.model = im.LeNet5(
            surfaces.X_train.shape[1:],
            2,
            activation=form,
            optimizer=im.SGD(lr=LR),
            scale=255,
            channels_last=True,
            seed=seed,
            n_threads=threads,
        )

    def step(self, rows: np.ndarray) -> float:
        X, y = self.surfaces.X_train, self.surfaces.y_train
        return float(self.model.train_on_batch(X[rows], y[rows]))

    def accuracy(self) -> float:
        return float(self.model.evaluate(self.surfaces.X_test, self.surfaces.y_test)["accuracy"])

    def state(self) -> State:
        return self.model.state_dict()


class Theirs:
    """In PyTorch, from these weights; channels last in memory, which is quicker here."""

    def __init__(self, surfaces: Surfaces, form: str, start: State, threads: int) -> None:
        import torch

        from peer_torch import network

        torch.set_num_threads(threads)
        self.surfaces, self.torch = surfaces, torch
        self.X_train, self.X_test = surfaces.tensors
        self.y_train = torch.from_numpy(surfaces.y_train)
        _, size, _, _ = surfaces.X_train.shape
        workload = lenet(size, len(self.y_train), LR, classes=2, activation=form)
        self.net = network(workload).to(memory_format=torch.channels_last)
        self.net.load_state_dict({key: torch.from_numpy(w) for key, w in start.items()})
        self.criterion = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=LR)

    def step(self, rows: np.ndarray) -> float:
        chosen = self.torch.from_numpy(rows)
        self.optimizer.zero_grad()
        loss = self.criterion(self.net(self.X_train[chosen]), self.y_train[chosen])
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def accuracy(self) -> float:
        with self.torch.no_grad():
            parts = [self.net(part).argmax(dim=1).numpy() for part in self.X_test.split(BATCH)]
        return float(np.mean(np.concatenate(parts) == self.surfaces.y_test))

    def state(self) -> State:
        return {key: w.numpy().copy() for key, w in self.net.state_dict().items()}


def both(surfaces: Surfaces, form: str, seed: int, threads: int) -> dict[str, Network]:
    """The network of each library, from the same weights."""
    ours = Ours(surfaces, form, seed, threads)
    return {"ironmlp": ours, "torch": Theirs(surfaces, form, ours.state(), threads)}


def epoch_of(network: Network, batches: Iterable[np.ndarray]) -> tuple[list[float], float]:
    """The loss of each step of an epoch, before its update, and the seconds that it took."""
    begin = time.perf_counter()
    losses = [network.step(rows) for rows in batches]
    return losses, time.perf_counter() - begin


def distance(a: State, b: State) -> float:
    """The Euclidean distance of two states, over all their parameters."""
    squares = [np.sum((a[key].astype(np.float64) - b[key]) ** 2) for key in a]
    return float(np.sqrt(np.sum(squares)))


class Claims:
    """What must hold, a row and a line each."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def check(self, name: str, value: float, sign: str, limit: float) -> None:
        holds = {"<": value < limit, "<=": value <= limit, ">=": value >= limit}[sign]
        self.record.add("claim", name=name, value=value, sign=sign, limit=limit, holds=holds)
        print(
            f"{'holds' if holds else 'FAILS'}: {name}: {value:.3g} {sign} {limit:.3g}", flush=True
        )

    @property
    def failed(self) -> int:
        return sum(row["kind"] == "claim" and not row["holds"] for row in self.record.rows)


def parity(surfaces: Surfaces, threads: int, record: Record, claims: Claims) -> None:
    """One epoch of the network with sigmoids: losses and parameters of both libraries."""
    networks = both(surfaces, "sigmoid", 0, threads)
    start, losses = networks["ironmlp"].state(), dict[str, list[float]]()
    for library, network in networks.items():
        losses[library], took = epoch_of(network, surfaces.batches(0, 0))
        accuracy = network.accuracy()
        record.add(
            "steps", library=library, losses=losses[library], accuracy=accuracy, seconds=took
        )
        shown = " ".join(f"{loss:.6f}" for loss in losses[library])
        print(f"sigmoid, {library:7}: accuracy {accuracy:.4f}, losses {shown}", flush=True)
    apart = np.abs(np.subtract(*losses.values())) / losses["torch"]
    claims.check(
        "sigmoid, one epoch: largest relative difference of a loss",
        *(float(apart.max()), "<=", agreement.tolerance("float32")),
    )
    ours, theirs = (network.state() for network in networks.values())
    claims.check(
        "sigmoid, one epoch: distance of the parameters over the way they went",
        *(distance(ours, theirs) / distance(theirs, start), "<=", APART),
    )


def learning(
    surfaces: Surfaces, epochs: int, seeds: int, threads: int, record: Record, claims: Claims
) -> None:
    """The network with rectifiers: what each seed has learnt in each library."""
    runs = {
        (library, seed): network
        for seed in range(seeds)
        for library, network in both(surfaces, "relu", seed, threads).items()
    }
    print(f"relu, accuracies of seeds 0 to {seeds - 1} on the {len(surfaces.y_test)} test images:")
    for epoch in range(1, epochs + 1):
        looks = epoch % EVERY == 0 or epoch == epochs
        found: dict[str, list[float]] = {}
        for (library, seed), network in runs.items():
            losses, took = epoch_of(network, surfaces.batches(seed, epoch - 1))
            sizes = [len(rows) for rows in surfaces.batches(seed, epoch - 1)]
            row = {"library": library, "seed": seed, "epoch": epoch, "seconds": took}
            row["loss"] = float(np.average(losses, weights=sizes))
            if looks:
                row["accuracy"] = network.accuracy()
                found.setdefault(library, []).append(row["accuracy"])
            record.add("epoch", **row)
        for library, values in found.items():
            shown = " ".join(f"{value:.4f}" for value in values)
            mean = statistics.fmean(values)
            print(f"  epoch {epoch:3d}, {library:7}: {shown}; mean {mean:.4f}", flush=True)
    ours, theirs = (statistics.fmean(found[library]) for library in ("ironmlp", "torch"))
    named = f"relu, {epochs} epochs, {seeds} seeds"
    claims.check(f"{named}: mean accuracy", ours, ">=", 0.80)
    claims.check(f"{named}: mean accuracies apart", abs(ours - theirs), "<=", 0.01)


def brightness(surfaces: Surfaces, claims: Claims) -> None:
    """What a logistic regression makes of the images' mean and standard deviation."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def features(X: np.ndarray) -> np.ndarray:
        return np.stack([X.mean(axis=(1, 2, 3)), X.std(axis=(1, 2, 3))], axis=1)

    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(features(surfaces.X_train), surfaces.y_train)
    accuracy = model.score(features(surfaces.X_test), surfaces.y_test)
    claims.check("logistic regression on brightness: accuracy", float(accuracy), "<", 0.60)


def versions() -> dict[str, str]:
    import sklearn
    import torch

    import ironmlp as im

    packages = (np, sklearn, torch, im)
    return {package.__name__: package.__version__ for package in packages} | {
        "isa": im.config()["isa"]
    }


def counting(least: int) -> Callable[[str], int]:
    """A parser of whole numbers from `least` on."""

    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is below {least}")
        return value

    return parse


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--form", type=listed(list(FORMS)), default=list(FORMS), help="sigmoid, relu, or both")
    add("--epochs", type=counting(1), default=50, help="of the relu form (50)")
    add("--seeds", type=counting(1), default=5, help="of the relu form (5)")
    add("--threads", type=counting(1), default=1, help="of each library (1)")
    add("--images", type=counting(10), default=1344, help="fewer for a trial (1344)")
    add("--size", type=counting(16), default=227, help="pixels a side, fewer for a trial (227)")
    add("--out", type=Path, help="the file for the rows")
    arguments = parser.parse_args()
    if arguments.threads > len(cores()):
        parser.error(f"--threads is {arguments.threads}, this process may use {len(cores())}")
    return arguments


def main() -> int:
    arguments = parsed()
    run_pinned(arguments.threads)
    chosen = {key: value for key, value in vars(arguments).items() if key != "out"}
    with recorded("cracks-", arguments.out, **chosen) as record:
        used = versions()
        record.add("versions", **used)
        print(", ".join(f"{name} {version}" for name, version in used.items()), flush=True)
        claims = Claims(record)
        surfaces = Surfaces.drawn(arguments.images, arguments.size)
        brightness(surfaces, claims)
        if "sigmoid" in arguments.form:
            parity(surfaces, arguments.threads, record, claims)
        if "relu" in arguments.form:
            learning(surfaces, arguments.epochs, arguments.seeds, arguments.threads, record, claims)
        record.add("end")
        print(f"rows: {record.file.name}")
    return int(claims.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
