"""Bad arguments: the right exception names them, and the model stays as it was."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from hostile import LABELS, LAST, NO_NUMBERS, N, Raises, X, Y, classifier, refused, regressor
from states import squares, unchanged

# The checkers can fail


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.train_on_batch(X, Y),
        lambda model: model.load_state_dict({"2.bias": [0.5]}, strict=False),
        lambda model: setattr(model, "learning_rate", 0.5),
        lambda model: model.reset(),
        lambda model: model._core.set_optimizer_state(model._core.optimizer_state() | {"epoch": 9}),
        lambda model: model._core.set_optimizer_state(
            model._core.optimizer_state() | {"scalars": (0.5, 0.5, 1.0)}
        ),
    ],
    ids=["step", "parameter", "rate", "reset", "epoch", "scalars"],
)
def test_unchanged_sees_every_change(change: Any) -> None:
    model = regressor()
    with pytest.raises(AssertionError), unchanged(model):
        change(model)


def test_unchanged_sees_moments_and_labels() -> None:
    model = im.MLP([4, 5, 3], loss="cross_entropy", seed=1)
    with pytest.raises(AssertionError, match="classes_"), unchanged(model):
        _, model._reading = model._reading.fit(LABELS + 5, N)
    twin = model.copy()
    twin.train_on_batch(X, LABELS + 5)
    state = twin._core.optimizer_state() | {"steps": 0, "scalars": (1.0, 1.0, 1.0)}
    with pytest.raises(AssertionError, match=r"\['moments 0', 'moments 1'\]"), unchanged(model):
        model._core.set_optimizer_state(state)


@pytest.mark.parametrize(
    ("error", "word"), [(TypeError, "X"), (ValueError, "nowhere")], ids=["type", "word"]
)
def test_refused_sees_another_error(error: Any, word: str) -> None:
    model = regressor()
    with pytest.raises((AssertionError, ValueError)):
        refused(model, lambda: model.fit(X[:, :3], Y), error, word)


# X


METHODS: dict[str, Callable[[im.Sequential, Any, Any], Any]] = {
    "fit": lambda model, x, y: model.fit(x, y),
    "train_on_batch": lambda model, x, y: model.train_on_batch(x, y),
    "loss_and_grad": lambda model, x, y: model.loss_and_grad(x, y),
    "trace": lambda model, x, y: model.trace(x, y),
    "evaluate": lambda model, x, y: model.evaluate(x, y),
    "forward": lambda model, x, y: model.forward(x),
    "call": lambda model, x, y: model(x),
    "predict": lambda model, x, y: model.predict(x),
    "backward": lambda model, x, y: model.backward(x, np.ones((N, 1))),
}
WITH_Y = list(METHODS)[:5]


def with_losses(methods: Any) -> Any:
    """Each method with a loss of ours and one of the user's, which `trace` never takes."""
    pairs = itertools.product(methods, ("mse", squares))
    return pytest.mark.parametrize(
        ("method", "loss"), [pair for pair in pairs if pair != ("trace", squares)]
    )


# What is no X for 4 columns beside that.
NO_X: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "3 columns": (X[:, :3], ValueError, ["3 columns, the network takes 4"]),
    "no columns": (X[:, :0], ValueError, ["0 columns, the network takes 4"]),
    "no rows": (X[:0], ValueError, ["0 rows", "at least 1"]),
    "a number": (3.0, ValueError, ["0 dimensions", "2"]),
    "a row": (X[0], ValueError, ["1 dimension,", "2", "reshape(1, -1)"]),
    "3 dimensions": (X[np.newaxis], ValueError, ["3 dimensions", "2"]),
    "nothing": ([], ValueError, ["1 dimension", "2"]),
}


@with_losses(METHODS)
def test_what_is_no_x_is_refused(method: str, loss: Any) -> None:
    model = regressor(loss=loss)
    for given, error, words in [*NO_NUMBERS.values(), *NO_X.values()]:
        refused(model, lambda x=given: METHODS[method](model, x, Y), error, "X ", *words)


@pytest.mark.parametrize(
    "error", [RuntimeError, TypeError, KeyError, MemoryError, ZeroDivisionError]
)
def test_an_error_in_the_conversion_comes_out(error: type[Exception]) -> None:
    model = regressor()
    for call in METHODS.values():
        refused(model, lambda call=call: call(model, Raises(error("mine")), Y), error, "mine")


@pytest.mark.parametrize("given", NO_NUMBERS)
def test_what_a_predictor_refuses(given: str) -> None:
    model = regressor()
    value, error, words = NO_NUMBERS[given]
    refused(model, lambda: model.predictor(N)(value), error, "x ", *words)


def test_rows_and_columns_of_a_predictor() -> None:
    model = regressor()
    predict = model.predictor(8)
    for given, *words in [
        (X[:9], "x has 9 rows", "1 to 8"),
        (X[:0], "x has 0 rows", "1 to 8"),
        (X[:, :3], "x has 3 columns, the network takes 4"),
        (X[0, :0], "x has 0 columns, the network takes 4"),
        (X[np.newaxis], "x has 3 dimensions", "1 or 2"),
        (np.array(1.0), "x has 0 dimensions", "1 or 2"),
    ]:
        refused(model, lambda x=given: predict(x), ValueError, *words)


@pytest.mark.parametrize("row", [0, LAST])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_x_must_be_finite_for_a_loss_function_too(row: int, value: float) -> None:
    calls = []

    def loss(outputs: Any, targets: Any) -> Any:
        calls.append(1)
        return squares(outputs, targets)

    model = im.MLP([4, 5, 1], loss=loss, seed=1)
    given = X.copy()
    given[row, 2] = value
    for method in ("fit", "train_on_batch", "loss_and_grad"):
        call = lambda m=method: METHODS[m](model, given, Y)  # noqa: E731
        refused(model, call, ValueError, "X has", f"row {row},")
    assert not calls


@pytest.mark.parametrize("row", [0, LAST])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_of_a_row_that_is_not_finite_are_nan_alone(row: int, value: float) -> None:
    model = classifier()
    given = X.copy()
    given[row] = value
    for call in (model.forward, model.predictor(N)):
        found = call(given)
        assert np.isnan(found[row]).all()
        assert np.array_equal(np.delete(found, row, 0), np.delete(call(X), row, 0))
    for refusing in (
        lambda: model.predict(given),
        lambda: model.predict_proba(given),
        lambda: model.evaluate(given, LABELS),
    ):
        refused(model, refusing, ValueError, f"row {row} of X")
    assert np.isnan(model.trace(given, LABELS)["loss"])


# Targets, weights, gradients


def with_value(row: int, value: float, like: Any = Y) -> Any:
    changed = like.copy()
    changed[row] = value
    return changed


NO_Y: list[tuple[Any, type[Exception], list[str]]] = [
    (Y[:-1], ValueError, ["y has 19 rows, X has 20 rows"]),
    (Y[:0], ValueError, ["y has 0 rows, X has 20 rows"]),
    (0.0, ValueError, ["y has shape ()", "20 rows"]),
    (np.stack([Y, Y], 1), ValueError, ["y has shape (20, 2)", "1 output"]),
    (Y[:, np.newaxis, np.newaxis], ValueError, ["y has shape (20, 1, 1)", "1 output"]),
    *(
        (with_value(row, value), ValueError, [f"y has a NaN or infinite value in row {row},"])
        for row in (0, LAST)
        for value in (np.nan, np.inf, -np.inf, 1e300)
    ),
]


@with_losses(WITH_Y)
def test_what_is_no_y_is_refused(method: str, loss: Any) -> None:
    model = regressor(loss=loss)
    kinds = NO_NUMBERS.keys() - {"None"}
    shapes = NO_Y
    if loss is squares:
        # A function of one's own takes what has a row for each row of X.
        kinds = {"masked", "ragged", "no array", "ValueError"}
        shapes = [given for given in NO_Y if "1 output" not in given[2]]
    no_numbers = [
        (given, error, ["y ", *words])
        for given, error, words in (NO_NUMBERS[kind] for kind in kinds)
    ]
    for given, error, words in [*no_numbers, *shapes]:
        refused(model, lambda y=given: METHODS[method](model, X, y), error, *words)
    missing = (TypeError, "y ") if method == "fit" or loss is not squares else (ValueError, "y has")
    refused(model, lambda: METHODS[method](model, X, None), *missing)


@pytest.mark.parametrize("method", WITH_Y)
def test_labels_out_of_range(method: str) -> None:
    model = classifier()
    for row, label in ((0, 3), (LAST, -1), (LAST, 2**62), (0, 0.5)):
        given = with_value(row, label, LABELS.astype(type(label)))
        words = f"y[{row}] is {label}", "0, 1, 2"
        refused(model, lambda y=given: METHODS[method](model, X, y), ValueError, *words)
    refused(
        model, lambda: METHODS[method](model, X, LABELS[1:]), ValueError, "y has 19 rows, X has 20"
    )


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "loss_and_grad", "trace"])
def test_refused_weights(method: str) -> None:
    model = regressor()

    def call(weight: Any) -> Any:
        return getattr(model, method)(X, Y, sample_weight=weight)

    ones = np.ones(N)
    for row, value in itertools.product((0, LAST), (-1.0, -1e-300, np.nan, np.inf)):
        given = with_value(row, value, ones)
        refused(model, lambda w=given: call(w), ValueError, f"sample_weight[{row}] is {value}")
    for given in (ones[1:], ones[:0], ones[:, np.newaxis], 1.0):
        shape = f"shape {np.shape(given)}"
        refused(model, lambda w=given: call(w), ValueError, "sample_weight has", shape, "20 rows")
    for given, error, words in NO_NUMBERS.values():
        if given is not None:
            refused(model, lambda w=given: call(w), error, "sample_weight ", *words)


def test_refused_output_gradients() -> None:
    model = regressor()
    ones = np.ones((N, 1))
    for given in (ones[:, 0], ones[1:], ones[:0], np.ones((N, 2)), ones[np.newaxis], 1.0):
        words = "grad_output has", f"shape {np.shape(given)}", "(20, 1)"
        refused(model, lambda g=given: model.backward(X, g), ValueError, *words)
    for row, value in itertools.product((0, LAST), (np.nan, np.inf, 1e300)):
        given = with_value(row, value, ones)
        words = "grad_output", f"row {row},"
        refused(model, lambda g=given: model.backward(X, g), ValueError, *words)
    for given, error, words in NO_NUMBERS.values():
        refused(model, lambda g=given: model.backward(X, g), error, "grad_output ", *words)


@pytest.mark.parametrize("method", ["load_state_dict", "apply_gradients"])
def test_refused_dicts_of_parameters(method: str) -> None:
    model = regressor()
    name = {"load_state_dict": "state_dict", "apply_gradients": "grads"}[method]
    good = {key: np.zeros_like(value) for key, value in model.state_dict().items()}
    call = getattr(model, method)
    without = {key: value for key, value in good.items() if key != "0.bias"}
    cases: list[tuple[Any, type[Exception], list[str]]] = [
        (without, ValueError, ["lacks '0.bias'"]),
        ({**without, "0.Bias": 0}, ValueError, ["lacks '0.bias'", "unexpected '0.Bias'"]),
        ({**good, 7: 0, None: 1}, ValueError, ["unexpected 7, None", "'2.weight'"]),
        ({}, ValueError, ["lacks '0.weight'"]),
        ({**good, "0.weight": good["0.weight"].T}, ValueError, ["(4, 5)", "(5, 4)"]),
        ({**good, "2.bias": 0.0}, ValueError, ["['2.bias'] has shape ()", "(1,)"]),
        (list(good.items()), TypeError, ["list", "dict"]),
        (None, TypeError, ["NoneType", "dict"]),
        *(
            ({**good, "2.weight": np.full((1, 5), value)}, ValueError, ["['2.weight'] has a NaN"])
            for value in (np.nan, np.inf, 1e300)
        ),
        *(
            ({**good, "0.bias": value}, error, ["['0.bias'] ", *words])
            for value, error, words in NO_NUMBERS.values()
        ),
    ]
    for given, error, words in cases:
        refused(model, lambda g=given: call(g), error, name, *words)
    call(good)
