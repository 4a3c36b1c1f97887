"""Lanes that hold no sample reach no sum, whatever the network makes of the zeros in them.

The networks here overflow where X is 0: biases of 3e38 go with weights of -3e38 from a feature that
is 1 in every sample. What is compared is the gradient of `ironmlp.reference`, which has no lanes.
"""

from typing import Any

import numpy as np
import pytest

import ironmlp as im
import ironmlp.reference

COUNTS = [1, 3, 4, 5, 8, 15, 16, 17, 33]


def assert_close(found: Any, must: Any, atol: float = 1e-5) -> None:
    assert found.keys() == must.keys()
    for name, values in must.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=atol, err_msg=name)


# Where the first channel is 1, layers compute small numbers; 0 becomes 3e38, then infinite.
BRIGHT = np.random.default_rng(5).random((17, 2, 6, 6), "f4") / 4
BRIGHT[:, 0] = 1
BRIGHT_LABELS = np.arange(17) % 2


def overflows_where_black(last: list[Any], outputs: int = 2, **settings: Any) -> Any:
    """A network and its twin of the reference, of which a black image overflows in all layers."""
    layers = [
        *(im.Conv2d(2, 2, 1), im.Conv2d(2, 3, 3, padding=1), im.ReLU()),
        *(im.Conv2d(3, 2, 3), im.Tanh(), *last, im.Flatten(), im.Linear(outputs, 2)),
    ]
    given = {"loss": "cross_entropy", "optimizer": im.SGD(lr=0.01), "seed": 3, **settings}
    pair = [make(layers, **given) for make in (im.Sequential, im.reference.Sequential)]
    state = pair[0].state_dict()
    state["0.weight"][:, :, 0, 0], state["0.bias"][:] = [[-3e38, 0], [0, 1]], [3e38, 0]
    state["1.weight"][:] = np.abs(state["1.weight"]) + 0.5
    for model in pair:
        model.load_state_dict(state)
    return pair


# The images themselves go to Linear; a pool's go there with a sample in each lane.
ENDS = {"rows": ([], 32), "lanes": ([im.AvgPool2d(2)], 8), "max": ([im.MaxPool2d(2)], 8)}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("count", [1, 15, 16, 17])
def test_blocks_of_images(end: str, count: int) -> None:
    """Where a batch does not fill its lanes, black images are in them, and count for nothing."""
    X, y = BRIGHT[:count], BRIGHT_LABELS[:count]
    model, twin = overflows_where_black(*ENDS[end])
    with np.errstate(all="ignore"):
        assert not np.isfinite(twin.forward(0 * X)).all(), "a black image does not overflow"
    for call in (
        lambda one: one.loss_and_grad(X, y)[1],
        lambda one: one.backward(X, np.ones((count, 2))),
        lambda one: one.trace(X, y),
    ):
        assert_close(call(model), call(twin))


@pytest.mark.parametrize("optimizer", [im.SGD(lr=0.01), im.SGD(lr=0.01, momentum=0.9)])
@pytest.mark.parametrize("route", ["auto", "unfused"])
def test_training_on_blocks_of_images(route: str, optimizer: Any) -> None:
    """The last of 17 images is a batch of its own."""
    model, twin = overflows_where_black(*ENDS["lanes"], optimizer=optimizer)
    model._core._set_route(route)
    for one in (model, twin):
        one.fit(BRIGHT, BRIGHT_LABELS, epochs=2, batch_size=16)
    assert_close(model.state_dict(), twin.state_dict(), atol=1e-4)


ROWS = np.random.default_rng(6).random((33, 3), "f4") / 4
ROWS[:, 0] = 1


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("route", ["auto", "general", "unfused", "columns"])
@pytest.mark.parametrize(
    ("loss", "outputs"),
    [("mse", 1), ("binary_cross_entropy", 1), *(("cross_entropy", k) for k in (2, 16, 19))],
)
def test_rows(loss: str, outputs: int, route: str, count: int) -> None:
    """Of the smallest plan, of panels and their tails, and of losses with a row in each lane."""
    layers = [im.Linear(3, 5), im.ReLU(), im.Linear(5, outputs)]
    given: Any = {"loss": loss, "optimizer": im.SGD(lr=0.01), "seed": 3}
    model, twin = im.Sequential(layers, **given), im.reference.Sequential(layers, **given)
    state = model.state_dict()
    state["0.weight"][:2], state["0.bias"][:2] = [[-3e38, 0, 0], [0, 1, 1]], [3e38, 0]
    state["2.weight"][:, 0] += 2
    for one in (model, twin):
        one.load_state_dict(state)
    model._core._set_route(route)
    X, y = ROWS[:count], np.arange(count) % (2 if outputs == 1 else outputs)
    with np.errstate(all="ignore"):
        assert not np.isfinite(twin.forward(0 * X)).all(), "rows of zeros do not overflow"
    assert_close(model.loss_and_grad(X, y)[1], twin.loss_and_grad(X, y)[1])
    for one in (model, twin):
        one.fit(X, y, epochs=2, batch_size=16)
    assert_close(model.state_dict(), twin.state_dict())
