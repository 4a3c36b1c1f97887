"""Penalties on weights, l1 and l2: their value, their gradient, and where they are to be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from networks import DTYPES, unit

Array = np.ndarray[Any, Any]

X, Y = unit((40, 6), 1) - 0.5, unit((40, 3), 2)
WEIGHT = unit((40,), 3)

PENALTIES = [(0.3, 0.0), (0.0, 0.7), (0.05, 0.4)]


def network(optimizer: Any, loss: Any = "mse", dtype: Any = "float64", hidden: int = 20) -> Any:
    layers = [im.Linear(6, hidden), im.LayerNorm(hidden), im.Tanh(), im.Linear(hidden, 3)]
    return im.Sequential(layers, loss=loss, optimizer=optimizer, dtype=dtype, seed=4)


def penalty(net: Any, l1: float, l2: float, weight_sum: float) -> float:
    """(l1 |W|_1 + l2/2 |W|^2) / (weight sum of the batch), over the weights of Linear and Conv."""
    weights = [w.astype(float) for w in net.state_dict().values() if w.ndim > 1]
    sums = sum(l1 * np.abs(w).sum() + 0.5 * l2 * (w * w).sum() for w in weights)
    return float(sums) / weight_sum


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("decay_bias", [True, False])
def test_the_column_is_the_value_before_each_update_and_loss_the_data_term(
    l1: float, l2: float, decay_bias: bool, dtype: str
) -> None:
    optimizer = im.SGD(lr=0.1, l1=l1, l2=l2, decay_bias=decay_bias)
    net, plain = network(optimizer, dtype=dtype), network(im.SGD(lr=0.1), dtype=dtype)
    expected, losses = [], []
    for _ in range(3):
        expected.append(penalty(net, l1, l2, 40))
        plain.load_state_dict(net.state_dict())
        losses.append(plain.evaluate(X, Y)["loss"])
        history = net.fit(X, Y, batch_size=None, verbose=False)
        assert [*history] == ["loss", "penalty"]
        np.testing.assert_allclose(history["penalty"], expected[-1], rtol=1e-12)
        np.testing.assert_allclose(history["loss"], losses[-1], rtol=1e-6)
    assert expected[0] != expected[-1]


def test_an_epochs_penalty_is_the_mean_over_its_batches_by_their_weight() -> None:
    net = network(im.SGD(lr=0.0, l2=0.4))
    history = net.fit(X, Y, batch_size=16, sample_weight=WEIGHT, verbose=False)
    # With a rate of 0 each batch has P / W_b, which counts W_b: 3 P over the sum of all.
    expected = 3.0 * penalty(net, 0.0, 0.4, WEIGHT.sum())
    np.testing.assert_allclose(history["penalty"], [expected], rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1.0, 1e300])
def test_weights_of_any_size_divide(scale: float) -> None:
    l2 = 0.4 * scale
    net = network(im.SGD(lr=0.1, l2=l2))
    history = net.fit(X, Y, sample_weight=WEIGHT * scale, batch_size=None, verbose=False)
    twin = network(im.SGD(lr=0.1, l2=0.4))
    other = twin.fit(X, Y, sample_weight=WEIGHT, batch_size=None, verbose=False)
    np.testing.assert_allclose(history["penalty"], other["penalty"], rtol=1e-12)
    for key, w in twin.state_dict().items():
        np.testing.assert_allclose(net.state_dict()[key], w, rtol=1e-9, atol=1e-12)


def test_a_batch_of_zero_weight_has_no_penalty_and_makes_its_step() -> None:
    net = network(im.SGD(lr=0.1, l1=0.1, l2=0.4))
    before = net.state_dict()
    history = net.fit(X, Y, sample_weight=np.zeros(40), batch_size=None, verbose=False)
    assert history["penalty"].tolist() == history["loss"].tolist() == [0.0]
    assert net._core.steps == 1
    for key, w in net.state_dict().items():
        np.testing.assert_array_equal(w, before[key])


def test_the_weight_sum_of_a_cross_entropy_has_its_classes_weights() -> None:
    loss = im.CrossEntropy(class_weight=[0.5, 2.0, 1.0], ignore_index=-1)
    net = network(im.SGD(lr=0.1, l2=0.4), loss)
    classes = np.arange(40) % 3
    classes[5] = -1
    weights = np.array([0.5, 2.0, 1.0])[classes] * WEIGHT * (classes >= 0)
    expected = penalty(net, 0.0, 0.4, weights.sum())
    history = net.fit(X, classes, sample_weight=WEIGHT, batch_size=None, verbose=False)
    np.testing.assert_allclose(history["penalty"], [expected], rtol=1e-12)


@pytest.mark.parametrize(("l1", "l2"), PENALTIES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("hidden", [8, 20])  # with and without a network that fits into L1
def test_loss_and_grad_has_penalties_in_both_by_central_differences(
    l1: float, l2: float, reduction: Any, hidden: int
) -> None:
    layers = [im.Linear(6, hidden, trainable=hidden == 8), im.Tanh(), im.Linear(hidden, 3)]
    net = im.Sequential(
        layers,
        loss=im.MSE(reduction=reduction),
        optimizer=im.Adam(l1=l1, l2=l2),
        dtype="float64",
        seed=3,
    )
    loss, grads = net.loss_and_grad(X, Y, sample_weight=WEIGHT)
    plain = im.Sequential(layers, loss=im.MSE(reduction=reduction), dtype="float64", seed=3)
    assert loss > plain.loss_and_grad(X, Y, sample_weight=WEIGHT)[0]
    state = net.state_dict()
    for key, grad in grads.items():
        differences = np.empty_like(grad)
        for index in np.ndindex(grad.shape):
            sides = []
            for step in (1e-5, -1e-5):
                state[key][index] += step
                net.load_state_dict(state)
                sides.append(net.loss_and_grad(X, Y, sample_weight=WEIGHT)[0])
                state[key][index] -= step
            differences[index] = (sides[0] - sides[1]) / 2e-5
        net.load_state_dict(state)
        apart = np.abs(differences - grad).max() / np.abs(grad).max()
        assert apart <= tolerances.CENTRAL_DIFFERENCE, key


@pytest.mark.parametrize("dtype", DTYPES)
def test_biases_and_normalizations_have_none(dtype: str) -> None:
    net = network(im.SGD(lr=0.1, l1=0.3, l2=0.7), dtype=dtype)
    plain = network(im.SGD(lr=0.1), dtype=dtype)
    with_penalty, without = net.loss_and_grad(X, Y)[1], plain.loss_and_grad(X, Y)[1]
    for key, grad in without.items():
        same = np.array_equal(with_penalty[key], grad)
        assert same == (key not in ("0.weight", "3.weight")), key


def test_frozen_weights_have_none() -> None:
    layers = [im.Linear(6, 20, trainable=False), im.Tanh(), im.Linear(20, 3)]
    net = im.Sequential(layers, loss="mse", optimizer=im.SGD(l2=0.5), dtype="float64", seed=1)
    last = net.state_dict()["2.weight"]
    history = net.fit(X, Y, batch_size=None, verbose=False)
    np.testing.assert_allclose(history["penalty"], [0.25 * (last**2).sum() / 40], rtol=1e-12)


def test_evaluate_validation_and_train_on_batch_are_the_data_term() -> None:
    net, plain = network(im.SGD(lr=0.1, l2=5.0)), network(im.SGD(lr=0.1))
    assert net.evaluate(X, Y) == plain.evaluate(X, Y)
    assert net.train_on_batch(X, Y) == plain.train_on_batch(X, Y)
    plain.load_state_dict(net.state_dict())
    data = net.fit(X, Y, validation_data=(X, Y), batch_size=None, verbose=False)
    assert [*data] == ["loss", "penalty", "val_loss", "val_r2"]
    assert data["val_loss"][0] == net.evaluate(X, Y)["loss"]


def squares(outputs: Array, y: Array, weight: Any = None) -> tuple[float, Array]:
    weight = np.ones(len(y)) if weight is None else weight
    share = (weight / weight.sum() / y.shape[1])[:, None]
    return float((share * (outputs - y) ** 2).sum()), 2.0 * share * (outputs - y)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_own_losses_have_them_too(weight: Any) -> None:
    optimizer = im.SGD(lr=0.1, l1=0.02, l2=0.5)
    own, ours = network(optimizer, squares), network(optimizer)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 16, "verbose": False}
    found, expected = (net.fit(X, Y, sample_weight=weight, **settings) for net in (own, ours))
    for name in ("loss", "penalty"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-10)
    pairs = zip(own.state_dict().values(), ours.state_dict().values(), strict=True)
    assert all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs)
    both = [net.loss_and_grad(X, Y, sample_weight=weight) for net in (own, ours)]
    losses, grads = zip(*both, strict=True)
    np.testing.assert_allclose(*losses, rtol=1e-12)
    for key, grad in grads[1].items():
        np.testing.assert_allclose(grads[0][key], grad, rtol=1e-9, atol=1e-12)
    before = own.copy()
    assert own.train_on_batch(X, Y, sample_weight=weight) < losses[0]
    before.apply_gradients(grads[0])
    for key, w in before.state_dict().items():
        np.testing.assert_array_equal(own.state_dict()[key], w)


def test_streams_have_the_bits_of_arrays() -> None:
    optimizer = im.Adam(lr=0.01, l1=0.02, l2=0.5)
    net, twin = network(optimizer), network(optimizer)
    whole = net.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=False)
    items = [(X[at : at + 16], Y[at : at + 16]) for at in range(0, 40, 16)]
    stream = twin.fit(items, epochs=2, verbose=False)
    for name in ("loss", "penalty"):
        np.testing.assert_array_equal(stream[name], whole[name])


def test_callbacks_see_the_column() -> None:
    seen = []
    net = network(im.SGD(lr=0.1, l2=0.5))
    stopping = im.EarlyStopping("penalty", patience=100)
    history = net.fit(
        X,
        Y,
        epochs=4,
        callbacks=[lambda model, logs: seen.append(logs["penalty"]), stopping],
        verbose=False,
    )
    np.testing.assert_array_equal(history["penalty"], seen)


def test_batches_are_told_theirs() -> None:
    class Watch(im.Callback):
        def on_train_batch_end(self, model: Any, logs: Any) -> None:
            seen.append(logs)

    seen: list[dict[str, Any]] = []
    net, twin = network(im.SGD(lr=0.1, l2=0.5)), network(im.SGD(lr=0.1, l2=0.5))
    history = net.fit(X, Y, batch_size=16, shuffle=False, callbacks=[Watch()], verbose=False)
    for logs, at in zip(seen, range(0, 40, 16), strict=True):
        rows = slice(at, at + 16)
        np.testing.assert_allclose(logs["penalty"], penalty(twin, 0.0, 0.5, len(X[rows])))
        assert twin.train_on_batch(X[rows], Y[rows]) == logs["loss"]
    weights = np.array([16, 16, 8])
    mean = sum(weights * [logs["penalty"] for logs in seen]) / 40
    np.testing.assert_allclose(history["penalty"], [mean], rtol=1e-14)
    plain = network(im.SGD(lr=0.1))
    plain.fit(X, Y, callbacks=[Watch()], verbose=False)
    assert seen[-1].keys() == {"epoch", "batch", "loss"}


def test_without_a_penalty_there_is_no_column() -> None:
    history = network(im.SGD(lr=0.1, clip_norm=1.0, ema=0.9)).fit(X, Y, verbose=False)
    assert [*history] == ["loss"]
    none = network(im.SGD(lr=0.1, l2=0.1)).fit(X, Y, epochs=0, verbose=False)
    assert [*none] == ["loss", "penalty"]
    assert len(none["penalty"]) == 0


def test_backward_knows_no_penalty() -> None:
    net, plain = network(im.SGD(l2=0.5)), network(im.SGD())
    found, expected = (each.backward(X, Y) for each in (net, plain))
    for key, grad in expected.items():
        np.testing.assert_array_equal(found[key], grad)
