"""The same bits by all ways to a step: networks of rows, tiny ones and images, threads, streams,
own loops, slabs, instruction sets."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp._commands.selfcheck_networks import digest, forced_threads
from ironmlp.losses import rows

RNG = np.random.default_rng(4)
N = 70
IMAGES = RNG.normal(size=(N, 2, 5, 6))
WEIGHT = np.where(np.arange(N) % 5 == 3, 0.0, RNG.uniform(0.5, 2.0, N))
NUMBERS = RNG.normal(size=(N, 2))

LOSSES: dict[str, tuple[Any, int, Any]] = {
    "poisson": (im.PoissonNLL(full=True), 2, np.floor(np.exp(NUMBERS))),
    "poisson of one": (im.PoissonNLL(), 1, np.floor(np.exp(NUMBERS[:, :1]))),
    "rates": (im.PoissonNLL(log_input=False), 2, np.floor(np.exp(NUMBERS))),
    "gaussian": (im.GaussianNLL(), 2, NUMBERS[:, 0]),
    "gaussians": (im.GaussianNLL(), 4, NUMBERS),
    "quantiles": (im.Quantile([0.2, 0.5, 0.7]), 3, NUMBERS[:, 0]),
    "quantile": (im.Quantile([0.2]), 1, NUMBERS[:, 0]),
    "focal": (im.Focal(1.5, 0.3), 1, (NUMBERS[:, :1] > 0) * 1),
    "focal flags": (im.Focal(reduction="sum"), 2, (NUMBERS > 0) * 1),
    "clipped classes": (rows.ClippedCrossEntropy(), 2, (NUMBERS[:, 0] > 0) * 1),
    "clipped flag": (rows.ClippedBCEWithLogits(), 1, (NUMBERS[:, :1] > 0) * 1),
    "clipped flags": (rows.ClippedBCEWithLogits(), 2, (NUMBERS > 0) * 1),
    "half square": (rows.HalfSquaredError(), 1, NUMBERS[:, 0]),
    "half deviance": (rows.HalfPoissonDeviance(), 2, np.floor(np.exp(NUMBERS))),
}
KINDS = ("rows", "tiny", "images")

EVERY_LOSS = pytest.mark.parametrize("name", LOSSES)
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def model(name: str, kind: str, **settings: Any) -> Any:
    loss, outputs, _ = LOSSES[name]
    head = [im.Softplus()] if name == "rates" else []
    if kind == "images":
        layers = [im.Conv2d(2, 3, 2), im.Tanh(), im.Flatten(), im.Linear(60, outputs), *head]
    else:
        hidden = 40 if kind == "rows" else 7
        layers = [im.Linear(8, hidden), im.Tanh(), im.Linear(hidden, outputs), *head]
    options = {"optimizer": im.SGD(lr=0.02), "seed": 5, **settings}
    return im.Sequential(layers, loss=loss, **options)


def samples(name: str, kind: str) -> tuple[Any, Any]:
    return IMAGES if kind == "images" else IMAGES.reshape(N, -1)[:, :8], LOSSES[name][2]


def trained(name: str, kind: str, route: str = "auto", **settings: Any) -> str:
    made = model(name, kind, **settings)
    made._core._set_route(route)
    X, y = samples(name, kind)
    with forced_threads():
        history = made.fit(X, y, epochs=2, batch_size=33, sample_weight=WEIGHT)
    return digest(history["loss"], made.state_dict())


def hashes() -> list[str]:
    """Of all networks in both dtypes."""
    return [
        trained(name, kind, dtype=dtype)
        for name in LOSSES
        for kind in KINDS
        for dtype in ("float32", "float64")
    ]


@EVERY_KIND
@EVERY_LOSS
def test_threads_and_routes(name: str, kind: str) -> None:
    expected = trained(name, kind, n_threads=1)
    assert trained(name, kind, n_threads=3) == expected
    for route in ("general", "unfused", "columns"):
        assert trained(name, kind, route, n_threads=2) == expected, route


@EVERY_KIND
@EVERY_LOSS
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_streams_and_loops_of_ones_own(name: str, kind: str, weight: Any) -> None:
    X, y = samples(name, kind)
    cuts = [slice(start, start + 24) for start in range(0, N, 24)]
    whole, stream, steps, apart = (model(name, kind) for _ in range(4))
    history = whole.fit(X, y, batch_size=24, shuffle=False, sample_weight=weight)
    items = [(X[c], y[c], *(() if weight is None else (weight[c],))) for c in cuts]
    assert stream.fit(items)["loss"].tolist() == history["loss"].tolist()
    for item in items:
        options = {} if weight is None else {"sample_weight": item[2]}
        loss = steps.train_on_batch(*item[:2], **options)
        other, grads = apart.loss_and_grad(*item[:2], training=True, **options)
        assert loss == other
        # The gradient at the outputs goes back by itself.
        traced = apart.trace(*item[:2], **options)
        last = next(key for key in traced if key.endswith("grad_output"))
        back = apart.backward(item[0], traced[last])
        assert traced["loss"] == loss
        assert all(np.array_equal(back[key], grad) for key, grad in grads.items())
        apart.apply_gradients(grads)
    for other in (stream, steps, apart):
        state = other.state_dict()
        assert all(np.array_equal(value, state[key]) for key, value in whole.state_dict().items())


@EVERY_LOSS
def test_slabs(name: str) -> None:
    X, y = samples(name, "rows")
    X, y, weight = (np.concatenate([array] * 10) for array in (X, y, WEIGHT))
    found = []
    for route in ("auto", "slabs:256"):
        made = model(name, "rows")
        made._core._set_route(route)
        history = made.fit(X, y, batch_size=None, epochs=2, sample_weight=weight)
        found.append(digest(history["loss"], made.state_dict()))
    assert found[0] == found[1]


def test_instruction_sets() -> None:
    expected, folder = hashes(), os.path.dirname(__file__)
    program = "import json, test_loss_ways as t; print(json.dumps(t.hashes()))"
    for isa in im.config()["isas"]:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"IRONMLP_ISA": isa},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(expected).replace("'", '"'), isa
