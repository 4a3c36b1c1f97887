"""`reference` tells callbacks the same as ironmlp: one script runs on both."""

import signal
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference
from ironmlp.callbacks import Callback, EarlyStopping, LambdaCallback, StopTraining

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]
LABELS = np.where(Y > 0, "a", "b")

Told = list[tuple[str, dict[str, Any]]]


class Recorder(Callback):
    """All that callbacks are told, and the model's epoch beside it."""

    def __init__(self) -> None:
        self.told: Told = []

    def _tell(self, moment: str, model: Any, logs: dict[str, Any]) -> None:
        self.told.append((moment, {**logs, "model's": model.epoch}))

    def on_train_begin(self, model: Any, logs: dict[str, Any]) -> None:
        self._tell("train_begin", model, logs)

    def on_epoch_begin(self, model: Any, logs: dict[str, Any]) -> None:
        self._tell("epoch_begin", model, logs)

    def on_epoch_end(self, model: Any, logs: dict[str, Any]) -> None:
        self._tell("epoch_end", model, logs)

    def on_train_end(self, model: Any, logs: dict[str, Any]) -> None:
        self._tell("train_end", model, logs)


class AtTheEnd(Callback):
    """Runs last of those of the user's own."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def on_epoch_end(self, model: Any, logs: dict[str, Any]) -> None:
        self.call(model, logs)


def nothing(model: Any, logs: dict[str, Any]) -> None:
    pass


def stop(model: Any, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 5:
        raise StopTraining("enough")


def stop_quietly(model: Any, logs: dict[str, Any]) -> None:
    model.stop_training = logs["epoch"] == 5


def fail(model: Any, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 5:
        raise LookupError("here")


def interrupt(model: Any, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 5:
        signal.raise_signal(signal.SIGINT)


def explode(model: Any, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 5:
        model.learning_rate = 1e200


def script(make: Any, ending: Any, early: bool) -> tuple[Told, list[Any], Any]:
    """What callbacks were told, what the three fits gave, and the trained model."""
    model = make(
        [4, 6, 1],
        activation="tanh",
        loss="mse",
        optimizer=im.Adam(lr=1e-2),
        dtype="float64",
        seed=1,
    )
    recorder = Recorder()
    score = [5.0, 4.0, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5]

    def log(model: Any, logs: dict[str, Any]) -> None:
        model.learning_rate *= 0.9
        logs["score"] = score[logs["epoch"] - 2] if logs["epoch"] > 1 else 9.0

    found: list[Any] = []
    stopping = EarlyStopping("score", patience=2 if early else 9, mode="min")
    readers = [stopping] if early or ending in (fail, interrupt) else []
    for epochs, callbacks in (
        (2, [log, recorder]),
        # A function, an object, and one that reads what the function logs before it does.
        (8, [*readers, LambdaCallback(on_epoch_begin=nothing), log, recorder, AtTheEnd(ending)]),
        (3, [recorder]),
    ):
        try:
            history = model.fit(X, Y, epochs=epochs, batch_size=16, callbacks=callbacks)
        except (LookupError, KeyboardInterrupt, FloatingPointError) as error:
            found.append(type(error).__name__)
            history = model.history
        found += [history[name].tolist() for name in ("loss", "score") if name in history]
        found += [model.epoch, model.learning_rate, model.history is history]
        if ending is explode:
            model.learning_rate = 1e-3
    return recorder.told, found, model


def check_alike(ours: Any, theirs: Any) -> None:
    """Equal, but for rounding of numbers."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            check_alike(value, theirs[key])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            check_alike(one, other)
    elif isinstance(ours, float):
        assert theirs == pytest.approx(ours, rel=1e-9, abs=0.0, nan_ok=True)
    else:
        assert ours == theirs


@pytest.mark.parametrize("early", [False, True], ids=["", "early stopping"])
@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (nothing, "epochs"),
        (stop, "stopped"),
        (stop_quietly, "stopped"),
        (fail, "error"),
        (interrupt, "interrupted"),
        (explode, "diverged"),
    ],
)
def test_one_script_on_both(ending: Any, reason: str, early: bool) -> None:
    with np.errstate(all="ignore"):
        ours, theirs = (script(made, ending, early) for made in (im.MLP, reference.MLP))
    check_alike(ours[0], theirs[0])
    check_alike(ours[1], theirs[1])
    check_alike(
        {key: value.ravel().tolist() for key, value in ours[2].state_dict().items()},
        {key: value.ravel().tolist() for key, value in theirs[2].state_dict().items()},
    )
    reasons = [logs["stop_reason"] for moment, logs in ours[0] if moment == "train_end"]
    # Without early stopping the parameters stay as large as they have become.
    again = "diverged" if ending is explode and not early else "epochs"
    assert reasons == ["epochs", "early_stopping" if early and ending is nothing else reason, again]


def test_the_check_sees_what_differs() -> None:
    told = script(im.MLP, nothing, early=True)[0]
    for other in (told[:-1], [*told[:-1], ("train_end", {})]):
        with pytest.raises(AssertionError):
            check_alike(told, other)
    with pytest.raises(AssertionError):
        check_alike(1.0, 1.0 + 1e-8)


@pytest.mark.parametrize("made", [im.MLP, reference.MLP])
def test_an_error_in_one_on_train_end(made: Any) -> None:
    def fail(model: Any, logs: dict[str, Any]) -> None:
        raise LookupError("here")

    recorder = Recorder()
    model = made([4, 1], loss="mse", seed=1)
    with pytest.raises(LookupError):
        model.fit(X, Y, callbacks=[LambdaCallback(on_train_end=fail), recorder])
    assert [moment for moment, _ in recorder.told][-1] == "train_end"


@pytest.mark.parametrize("made", [im.MLP, reference.MLP])
def test_a_fit_without_a_step_learns_no_labels(made: Any) -> None:
    def fail(model: Any, logs: dict[str, Any]) -> None:
        raise LookupError("here")

    model = made([4, 2], loss="cross_entropy", seed=1)
    with pytest.raises(LookupError):
        model.fit(X, LABELS, callbacks=[LambdaCallback(on_train_begin=fail)])
    model.fit(X, np.where(Y > 0, "x", "y"))
    assert model.classes_.tolist() == ["x", "y"]


def test_the_reference_takes_callbacks_that_are_not_ironmlps() -> None:
    class StopTraining(Exception):  # noqa: N818
        pass

    class Mine:
        def on_epoch_end(self, model: Any, logs: dict[str, Any]) -> None:
            logs["twice"] = 2.0 * logs["epoch"]
            if logs["epoch"] == 1:
                raise StopTraining("mine")

    model = reference.MLP([4, 1], loss="mse", seed=1)
    history = model.fit(X, Y, epochs=5, callbacks=[Mine()])
    assert history["twice"].tolist() == [0.0, 2.0]


def test_the_reference_shows_what_it_is() -> None:
    text = repr(reference.MLP([2, 3, 1], loss="mse", optimizer=reference.spec("SGD"), seed=1))
    assert " at 0x" not in text
    assert all(
        word in text for word in ("reference.Sequential", "Linear", "SGD(", "lr=0.001", "seed=1")
    )
