"""Callbacks: their moments, their logs, their order, and what is refused before the first step."""

import decimal
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, EarlyStopping, LambdaCallback, ProgressBar
from states import everything, squares, unchanged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor(lr: float = 1e-2, loss: Any = "mse") -> im.MLP:
    return im.MLP([4, 6, 1], loss=loss, optimizer=im.Adam(lr=lr), seed=1)


class Recorder(Callback):
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def on_train_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.calls.append(("train_begin", dict(logs)))

    def on_epoch_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.calls.append(("epoch_begin", dict(logs)))

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.calls.append(("epoch_end", dict(logs)))

    def on_train_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.calls.append(("train_end", dict(logs)))


# Moments


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
def test_moments_and_logs(loss: Any) -> None:
    recorder = Recorder()
    model = regressor(loss=loss)
    model.fit(X, Y, epochs=3)
    history = model.fit(X, Y, epochs=2, callbacks=[recorder])
    first, second = history["loss"]
    # Epochs count from the model's birth.
    assert recorder.calls == [
        ("train_begin", {"epochs": 2}),
        ("epoch_begin", {"epoch": 3}),
        ("epoch_end", {"epoch": 3, "loss": first}),
        ("epoch_begin", {"epoch": 4}),
        ("epoch_end", {"epoch": 4, "loss": second}),
        (
            "train_end",
            {"epoch": 4, "loss": second, "stop_reason": "epochs", "stop_message": ""},
        ),
    ]


def test_callbacks_change_no_bit() -> None:
    model, plain = regressor(), regressor()
    history = model.fit(X, Y, epochs=5, callbacks=[Callback(), Recorder()])
    assert history["loss"].tolist() == plain.fit(X, Y, epochs=5)["loss"].tolist()
    assert everything(model) == everything(plain)


def test_a_function_is_called_at_epoch_ends() -> None:
    seen = []
    callback = lambda model, logs: seen.append((model.epoch, logs["loss"]))  # noqa: E731
    history = regressor().fit(X, Y, epochs=3, callbacks=(callback,))
    assert seen == list(zip([1, 2, 3], history["loss"], strict=True))


def test_lambda_callback() -> None:
    seen = []
    callback = LambdaCallback(
        on_train_begin=lambda model, logs: seen.append("train_begin"),
        on_epoch_begin=lambda model, logs: seen.append("epoch_begin"),
        on_epoch_end=lambda model, logs: seen.append("epoch_end"),
        on_train_end=lambda model, logs: seen.append("train_end"),
    )
    regressor().fit(X, Y, callbacks=[callback, LambdaCallback()])
    assert seen == ["train_begin", "epoch_begin", "epoch_end", "train_end"]
    with pytest.raises(TypeError, match="on_epoch_end is 3"):
        LambdaCallback(3)  # type: ignore[arg-type]


def test_the_model_works_inside_a_callback() -> None:
    def use(model: im.Sequential, logs: dict[str, Any]) -> None:
        model.predict(X)
        model.evaluate(X, Y)
        model.loss_and_grad(X, Y)
        model.trace(X, Y)
        model.load_state_dict(model.state_dict())
        model.copy().fit(X, Y)
        model.summary()
        assert model.epoch == logs["epoch"] + 1
        with pytest.raises(RuntimeError):
            model.fit(X, Y)

    model, plain = regressor(), regressor()
    for _ in range(2):
        model.fit(X, Y, epochs=3, callbacks=[use])
        plain.fit(X, Y, epochs=3)
    assert everything(model) == everything(plain)


def test_the_learning_rate_changes_at_once() -> None:
    def halve(model: im.Sequential, logs: dict[str, Any]) -> None:
        model.learning_rate *= 0.5

    model, by_hand = regressor(), regressor()
    model.fit(X, Y, epochs=3, callbacks=[halve])
    for _ in range(3):
        by_hand.fit(X, Y)
        by_hand.learning_rate *= 0.5
    assert everything(model) == everything(by_hand)


# Logs


def test_an_epoch_has_one_dict() -> None:
    begun: list[Any] = []
    ended: list[Any] = []
    callback = LambdaCallback(
        on_epoch_begin=lambda model, logs: begun.append(logs),
        on_epoch_end=lambda model, logs: ended.append(logs),
    )
    regressor().fit(X, Y, epochs=3, callbacks=[callback])
    assert [id(logs) for logs in begun] == [id(logs) for logs in ended]
    assert [logs["epoch"] for logs in ended] == [0, 1, 2]


def test_a_number_logged_at_the_begin_of_an_epoch_is_a_column() -> None:
    def rate(model: im.Sequential, logs: dict[str, Any]) -> None:
        model.learning_rate = logs["rate"] = 0.01 / (1 + logs["epoch"])

    seen = []
    callbacks = [
        LambdaCallback(on_epoch_begin=rate),
        lambda model, logs: seen.append(logs["rate"]),
    ]
    history = regressor().fit(X, Y, epochs=3, callbacks=callbacks)
    assert history["rate"].tolist() == seen == [0.01, 0.01 / 2, 0.01 / 3]


@pytest.mark.parametrize(
    "value",
    [
        *(np.float32(0.5), np.array(0.5), np.array([0.5]), np.array([[0.5]], np.float32)),
        *(decimal.Decimal("0.5"), "0.5"),
    ],
    ids=lambda value: f"{type(value).__name__} {np.shape(value)}",
)
def test_whatever_float_takes_is_a_column(value: Any) -> None:
    history = regressor().fit(
        X, Y, epochs=2, callbacks=[lambda model, logs: logs.update(score=value)]
    )
    assert history.keys() == ["loss", "score"]
    assert history["score"].dtype == np.float64
    assert history["score"].tolist() == [0.5, 0.5]


def test_a_tensor_is_a_column() -> None:
    class Tensor:
        def __float__(self) -> float:
            return 0.25

    callback = LambdaCallback(on_epoch_begin=lambda model, logs: logs.update(score=Tensor()))
    assert regressor().fit(X, Y, callbacks=[callback])["score"].tolist() == [0.25]


@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize(
    ("value", "word"),
    [("no number", "str"), (None, "NoneType"), (np.zeros(2), "ndarray"), (1j, "complex")],
    ids=["string", "None", "array", "complex"],
)
def test_what_float_refuses_is_named(moment: str, value: Any, word: str) -> None:
    callback = LambdaCallback(**{moment: lambda model, logs: logs.update(note=value)})  # type: ignore[arg-type]
    with pytest.raises(TypeError) as caught:
        regressor().fit(X, Y, callbacks=[callback])
    assert all(part in str(caught.value) for part in ("logs['note']", word, "float()"))


def count_from_one(model: im.Sequential, logs: dict[str, Any]) -> None:
    logs["epoch"] += 1


def smooth(model: im.Sequential, logs: dict[str, Any]) -> None:
    logs["loss"] = 0.5


@pytest.mark.parametrize(
    ("callback", "name"),
    [
        (count_from_one, "epoch"),
        (smooth, "loss"),
        (LambdaCallback(on_epoch_begin=count_from_one), "epoch"),
        (LambdaCallback(on_epoch_begin=smooth), "loss"),
        (lambda model, logs: logs.pop("loss"), "loss"),
        (lambda model, logs: logs.clear(), "epoch"),
        (lambda model, logs: logs.update(loss=np.zeros(3)), "loss"),
    ],
    ids=["count", "smooth", "count at the begin", "smooth at the begin", "pop", "clear", "array"],
)
def test_epoch_and_loss_are_not_the_callbacks_to_change(callback: Any, name: str) -> None:
    model = regressor()
    with pytest.raises(ValueError, match=rf"changed logs\['{name}'\].*leave as it is"):
        model.fit(X, Y, epochs=3, callbacks=[callback])
    assert model.history is not None
    assert model.history.keys() == ["loss"]
    # Numbers of the same value may be put back.
    model.fit(X, Y, callbacks=[lambda model, logs: logs.update(epoch=logs["epoch"])])


def test_a_number_logged_at_the_end_of_training_belongs_to_the_last_epoch() -> None:
    test = LambdaCallback(on_train_end=lambda model, logs: logs.update(test_loss=0.5))
    history = regressor().fit(X, Y, epochs=3, callbacks=[test])
    np.testing.assert_array_equal(history["test_loss"], [np.nan, np.nan, 0.5])
    assert history.keys() == ["loss", "test_loss"]
    wrong = LambdaCallback(on_train_end=lambda model, logs: logs.update(test_loss="none"))
    with pytest.raises(TypeError, match=r"logs\['test_loss'\]"):
        regressor().fit(X, Y, callbacks=[wrong])
    assert len(regressor().fit(X, Y, epochs=0, callbacks=[test])) == 0


# Order


def test_those_that_read_come_after_those_that_log() -> None:
    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["val_loss"] = float(logs["epoch"])

    stopping = EarlyStopping("val_loss", patience=2)
    history = regressor().fit(X, Y, epochs=9, callbacks=[stopping, log])
    assert len(history) == 3


def test_order(tmp_path: Path) -> None:
    """Whatever the order in which they are given, but for those of one kind."""
    pytest.importorskip("tqdm")
    calls: list[str] = []

    def named(name: str, base: Any, *arguments: Any) -> Callback:
        def hook(self: Any, model: Any, logs: Any) -> None:
            calls.append(name)

        hooks = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
        made: type[Callback] = type(name, (base,), dict.fromkeys(hooks, hook))
        return made(*arguments)

    given = [
        named("bar", ProgressBar),
        named("checkpoint", im.Checkpoint, tmp_path / "model"),
        named("table", im.CSVLogger, tmp_path / "table"),
        named("stopping", EarlyStopping),
        named("own", Callback),
    ]
    for order in itertools.permutations(given):
        regressor().fit(X, Y, callbacks=order)
        assert calls == ["own", "stopping", "table", "checkpoint", "bar"] * 4
        calls.clear()
    more = [named("slower", im.ReduceLROnPlateau), named("second", Callback)]
    regressor().fit(X, Y, callbacks=[*given, *more])
    one = ["own", "second", "stopping", "slower", "table", "checkpoint", "bar"]
    assert calls == one * 4


# What is refused before the first step


class Mistyped(Callback):
    def on_epoch_ends(self, model: Any, logs: Any) -> None:
        raise AssertionError


class Batchwise(Callback):
    def on_train_batch_begin(self, model: Any, logs: Any) -> None:
        raise AssertionError


class KerasEpoch(Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # type: ignore[override]
        raise AssertionError


class KerasTrain(Callback):
    def on_train_begin(self, logs: Any = None) -> None:  # type: ignore[override]
        raise AssertionError


class Three(Callback):
    def on_epoch_end(self, model: Any, logs: Any, more: Any) -> None:  # type: ignore[override]
        raise AssertionError


def renamed() -> Callback:
    callback = Callback()
    callback.on_end = lambda model, logs: None  # type: ignore[attr-defined]
    return callback


class Duck:
    def on_epoch_end(self, model: Any, logs: Any) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Mistyped, ["callbacks[1] (Mistyped)", "on_epoch_ends", "did you mean on_epoch_end?"]),
        (Batchwise, ["on_train_batch_begin", "on_epoch_begin, on_train_batch_end, on_epoch_end"]),
        (renamed, ["on_end", "never be called"]),
        (KerasEpoch, ["callbacks[1].on_epoch_end", "(epoch", "(model, logs)", 'logs["epoch"]']),
        (KerasTrain, ["callbacks[1].on_train_begin", "(logs", "(model, logs)"]),
        (Three, ["callbacks[1].on_epoch_end", "(model, logs)", "more"]),
        (lambda: lambda epoch, logs: None, ["callbacks[1]", "(epoch, logs)", "(model, logs)"]),
        (lambda: lambda model: None, ["callbacks[1]", "(model, logs)"]),
        (lambda: LambdaCallback(lambda epoch, logs: None), ["callbacks[1].on_epoch_end", "epoch"]),
        (Duck, ["callbacks[1]", "Duck", "subclass of ironmlp.Callback"]),
    ],
)
def test_hooks_that_would_not_be_called_as_meant(make: Callable[[], Any], words: list[str]) -> None:
    recorder = Recorder()
    model = regressor()
    with unchanged(model), pytest.raises(TypeError) as caught:
        model.fit(X, Y, callbacks=[recorder, make()])
    assert all(word in str(caught.value) for word in words), caught.value
    assert not recorder.calls


def test_what_is_no_mistake() -> None:
    class Fine(Callback):
        on_gpu = False

        def on_epoch_end(self, *arguments: Any) -> None:
            self.got = len(arguments)

        def _on_improvement(self) -> None:
            raise AssertionError

    fine = Fine()
    regressor().fit(X, Y, callbacks=[fine, dict, lambda *a, **k: None][::2])
    assert fine.got == 2


def test_callbacks_show_what_they_are() -> None:
    def watch(model: Any, logs: Any) -> None:
        raise AssertionError

    assert repr(LambdaCallback(watch, on_train_end=watch)) == (
        "LambdaCallback(on_epoch_end=watch, on_train_end=watch)"
    )
    assert repr(Recorder()) == "<Recorder callback>"
    stopping = EarlyStopping("loss", patience=3, mode="min")
    assert repr(stopping) == (
        "EarlyStopping(monitor='loss', min_delta=0.0, patience=3, mode='min', "
        "restore_best_weights=True)"
    )
    assert repr(eval(repr(stopping))) == repr(stopping)
