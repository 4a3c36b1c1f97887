"""The compiled model against `ironmlp.reference` tensor by tensor, and its ways among themselves.

In every layer x loss x reduction x weighting of gradients.py: each tensor that `trace`,
`loss_and_grad` and `backward` give is the reference's, evaluated in float64 from the same numbers,
but for what rounding explains.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

import gradients
import ironmlp as im
import tolerances
from against_reference import Bounds, check_agreement
from gradients import Case
from ironmlp import reference
from networks import DTYPES

Array = np.ndarray[Any, Any]

GROUPS = gradients.groups()

EVERY_CASE = pytest.mark.parametrize("group", GROUPS)
EVERY_DTYPE = pytest.mark.parametrize("dtype", DTYPES)


class Batch(NamedTuple):
    X: Array
    y: Array
    sample_weight: Array | None


def batch(case: Case) -> Batch:
    """Numbers that float32 has, so that both dtypes start from the same."""
    X, y, weight = gradients.batch(case.targets, case.layer)
    y = y if y.dtype.kind == "i" else y.astype("f4").astype("f8")
    return Batch(X.astype("f4").astype("f8"), y, weight if case.weighted else None)


def step(model: Any, given: Batch, training: bool) -> dict[str, Any]:
    """What a model tells of a step, under the names of `trace`, which has no dropout."""
    X, y, weight = given
    if not training:
        found = model.trace(X, y, sample_weight=weight)
        last = next(name for name in found if name.endswith("grad_output"))
        grads, input_grad = model.backward(X, found[last], input_grad=True)
        return {**found, **by_name(grads), "input.grad": input_grad}
    loss, grads, input_grad = model.loss_and_grad(
        X, y, sample_weight=weight, training=True, input_grad=True
    )
    return {"loss": loss, **by_name(grads), "input.grad": input_grad}


def by_name(grads: dict[str, Array]) -> dict[str, Array]:
    return {f"{key}.grad": grad for key, grad in grads.items()}


def exact_and_bounds(model: Any, case: Case, training: bool) -> tuple[Any, Any]:
    """The tensors of the same step in float64, and how far from them rounding may go."""
    peer = gradients.model(reference, case)
    peer.load_state_dict(model.state_dict())
    X, y, weight = batch(case)
    targets = peer._targets(y)
    exact = peer._step(X, targets, weight, training)
    # Both have errors: the model under test in its dtype, the reference in float64.
    eps = tolerances.eps(model.dtype) + tolerances.eps("float64")
    return exact, Bounds(peer, eps, training).of_step(X, targets, weight, exact)


@EVERY_DTYPE
@EVERY_CASE
def test_every_tensor_is_the_references(group: str, dtype: str) -> None:
    for case in GROUPS[group]:
        model = gradients.model(im, case, dtype)
        # The first moves running values, which the second takes.
        for training in (True, False):
            exact, bounds = exact_and_bounds(model, case, training)
            found = step(model, batch(case), training)
            assert training or found.keys() == exact.keys()
            try:
                check_agreement(found, exact, bounds)
            except AssertionError as error:
                raise AssertionError(f"{case}, training={training}: {error}") from None


@EVERY_DTYPE
@EVERY_CASE
def test_a_wrong_tensor_is_caught(group: str, dtype: str) -> None:
    case = GROUPS[group][-1]
    model = gradients.model(im, case, dtype)
    exact, bounds = exact_and_bounds(model, case, False)
    found = step(model, batch(case), False)
    for name, tensor in found.items():
        wrong = np.array(tensor, copy=True)
        values = wrong.reshape(-1)
        values[np.abs(values).argmax()] *= 1.0 + tolerances.WRONG[dtype]
        with pytest.raises(AssertionError, match=name):
            check_agreement({**found, name: wrong}, exact, bounds)


def assert_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """The same names, and the same bits under each."""
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert np.asarray(tensor).tobytes() == np.asarray(second[name]).tobytes(), name


def trains_otherwise(layer: im.Layer) -> bool:
    """Whether a layer does something else in training, or has one inside that does."""
    inside = layer.layers if isinstance(layer, im.Residual) else ()
    two = im.Dropout | im.BatchNorm1d | im.BatchNorm2d
    return isinstance(layer, two) or any(map(trains_otherwise, inside))


def check_ways(case: Case, model: Any) -> None:
    """AssertionError unless all ways to a step of `model` give the same bits."""
    X, y, weight = given = batch(case)
    loss, grads, input_grad = model.loss_and_grad(X, y, sample_weight=weight, input_grad=True)
    trace = model.trace(X, y, sample_weight=weight)
    assert_same({"loss": loss, **by_name(grads)}, {k: trace[k] for k in ["loss", *by_name(grads)]})
    last = len(model.layers) - 1
    assert_same({"": model(X)}, {"": trace[f"{last}.output"]})
    again, input_again = model.backward(X, trace[f"{last}.grad_output"], input_grad=True)
    assert_same({**again, "X": input_again}, {**grads, "X": input_grad})
    # One step more from the same state, whole and in two.
    whole = model.copy()
    first = step(model, given, True)
    if not trains_otherwise(case.layer):
        assert_same(first, {"loss": loss, **by_name(grads), "input.grad": input_grad})
    assert whole.train_on_batch(X, y, sample_weight=weight) == first["loss"]
    model.apply_gradients({key: first[f"{key}.grad"] for key in grads})
    assert_same(whole.state_dict(), model.state_dict())


@EVERY_DTYPE
@EVERY_CASE
def test_every_way_gives_the_same_bits(group: str, dtype: str) -> None:
    for case in GROUPS[group]:
        check_ways(case, gradients.model(im, case, dtype))


@EVERY_DTYPE
@pytest.mark.parametrize("way", ["trace", "backward", "loss_and_grad", "train_on_batch"])
def test_a_way_with_other_bits_is_caught(
    way: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One way at a time reads an X of which one number has changed a little."""
    case = GROUPS["Tanh(), MSE, mean"][-1]
    plain = getattr(im.Sequential, way)

    def other(model: Any, X: Array, *args: Any, **options: Any) -> Any:
        return plain(
            model, X + 2.0**-12 * (np.arange(X.size) == 0).reshape(X.shape), *args, **options
        )

    check_ways(case, gradients.model(im, case, dtype))
    monkeypatch.setattr(im.Sequential, way, other)
    with pytest.raises(AssertionError):
        check_ways(case, gradients.model(im, case, dtype))


def test_a_sum_that_cancels_is_allowed_what_its_terms_have() -> None:
    """A bias gradient of six terms, five of them clipped to +-0.3 times the row's weight."""
    case = next(
        case
        for case in GROUPS["ReLU(), Huber, sum"]
        if case.weighted
        and case.targets == "number"
        and case.loss == im.Huber(0.3, reduction="sum")
    )
    model = gradients.model(im, case, "float32")
    exact, bounds = exact_and_bounds(model, case, False)
    terms = np.abs(exact["2.grad_output"]).sum()
    assert abs(exact["2.bias.grad"][0]) < 2e-4 * terms
    assert bounds["2.bias.grad"][0] < 64 * tolerances.eps("float32") * terms


def test_a_unit_at_a_kink_is_allowed_both_derivatives() -> None:
    model = reference.Sequential([im.Linear(1, 1, bias=False), im.ReLU()], loss="mse", seed=0)
    bounds = Bounds(model, tolerances.eps("float32"), False)
    dy, error = np.ones((2, 1)), np.full((2, 1), 1e-6)
    found = bounds.backward(1, np.array([[1e-7], [0.1]]), error, dy, 0.0 * dy)
    assert found[0, 0] > 1.0
    assert found[1, 0] < 1e-5
