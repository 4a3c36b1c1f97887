"""NumPy's error state and Python's warnings are the user's: no result depends on them, none of them
is changed, and code of the user's runs under its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import ironmlp.functional as F
from ironmlp import reference

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4))
LABELS = np.arange(12) % 3
FLAGS = np.arange(12) % 2
# Beyond what float32 holds, at both ends.
WIDE = np.array([1e-60, 1e300, -1e300, 1e-310] * 3)
SMALL = np.array([0.5, 1e-60, 1e-310, 0.25] * 3)
SMALL32 = SMALL.astype(np.float32)
SMALL_GOALS = np.stack([SMALL, SMALL[::-1]], axis=1)
LARGE = X.astype(np.longdouble) * np.longdouble("1e-400")


def net(outputs: int = 2, **settings: Any) -> im.MLP:
    settings = {"loss": "mse", "optimizer": im.SGD(lr=1e-3), "seed": 1, **settings}
    return im.MLP([4, 5, outputs], activation="sigmoid", **settings)


def like_reference(loss: Any, outputs: int = 2) -> Any:
    return reference.MLP([4, 5, outputs], activation="sigmoid", loss=loss, seed=1)


def fitted(model: Any, *data: Any, **settings: Any) -> Any:
    history = model.fit(*data, verbose=False, **settings)
    return [history["loss"], model.state_dict()]


def trained(model: im.Sequential, *data: Any, **settings: Any) -> Any:
    return [model.train_on_batch(*data, **settings), model.state_dict()]


def own(outputs: Any, targets: Any) -> Any:
    return np.longdouble(0.5), np.asarray(targets, np.longdouble) * 0 + np.longdouble("1e-400")


def applied() -> Any:
    model = net()
    gradients = {key: np.full(w.shape, 1e-60) for key, w in model.state_dict().items()}
    model.apply_gradients(gradients)
    return model.state_dict()


def loaded() -> Any:
    model = net()
    model.load_state_dict({"2.bias": np.array([1e-60, 0.5])}, strict=False)
    return model.state_dict()


def round_trip(folder: Path) -> Any:
    model = net(3, loss="cross_entropy", optimizer="adam")
    model.fit(X, LABELS)
    model.save(folder / "m.safetensors")
    return im.load(folder / "m.safetensors").state_dict()


CALLS: dict[str, Callable[[Path], Any]] = {
    "the issue's": lambda _: F.sigmoid_cross_entropy_with_logits(
        np.array([0.0], np.float32), [1e-60]
    ),
    "matmul": lambda _: F.matmul(LARGE, LARGE.T),
    "sigmoid": lambda _: F.sigmoid(np.append(WIDE, [np.inf, np.nan])),
    "sigmoid_backward": lambda _: F.sigmoid_backward(LARGE, LARGE),
    "binary_cross_entropy": lambda _: F.binary_cross_entropy_value_and_grad(
        SMALL32, SMALL, weight=WIDE
    ),
    "binary_cross_entropy, one of": lambda _: [
        F.binary_cross_entropy(SMALL, SMALL, reduction="none"),
        F.binary_cross_entropy_grad(SMALL, SMALL, weight=1e-310),
    ],
    "sigmoid_cross_entropy": lambda _: [
        F.sigmoid_cross_entropy_with_logits_value_and_grad(
            np.zeros(12, np.float32), SMALL, weight=SMALL, pos_weight=1e-60
        ),
        F.sigmoid_cross_entropy_with_logits_grad(WIDE, SMALL),
    ],
    "softmax_cross_entropy": lambda _: [
        F.softmax_cross_entropy_with_logits_value_and_grad(
            np.zeros((12, 2), np.float32), SMALL_GOALS, weight=[1e-60, 1.0]
        ),
        F.softmax_cross_entropy_with_logits(X, LABELS, label_smoothing=0.1),
        F.softmax_cross_entropy_with_logits_grad(X, LABELS),
    ],
    "construction": lambda _: net(3, loss=im.CrossEntropy(class_weight=[1e-30, 1, 1])).state_dict(),
    "fit": lambda _: fitted(net(), X, SMALL_GOALS, sample_weight=SMALL, batch_size=5),
    "fit, longdouble": lambda _: fitted(net(), LARGE, SMALL_GOALS.astype(np.longdouble)),
    "fit, flags": lambda _: fitted(net(1, loss="binary_cross_entropy"), X, SMALL),
    "fit, labels": lambda _: fitted(net(3, loss="cross_entropy"), X, LABELS + 5.5),
    "fit, strings": lambda _: fitted(net(3, loss="cross_entropy"), X, LABELS.astype(str)),
    "fit, probabilities": lambda _: fitted(
        net(2, loss="cross_entropy"), X, np.stack([1 - SMALL, SMALL], axis=1)
    ),
    "fit, own loss": lambda _: fitted(net(loss=own), X, SMALL_GOALS),
    "fit, callbacks": lambda _: fitted(
        net(), X, SMALL_GOALS, epochs=3, callbacks=[im.EarlyStopping(patience=1)]
    ),
    "train_on_batch": lambda _: trained(net(), X, SMALL_GOALS, sample_weight=SMALL),
    "train_on_batch, own loss": lambda _: trained(net(loss=own), X, SMALL_GOALS),
    "loss_and_grad": lambda _: net().loss_and_grad(X * 1e-60, SMALL_GOALS, input_grad=True),
    "loss_and_grad, own loss": lambda _: net(loss=own).loss_and_grad(X, SMALL_GOALS),
    "backward": lambda _: net().backward(X, np.longdouble("1e-400") * np.ones((12, 2))),
    "apply_gradients": lambda _: applied(),
    "load_state_dict": lambda _: loaded(),
    "trace": lambda _: net().trace(X, SMALL_GOALS),
    "forward": lambda _: net()(np.append(WIDE, [np.inf, np.nan, 0, 0]).reshape(-1, 4)),
    "predictor": lambda _: net().predictor(3)(WIDE.reshape(3, 4)),
    "evaluate": lambda _: net().evaluate(X, np.ones((12, 2))),
    "evaluate, wide": lambda _: net(dtype="float64").evaluate(X, np.stack([WIDE, WIDE], axis=1)),
    "evaluate, own loss": lambda _: net(loss=own).evaluate(X, SMALL_GOALS),
    "evaluate, classes": lambda _: net(3, loss="cross_entropy").evaluate(X, LABELS),
    "evaluate, nothing counts": lambda _: net(3, loss=im.CrossEntropy(ignore_index=-1)).evaluate(
        X, np.full(12, -1)
    ),
    "predict": lambda _: [
        net(3, loss="cross_entropy").predict(X),
        net(1, loss="binary_cross_entropy").predict(X),
    ],
    "predict_proba": lambda _: [
        net(3, loss="cross_entropy").predict_proba(SMALL.reshape(3, 4)),
        net(1, loss="binary_cross_entropy").predict_proba(SMALL.reshape(3, 4)),
        net(1, loss=im.BinaryCrossEntropy(from_logits=False)).predict_proba(X),
    ],
    "save and load": round_trip,
    "stratified_split": lambda _: im.datasets.stratified_split(X, FLAGS, test_size=1 / 3),
    "digits": lambda _: im.datasets.digits(),
    "digit_images": lambda _: im.datasets.digit_images(9),
    "cracks": lambda _: im.datasets.cracks(2, 32),
    "reference, fit": lambda _: fitted(like_reference("mse"), X, SMALL_GOALS, sample_weight=SMALL),
    "reference, own loss": lambda _: fitted(like_reference(own), X, SMALL_GOALS),
    "reference, flags": lambda _: like_reference("binary_cross_entropy", 1).evaluate(X, SMALL),
    "reference, classes": lambda _: [
        fitted(like_reference("cross_entropy", 3), X, LABELS),
        like_reference("cross_entropy", 3).predict_proba(SMALL.reshape(3, 4)),
        like_reference("cross_entropy", 3).predict(X),
    ],
    "reference, regression": lambda _: like_reference("mse").evaluate(
        X, np.stack([WIDE, WIDE], axis=1)
    ),
    "summary": lambda _: str(net().summary()),
}


@pytest.fixture(autouse=True)
def _states() -> Iterator[None]:
    with np.errstate(), warnings.catch_warnings():
        yield


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc"))


def test_same_sees_a_difference() -> None:
    assert same([1.0, {"a": np.ones(2)}], [1.0, {"a": np.ones(2)}])
    assert not same([1.0, {"a": np.ones(2)}], [1.0, {"a": np.array([1.0, 2.0])}])


@pytest.mark.parametrize("call", CALLS)
def test_no_result_depends_on_the_error_state(call: str, tmp_path: Path) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = CALLS[call](tmp_path)
    for state in ("raise", "warn"):
        warnings.simplefilter("error")
        before = np.seterr(all=state)  # type: ignore[call-overload]
        try:
            found = CALLS[call](tmp_path)
            after = np.geterr()
        finally:
            np.seterr(**before)
        assert after == dict.fromkeys(after, state)
        assert same(found, expected)


def test_the_issues_number() -> None:
    with np.errstate(all="raise"):
        loss = F.sigmoid_cross_entropy_with_logits(np.array([0.0], np.float32), [1e-60])
    assert loss == pytest.approx(np.log(2.0))


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "loss_and_grad", "evaluate"])
def test_a_loss_function_runs_under_the_users(method: str) -> None:
    def loss(outputs: Any, targets: Any) -> Any:
        return np.float64(1e-200) * np.float64(1e-200), outputs

    model = net(loss=loss)
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="underflow"):
        getattr(model, method)(X, SMALL_GOALS)
    with np.errstate(all="ignore"):
        getattr(model, method)(X, SMALL_GOALS)


def test_a_callback_runs_under_the_users_and_may_change_it() -> None:
    seen = []

    def callback(model: Any, logs: Any) -> None:
        seen.append(np.geterr()["under"])
        np.seterr(under="warn")

    with np.errstate(all="raise"):
        net().fit(X, SMALL_GOALS, epochs=2, callbacks=[callback], verbose=False)
        assert np.geterr()["under"] == "warn"
    assert seen == ["raise", "warn"]


def test_an_error_leaves_the_users_state() -> None:
    with np.errstate(all="raise"):
        before = np.geterr()
        with pytest.raises(TypeError):
            F.sigmoid("no number")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must lie from 0 to 1"):
            F.binary_cross_entropy([2.0], [0.5])
        assert np.geterr() == before
