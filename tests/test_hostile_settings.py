"""Bad settings: epochs, batch sizes, flags, strings, sizes, memory; and functions of arrays."""

import itertools
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import ironmlp.functional as F
from hostile import NO_NUMBERS, X, Y, refused, regressor
from ironmlp.layers.activations import ACTIVATIONS
from ironmlp.layers.base import INITIALIZERS
from ironmlp.losses import LOSSES, REDUCTIONS
from ironmlp.optimizers import OPTIMIZERS
from states import everything


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"epochs": 2**63}, ValueError, [f"epochs is {2**63}", "below 2**63"]),
        ({"epochs": 2**70}, ValueError, [f"epochs is {2**70}", "below 2**63"]),
        ({"epochs": -(2**70)}, ValueError, [f"epochs is {-(2**70)}", "at least 0"]),
        ({"epochs": np.nan}, TypeError, ["epochs is nan", "integer"]),
        ({"epochs": None}, TypeError, ["epochs is None", "integer"]),
        ({"epochs": "3"}, TypeError, ["epochs is '3'", "integer"]),
        ({"batch_size": -(2**70)}, ValueError, ["batch_size is -", "at least 1"]),
        ({"batch_size": True}, TypeError, ["batch_size is True", "integer"]),
        ({"batch_size": "8"}, TypeError, ["batch_size is '8'", "integer"]),
        ({"batch_size": np.float32(8)}, TypeError, ["batch_size is", "8.0", "integer"]),
        ({"batch_size": np.array([8])}, TypeError, ["batch_size is", "integer"]),
        ({"shuffle": "no"}, TypeError, ["shuffle is 'no'", "True or False"]),
        ({"callbacks": [None]}, TypeError, ["callbacks[0] is None", "function"]),
        ({"callbacks": None}, TypeError, ["callbacks is None", "list"]),
        ({"callbacks": (1 // 0 for _ in "a")}, ZeroDivisionError, []),
    ],
)
def test_refused_settings_of_fit(settings: Any, error: type[Exception], words: list[str]) -> None:
    model = regressor()
    refused(model, lambda: model.fit(X, Y, **settings), error, *words)
    model.fit(X, Y)


def test_more_epochs_than_memory_until_something_ends_it() -> None:
    def stop(model: im.Sequential, logs: Any) -> None:
        model.stop_training = logs["epoch"] == model.epoch - 1 == 4

    model = regressor()
    assert len(model.fit(X, Y, epochs=2**63 - 1, callbacks=[stop])) == 3


@pytest.mark.parametrize("value", [1, None, "yes", np.ones(1), 1.0])
def test_flags_are_true_or_false(value: Any) -> None:
    model = regressor()
    for name, call in {
        "training": [
            lambda: model.forward(X, training=value),
            lambda: model.loss_and_grad(X, Y, training=value),
            lambda: model.backward(X, Y[:, np.newaxis], training=value),
        ],
        "input_grad": [
            lambda: model.loss_and_grad(X, Y, input_grad=value),
            lambda: model.backward(X, Y[:, np.newaxis], input_grad=value),
        ],
        "strict": [lambda: model.load_state_dict({}, strict=value)],
    }.items():
        for one in call:
            refused(model, one, TypeError, f"{name} is ", "True or False")


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ("activation", [*ACTIVATIONS]),
        ("loss", [*LOSSES]),
        ("optimizer", [*OPTIMIZERS]),
        ("init", [*INITIALIZERS]),
        ("dtype", ["float32", "float64"]),
        ("reduction", [*REDUCTIONS]),
    ],
)
@pytest.mark.parametrize("value", ["", "no such", "RELU", "mse ", "float16", "\0", "ä"])
def test_unknown_strings_list_all_that_are_known(
    argument: str, known: list[str], value: str
) -> None:
    settings = {"loss": "mse", argument: value}
    with pytest.raises(ValueError, match=f"{argument} is ") as caught:
        im.MSE(reduction=value) if argument == "reduction" else im.MLP([4, 1], **settings)  # type: ignore[arg-type]
    assert all(repr(name) in str(caught.value) for name in [value, *known])


@pytest.mark.parametrize("dtype", [None, 3, object(), [1], np.float16, complex, "f4", "M8[s]"])
def test_other_dtypes_are_refused(dtype: Any) -> None:
    error = ValueError if isinstance(dtype, str | type) else TypeError
    with pytest.raises(error, match=r"dtype is .* it must be one of 'float32', 'float64'"):
        im.MLP([4, 1], loss="mse", dtype=dtype)


@pytest.mark.parametrize(
    ("sizes", "error", "words"),
    [
        ([4, 0, 1], ValueError, ["layer_sizes[1] is 0", "at least 1"]),
        ([-1, 1], ValueError, ["layer_sizes[0] is -1", "at least 1"]),
        ([4, 2.5, 1], TypeError, ["layer_sizes[1] is 2.5", "integer"]),
        ([4, "5", 1], TypeError, ["layer_sizes[1] is '5'", "integer"]),
        ([4, True], TypeError, ["layer_sizes[1] is True", "integer"]),
        ([4, None], TypeError, ["layer_sizes[1] is None", "integer"]),
        ([4, 2**63, 1], ValueError, [f"layer_sizes[1] is {2**63}", "below 2**63"]),
        ([2**70, 1], ValueError, [f"layer_sizes[0] is {2**70}", "below 2**63"]),
        ([4, 2**63 - 1], ValueError, [f"Linear(4, {2**63 - 1})", "2^64"]),
        ([2**40] * 3, ValueError, [f"Linear({2**40}, {2**40})", "2^64"]),
    ],
)
def test_refused_sizes(sizes: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        im.MLP(sizes, loss="mse")
    assert all(word in str(caught.value) for word in words), caught.value


BYTES = r"^(\d+) bytes are needed, (\d+) bytes are available$"
NOTHING = np.empty((10**7, 0))
ROWS = np.broadcast_to(np.zeros((1, 4)), (2**50, 4))


@pytest.mark.parametrize(
    "call",
    [
        lambda model: im.MLP([4, 2**40, 1], loss="mse"),
        lambda model: im.MLP([2**40, 1], loss="mse", dtype="float64", optimizer=im.SGD()),
        lambda model: im.MLP([2**31, 2**31], loss="mse"),
        lambda model: model.predictor(2**40),
        lambda model: model.predictor(2**63 - 1),
        lambda model: model.forward(ROWS),
        lambda model: model.backward(ROWS, ROWS[:, :1]),
        lambda model: F.matmul(NOTHING, NOTHING.T),
    ],
    ids=["40", "40 inputs", "31, 31", "predictor", "63", "rows", "grad_output", "matmul"],
)
def test_what_memory_cannot_hold_names_both_byte_counts(call: Any) -> None:
    model = regressor()
    before = everything(model)
    with pytest.raises(MemoryError, match=BYTES) as caught:
        call(model)
    needed, available = (int(word) for word in str(caught.value).split() if word.isdigit())
    assert needed > available > 0
    assert everything(model) == before


# functional


@pytest.mark.parametrize("name", F.__all__)
def test_functions_refuse_what_holds_no_numbers(name: str) -> None:
    first, *rest = {"matmul": ["a", "b"], "sigmoid": ["x"]}.get(name, [None, None])
    if first is None:
        first, *rest = {
            "sigmoid_backward": ["output", "grad_output"],
            "binary_cross_entropy": ["probabilities", "targets"],
        }.get(name.removesuffix("_grad").removesuffix("_value_and"), ["logits", "targets"])
    function, good = getattr(F, name), np.full((4, 4), 0.25)
    good_arguments = [good] * (1 + len(rest))
    function(*good_arguments)
    for position, argument in enumerate([first, *rest]):
        for value, error, words in NO_NUMBERS.values():
            arguments = [*good_arguments]
            arguments[position] = value
            with pytest.raises(error) as caught:
                function(*arguments)
            assert all(word in str(caught.value) for word in [f"{argument} ", *words])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("m", "k", "n"), list(itertools.product((0, 1, 3), repeat=3)))
def test_products_of_nothing(m: int, k: int, n: int, dtype: Any) -> None:
    a, b = np.ones((m, k), dtype), np.ones((k, n), dtype)
    product = F.matmul(a, b)
    assert product.dtype == dtype
    assert np.array_equal(product, np.full((m, n), k))
