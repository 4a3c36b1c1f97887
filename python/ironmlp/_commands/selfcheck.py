"""The self-check: trained bits against the package's hashes, gradients against plain NumPy."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import ironmlp as im
from ironmlp import reference
from ironmlp._commands.selfcheck_networks import CASES, Data, Dtype, Network

HASHES = Path(__file__).parent.parent / "data" / "hashes.json"

# How far a gradient may be from the reference's, in eps of the dtype times the tensor's largest
# component. The networks come to 7. In float32 a gradient that is wrong by 1 % is 1300 bounds away.
GRADIENT_EPS = 64

# The reference draws a dropout mask row by row: more rows take long and show no more.
GRADIENT_ROWS = 256


class Trained(NamedTuple):
    """What a network came to with a number of threads, and the hash that the package has."""

    name: str
    threads: int
    found: str
    kept: str | None

    @property
    def right(self) -> bool:
        return self.found == self.kept

    def __str__(self) -> str:
        if self.right:
            return line("ok", self.name, self.found)
        said = f"{self.found} ({self.threads} threads), the package has {self.kept}"
        return line("DIFFERENT" if self.kept else "UNKNOWN", self.name, said)


class Gradients(NamedTuple):
    """The largest difference of a network's gradients to the reference's, in eps."""

    name: str
    difference: float

    @property
    def right(self) -> bool:
        return self.difference <= GRADIENT_EPS

    def __str__(self) -> str:
        return line("ok" if self.right else "DIFFERENT", self.name, f"{self.difference:.2f}")


class Outcome(NamedTuple):
    """All results of a self-check."""

    threads: Sequence[int]
    kept_numerics: int
    trainings: list[Trained]
    gradients: list[Gradients]

    @property
    def applies(self) -> bool:
        """Whether the package's hashes are of the formulas that were run."""
        return self.kept_numerics == im.config()["numerics"]

    @property
    def different(self) -> list[str]:
        """What is not as it must be."""
        return [
            *(f"{each.name}, threads {each.threads}" for each in self.trainings if not each.right),
            *(f"{each.name}, gradients" for each in self.gradients if not each.right),
        ]

    @property
    def right(self) -> bool:
        return self.applies and not self.different


def run_selfcheck(threads: Sequence[int] | None = None, as_json: bool = False) -> int:
    """Check and print, as text or as one JSON object; 0 if all is as it must be, else 1.

    `threads` are the numbers of threads to train with; None is one, and the number in use.
    """
    outcome = check(sorted({1, im.get_num_threads()}) if threads is None else threads)
    if as_json:
        print(json.dumps(as_object(outcome), indent=1))
    else:
        print_text(outcome)
    return 0 if outcome.right else 1


def check(threads: Sequence[int]) -> Outcome:
    """Train every network with each number of threads; compare hashes and gradients."""
    kept = json.loads(HASHES.read_text("utf-8"))
    trainings = [
        Trained(name, n, network.trained(dtype, n_threads=n), kept["hashes"].get(name))
        for name, (network, dtype) in CASES.items()
        for n in threads
    ]
    # Products with subnormal inputs have few digits to compare.
    gradients = [
        Gradients(name, gradient_difference(network, dtype))
        for name, (network, dtype) in CASES.items()
        if not network.subnormal
    ]
    return Outcome(threads, kept["numerics"], trainings, gradients)


def as_object(outcome: Outcome) -> dict[str, Any]:
    """For JSON: the hashes are those with the first number of threads."""
    first = [each for each in outcome.trainings if each.threads == outcome.threads[0]]
    return {
        **im.config(),
        "machine": platform.machine(),
        "threads": list(outcome.threads),
        "hashes": {each.name: each.found for each in first},
        "gradients": {each.name: each.difference for each in outcome.gradients},
        "different": outcome.different,
        "ok": outcome.right,
    }


def print_text(outcome: Outcome) -> None:
    config, threads = im.config(), ", ".join(map(str, outcome.threads))
    print(
        f"ironmlp {config['version']}, numerics {config['numerics']}, "
        f"{config['isa']} on {platform.machine()}, threads {threads}"
    )
    if not outcome.applies:
        print(f"The package's hashes are of numerics {outcome.kept_numerics}: they do not apply.")
    print("\nSHA-256 of losses and trained parameters")
    for training in outcome.trainings:
        # A line for each network, and for each further number of threads that gives other bits.
        if training.threads == outcome.threads[0] or not training.right:
            print(training)
    print(
        "\nGradients beside ironmlp.reference: the largest difference, in eps of the tensor's "
        f"largest\ncomponent; {GRADIENT_EPS} are allowed"
    )
    for gradients in outcome.gradients:
        print(gradients)
    if outcome.right:
        print("\nAll as it must be.")
    else:
        print(f"\nNOT as it must be: {'; '.join(outcome.different) or 'the numerics'}")


def line(verdict: str, name: str, said: str) -> str:
    return f"{verdict:9}  {name:20}  {said}"


def gradient_difference(network: Network, dtype: Dtype) -> float:
    """The largest difference of the gradients of a network's first batch to the reference's.

    The reference computes in float64, from the parameters and rows of `dtype`, with dropout. The
    difference is in eps of `dtype`, relative to each tensor's largest component.
    """
    model = network.build(dtype)
    twin = reference.Sequential(
        network.layers,
        loss=network.loss,
        optimizer=network.optimizer,
        dtype="float64",
        seed=network.seed,
    )
    twin.load_state_dict(model.state_dict())
    batch = first_rows(network.data(dtype), min(network.batch_size or network.rows, GRADIENT_ROWS))
    found, exact = (tensors(each, batch) for each in (model, twin))
    return max_difference(found, exact, float(np.finfo(dtype).eps))


def max_difference(found: dict[str, Any], exact: dict[str, Any], eps: float) -> float:
    """The largest difference of two steps' tensors, in eps of the tensor's largest component; NaN
    if there is one."""
    worst = []
    for name, tensor in exact.items():
        difference = float(np.max(np.abs(found[name] - tensor)))
        # No gradient at all, where weights above are zero, must be exactly none.
        scale = eps * float(np.max(np.abs(tensor)))
        worst.append(difference / scale if scale else np.inf if difference else 0.0)
    return float(np.max(worst))


def first_rows(data: Data, n: int) -> Data:
    """The first n rows of a batch that is not shuffled."""
    weight = data.sample_weight
    return Data(data.X[:n], data.y[:n], None if weight is None else weight[:n])


def tensors(model: Any, batch: Data) -> dict[str, Any]:
    """The loss and every gradient of a batch, X's too."""
    loss, grads, input_grad = model.loss_and_grad(
        batch.X, batch.y, sample_weight=batch.sample_weight, training=True, input_grad=True
    )
    return {"loss": loss, **grads, "input": input_grad}
