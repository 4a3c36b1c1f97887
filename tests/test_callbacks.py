"""Callbacks, early stopping, and History."""

import sys
import types
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    ProgressBar,
    StopTraining,
)
from states import squares

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor(lr: float = 1e-2, loss: Any = "mse") -> im.MLP:
    return im.MLP([4, 6, 1], loss=loss, optimizer=im.Adam(lr=lr), seed=1)


def state(model: im.Sequential) -> dict[str, Any]:
    return {key: value.tolist() for key, value in model.state_dict().items()}


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


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
def test_moments_and_logs(loss: Any) -> None:
    recorder = Recorder()
    model = regressor(loss=loss)
    model.fit(X, Y, epochs=3)
    history = model.fit(X, Y, epochs=2, callbacks=[recorder])
    first, second = history["loss"]
    assert recorder.calls == [
        ("train_begin", {"epochs": 2}),
        ("epoch_begin", {"epoch": 0}),
        ("epoch_end", {"epoch": 0, "loss": first}),
        ("epoch_begin", {"epoch": 1}),
        ("epoch_end", {"epoch": 1, "loss": second}),
        ("train_end", {"epoch": 1, "loss": second}),
    ]


def test_callbacks_change_no_bit() -> None:
    model, plain = regressor(), regressor()
    history = model.fit(X, Y, epochs=5, callbacks=[Callback(), Recorder()])
    assert history["loss"].tolist() == plain.fit(X, Y, epochs=5)["loss"].tolist()
    assert state(model) == state(plain)


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
    model.fit(X, Y, epochs=3, callbacks=[use])
    plain.fit(X, Y, epochs=3)
    assert state(model) == state(plain)


def test_the_learning_rate_changes_at_once() -> None:
    def halve(model: im.Sequential, logs: dict[str, Any]) -> None:
        model.learning_rate *= 0.5

    model, by_hand = regressor(), regressor()
    model.fit(X, Y, epochs=3, callbacks=[halve])
    for _ in range(3):
        by_hand.fit(X, Y)
        by_hand.learning_rate *= 0.5
    assert state(model) == state(by_hand)


# Ways to stop


def stop_by_attribute(model: im.Sequential, logs: dict[str, Any]) -> None:
    model.stop_training = logs["epoch"] == 2


def stop_by_exception(model: im.Sequential, logs: dict[str, Any]) -> None:
    if logs["epoch"] == 2:
        raise StopTraining("enough")


@pytest.mark.parametrize(
    ("stop", "reason"), [(stop_by_attribute, "stop_training"), (stop_by_exception, "enough")]
)
def test_stopping(stop: Any, reason: str) -> None:
    recorder = Recorder()
    model, plain = regressor(), regressor()
    history = model.fit(X, Y, epochs=10, callbacks=[stop, recorder])
    plain.fit(X, Y, epochs=3)
    assert history.stop_reason == reason
    assert len(history) == model.epoch == 3
    assert state(model) == state(plain)
    # The callbacks after the one that stops see the epoch's end too.
    assert [name for name, _ in recorder.calls[-2:]] == ["epoch_end", "train_end"]
    # And the next fit is not stopped.
    assert len(model.fit(X, Y, epochs=4)) == 4


def test_stopping_before_the_first_epoch() -> None:
    def stop(model: im.Sequential, logs: dict[str, Any]) -> None:
        raise StopTraining

    model = regressor()
    history = model.fit(X, Y, epochs=3, callbacks=[LambdaCallback(on_train_begin=stop)])
    assert len(history) == model.epoch == 0
    assert history.stop_reason == "StopTraining"


def test_an_exception_comes_out_and_frees_the_model() -> None:
    recorder = Recorder()

    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 1:
            raise LookupError("here")

    model, plain = regressor(), regressor()
    with pytest.raises(LookupError, match="here"):
        model.fit(X, Y, epochs=5, callbacks=[fail, recorder])
    assert recorder.calls[-1][0] == "epoch_begin"
    assert model.epoch == 2
    model.fit(X, Y, epochs=3)
    plain.fit(X, Y, epochs=5)
    assert state(model) == state(plain)


# Early stopping


class Scripted(Callback):
    """Puts given numbers into the logs."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["score"] = self.values[logs["epoch"]]


def stopped_at(values: list[float], **settings: Any) -> tuple[int, EarlyStopping]:
    stopping = EarlyStopping("score", **settings)
    history = regressor().fit(X, Y, epochs=len(values), callbacks=[Scripted(*values), stopping])
    assert (history.stop_reason == "epochs") == (len(history) == len(values))
    return len(history), stopping


@pytest.mark.parametrize(
    ("values", "settings", "epochs"),
    [
        ([3, 2, 1, 0, -1], {}, 5),
        ([3, 2, 2, 0, 0], {}, 3),
        ([3, 2, 2, 0, 0], {"patience": 1}, 3),
        ([3, 2, 2, 0, 1, 1, 1], {"patience": 2}, 6),
        ([3, 2, 4, 4, 4, 0, 0], {"patience": 3}, 5),
        ([3, 2.6, 2.2, 1.8, 0, 0], {"min_delta": 0.5, "patience": 1}, 2),
        ([3, 2.6, 2.2, 1.8, 0], {"min_delta": 0.5, "patience": 2}, 5),
        ([1, 2, 3, 2, 9], {"mode": "max"}, 4),
        ([np.nan, np.nan, 1.0, 1.0, 0], {"patience": 2}, 2),
    ],
)
def test_early_stopping(values: list[float], settings: dict[str, Any], epochs: int) -> None:
    assert stopped_at(values, **settings)[0] == epochs


def test_early_stopping_tells_the_best_epoch() -> None:
    _, stopping = stopped_at([3.0, 1.0, 2.0, 2.0, 2.0], patience=2)
    assert (stopping.best, stopping.best_epoch) == (1.0, 1)


def test_early_stopping_gives_its_reason() -> None:
    history = regressor().fit(
        X, Y, epochs=9, callbacks=[Scripted(*[1.0] * 9), EarlyStopping("score")]
    )
    assert history.stop_reason == "early stopping: no better score than 1 of epoch 0"


def test_early_stopping_watches_the_training_loss() -> None:
    model = regressor(lr=0.0)
    assert len(model.fit(X, Y, epochs=50, batch_size=None, callbacks=[EarlyStopping()])) == 2
    model.learning_rate = 1e-3
    assert len(model.fit(X, Y, epochs=5, batch_size=None, callbacks=[EarlyStopping()])) == 5


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0, 2.0, 2.0], [3.0, 1.0, 2.0]])
def test_best_weights_come_back_however_training_ends(values: list[float]) -> None:
    model, plain = regressor(), regressor()
    stopping = EarlyStopping("score", patience=3, restore_best_weights=True)
    model.fit(X, Y, epochs=len(values), callbacks=[Scripted(*values), stopping])
    plain.fit(X, Y, epochs=2)
    assert state(model) == state(plain)


def test_without_restoring_the_last_weights_stay() -> None:
    model, plain = regressor(), regressor()
    model.fit(X, Y, epochs=3, callbacks=[Scripted(3, 1, 2), EarlyStopping("score", patience=3)])
    plain.fit(X, Y, epochs=3)
    assert state(model) == state(plain)


def test_early_stopping_starts_anew_in_each_fit() -> None:
    stopping = EarlyStopping("score", patience=2)
    model = regressor()
    model.fit(X, Y, epochs=4, callbacks=[Scripted(1, 2, 3, 4), stopping])
    assert len(model.fit(X, Y, epochs=3, callbacks=[Scripted(9, 8, 7), stopping])) == 3


def test_an_unknown_monitor_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'val_loss', the logs hold 'epoch', 'loss'"):
        regressor().fit(X, Y, callbacks=[EarlyStopping("val_loss")])


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"patience": -1}, ValueError),
        ({"patience": 1.5}, TypeError),
        ({"min_delta": -0.1}, ValueError),
        ({"mode": "auto"}, ValueError),
        ({"restore_best_weights": 1}, TypeError),
    ],
)
def test_early_stopping_checks_its_arguments(settings: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(settings))):
        EarlyStopping(**settings)


# The progress bar


def test_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Bar:
        def __init__(self, total: int, unit: str) -> None:
            calls.append((total, unit))

        def set_postfix(self, loss: str, refresh: bool) -> None:
            calls.append(float(loss))

        def update(self) -> None:
            calls.append("update")

        def close(self) -> None:
            calls.append("close")

    module = types.ModuleType("tqdm.auto")
    module.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    history = regressor().fit(X, Y, epochs=2, callbacks=[ProgressBar()])
    first, second = (float(f"{loss:.6g}") for loss in history["loss"])
    assert calls == [(2, "epoch"), first, "update", second, "update", "close"]


def test_progress_bar_with_tqdm(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    regressor().fit(X, Y, epochs=3, callbacks=[ProgressBar()])
    assert "3/3" in capsys.readouterr().err


def test_progress_bar_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'ironmlp\[progress\]'"):
        ProgressBar()


# History


def test_history_keeps_the_numbers_of_callbacks() -> None:
    def every_other(model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["note"] = "no number"
        if logs["epoch"] % 2:
            logs["val_loss"] = np.float32(logs["epoch"])

    history = regressor().fit(X, Y, epochs=5, callbacks=[every_other])
    assert history.keys() == ["loss", "val_loss"]
    np.testing.assert_array_equal(history["val_loss"], [np.nan, 1.0, np.nan, 3.0, np.nan])
    assert history["val_loss"].dtype == np.float64
    assert "val_loss" in history
    assert "note" not in history
    with pytest.raises(KeyError, match="'loss', 'val_loss'"):
        history["accuracy"]


def test_history_shows_itself() -> None:
    text = repr(regressor().fit(X, Y, epochs=2))
    assert "2 epochs" in text
    assert "'epochs'" in text


def test_history_to_frame() -> None:
    pandas = pytest.importorskip("pandas")
    history = regressor().fit(X, Y, epochs=3)
    frame = history.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["loss"].tolist() == history["loss"].tolist()
    assert frame.index.name == "epoch"


def test_history_plot() -> None:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    history = regressor().fit(X, Y, epochs=3, callbacks=[Scripted(1, 2, 3)])
    ax = history.plot()
    assert [line.get_label() for line in ax.lines] == ["loss", "score"]
    assert ax.lines[0].get_ydata().tolist() == history["loss"].tolist()
    assert history.plot(ax) is ax
    pyplot.close("all")


@pytest.mark.parametrize(
    ("call", "package", "words"),
    [
        ("plot", "matplotlib", "plot needs matplotlib: pip install 'ironmlp[plot]'"),
        ("to_frame", "pandas", "to_frame needs pandas: pip install"),
    ],
)
def test_a_missing_package_is_named(
    call: str, package: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = regressor().fit(X, Y)
    # None makes an import fail, a cached submodule would let it through.
    for name in {package, f"{package}.pyplot"}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as caught:
        getattr(history, call)()
    assert words in str(caught.value)
