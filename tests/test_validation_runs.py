"""Validation under threads and under Ctrl-C."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import with_workers

RNG = np.random.default_rng(6)
X = RNG.normal(size=(48, 5))
Y = RNG.integers(0, 3, 48)


def test_no_number_depends_on_the_threads() -> None:
    x = RNG.normal(size=(3000, 20)).astype(np.float32)
    y = RNG.integers(0, 3, 3000)

    def columns(n_threads: int) -> Any:
        model = im.MLP([20, 64, 3], loss="cross_entropy", seed=1, n_threads=n_threads)
        return model.fit(x, y, epochs=2, validation_split=0.5)

    alone = columns(1)
    with with_workers():
        together = columns(3)
    for name in alone:
        np.testing.assert_array_equal(alone[name], together[name])


def test_ctrl_c_ends_a_validation_and_leaves_the_epoch() -> None:
    rows = 600_000
    many = np.zeros((rows, 5), np.float32)
    model = im.MLP([5, 300, 300, 3], loss="cross_entropy", seed=1)

    class Alarm(im.Callback):
        def on_epoch_begin(self, model: Any, logs: Any) -> None:
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(
                X,
                Y,
                epochs=5,
                batch_size=None,
                validation_data=(many, np.zeros(rows, int)),
                callbacks=[Alarm()],
            )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    history = model.history
    assert history is not None
    assert history.stop_reason == "interrupted"
    assert model.epoch == len(history) == 1
    assert np.isnan(history["val_loss"]).all()
    twin = im.MLP([5, 300, 300, 3], loss="cross_entropy", seed=1)
    twin.fit(X, Y, batch_size=None)
    for key, value in twin.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[key], value)
    assert model.predict(X).shape == (48,)
