"""clip_value and clip_norm: how far gradients go into an update."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import DTYPES, NETWORKS, unit

Array = np.ndarray[Any, Any]
State = dict[str, Array]

X, Y = unit((40, 6), 1) - 0.5, unit((40, 3), 2)


def clipped(grads: State, clip_value: float | None, clip_norm: float | None) -> State:
    """PyTorch's clip_grad_value_, then its clip_grad_norm_, in float64."""
    wide = {key: g.astype(float) for key, g in grads.items()}
    if clip_value is not None:
        wide = {key: np.clip(g, -clip_value, clip_value) for key, g in wide.items()}
    norm = np.sqrt(sum((g**2).sum() for g in wide.values()))
    factor = 1.0 if clip_norm is None else min(1.0, clip_norm / (norm + 1e-6))
    return {key: g * factor for key, g in wide.items()}


def network(dtype: Any, frozen: bool = False, **options: Any) -> Any:
    """Layers of every kind that has parameters, of sizes that fill no panel."""
    layers = [
        im.Conv2d(1, 3, 2, trainable=not frozen),
        im.Tanh(),
        im.Flatten(),
        im.Linear(12, 37, lr_scale=0.5),
        im.LayerNorm(37),
        im.Tanh(),
        im.Linear(37, 3, bias=False),
    ]
    optimizer = im.SGD(lr=1.0, **options)
    return im.Sequential(layers, loss="mse", optimizer=optimizer, dtype=dtype, seed=2)


IMAGES, TARGETS = unit((30, 1, 3, 3), 1) - 0.5, 5.0 * unit((30, 3), 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_value", [None, 0.01, 10.0])
@pytest.mark.parametrize("clip_norm", [None, 0.1, 1e3])
@pytest.mark.parametrize("frozen", [False, True])
def test_an_update_goes_as_far_as_clipping_lets_it(
    clip_norm: Any, clip_value: Any, frozen: bool, dtype: str
) -> None:
    net = network(dtype, frozen, clip_norm=clip_norm, clip_value=clip_value, l2=0.3)
    before = net.state_dict()
    grads = net.loss_and_grad(IMAGES, TARGETS)[1]
    trained = {key: g for key, g in grads.items() if not (frozen and key.startswith("0."))}
    expected = clipped(trained, clip_value, clip_norm)
    net.train_on_batch(IMAGES, TARGETS)
    for key, w in net.state_dict().items():
        # lr_scale comes after clipping.
        scale = 0.5 if key.startswith("3.") else 1.0
        step = scale * expected[key] if key in expected else 0.0 * w
        within = 4.0 * np.finfo(dtype).eps
        np.testing.assert_allclose(before[key] - w, step, rtol=0, atol=within, err_msg=key)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_norm_of_a_clipped_gradient_is_the_limit(dtype: str) -> None:
    net = network(dtype, clip_norm=0.05)
    before = net.state_dict()
    net.train_on_batch(IMAGES, TARGETS)
    steps = [before[key] - w for key, w in net.state_dict().items()]
    scales = [0.5 if key.startswith("3.") else 1.0 for key in before]
    norm = np.sqrt(sum(((s / scale) ** 2).sum() for s, scale in zip(steps, scales, strict=True)))
    np.testing.assert_allclose(norm, 0.05, rtol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_limit_that_nothing_reaches_changes_no_bit(dtype: str) -> None:
    states = []
    for options in ({}, {"clip_norm": 1e9}, {"clip_value": 1e9}, {"clip_norm": 1e9, "ema": 0.5}):
        net = network(dtype, **options)
        net.fit(IMAGES, TARGETS, epochs=3, batch_size=16, verbose=False)
        states.append(net.state_dict())
    for state in states[1:]:
        for key, w in states[0].items():
            np.testing.assert_array_equal(state[key], w)


def norm_of_bits(net: Any) -> list[bytes]:
    return [w.tobytes() for w in net.state_dict().values()]


@pytest.mark.parametrize("name", ["clipped", "options, tiny", "options, images", "averaged"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_step_has_the_bits_of_its_gradients_and_their_application(name: str, dtype: Any) -> None:
    network = NETWORKS[name]
    X, y, weight = network.data(dtype)
    for route in ("auto", "general", "unfused", "columns", "slabs:256"):
        at_once, in_two = (network.build(dtype, route=route) for _ in range(2))
        for _ in range(2):
            at_once.train_on_batch(X, y, sample_weight=weight)
            grads = in_two.loss_and_grad(X, y, sample_weight=weight, training=True)[1]
            in_two.apply_gradients(grads)
            assert norm_of_bits(at_once) == norm_of_bits(in_two), route


def test_apply_gradients_clips_what_it_is_given_and_leaves_it_alone() -> None:
    net = network("float64", clip_norm=0.1, clip_value=0.2)
    before = net.state_dict()
    given = {key: 3.0 * unit(w.shape, k) - 1.0 for k, (key, w) in enumerate(before.items())}
    kept = {key: g.copy() for key, g in given.items()}
    net.apply_gradients(given)
    expected = clipped(given, 0.2, 0.1)
    for key, w in net.state_dict().items():
        scale = 0.5 if key.startswith("3.") else 1.0
        np.testing.assert_allclose(before[key] - w, scale * expected[key], rtol=0, atol=1e-15)
        np.testing.assert_array_equal(given[key], kept[key])


@pytest.mark.parametrize("option", ["clip_value", "clip_norm"])
@pytest.mark.parametrize("hidden", [3, 40])
def test_clipping_hides_no_overflow(option: str, hidden: int) -> None:
    optimizer = im.SGD(lr=0.1, **{option: 1e-3})  # type: ignore[arg-type]
    net = im.MLP([2, hidden, 1], activation="relu", loss="mse", optimizer=optimizer, seed=0)
    state = {key: np.full_like(w, 1e12) for key, w in net.state_dict().items()}
    net.load_state_dict(state)
    inputs, targets = np.full((8, 2), 1e13), np.zeros(8)
    with pytest.raises(FloatingPointError):
        net.fit(inputs, targets, epochs=2, verbose=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_norms_of_any_size_have_a_factor(dtype: Any) -> None:
    for size in (1e-30, 1.0, 1e30):
        net = im.MLP([2, 1], loss="mse", optimizer=im.SGD(lr=1.0, clip_norm=1e-3), dtype=dtype)
        before = net.state_dict()
        net.apply_gradients({key: np.full(w.shape, size) for key, w in before.items()})
        steps = [before[key] - w for key, w in net.state_dict().items()]
        norm = float(np.sqrt(sum((s.astype(float) ** 2).sum() for s in steps)))
        whole = size * np.sqrt(3.0)
        expected = whole * min(1.0, 1e-3 / (whole + 1e-6))
        assert abs(norm - expected) <= 1e-6
