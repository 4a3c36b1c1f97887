"""Ctrl-C while a network of images trains: between any two steps, which may be long ones."""

import os
import signal
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp._training import fitting
from ironmlp._training.progress import Silent
from test_interrupt import _handlers, press_when_ready  # noqa: F401

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs an OS with POSIX signals")

BATCH, BATCHES = 17, 5
RNG = np.random.default_rng(4)
X = RNG.integers(0, 256, size=(BATCH * BATCHES - 3, 28, 28, 1), dtype=np.uint8)
Y = RNG.integers(0, 10, size=len(X))


def lenet() -> im.Sequential:
    """A model with moments to lose."""
    optimizer = im.SGD(lr=0.1, momentum=0.9)
    return im.LeNet5((28, 28, 1), optimizer=optimizer, scale=255, channels_last=True, seed=2)


@pytest.mark.parametrize("steps", [1, 3, BATCHES, BATCHES + 2])
@pytest.mark.parametrize("callbacks", [[], [im.Callback()]], ids=["plain", "callback"])
def test_ctrl_c_between_two_steps(
    steps: int, callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(self: Silent, run: Any, logs: Any = None) -> None:
        if run.epochs_done * BATCHES + run.batches_done == steps:
            signal.raise_signal(signal.SIGINT)

    model, fresh = lenet(), lenet()
    settings: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "verbose": False}
    with monkeypatch.context() as patch:
        # A slice of no time is a single step; between two slices Ctrl-C is taken.
        patch.setattr(fitting, "SLICE", 0.0)
        patch.setattr(Silent, "update", update)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, epochs=4, callbacks=callbacks, **settings)
    for step in range(steps):
        rows = slice(step % BATCHES * BATCH, (step % BATCHES + 1) * BATCH)
        fresh.train_on_batch(X[rows], Y[rows])
    assert model.state_dict().keys() == fresh.state_dict().keys()
    for key, w in model.state_dict().items():
        np.testing.assert_array_equal(w, fresh.state_dict()[key], err_msg=key)
    assert model._core.steps == steps
    assert model.epoch == steps // BATCHES
    # It is free, and goes on.
    model.fit(X, Y, epochs=1, **settings)


def test_a_long_epoch_of_large_images_ends_by_ctrl_c() -> None:
    # All the rows are the same few images: an epoch of days in no memory.
    kind, steps, same = press_when_ready("""
few = np.random.default_rng(0).integers(0, 256, size=(32, 227, 227, 1), dtype=np.uint8)
rows = np.lib.stride_tricks.as_strided(few, (32 * 50_000, *few.shape[1:]), (0, *few.strides[1:]))
goals = np.arange(len(rows)) % 2
model = im.LeNet5((227, 227, 1), 2, optimizer="sgd", scale=255, channels_last=True, seed=1)
fresh = model.copy()
show(pressed(lambda: watched(model, rows, goals, epochs=1, batch_size=32)))
steps = model._core.steps
show(steps)
for _ in range(steps):
    fresh.train_on_batch(rows[:32], goals[:32])
show(all(np.array_equal(w, fresh.state_dict()[k]) for k, w in model.state_dict().items()))
""")
    assert kind == "KeyboardInterrupt"
    assert 0 < steps < 50_000
    assert same
