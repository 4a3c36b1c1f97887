"""How a fit ends: `on_train_end` and the history in every ending, and fits that made no step."""

import signal
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, LambdaCallback, StopTraining
from states import everything, squares, unchanged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]
LABELS = np.where(Y > 0, "a", "b")


def regressor(**settings: Any) -> im.MLP:
    defaults = {"loss": "mse", "optimizer": im.Adam(lr=1e-2), "seed": 1}
    return im.MLP([4, 6, 1], **{**defaults, **settings})


class Ending(Callback):
    """Remembers what it was told at the end."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def on_train_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.logs.append(dict(logs))


def by_attribute(model: im.Sequential, logs: dict[str, Any]) -> None:
    model.stop_training = logs["epoch"] == 2


def by_exception(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        raise StopTraining("enough")


def without_words(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        raise StopTraining


def interrupt(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        signal.raise_signal(signal.SIGINT)


def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        raise LookupError("here")


def fail_by_number(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        raise FloatingPointError("of the callback's own")


def explode(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        model.learning_rate = 1e30


# What ends it, the reason, the message, the error that comes out, the finished epochs.
ENDINGS: dict[str, tuple[Any, str, str, Any, int]] = {
    "epochs": (lambda model, logs: None, "epochs", "", None, 5),
    "attribute": (by_attribute, "stopped", "", None, 3),
    "StopTraining": (by_exception, "stopped", "enough", None, 3),
    "without words": (without_words, "stopped", "", None, 3),
    "early stopping": (
        im.EarlyStopping("epoch", mode="min", patience=2, restore_best_weights=False),
        *("early_stopping", "no better epoch than 0 of epoch 0", None, 3),
    ),
    "Ctrl-C": (interrupt, "interrupted", "", KeyboardInterrupt, 3),
    "error": (fail, "error", "", LookupError, 3),
    "FloatingPointError": (fail_by_number, "error", "", FloatingPointError, 3),
    "diverged": (explode, "diverged", "", FloatingPointError, 3),
}


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
@pytest.mark.parametrize("name", ENDINGS)
def test_every_ending(name: str, loss: Any) -> None:
    callback, reason, message, error, epochs = ENDINGS[name]
    before, after, model, plain = Ending(), Ending(), regressor(loss=loss), regressor(loss=loss)
    log = lambda model, logs: logs.update(twice=2 * logs["epoch"])  # noqa: E731
    settings: Any = {"epochs": 5, "batch_size": 16}
    if error is None:
        history = model.fit(X, Y, callbacks=[before, log, callback, after], **settings)
        assert model.history is history
    else:
        with pytest.raises(error):
            model.fit(X, Y, callbacks=[before, log, callback, after], **settings)
    found = model.history
    assert found is not None
    assert (found.stop_reason, found.stop_message) == (reason, message)
    assert len(found) == epochs
    assert found["twice"].tolist() == [2.0 * epoch for epoch in range(epochs)]
    assert found.epochs.tolist() == list(range(epochs))
    expected = plain.fit(X, Y, epochs=epochs, batch_size=16)["loss"].tolist()
    assert found["loss"].tolist() == expected
    told = {
        "epoch": epochs - 1,
        "loss": expected[-1],
        "twice": 2 * epochs - 2,
        "stop_reason": reason,
        "stop_message": message,
    }
    assert before.logs == after.logs == [told]


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
def test_the_history_without_callbacks(loss: Any) -> None:
    model = regressor(loss=loss)
    assert model.history is None
    first = model.fit(X, Y, epochs=2)
    assert model.history is first
    model.learning_rate = 1e30
    with pytest.raises(FloatingPointError):
        model.fit(X, Y, epochs=3)
    assert model.history is not None
    assert model.history is not first
    assert model.history.stop_reason == "diverged"
    assert model.history.epochs.tolist() == []
    model.reset()
    assert model.history is None


def test_an_interrupted_fit_tells_the_epochs_that_it_finished() -> None:
    calls = 0

    def loss(outputs: Any, targets: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 11:  # in the third epoch of 4 batches
            signal.raise_signal(signal.SIGINT)
        return squares(outputs, targets)

    model = regressor(loss=loss)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=9, batch_size=16)
    assert model.history is not None
    assert model.history.stop_reason == "interrupted"
    assert len(model.history) == model.epoch == 2


@pytest.mark.parametrize("stop", [by_attribute, by_exception])
def test_stopping_keeps_the_epoch_and_the_next_fit_goes_on(stop: Any) -> None:
    model, plain = regressor(), regressor()
    seen: list[Any] = []
    # The callbacks after the one that stops see the epoch's end too.
    model.fit(X, Y, epochs=10, callbacks=[stop, lambda model, logs: seen.append(logs["epoch"])])
    assert seen == [0, 1, 2]
    plain.fit(X, Y, epochs=3)
    assert everything(model) == everything(plain)
    assert len(model.fit(X, Y, epochs=4)) == 4


def test_stopping_before_the_first_epoch() -> None:
    def stop(model: im.Sequential, logs: dict[str, Any]) -> None:
        raise StopTraining("not today")

    for moment in ("on_train_begin", "on_epoch_begin"):
        model, ending = regressor(), Ending()
        hooks: Any = {moment: stop}
        history = model.fit(X, Y, epochs=3, callbacks=[ending, LambdaCallback(**hooks)])
        assert len(history) == model.epoch == 0
        assert (history.stop_reason, history.stop_message) == ("stopped", "not today")
        assert ending.logs == [{"stop_reason": "stopped", "stop_message": "not today"}]


def test_a_fit_without_callbacks_stops_at_an_epochs_end_too() -> None:
    calls = 0

    def loss(outputs: Any, targets: Any) -> Any:
        nonlocal calls
        calls += 1
        model.stop_training = calls >= 3
        return squares(outputs, targets)

    model = regressor(loss=loss)
    history = model.fit(X, Y, epochs=10**6, batch_size=16)
    assert history.stop_reason == "stopped"
    assert 1 <= len(history) == model.epoch < 10**6
    assert calls == 4 * len(history)


# Errors at the end


def raiser(error: BaseException) -> Any:
    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        raise error

    return fail


def test_an_error_in_one_on_train_end_keeps_no_other_from_running() -> None:
    ending, model = Ending(), regressor()
    first = LambdaCallback(on_train_end=raiser(LookupError("first")))
    second = LambdaCallback(on_train_end=raiser(KeyError("second")))
    with pytest.raises(LookupError, match="first") as caught:
        model.fit(X, Y, epochs=2, callbacks=[first, second, ending])
    assert len(ending.logs) == 1
    assert ending.logs[0]["stop_reason"] == "epochs"
    assert any("KeyError: 'second'" in note for note in caught.value.__notes__)
    assert model.epoch == 2


def test_the_error_that_ended_the_training_wins() -> None:
    ending, cause = Ending(), OSError("the cause")
    original = LookupError("original")

    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        raise original from cause

    second = LambdaCallback(on_train_end=raiser(KeyError("second")))
    with pytest.raises(LookupError, match="original") as caught:
        regressor().fit(X, Y, epochs=2, callbacks=[fail, second, ending])
    assert caught.value is original
    assert original.__cause__ is cause
    assert any("KeyError: 'second'" in note for note in original.__notes__)
    assert len(ending.logs) == 1


def test_stopping_at_the_end_is_no_error() -> None:
    ending = Ending()
    late = LambdaCallback(on_train_end=raiser(StopTraining("late")))
    history = regressor().fit(X, Y, epochs=2, callbacks=[late, ending])
    assert (history.stop_reason, history.stop_message) == ("epochs", "")
    assert len(ending.logs) == 1


def test_the_history_is_there_at_the_end_of_training() -> None:
    seen: list[Any] = []
    callback = LambdaCallback(on_train_end=lambda model, logs: seen.append(model.history))
    history = regressor().fit(X, Y, epochs=2, callbacks=[callback])
    assert seen == [history]


# Fits that made no step


def classifier(**settings: Any) -> im.MLP:
    return im.MLP([4, 6, 2], **{"loss": "cross_entropy", "seed": 1, **settings})


def begin_fails(model: im.Sequential, logs: dict[str, Any]) -> None:
    # The labels are known while it lasts.
    assert model.evaluate(X, LABELS)["accuracy"] <= 1.0
    raise LookupError("here")


@pytest.mark.parametrize("moment", ["on_train_begin", "on_epoch_begin"])
def test_an_error_before_the_first_step_leaves_the_labels(moment: str) -> None:
    model = classifier()
    hooks: Any = {moment: begin_fails}
    with unchanged(model), pytest.raises(LookupError):
        model.fit(X, LABELS, callbacks=[LambdaCallback(**hooks)])
    model.fit(X, np.where(Y > 0, "x", "y"))
    assert model.classes_.tolist() == ["x", "y"]


def test_a_first_loss_that_is_not_finite_leaves_the_labels() -> None:
    model = classifier(loss="cross_entropy")
    model.load_state_dict({k: np.full_like(w, 1e38) for k, w in model.state_dict().items()})
    with unchanged(model), pytest.raises(FloatingPointError):
        model.fit(X * 10, LABELS)
    with unchanged(model), pytest.raises(FloatingPointError):
        model.fit(X * 10, np.where(Y > 0, "x", "y"))
    # The shape of y is of the same kind: predict gives it back.
    numbers = regressor(loss=lambda outputs, targets: (np.nan, outputs))
    with pytest.raises(FloatingPointError):
        numbers.fit(X, Y[:, np.newaxis])
    assert numbers.predict(X).shape == regressor().predict(X).shape


def test_no_step_no_labels_however_it_ends() -> None:
    model = classifier()
    with unchanged(model):
        model.fit(X, LABELS, epochs=0)
        stop = LambdaCallback(on_train_begin=raiser(StopTraining()))
        model.fit(X, LABELS, callbacks=[stop])


def test_one_step_is_enough_to_keep_the_labels() -> None:
    calls = 0

    def loss(outputs: Any, targets: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise LookupError("the second batch")
        return squares(outputs, targets)

    model = regressor(loss=loss)
    with pytest.raises(LookupError):
        model.fit(X, Y[:, np.newaxis], batch_size=16)
    assert model.predict(X).shape == (50, 1)
