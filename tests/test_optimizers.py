"""Updates of optimizers against PyTorch, the reference and their formulas."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from golden import array, golden
from golden import name as golden_name
from ironmlp import optimizers, reference
from networks import DTYPES, unit

Array = np.ndarray[Any, Any]
State = dict[str, Array]

# Each optimizer with options that change what it computes.
CASES: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "weight_decay": 0.05},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.02, "nesterov": True},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.25, "weight_decay": 0.02},
        {"dampening": 0.5},
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.02, "lr_in_velocity": True},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "lr_in_velocity": True},
        {"nesterov": True, "lr_in_velocity": True},
    ],
    "Adam": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.95)},
        {"lr": 0.02, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.01, "betas": (0.0, 0.0)},
        {"lr": 0.02, "betas": (0.8, 0.5), "weight_decay": 0.1, "amsgrad": True},
        {"lr": 0.02, "betas": (0.8, 0.5), "weight_decay": 0.1, "eps_hat": True},
        {"lr": 0.01, "eps": 1e-3, "amsgrad": True, "eps_hat": True},
    ],
    "AdamW": [
        {},
        {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.3},
        {"lr": 0.02, "eps": 1e-3, "weight_decay": 0.0},
    ],
    "NAdam": [
        {},
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.02, "betas": (0.0, 0.0), "momentum_decay": 0.5},
    ],
    "RAdam": [
        {},
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.02, "betas": (0.9, 0.5)},
    ],
    "RMSprop": [
        {},
        {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.02, "momentum": 0.8},
        {"lr": 0.02, "alpha": 0.9, "centered": True},
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.8, "centered": True, "weight_decay": 0.1},
    ],
    "Adagrad": [
        {},
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.05, "eps": 1e-3},
    ],
    "Lion": [
        {},
        {"lr": 0.01, "betas": (0.7, 0.9), "weight_decay": 0.3},
    ],
}
OPTIMIZERS = [
    getattr(optimizers, kind)(**options) for kind, cases in CASES.items() for options in cases
]


def test_every_optimizer_and_option_has_a_case() -> None:
    for kind in optimizers.OPTIMIZERS.values():
        covered = {option for options in CASES[kind.__name__] for option in options}
        assert covered == set(kind.__slots__)


def model(optimizer: Any, dtype: str = "float64", made_by: Any = im, **linear: Any) -> Any:
    """Two layers with more weights than one vector holds, and a tail."""
    layers = [im.Linear(7, 5, **linear), im.Tanh(), im.Linear(5, 3)]
    return made_by.Sequential(layers, loss="mse", optimizer=optimizer, dtype=dtype, seed=2)


def gradients(state: State, step: int) -> State:
    """Gradients in [-1, 1) for every parameter."""
    return {
        key: 2.0 * unit(w.shape, 100 * step + k) - 1.0 for k, (key, w) in enumerate(state.items())
    }


def updated(model: Any, steps: int, first: int = 0) -> State:
    """The parameters after some updates with the gradients of the steps from `first` on."""
    state: State = model.state_dict()
    for step in range(first, first + steps):
        model.apply_gradients(gradients(state, step))
    after: State = model.state_dict()
    return after


def assert_same(found: State, expected: State) -> None:
    assert list(found) == list(expected)
    for key, w in found.items():
        np.testing.assert_array_equal(w, expected[key], err_msg=key)


@pytest.mark.parametrize("case", golden()["optimizers"], ids=golden_name)
def test_two_hundred_steps_are_pytorchs(case: dict[str, Any]) -> None:
    made = getattr(optimizers, case["name"])(**case["options"])
    net = im.MLP(
        case["sizes"], activation="tanh", loss="mse", optimizer=made, dtype="float64", seed=0
    )
    net.load_state_dict(dict(zip(net.state_dict(), map(array, case["initial"]), strict=True)))
    for _ in range(case["steps"]):
        net.train_on_batch(array(case["X"]), array(case["targets"]))
    for (key, w), final in zip(net.state_dict().items(), case["final"], strict=True):
        apart = np.abs(w - array(final)).max() / np.abs(final).max()
        assert apart <= tolerances.TORCH_STEPS, key


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_twenty_updates_are_the_references(optimizer: Any, dtype: str) -> None:
    linear = {"lr_scale": 0.5}
    ours, theirs = (model(optimizer, dtype, made_by, **linear) for made_by in (im, reference))
    assert_same(ours.state_dict(), theirs.state_dict())
    expected = updated(theirs, 20)
    for key, w in updated(ours, 20).items():
        largest = np.abs(expected[key]).max()
        apart = float(np.abs(w - expected[key]).max() / largest) / tolerances.eps(dtype)
        assert apart <= tolerances.UPDATES_EPS, key


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_update_of_plain_sgd_is_rounded_once(dtype: str) -> None:
    net = model(im.SGD(lr=0.1), dtype)
    before = net.state_dict()
    after = updated(net, 1)
    number = np.dtype(dtype).type
    for key, g in gradients(before, 0).items():
        for w, slope, found in zip(before[key].flat, g.flat, after[key].flat, strict=True):
            step = Fraction(float(number(0.1))) * Fraction(float(number(slope)))
            exact = Fraction(float(w)) - step
            # The nearest number: its neighbours are no closer.
            apart = abs(Fraction(float(found)) - exact)
            for towards in (-np.inf, np.inf):
                neighbour = np.nextafter(found, number(towards))
                assert apart <= abs(Fraction(float(neighbour)) - exact)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_update_of_adam_is_the_learning_rate(dtype: str) -> None:
    net = model(im.Adam(lr=0.01), dtype)
    before = net.state_dict()
    after = updated(net, 1)
    for key, g in gradients(before, 0).items():
        expected = -0.01 * g / (np.abs(g) + 1e-8)
        within = tolerances.ADAM_FIRST_EPS * tolerances.eps(dtype)
        np.testing.assert_allclose(after[key] - before[key], expected, rtol=within)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_lr_scale_multiplies_the_learning_rate(optimizer: Any, dtype: str) -> None:
    half = type(optimizer)(**{**optimizer._arguments(), "lr": 0.5 * optimizer.lr})
    scaled, plain = model(optimizer, dtype, lr_scale=0.5), model(half, dtype)
    found, expected, full = (updated(m, 5) for m in (scaled, plain, model(optimizer, dtype)))
    for key in ("0.weight", "0.bias"):
        np.testing.assert_array_equal(found[key], expected[key])
    for key in ("2.weight", "2.bias"):
        np.testing.assert_array_equal(found[key], full[key])
    assert (found["0.weight"] != full["0.weight"]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_layer_that_is_not_trainable_keeps_its_parameters(optimizer: Any, dtype: str) -> None:
    frozen, free = model(optimizer, dtype, trainable=False), model(optimizer, dtype)
    before, expected = frozen.state_dict(), updated(free, 3)
    after = updated(frozen, 3)
    for key in ("0.weight", "0.bias"):
        np.testing.assert_array_equal(after[key], before[key])
    for key in ("2.weight", "2.bias"):
        np.testing.assert_array_equal(after[key], expected[key])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_layer_that_is_not_trainable_is_not_trained_by_fit(optimizer: Any, dtype: str) -> None:
    frozen = model(optimizer, dtype, trainable=False)
    before = frozen.state_dict()
    X, y = unit((40, 7), 1), unit((40, 3), 2)
    frozen.fit(X, y, epochs=3, batch_size=16, verbose=False)
    after = frozen.state_dict()
    for key in ("0.weight", "0.bias"):
        np.testing.assert_array_equal(after[key], before[key])
    assert (after["2.weight"] != before["2.weight"]).any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_changed_learning_rate_holds_from_the_next_update_on(optimizer: Any) -> None:
    ours, theirs = model(optimizer), model(optimizer, made_by=reference)
    for net in (ours, theirs):
        updated(net, 3)
        net.learning_rate = 0.25
    assert ours.learning_rate == 0.25
    assert ours.optimizer == type(optimizer)(**(optimizer._arguments() | {"lr": 0.25}))
    assert "lr=0.25" in repr(ours)
    expected = updated(theirs, 3, first=3)
    for key, w in updated(ours, 3, first=3).items():
        apart = np.abs(w - expected[key]).max() / np.abs(expected[key]).max()
        assert apart <= tolerances.UPDATES_EPS * tolerances.eps(float), key


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_learning_rate_of_zero_changes_nothing(optimizer: Any) -> None:
    net = model(optimizer)
    before = net.state_dict()
    net.learning_rate = 0.0
    assert_same(updated(net, 3), before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_a_copy_goes_on_with_the_same_moments(optimizer: Any, dtype: str) -> None:
    net = model(optimizer, dtype)
    updated(net, 4)
    twin = net.copy()
    assert_same(updated(twin, 4, first=4), updated(net, 4, first=4))
    net.reset()
    assert net.learning_rate == optimizer.lr
    assert_same(updated(net, 8), updated(model(optimizer, dtype), 8))


HUGE = [
    ("float32", im.AdamW(lr=3e38)),
    ("float32", im.AdamW(lr=1e30, weight_decay=1e30)),
    ("float64", im.AdamW(lr=1e200, weight_decay=1e200)),
    ("float32", im.Lion(lr=3e38)),
    ("float32", im.Lion(lr=1.0, weight_decay=3e38)),
    ("float64", im.Lion(lr=1e308)),
    ("float32", im.NAdam(lr=3e38)),
    ("float32", im.RAdam(lr=3e38)),
    ("float32", im.RMSprop(lr=3e38, momentum=0.5, centered=True)),
    ("float64", im.Adagrad(lr=1e308, eps=1e-300)),
    ("float32", im.SGD(lr=3e38, momentum=0.9, dampening=0.5)),
    ("float32", im.Adam(lr=3e38, amsgrad=True)),
    ("float32", im.Adam(lr=3e38, eps_hat=True)),
    ("float32", im.SGD(lr=3e38, momentum=0.9, nesterov=True, lr_in_velocity=True)),
]


@pytest.mark.parametrize(("dtype", "optimizer"), HUGE, ids=repr)
@pytest.mark.parametrize("hidden", [7, 20])  # networks that fit into L1, and others
def test_settings_of_any_size_are_an_error_that_reset_mends(
    dtype: str, optimizer: Any, hidden: int
) -> None:
    def fitted(net: Any) -> State:
        net.learning_rate = 0.0
        net.fit(X, y, epochs=2, verbose=False)
        state: State = net.state_dict()
        return state

    X, y = unit((40, 5), 1), unit((40, 3), 2)
    net, fresh = (
        im.MLP([5, hidden, 3], loss="mse", optimizer=optimizer, dtype=dtype, seed=1)
        for _ in range(2)
    )
    with pytest.raises(FloatingPointError, match="diverged"):
        net.fit(X, y, epochs=3, verbose=False)
    net.reset()
    assert_same(fitted(net), fitted(fresh))
