"""Normalization over batches: against PyTorch's values, and when its running values move."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from golden import drawn
from ironmlp import reference
from test_nodes import LIBRARIES, check, made

Array = np.ndarray[Any, Any]

FILE = Path(__file__).parent / "golden" / "torch_batch_norm.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["networks"]

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
EVERY_LIBRARY = pytest.mark.parametrize("library", LIBRARIES)

RUNNING = ("running_mean", "running_var", "num_batches_tracked")


def model_of(library: Any, case: dict[str, Any], dtype: str) -> Any:
    """The untrained model of a case."""
    loss = {"CrossEntropy": "cross_entropy", "MSE": "mse"}[case["loss"]]
    model = library.Sequential(
        map(made, case["layers"]), loss=loss, optimizer=im.SGD(lr=case["lr"]), dtype=dtype, seed=0
    )
    shapes = {key: w.shape for key, w in model.state_dict().items() if not key.endswith(RUNNING)}
    model.load_state_dict(drawn.parameters(shapes), strict=False)
    return model


def given(case: dict[str, Any], dtype: str) -> tuple[Array, Array]:
    X, y = drawn.batch(case)
    return X.astype(dtype), y


def check_gradients(
    model: Any, X: Array, y: Array, wanted: Any, training: bool, near: float
) -> None:
    found = model.loss_and_grad(X, y, training=training, input_grad=True)
    loss, grads, input_grad = found
    assert loss == pytest.approx(wanted["loss"], rel=near)
    assert list(grads) == list(wanted["grads"])
    # A bias right before a normalization has a gradient that is zero but for rounding.
    scale = max(float(np.abs(grad).max()) for grad in grads.values())
    for key, expected in wanted["grads"].items():
        grad = drawn.digest(grads[key])
        assert grad["shape"] == expected["shape"]
        assert grad["some"] == pytest.approx(expected["some"], rel=near, abs=near * scale), key
        size = expected["size"] + scale
        assert grad["sum"] == pytest.approx(expected["sum"], abs=near * size), key
    check("X", input_grad, wanted["input_grad"], near)


@EVERY_CASE
@EVERY_LIBRARY
def test_a_batch_in_training_is_torchs(library: Any, case: dict[str, Any]) -> None:
    built, dtype, near = library
    model = model_of(built, case, dtype)
    check_gradients(model, *given(case, dtype), case["training"], True, 10 * near)


@EVERY_CASE
@EVERY_LIBRARY
def test_two_hundred_steps_and_the_running_values_are_torchs(
    library: Any, case: dict[str, Any]
) -> None:
    built, dtype, near = library
    model, (X, y) = model_of(built, case, dtype), given(case, dtype)
    batches = [*zip(np.split(X, case["cuts"]), np.split(y, case["cuts"]), strict=True)]
    losses = [model.train_on_batch(*batches[step % len(batches)]) for step in range(200)]
    near = 1e-10 if dtype == "float64" else 5e-3
    assert losses[::20] == pytest.approx(case["losses"], rel=near)
    state = model.state_dict()
    assert list(state) == list(case["final"])
    for key, expected in case["final"].items():
        check(key, state[key], expected, near)
    trace = model.trace(X, y)
    for name, expected in case["forward"].items():
        check(name, trace[f"{name}.output"], expected, near)
    check_gradients(model, X, y, case["inference"], False, 10 * near)
    assert all(np.array_equal(state[key], w) for key, w in model.state_dict().items())


def two_layers(dtype: str = "float64", library: Any = im, **options: Any) -> Any:
    layers = [im.Linear(5, 7), im.Tanh(), im.BatchNorm1d(7, **options), im.Linear(7, 2)]
    return library.Sequential(layers, loss="mse", dtype=dtype, seed=3, optimizer=im.SGD(lr=0.1))


def batch(rows: int = 12, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 5)), rng.normal(size=(rows, 2))


def running(model: Any) -> dict[str, Array]:
    state = model.state_dict()
    return {key: state[f"2.{key}"] for key in RUNNING}


def taken(model: Any, X: Array) -> Array:
    """What the normalization takes."""
    state = model.state_dict()
    hidden: Array = np.tanh(X @ state["0.weight"].T + state["0.bias"])
    return hidden


WAYS = {
    "fit": lambda model, X, y: model.fit(X, y, batch_size=len(X)),
    "fit by batches": lambda model, X, y: model.fit(X, y, batch_size=len(X), shuffle=False),
    "a stream": lambda model, X, y: model.fit([(X, y)]),
    "train_on_batch": lambda model, X, y: model.train_on_batch(X, y),
    "loss_and_grad": lambda model, X, y: model.loss_and_grad(X, y, training=True),
    "backward": lambda model, X, y: model.backward(X, 0.1 * y, training=True),
}


@pytest.mark.parametrize("momentum", [0.1, 0.75, 1.0, 0.0, None])
@pytest.mark.parametrize("way", WAYS)
def test_running_values_move_in_training(way: str, momentum: float | None) -> None:
    model = two_layers(momentum=momentum)
    mean, variance = np.zeros(7), np.ones(7)
    for step in range(3):
        X, y = batch(12, step)
        x = taken(model, X)
        share = 1 / (step + 1) if momentum is None else momentum
        mean = (1 - share) * mean + share * x.mean(axis=0)
        variance = (1 - share) * variance + share * x.var(axis=0, ddof=1)
        WAYS[way](model, X, y)
        found = running(model)
        np.testing.assert_allclose(found["running_mean"], mean, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(found["running_var"], variance, rtol=1e-13)
        assert found["num_batches_tracked"] == step + 1


def assert_unmoved(model: Any, call: Any) -> None:
    before = model.state_dict()
    call()
    after = model.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_running_values_never_move_but_in_training() -> None:
    model, (X, y) = two_layers(), batch()
    model.fit(X, y, epochs=2, batch_size=4)
    predict = model.predictor(12)
    for call in (
        lambda: model.forward(X),
        lambda: model.forward(X, training=True),
        lambda: model.predict(X),
        lambda: model.evaluate(X, y),
        lambda: model.trace(X, y),
        lambda: model.loss_and_grad(X, y),
        lambda: model.backward(X, y, input_grad=True),
        lambda: model.summary(),
        lambda: predict(X),
        lambda: model.fit(X, y, epochs=0),
    ):
        assert_unmoved(model, call)


def test_forward_in_training_normalizes_by_its_rows() -> None:
    model, (X, _) = two_layers(), batch()
    state, x = model.state_dict(), taken(model, X)
    xhat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
    expected = xhat @ state["3.weight"].T + state["3.bias"]
    np.testing.assert_allclose(model.forward(X, training=True), expected, rtol=1e-10, atol=1e-12)
    assert not np.allclose(model.forward(X), expected)


@pytest.mark.filterwarnings("ignore")
def test_a_step_that_was_not_applied_moves_nothing() -> None:
    model, (X, y) = two_layers(), batch()
    model.fit(X, y, batch_size=4)
    huge = np.full_like(y, 1e200)  # whose square is infinite

    def refused(call: Any) -> Any:
        def check() -> None:
            with pytest.raises(FloatingPointError):
                call()

        return check

    assert_unmoved(model, refused(lambda: model.train_on_batch(X, huge)))
    assert_unmoved(model, refused(lambda: model.fit(X, huge, batch_size=12)))
    assert_unmoved(model, refused(lambda: model.fit([(X, huge)])))
    # Nothing can be made of these gradients.
    assert_unmoved(model, lambda: model.loss_and_grad(X, huge, training=True))


def own_loss(gradient: float) -> Any:
    def loss(outputs: Array, y: Array) -> tuple[float, Array]:
        return float(np.sum(outputs * outputs)), np.full_like(outputs, gradient)

    return loss


def test_an_own_loss_moves_running_values_where_its_step_is_applied() -> None:
    layers, (X, y) = [im.Linear(5, 7), im.BatchNorm1d(7), im.Linear(7, 2)], batch()
    model = im.Sequential(layers, loss=own_loss(0.1), seed=0, dtype="float64")
    for count, call in enumerate(
        (
            lambda: model.train_on_batch(X, y),
            lambda: model.loss_and_grad(X, y, training=True),
            lambda: model.fit(X, y, batch_size=12),
            lambda: model.fit([(X, y)]),
        )
    ):
        call()
        assert model.state_dict()["1.num_batches_tracked"] == count + 1
    model = im.Sequential(layers, loss=own_loss(1e308), seed=0, dtype="float64")

    def refused() -> None:
        with pytest.raises(FloatingPointError, match="gradient"):
            model.train_on_batch(X, y)

    assert_unmoved(model, refused)


def test_a_loss_function_may_not_move_running_values() -> None:
    X, y = batch()
    asked = []

    def loss(outputs: Array, y: Array) -> tuple[float, Array]:
        with pytest.raises(RuntimeError, match="in use by the call"):
            model.backward(X, outputs, training=True)
        asked.append(model.state_dict()["0.num_batches_tracked"])
        return 1.0, outputs

    model = im.Sequential([im.BatchNorm1d(5), im.Linear(5, 2)], loss=loss, seed=0)
    model.loss_and_grad(X, y, training=True)
    assert asked == [0]
    assert model.state_dict()["0.num_batches_tracked"] == 1


@pytest.mark.parametrize("library", [im, reference])
def test_one_value_per_channel_is_refused_before_the_first_step(library: Any) -> None:
    model, (X, y) = two_layers(library=library), batch(13)
    calls = (
        lambda: model.fit(X, y, batch_size=12),  # the last batch has one row
        lambda: model.fit(X, y, batch_size=1),
        lambda: model.fit(X, y, batch_size=4, epochs=3),
        lambda: model.fit(X[:1], y[:1]),
        lambda: model.fit(X, y, batch_size=10, validation_split=0.1),
        lambda: model.train_on_batch(X[:1], y[:1]),
        lambda: model.loss_and_grad(X[:1], y[:1], training=True),
        lambda: model.backward(X[:1], y[:1], training=True),
        lambda: model.forward(X[:1], training=True),
    )
    for call in calls:

        def refused(call: Any = call) -> None:
            with pytest.raises(ValueError, match=r"layer 2: a .*one value"):
                call()

        assert_unmoved(model, refused)
    assert (model.steps if library is reference else model._core.steps) == 0
    model.fit(X, y, batch_size=11)
    assert model.forward(X[:1]).shape == (1, 2)


def test_a_stream_ends_before_a_batch_of_one_row() -> None:
    model, (X, y) = two_layers(), batch()
    with pytest.raises(ValueError, match="one value"):
        model.fit([(X, y), (X[:1], y[:1])])
    assert running(model)["num_batches_tracked"] == 1


def test_what_a_refused_fit_would_have_learned_is_unknown() -> None:
    layers = [im.Linear(5, 3), im.BatchNorm1d(3), im.Linear(3, 2)]
    model, (X, y) = im.Sequential(layers, loss="mse", standardize=True, seed=0), batch(13)
    with pytest.raises(ValueError, match="one value"):
        model.fit(X, y, batch_size=12)
    with pytest.raises(RuntimeError, match="adapt"):
        model.forward(X)


def test_weights_of_rows_do_not_count_in_the_statistics() -> None:
    (X, y), weight = batch(), np.arange(12.0)
    plain, weighted = two_layers(), two_layers()
    plain.train_on_batch(X, y)
    weighted.train_on_batch(X, y, sample_weight=weight)
    first, second = running(plain), running(weighted)
    assert all(np.array_equal(first[key], second[key]) for key in RUNNING)
    assert not np.array_equal(plain.state_dict()["0.weight"], weighted.state_dict()["0.weight"])


@pytest.mark.parametrize("rows", [4096, 5003])
def test_a_batch_over_4096_rows_has_one_mean(rows: int) -> None:
    model, (X, y) = two_layers(momentum=1.0), batch(rows)
    x = taken(model, X)
    loss, grads = model.loss_and_grad(X, y, training=True)
    found = running(model)
    np.testing.assert_allclose(found["running_mean"], x.mean(axis=0), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found["running_var"], x.var(axis=0, ddof=1), rtol=1e-11)
    peer = two_layers(library=reference, momentum=1.0)
    exact, expected = peer.loss_and_grad(X, y, training=True)
    assert loss == pytest.approx(exact, rel=1e-12)
    for key, grad in expected.items():
        np.testing.assert_allclose(grads[key], grad, rtol=1e-9, atol=1e-14)


def test_a_batch_that_does_not_fit_is_refused_before_the_first_step() -> None:
    rows, width = 2**22, 30_000  # activations of 500 GB, and few parameters
    layers = [im.Linear(2, width), im.BatchNorm1d(width), im.Linear(width, 1)]
    model = im.Sequential(layers, loss="mse", seed=0)
    X, y = np.broadcast_to(np.float32([[1.0, 2.0]]), (rows, 2)), np.zeros(rows, "f4")
    for call in (
        lambda: model.fit(X, y, batch_size=None),
        lambda: model.train_on_batch(X, y),
        lambda: model.loss_and_grad(X, y, training=True),
    ):

        def refused(call: Any = call) -> None:
            with pytest.raises(MemoryError, match="bytes are needed"):
                call()

        assert_unmoved(model, refused)
    assert model._core.steps == 0


def test_frozen_weights_do_not_hold_the_running_values() -> None:
    model, (X, y) = two_layers(trainable=False), batch()
    model.fit(X, y, batch_size=6)
    state = model.state_dict()
    assert np.array_equal(state["2.weight"], np.ones(7))
    assert not np.array_equal(state["2.running_mean"], np.zeros(7))
    assert state["2.num_batches_tracked"] == 2


def test_validation_and_evaluate_take_running_values() -> None:
    model, (X, y) = two_layers(), batch(64)
    history = model.fit(X, y, epochs=3, batch_size=16, validation_data=(X[:9], y[:9]))
    found = model.evaluate(X[:9], y[:9])
    assert history["val_loss"][-1] == found["loss"]
    state, x = model.state_dict(), taken(model, X[:9])
    xhat = (x - state["2.running_mean"]) / np.sqrt(state["2.running_var"] + 1e-5)
    y_hat = (xhat * state["2.weight"] + state["2.bias"]) @ state["3.weight"].T + state["3.bias"]
    assert found["loss"] == pytest.approx(float(np.mean((y_hat - y[:9]) ** 2)), rel=1e-12)


def test_training_finds_running_values_that_are_not_finite() -> None:
    layers = [im.BatchNorm1d(2), im.Linear(2, 1)]
    model = im.Sequential(layers, loss="mse", seed=0)
    X = np.array([[1e30, 0.0], [-1e30, 1.0], [0.0, 2.0]], "f4")  # a variance beyond float32
    y = np.zeros(3)
    with pytest.raises(FloatingPointError, match=r"0\.running_var"):
        model.loss_and_grad(X, y, training=True)
    assert model.state_dict()["0.num_batches_tracked"] == 0
    with pytest.raises(FloatingPointError, match=r"0\.running_var"):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"'0\.running_var' has NaN"):
        model.save("unwritten")
    assert np.isinf(model.copy().state_dict()["0.running_var"]).any()
    model.reset()
    assert np.array_equal(model.state_dict()["0.running_var"], np.ones(2))
