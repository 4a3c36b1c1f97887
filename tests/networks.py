"""The self-check's networks and more that are drawn, by name, for the tests that compare bits.

`python tests/networks.py` trains each one and prints the hashes as JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp import _core
from ironmlp._commands import selfcheck_networks
from ironmlp._commands.selfcheck_networks import (
    DTYPES,
    Array,
    Data,
    Network,
    dense,
    digest,
    forced_threads,
    kept,
    unit,
)
from ironmlp.losses import Loss
from ironmlp.losses.rows import (
    ClippedBCEWithLogits,
    ClippedCrossEntropy,
    HalfPoissonDeviance,
    HalfSquaredError,
)
from ironmlp.optimizers import OPTIMIZERS

__all__ = [
    "CASES",
    "DTYPES",
    "NETWORKS",
    "build",
    "data",
    "digest",
    "fit",
    "kept",
    "trained",
    "unit",
]
__all__ += ["forced_threads", "shares_work", "with_workers"]


def drawn(number: int) -> Network:
    """A network of which sizes and kinds are drawn, to meet sizes that nobody thought of."""
    stream = iter(np.random.Philox(key=1000 + number).random_raw(64).tolist())

    def pick(values: Any) -> Any:
        return values[next(stream) % len(values)]

    def width() -> int:
        return int(pick(range(1, pick((4, 17, 70)))))

    activations = [im.Sigmoid(), im.Tanh(), im.ReLU(), im.GELU(), im.SiLU(), im.ELU(), im.Mish()]
    activations += [im.SELU(), im.Hardswish()]
    outputs = width()
    rows = pick(range(1, pick((6, 40, 700))))
    losses: list[Loss] = [im.MSE(), im.Huber(0.5), im.BinaryCrossEntropy(), im.MAE(), im.LogCosh()]
    losses += [im.CrossEntropy(label_smoothing=0.2)] * (outputs > 1)
    losses += [im.PoissonNLL(), im.Focal(), *[im.GaussianNLL()] * (outputs % 2 == 0)]
    losses += [ClippedBCEWithLogits(), HalfSquaredError(), HalfPoissonDeviance()]
    losses += [ClippedCrossEntropy()] * (outputs > 1)
    losses.append(im.Quantile([(place + 0.5) / outputs for place in range(outputs)]))
    optimizers = [im.SGD(lr=0.05), im.SGD(lr=0.02, momentum=0.9), im.Adam(lr=0.01)]
    optimizers += [im.AdamW(lr=0.02, weight_decay=0.1), im.Lion(lr=1e-3)]
    optimizers += [im.SGD(lr=0.05, l1=0.02, l2=0.1, clip_norm=0.3), im.SGD(lr=0.05, ema=0.9)]
    optimizers += [im.Adam(lr=0.01, l2=0.2, clip_value=0.02, ema=0.8)]
    optimizers += [im.SGD(lr=0.02, momentum=0.9, dampening=0.5), im.Adam(lr=0.01, amsgrad=True)]
    optimizers += [im.Adam(lr=0.01, l2=0.2, eps_hat=True)]
    optimizers += [im.SGD(lr=0.02, momentum=0.9, l2=0.1, lr_in_velocity=True)]
    optimizers += [im.NAdam(lr=0.01), im.RAdam(lr=0.01), im.Adagrad(lr=0.02, lr_decay=0.1)]
    optimizers += [im.RMSprop(lr=1e-3, momentum=0.5, centered=True), im.RMSprop(lr=1e-3)]
    optimizers += [
        im.SGD(lr=im.LinearWarmup(im.CosineAnnealingLR(0.05, 20), 3)),
        im.Adam(lr=im.ExponentialLR(0.01, 0.9)),
    ]
    return Network(
        dense(
            [width() for _ in range(pick((1, 2, 3)))] + [outputs],
            pick(activations),
            drop=pick((0.0, 0.4)),
        ),
        pick(losses),
        pick(optimizers),
        rows=rows,
        batch_size=pick((None, pick(range(1, rows + 1)))),
        weighted=pick((False, True)),
        seed=next(stream),
    )


def by_every_optimizer(name: str) -> dict[str, Network]:
    """A network of the self-check with each optimizer, by the names of both."""
    network = selfcheck_networks.NETWORKS[name]
    return {
        f"{name}, {string}": dataclasses.replace(network, optimizer=kind(lr=2e-3))
        for string, kind in OPTIMIZERS.items()
    }


NETWORKS = {
    **selfcheck_networks.NETWORKS,
    **{f"drawn {number}": drawn(number) for number in range(20)},
    **by_every_optimizer("tiny"),
    **by_every_optimizer("images"),
}

# Every network in both dtypes: its name and the dtype.
CASES = [(name, dtype) for name in NETWORKS for dtype in DTYPES]


@functools.cache
def data(name: str, dtype: Any) -> Data:
    return NETWORKS[name].data(dtype)


def build(name: str, dtype: Any, **choices: Any) -> Any:
    return NETWORKS[name].build(dtype, **choices)


def fit(name: str, model: Any, epochs: int | None = None) -> Array:
    """Train as the network says; the loss of each epoch."""
    return NETWORKS[name].fit(model, data(name, model.dtype.name), epochs)


def trained(name: str, dtype: Any, **choices: Any) -> str:
    """The hash of a network after its training."""
    return NETWORKS[name].trained(dtype, **choices)


@contextlib.contextmanager
def with_workers(expected: bool = True) -> Iterator[None]:
    """Force the models within onto all of their threads; fail unless workers have run a part of
    the work, or none where none is `expected`: one thread must not be compared with itself."""
    before = _core._chunks_of_workers()
    with forced_threads():
        yield
    assert (_core._chunks_of_workers() > before) == expected


def shares_work(name: str, route: str = "auto") -> bool:
    """Whether a network has more than one piece of work for its threads, however little that is."""
    network = NETWORKS[name]
    weights = [layer for layer in network.layers if isinstance(layer, im.Linear)]
    widths = [width for layer in weights for width in (layer.in_features, layer.out_features)]
    dropout = any(isinstance(layer, im.Dropout) for layer in network.layers)
    elements = sum(layer.in_features * layer.out_features for layer in weights)
    if max(widths) <= 16 and elements <= 512 and not dropout and route == "auto":
        return False  # the plan for small networks has one kernel for all of a batch
    rows = min(network.batch_size or network.rows, network.rows)
    return rows > 16 or len(weights) > 1 or max(widths) > 16  # a tile of rows, a block of weights


def hashes() -> dict[str, str]:
    """The hash of every network in both dtypes."""
    return {f"{name}, {dtype}": trained(name, dtype) for name, dtype in CASES}


if __name__ == "__main__":
    json.dump(hashes(), sys.stdout, indent=1)
    print()
