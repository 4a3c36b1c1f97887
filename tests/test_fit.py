"""fit: the loop, its arguments, its history, and a loss of the user's own."""

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor(**settings: Any) -> im.MLP:
    return im.MLP([4, 6, 1], **{"loss": "mse", "seed": 1, **settings})


def state(model: im.Sequential) -> dict[str, Any]:
    return {key: value.tolist() for key, value in model.state_dict().items()}


# Epochs and batches


def test_history_has_the_mean_loss_of_each_epoch() -> None:
    model, twin = regressor(), regressor()
    history = model.fit(X, Y, epochs=3, batch_size=None)
    assert history["loss"].dtype == np.float64
    assert len(history) == 3
    by_hand = [twin.train_on_batch(X, Y) for _ in range(3)]
    assert history["loss"].tolist() == by_hand
    assert history.stop_reason == "epochs"
    assert model.epoch == 3


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_history_weighs_batches_by_their_rows(reduction: str) -> None:
    model, twin = (regressor(loss=im.MSE(reduction=reduction)) for _ in range(2))
    history = model.fit(X, Y, batch_size=20, shuffle=False)
    total = 0.0
    for start in (0, 20, 40):
        rows = slice(start, start + 20)
        total += len(X[rows]) * twin.evaluate(X[rows], Y[rows])["loss"]
        twin.train_on_batch(X[rows], Y[rows])
    assert state(model) == state(twin)
    assert history["loss"][0] == pytest.approx(total / 50, rel=1e-12)


@pytest.mark.parametrize(
    "optimizer",
    [im.SGD(lr=0.01, momentum=0.9), im.Adam(lr=0.01), im.AdamW(lr=0.01), im.Lion(lr=0.01)],
    ids=repr,
)
@pytest.mark.parametrize(
    "loss", ["mse", lambda y, t: (float(np.mean((y - t) ** 2)), (y - t) / len(y))]
)
def test_fit_continues(optimizer: Any, loss: Any) -> None:
    def model() -> im.Sequential:
        layers = [im.Linear(4, 8), im.Dropout(0.3), im.Linear(8, 1)]
        return im.Sequential(layers, loss=loss, optimizer=optimizer, seed=0)

    whole, parts = model(), model()
    history = whole.fit(X, Y, epochs=10, batch_size=16)
    first = parts.fit(X, Y, epochs=4, batch_size=16)
    second = parts.fit(X, Y, epochs=6, batch_size=16)
    assert state(whole) == state(parts)
    assert history["loss"].tolist() == [*first["loss"], *second["loss"]]
    assert whole.epoch == parts.epoch == 10


@pytest.mark.parametrize("batch_size", [None, 50, 51, 2**70])
def test_the_whole_set_is_one_batch_in_its_order(batch_size: int | None) -> None:
    model, plain = regressor(), regressor()
    model.fit(X, Y, epochs=2, batch_size=batch_size, shuffle=True)
    plain.train_on_batch(X, Y)
    plain.train_on_batch(X, Y)
    assert state(model) == state(plain)


def test_shuffle_changes_the_order_and_the_seed_decides_it() -> None:
    settings = {"epochs": 2, "batch_size": 8}
    shuffled, again, in_order = regressor(), regressor(), regressor()
    shuffled.fit(X, Y, **settings)
    again.fit(X, Y, **settings)
    in_order.fit(X, Y, shuffle=False, **settings)
    assert state(shuffled) == state(again)
    assert state(shuffled) != state(in_order)


def test_zero_epochs() -> None:
    model = regressor()
    before = state(model)
    history = model.fit(X, Y, epochs=0)
    assert len(history) == 0
    assert bool(history)
    assert state(model) == before


def test_a_weight_of_zero_is_no_row() -> None:
    weights = (np.arange(50) % 3 > 0).astype(float)
    kept = weights > 0
    model, plain = regressor(dtype="float64"), regressor(dtype="float64")
    model.fit(X, Y, epochs=3, batch_size=None, sample_weight=weights)
    plain.fit(X[kept], Y[kept], epochs=3, batch_size=None)
    for key, value in model.state_dict().items():
        np.testing.assert_allclose(value, plain.state_dict()[key], rtol=1e-12)


def test_a_weight_of_two_is_two_rows() -> None:
    weights = 1 + (np.arange(50) % 3 == 0)
    repeated = np.repeat(np.arange(50), weights)
    model, plain = regressor(dtype="float64"), regressor(dtype="float64")
    model.fit(X, Y, epochs=3, batch_size=None, sample_weight=weights.tolist())
    plain.fit(X[repeated], Y[repeated], epochs=3, batch_size=None)
    for key, value in model.state_dict().items():
        np.testing.assert_allclose(value, plain.state_dict()[key], rtol=1e-12)


# Refused arguments leave the model as it was


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"epochs": -1}, ValueError, ["epochs", "-1"]),
        ({"epochs": 2.0}, TypeError, ["epochs", "2.0", "integer"]),
        ({"epochs": True}, TypeError, ["epochs", "True"]),
        ({"batch_size": 0}, ValueError, ["batch_size", "0"]),
        ({"batch_size": -5}, ValueError, ["batch_size", "-5"]),
        ({"batch_size": 2.5}, TypeError, ["batch_size", "2.5", "integer"]),
        ({"batch_size": "auto"}, TypeError, ["batch_size", "'auto'"]),
        ({"shuffle": 1}, TypeError, ["shuffle", "1"]),
        ({"check_finite": None}, TypeError, ["check_finite", "None"]),
        ({"callbacks": 3}, TypeError, ["callbacks", "3"]),
        ({"callbacks": im.EarlyStopping()}, TypeError, ["callbacks", "list"]),
        ({"callbacks": [im.EarlyStopping]}, TypeError, ["callbacks[0]", "EarlyStopping"]),
        ({"callbacks": ["stop"]}, TypeError, ["callbacks[0]", "'stop'"]),
        ({"sample_weight": np.ones(49)}, ValueError, ["sample_weight", "(49,)", "50 rows"]),
        ({"sample_weight": np.ones((50, 1))}, ValueError, ["sample_weight", "(50, 1)"]),
        ({"sample_weight": np.full(50, -1.0)}, ValueError, ["sample_weight[0]", "-1.0"]),
        ({"sample_weight": np.full(50, np.nan)}, ValueError, ["sample_weight[0]", "nan"]),
        ({"sample_weight": ["a"] * 50}, TypeError, ["sample_weight", "strings"]),
    ],
)
def test_refused_arguments(
    arguments: dict[str, Any], error: type[Exception], words: list[str]
) -> None:
    model = regressor()
    before = state(model)
    with pytest.raises(error) as caught:
        model.fit(X, Y, **arguments)
    assert all(word in str(caught.value) for word in words), caught.value
    assert state(model) == before
    assert model.epoch == 0
    model.fit(X, Y)


@pytest.mark.parametrize("row", [0, 49])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_x_names_its_row(row: int, value: float) -> None:
    given = X.copy()
    given[row, 2] = value
    model = regressor()
    before = state(model)
    for call in (model.fit, model.train_on_batch, model.loss_and_grad):
        with pytest.raises(ValueError, match=rf"X .*row {row}\b"):
            call(given, Y)
    assert state(model) == before
    assert model.epoch == 0


def test_arguments_are_keywords() -> None:
    with pytest.raises(TypeError):
        regressor().fit(X, Y, 10)  # type: ignore[misc]


# Interruptions


def test_divergence_names_epoch_and_batch() -> None:
    model = regressor(optimizer=im.SGD(lr=1e20))
    with pytest.raises(FloatingPointError) as caught:
        model.fit(X, Y, epochs=5, batch_size=10)
    assert caught.value.epoch == 0  # type: ignore[attr-defined]
    assert 1 <= caught.value.batch <= 4  # type: ignore[attr-defined]
    assert str(caught.value.batch) in str(caught.value)  # type: ignore[attr-defined]
    # The step was not applied, and the model is free again.
    assert all(np.isfinite(value).all() for value in model.state_dict().values())
    assert model.epoch == 0
    model.reset()
    model.learning_rate = 1e-3
    model.fit(X, Y)


@pytest.mark.parametrize("callbacks", [(), (lambda model, logs: None,)], ids=["plain", "callback"])
def test_ctrl_c(callbacks: Any) -> None:
    rows = RNG.normal(size=(5000, 4))
    model = regressor()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(rows, rows[:, 0], epochs=10**9, callbacks=callbacks)
    finally:
        timer.cancel()
    assert time.monotonic() - begin < 20
    # The model is free, keeps its finished steps, and begins the interrupted epoch again.
    done = model.epoch
    assert state(model) != state(regressor())
    model.fit(rows, rows[:, 0], epochs=1)
    assert model.epoch == done + 1


def test_another_thread_is_refused_while_training() -> None:
    model = regressor()
    found: list[Any] = []

    def elsewhere() -> None:
        for call in (lambda: model.predict(X), lambda: model.fit(X, Y), model.state_dict):
            try:
                found.append(call())
            except RuntimeError as error:
                found.append(str(error))

    def callback(_: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 1:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()

    model.fit(X, Y, epochs=3, callbacks=[callback])
    assert len(found) == 3
    assert all(isinstance(one, str) and "training" in one for one in found), found
    assert model.epoch == 3


# A loss of the user's own


def squares(outputs: Any, targets: Any) -> tuple[float, Any]:
    return float(np.mean((outputs - targets) ** 2)), 2 * (outputs - targets) / outputs.size


def test_a_loss_function_trains_like_the_builtin_one() -> None:
    own = regressor(loss=squares, dtype="float64")
    builtin = regressor(dtype="float64")
    settings = {"epochs": 3, "batch_size": 16}
    first, second = own.fit(X, Y, **settings), builtin.fit(X, Y, **settings)
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-12)
    for key, value in own.state_dict().items():
        np.testing.assert_allclose(value, builtin.state_dict()[key], rtol=1e-9, atol=1e-12)
    assert own.predict(X).shape == (50,)
    assert own.evaluate(X, Y) == pytest.approx({"loss": builtin.evaluate(X, Y)["loss"]})
    found = own.evaluate(X, Y, metrics="r2")
    assert found == pytest.approx(builtin.evaluate(X, Y))
    assert own.loss_and_grad(X, Y)[0] == pytest.approx(builtin.loss_and_grad(X, Y)[0])
    assert own.train_on_batch(X, Y) == pytest.approx(builtin.train_on_batch(X, Y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_a_loss_function_gets(dtype: Any) -> None:
    seen = []

    def watched(outputs: Any, targets: Any) -> tuple[float, Any]:
        seen.append((outputs.shape, targets.shape, outputs.dtype, targets.dtype))
        return squares(outputs, targets)

    regressor(loss=watched, dtype=dtype).fit(X, Y, batch_size=20)
    dtype = np.dtype(dtype)
    expected = [((n, 1), (n, 1), dtype, dtype) for n in (20, 20, 10)]
    assert seen == expected


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda y, t: 0.5, TypeError, ["returned 0.5", "tuple"]),
        (lambda y, t: (0.5, y, t), TypeError, ["tuple"]),
        (lambda y, t: (0.5, y[:, 0]), ValueError, ["gradient", "(32,)", "(32, 1)"]),
        (lambda y, t: (y[:, 0], y), ValueError, ["loss has shape (32,)"]),
        (lambda y, t: (0.5, y.astype(str)), TypeError, ["gradient", "strings"]),
        (lambda y, t: (np.nan, y), FloatingPointError, ["0"]),
    ],
)
def test_refused_loss_functions(function: Any, error: type[Exception], words: list[str]) -> None:
    model = regressor(loss=function)
    before = state(model)
    with pytest.raises(error) as caught:
        model.fit(X, Y)
    assert all(word in str(caught.value) for word in words), caught.value
    assert state(model) == before
    assert model.epoch == 0


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "loss_and_grad"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_a_gradient_that_is_not_finite_has_its_own_name(method: str, value: float) -> None:
    model = regressor(
        loss=lambda y, t: (0.5, np.where(np.arange(len(y)) == 2, value, 0.0)[:, None])
    )
    before = state(model)
    with pytest.raises(ValueError, match=r"the gradient of the loss has a NaN .* row 2") as caught:
        getattr(model, method)(X, Y)
    assert "grad_output" not in str(caught.value)
    assert state(model) == before


def test_a_step_of_gradients_that_overflow_is_not_applied() -> None:
    model = regressor(loss=lambda y, t: (0.5, np.full_like(y, 1e30)))
    before = state(model)
    with pytest.raises(
        FloatingPointError, match=r"gradient of '0.weight' .* not applied"
    ) as caught:
        model.train_on_batch(1e20 * X, Y)
    assert (caught.value.epoch, caught.value.batch) == (0, 0)  # type: ignore[attr-defined]
    assert state(model) == before


def test_an_error_in_a_loss_function_comes_out() -> None:
    calls = []

    def failing(outputs: Any, targets: Any) -> tuple[float, Any]:
        calls.append(1)
        if len(calls) == 4:
            raise LookupError("the fourth batch")
        return squares(outputs, targets)

    model = regressor(loss=failing)
    with pytest.raises(LookupError, match="the fourth batch"):
        model.fit(X, Y, epochs=5)
    assert model.epoch == 1
    model.fit(X, Y)
    assert model.epoch == 2


def test_what_a_loss_function_cannot() -> None:
    model = regressor(loss=squares)
    with pytest.raises(FloatingPointError):
        regressor(loss=lambda y, t: (np.inf, y)).train_on_batch(X, Y)
    with pytest.raises(TypeError, match="trace"):
        model.trace(X, Y)
