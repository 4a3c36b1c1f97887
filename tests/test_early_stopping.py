"""EarlyStopping: what it watches, when it stops, and the state that it brings back."""

import contextlib
import signal
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, EarlyStopping, LambdaCallback
from states import everything, squares, unchanged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor(**settings: Any) -> im.MLP:
    defaults = {"loss": "mse", "optimizer": im.Adam(lr=1e-2), "seed": 1}
    return im.MLP([4, 6, 1], **{**defaults, **settings})


class Scripted(Callback):
    """Puts given numbers into the logs, for the first epoch the first; None is no number."""

    def __init__(self, *values: float | None, name: str = "score") -> None:
        self.values = values
        self.name = name

    def on_train_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.first = model.epoch

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        value = self.values[logs["epoch"] - self.first]
        if value is not None:
            logs[self.name] = value


def stopped_at(values: list[Any], **settings: Any) -> tuple[int, EarlyStopping]:
    stopping = EarlyStopping("score", **{"mode": "min", **settings})
    history = regressor().fit(X, Y, epochs=len(values), callbacks=[stopping, Scripted(*values)])
    assert history.stop_reason in ("epochs", "early_stopping")
    assert (history.stop_reason == "epochs") == (len(history) == len(values))
    return len(history), stopping


# When


@pytest.mark.parametrize(
    ("values", "settings", "epochs"),
    [
        ([3, 2, 1, 0, -1], {"patience": 0}, 5),
        ([3, 2, 2, 0, 0], {"patience": 0}, 3),
        ([3, 2, 2, 0, 0], {"patience": 1}, 3),
        ([3, 2, 2, 0, 1, 1, 1], {"patience": 2}, 6),
        ([3, 2, 4, 4, 4, 0, 0], {"patience": 3}, 5),
        ([3, 2.6, 2.2, 1.8, 0, 0], {"min_delta": 0.5, "patience": 1}, 2),
        ([3, 2.6, 2.2, 1.8, 0], {"min_delta": 0.5, "patience": 2}, 5),
        ([1, 2, 3, 2, 9], {"mode": "max", "patience": 1}, 4),
        ([1, *[2] * 10, 0], {}, 11),
        ([np.inf, np.inf, 1, 2, 0], {"patience": 2}, 5),
        ([np.inf, np.inf, np.inf, 1], {"patience": 2}, 3),
    ],
)
def test_patience(values: list[float], settings: dict[str, Any], epochs: int) -> None:
    assert stopped_at(values, **settings)[0] == epochs


@pytest.mark.parametrize("none", [np.nan, None], ids=["NaN", "not logged"])
def test_an_epoch_without_a_number_is_skipped(none: Any) -> None:
    values = [3.0, none, 2.0, none, none, none, 2.5, none, 2.5, 0.0]
    epochs, stopping = stopped_at(values, patience=2)
    assert (epochs, stopping.best, stopping.best_epoch) == (9, 2.0, 2)


def test_it_tells_the_best_epoch() -> None:
    _, stopping = stopped_at([3.0, 1.0, 2.0, 2.0, 2.0], patience=2)
    assert (stopping.best, stopping.best_epoch) == (1.0, 1)
    _, stopping = stopped_at([np.nan, np.nan])
    assert (stopping.best, stopping.best_epoch) == (None, None)


def test_epochs_count_from_the_models_birth() -> None:
    model, stopping = regressor(), EarlyStopping("score", patience=1, mode="min")
    model.fit(X, Y, epochs=3)
    history = model.fit(X, Y, epochs=9, callbacks=[Scripted(2, 1, 2), stopping])
    assert stopping.best_epoch == 4
    assert model.epoch == 5
    assert history.epochs.tolist() == [3, 4, 5]


def test_it_gives_its_reason() -> None:
    callbacks = [Scripted(*[1.0] * 9), EarlyStopping("score", patience=1, mode="min")]
    history = regressor().fit(X, Y, epochs=9, callbacks=callbacks)
    assert history.stop_reason == "early_stopping"
    assert history.stop_message == "no better score than 1 of epoch 0"


def test_it_starts_anew_in_each_fit() -> None:
    stopping = EarlyStopping("score", patience=2, mode="min")
    model = regressor()
    model.fit(X, Y, epochs=4, callbacks=[Scripted(1, 2, 3, 4), stopping])
    assert len(model.fit(X, Y, epochs=3, callbacks=[Scripted(9, 8, 7), stopping])) == 3
    assert stopping.best == 7


# What


def test_auto_is_the_training_loss() -> None:
    model = regressor(optimizer=im.Adam(lr=0.0))
    history = model.fit(X, Y, epochs=50, batch_size=None, callbacks=[EarlyStopping(patience=3)])
    assert len(history) == 4
    assert history.stop_message.startswith("no better loss than")
    model.learning_rate = 1e-3
    assert len(model.fit(X, Y, epochs=50, batch_size=None, callbacks=[EarlyStopping()])) == 50


def test_auto_is_the_validation_loss_if_there_is_one() -> None:
    log = Scripted(1, 2, 3, 4, 5, name="val_loss")
    history = regressor().fit(X, Y, epochs=5, callbacks=[EarlyStopping(patience=2), log])
    assert len(history) == 3
    assert history.stop_message == "no better val_loss than 1 of epoch 0"


@pytest.mark.parametrize(
    ("names", "better"),
    [
        (["loss", "log_loss", "mae", "rmse"], "min"),
        (["accuracy", "balanced_accuracy", "top5", "f1", "roc_auc"], "max"),
        (["average_precision", "r2"], "max"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "val_"])
def test_the_direction_of_the_usual_names(names: list[str], better: str, prefix: str) -> None:
    rising = [0.1, 0.2, 0.3, 0.4]
    for name in names:
        if prefix + name == "loss":
            continue  # The core logs it, and it falls.
        stopping = EarlyStopping(prefix + name, patience=1)
        log = Scripted(*rising, name=prefix + name)
        history = regressor().fit(X, Y, epochs=4, callbacks=[stopping, log])
        assert len(history) == (2 if better == "min" else 4), name
        assert stopping.best == (0.1 if better == "min" else 0.4)


def test_accuracy_keeps_the_best_model_and_not_the_worst() -> None:
    model, plain = regressor(), regressor()
    log = Scripted(0.2, 0.9, 0.7, 0.1, name="val_accuracy")
    stopping = EarlyStopping("val_accuracy", restore_best_weights=True)
    model.fit(X, Y, epochs=4, callbacks=[log, stopping])
    plain.fit(X, Y, epochs=2)
    assert everything(model) == everything(plain)


def test_a_direction_that_no_table_knows_is_an_error_before_the_first_step() -> None:
    model = regressor()
    with unchanged(model), pytest.raises(ValueError, match=r"'score'.*mode='min' or mode='max'"):
        model.fit(X, Y, callbacks=[Scripted(1.0), EarlyStopping("score")])
    assert len(model.fit(X, Y, callbacks=[Scripted(1.0), EarlyStopping("score", mode="max")])) == 1


def test_a_name_that_nobody_logs_is_an_error_at_the_first_epochs_end() -> None:
    model = regressor()
    with pytest.raises(ValueError, match=r"'val_loss'.* epoch; the logs hold 'epoch', 'loss'"):
        model.fit(X, Y, epochs=5, callbacks=[EarlyStopping("val_loss")])
    assert model.epoch == 1


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"patience": -1}, ValueError),
        ({"patience": 1.5}, TypeError),
        ({"min_delta": -0.1}, ValueError),
        ({"mode": "best"}, ValueError),
        ({"monitor": None}, TypeError),
        ({"restore_best_weights": 1}, TypeError),
    ],
)
def test_arguments(settings: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(settings))):
        EarlyStopping(**settings)


# The best state

OPTIMIZERS = [im.Adam(lr=0.01), im.SGD(lr=0.01, momentum=0.9)]


def halve(model: im.Sequential, logs: dict[str, Any]) -> None:
    model.learning_rate *= 0.5


def interrupt(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 7:
        signal.raise_signal(signal.SIGINT)


def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 7:
        raise LookupError("here")


def explode(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 7:
        model.learning_rate = 1e30


def stop(model: im.Sequential, logs: dict[str, Any]) -> None:
    model.stop_training = logs["epoch"] == 7


def own(outputs: Any, targets: Any) -> tuple[float, Any]:
    with np.errstate(over="ignore"):
        return squares(outputs, targets)


ENDINGS: dict[str, tuple[Any, type[BaseException] | None]] = {
    "epochs": (lambda model, logs: None, None),
    "early_stopping": (lambda model, logs: None, None),
    "stopped": (stop, None),
    "interrupted": (interrupt, KeyboardInterrupt),
    "error": (fail, LookupError),
    "diverged": (explode, FloatingPointError),
}


@pytest.mark.parametrize("reason", ENDINGS)
@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["adam", "momentum"])
@pytest.mark.parametrize("loss", ["mse", own], ids=["mse", "function"])
def test_the_best_state_comes_back_in_every_ending(
    reason: str, moment: str, optimizer: Any, loss: Any
) -> None:
    """The model equals `fit` up to the best epoch, bit for bit, and so does the next fit."""
    ending, error = ENDINGS[reason]
    layers = [im.Linear(4, 6), im.Dropout(0.2), im.Tanh(), im.Linear(6, 1)]
    settings: Any = {"loss": loss, "optimizer": optimizer, "seed": 1}
    model, plain = (im.Sequential(layers, **settings) for _ in range(2))
    for one in (model, plain):
        one.fit(X, Y, epochs=2, batch_size=16)
    log = Scripted(5, 4, 3, 4, 5, 6, 7, 8)  # best is the third of them, epoch 4
    stopping = EarlyStopping("score", patience=4 if reason == "early_stopping" else 9, mode="min")
    callbacks = [log, halve, LambdaCallback(**{moment: ending}), stopping]
    with pytest.raises(error) if error else contextlib.nullcontext():
        model.fit(X, Y, epochs=8, batch_size=16, callbacks=callbacks)
    assert model.history is not None
    assert model.history.stop_reason == reason
    assert len(model.history) > 3
    plain.fit(X, Y, epochs=3, batch_size=16, callbacks=[halve])
    assert model.epoch == stopping.best_epoch + 1 == 5  # type: ignore[operator]
    assert everything(model) == everything(plain)
    for one in (model, plain):
        one.fit(X, Y, epochs=3, batch_size=16)
    assert everything(model) == everything(plain)


def test_without_restoring_the_last_state_stays() -> None:
    model, plain = regressor(), regressor()
    stopping = EarlyStopping("score", mode="min", restore_best_weights=False)
    model.fit(X, Y, epochs=3, callbacks=[Scripted(3, 1, 2), stopping])
    plain.fit(X, Y, epochs=3)
    assert everything(model) == everything(plain)


def stop_by_exception(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 5:
        raise im.StopTraining("another's")


def exhausted(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 5:
        raise MemoryError


def broken(model: im.Sequential, logs: dict[str, Any]) -> None:
    raise LookupError("at the end")


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (LambdaCallback(stop_by_exception), None),
        (LambdaCallback(exhausted), MemoryError),
        (LambdaCallback(on_train_end=broken), LookupError),
    ],
    ids=["StopTraining", "no memory", "at the end"],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_others_raise_keeps_the_best_state_from_nothing(
    other: Any, error: Any, first: bool
) -> None:
    model, plain = regressor(), regressor()
    stopping = EarlyStopping("score", mode="min")
    callbacks = [other, stopping] if first else [stopping, other]
    with pytest.raises(error) if error else contextlib.nullcontext():
        model.fit(X, Y, epochs=7, callbacks=[*callbacks, Scripted(3, 1, 2, 2, 2, 2, 2)])
    plain.fit(X, Y, epochs=2)
    assert everything(model) == everything(plain)


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_the_best_state_wins_over_the_last_finished_step(error: Any) -> None:
    """In the middle of an epoch steps of it are done already."""
    calls = 0

    def loss(outputs: Any, targets: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4 * 4 + 3:  # the third batch of the fifth epoch
            raise error
        return squares(outputs, targets)

    model, plain = regressor(loss=loss), regressor(loss=squares)
    with pytest.raises(error):
        model.fit(
            X,
            Y,
            epochs=9,
            batch_size=16,
            callbacks=[Scripted(3, 1, 2, 2, 2), EarlyStopping("score", mode="min")],
        )
    assert calls == 4 * 4 + 3
    plain.fit(X, Y, epochs=2, batch_size=16)
    assert everything(model) == everything(plain)
    assert model.history is not None
    assert len(model.history) == 4
