"""`Adam(eps_hat=True)` and `SGD(lr_in_velocity=True)`: the updates of scikit-learn and Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import unit

Array = np.ndarray[Any, Any]

STEPS = 200
# Of the largest element of a tensor: what 200 updates may add up to.
TOLERANCE = 1e-12

ADAM: list[dict[str, Any]] = [
    {"lr": 1e-3},
    {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-2},
    {"lr": 0.01, "betas": (0.0, 0.0)},
]
SGD = [(momentum, nesterov) for momentum in (0.0, 0.5, 0.9, 1.0) for nesterov in (False, True)]


def model(optimizer: Any) -> Any:
    layers = [im.Linear(7, 5), im.Tanh(), im.Linear(5, 3)]
    return im.Sequential(layers, loss="mse", optimizer=optimizer, dtype="float64", seed=2)


def gradients(state: dict[str, Array], step: int) -> dict[str, Array]:
    """In [-1, 1), a few of them 0 and small."""
    numbers = {
        key: 2.0 * unit(w.shape, 100 * step + k) - 1.0 for k, (key, w) in enumerate(state.items())
    }
    return {key: np.where(np.abs(g) < 0.05, 0.0, g**3) for key, g in numbers.items()}


def rate(step: int, lr: float) -> float:
    """A rate that changes, as "adaptive" and "invscaling" make it."""
    return lr if step < 60 else lr / 5.0 if step < 130 else lr / (step + 1) ** 0.5


def after(optimizer: Any, changes: bool) -> dict[str, Array]:
    net = model(optimizer)
    for step in range(STEPS):
        if changes:
            net.learning_rate = rate(step, optimizer.lr)
        net.apply_gradients(gradients(net.state_dict(), step))
    state: dict[str, Array] = net.state_dict()
    return state


def assert_close(found: dict[str, Array], expected: dict[str, Array]) -> None:
    for key, w in found.items():
        apart = np.abs(w - expected[key]).max() / np.abs(expected[key]).max()
        assert apart <= TOLERANCE, (key, apart)


def by_adam(options: dict[str, Any]) -> dict[str, Array]:
    """Algorithm 1 of Kingma and Ba with the order of section 2, an element at a time."""
    settings = {"betas": (0.9, 0.999), "eps": 1e-8, **options}
    (b1, b2), eps, lr = settings["betas"], settings["eps"], settings["lr"]
    state: dict[str, Array] = model(im.SGD()).state_dict()
    memory = {key: (np.zeros_like(w), np.zeros_like(w)) for key, w in state.items()}
    for step in range(STEPS):
        for key, g in gradients(state, step).items():
            m, v = memory[key]
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            size = lr * np.sqrt(1 - b2 ** (step + 1)) / (1 - b1 ** (step + 1))
            state[key], memory[key] = state[key] - size * m / (np.sqrt(v) + eps), (m, v)
    return state


def by_velocity(momentum: float, nesterov: bool, lr: float) -> dict[str, Array]:
    state: dict[str, Array] = model(im.SGD()).state_dict()
    velocity = {key: np.zeros_like(w) for key, w in state.items()}
    for step in range(STEPS):
        for key, g in gradients(state, step).items():
            velocity[key] = momentum * velocity[key] - rate(step, lr) * g
            ahead = momentum * velocity[key] - rate(step, lr) * g
            state[key] = state[key] + (ahead if nesterov else velocity[key])
    return state


@pytest.mark.parametrize("options", ADAM, ids=repr)
def test_adam_by_epsilon_hat_is_its_formula(options: dict[str, Any]) -> None:
    assert_close(after(im.Adam(eps_hat=True, **options), False), by_adam(options))


@pytest.mark.parametrize("options", ADAM, ids=repr)
def test_adam_by_epsilon_hat_is_scikit_learns(options: dict[str, Any]) -> None:
    theirs = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    (b1, b2), eps = options.get("betas", (0.9, 0.999)), options.get("eps", 1e-8)
    state: dict[str, Array] = model(im.SGD()).state_dict()
    stepper = theirs.AdamOptimizer([*state.values()], options["lr"], b1, b2, eps)
    for step in range(STEPS):
        stepper.update_params([*state.values()], [*gradients(state, step).values()])
    assert_close(after(im.Adam(eps_hat=True, **options), False), state)


@pytest.mark.parametrize(("momentum", "nesterov"), SGD)
def test_sgd_by_its_velocity_is_its_formula(momentum: float, nesterov: bool) -> None:
    made = im.SGD(0.05, momentum, nesterov=nesterov, lr_in_velocity=True)
    assert_close(after(made, True), by_velocity(momentum, nesterov, 0.05))


@pytest.mark.parametrize(("momentum", "nesterov"), SGD)
def test_sgd_by_its_velocity_is_scikit_learns(momentum: float, nesterov: bool) -> None:
    theirs = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    state: dict[str, Array] = model(im.SGD()).state_dict()
    stepper = theirs.SGDOptimizer([*state.values()], 0.05, "constant", momentum, nesterov)
    for step in range(STEPS):
        stepper.learning_rate = rate(step, 0.05)
        stepper.update_params([*state.values()], [*gradients(state, step).values()])
    made = im.SGD(0.05, momentum, nesterov=nesterov, lr_in_velocity=True)
    assert_close(after(made, True), state)


def test_both_differ_from_pytorchs_form_where_they_should() -> None:
    """What the comparisons above would see, were an option not read."""
    adam, hat = (
        after(im.Adam(0.01, eps=1e-2, eps_hat=eps_hat), False) for eps_hat in (False, True)
    )
    assert np.abs(adam["0.weight"] - hat["0.weight"]).max() > 1e-3
    sgd, velocity = (
        after(im.SGD(0.05, 0.9, lr_in_velocity=in_velocity), True) for in_velocity in (False, True)
    )
    assert np.abs(sgd["0.weight"] - velocity["0.weight"]).max() > 1e-3


def test_with_one_rate_both_forms_of_sgd_are_one() -> None:
    sgd, velocity = (
        after(im.SGD(0.05, 0.9, nesterov=True, lr_in_velocity=in_velocity), False)
        for in_velocity in (False, True)
    )
    assert_close(velocity, sgd)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_momentum_it_is_plain_sgd_to_the_bit(dtype: str) -> None:
    X, y = unit((40, 6), 1), unit((40, 3), 2)
    found = []
    for optimizer in (im.SGD(0.1), im.SGD(0.1, 0.0, nesterov=True, lr_in_velocity=True)):
        net = im.MLP([6, 20, 3], loss="mse", optimizer=optimizer, dtype=dtype, seed=1)
        net.fit(X, y, epochs=3, batch_size=16, verbose=False)
        found.append(net.state_dict())
    for key, w in found[0].items():
        np.testing.assert_array_equal(w, found[1][key])
