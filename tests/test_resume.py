"""fit(resume=True): where it goes on, with what, and when it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, Checkpoint, CSVLogger, EarlyStopping, LambdaCallback
from processes import run
from states import everything

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor(**settings: Any) -> im.MLP:
    defaults = {"loss": "mse", "optimizer": im.Adam(lr=1e-2), "seed": 1}
    return im.MLP([4, 6, 1], **{**defaults, **settings})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


class Scripted(Callback):
    def __init__(self, *values: float) -> None:
        self.values = values

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["score"] = self.values[logs["epoch"]]


class Counting(Callback):
    """A callback of the user's own with a memory: numbers, text and an array."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.sums = np.zeros(2)
        self.lowest = np.inf

    def on_train_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.seen, self.sums, self.lowest = [], np.zeros(2), np.inf

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.seen.append(logs["epoch"])
        self.sums += logs["loss"]
        self.lowest = min(self.lowest, logs["loss"])
        logs["total"] = self.sums[0]

    def state(self) -> dict[str, Any]:
        return {"seen": (*self.seen,), "sums": self.sums, "lowest": self.lowest, "name": "é"}

    def set_state(self, state: dict[str, Any]) -> None:
        assert state["name"] == "é"
        self.seen, self.sums, self.lowest = state["seen"], state["sums"], state["lowest"]


def falling_then_rising(logs: dict[str, Any]) -> float:
    return float(abs(logs["epoch"] - 5) + 1)


def watch(model: im.Sequential, logs: dict[str, Any]) -> None:
    logs["val_loss"] = falling_then_rising(logs)


def callbacks(folder: Path, **stopping: Any) -> list[Any]:
    return [
        Checkpoint(folder / "model.safetensors"),
        CSVLogger(folder / "epochs.csv"),
        EarlyStopping(**stopping),
        im.ReduceLROnPlateau(factor=0.5, patience=0),
        Counting(),
        watch,
    ]


def same(a: im.History, b: im.History) -> None:
    assert a.keys() == b.keys()
    assert a.epochs.tolist() == b.epochs.tolist()
    assert all(a[name].tobytes() == b[name].tobytes() for name in a.keys())  # noqa: SIM118
    assert (a.stop_reason, a.stop_message) == (b.stop_reason, b.stop_message)


# 10 = 4 + 6


@pytest.mark.parametrize("optimizer", [im.Adam(lr=0.01), im.SGD(lr=0.01, momentum=0.9)], ids=repr)
@pytest.mark.parametrize("patience", [2, 9])
def test_four_and_six_are_ten_with_callbacks(tmp_path: Path, optimizer: Any, patience: int) -> None:
    def model() -> im.Sequential:
        layers = [im.Linear(4, 6), im.LayerNorm(6), im.Dropout(0.2), im.Tanh(), im.Linear(6, 1)]
        return im.Sequential(layers, loss="mse", optimizer=optimizer, seed=3)

    folders = [tmp_path / name for name in ("once", "twice")]
    for folder in folders:
        folder.mkdir()
    once = model()
    history = once.fit(
        X, Y, epochs=10, batch_size=16, callbacks=callbacks(folders[0], patience=patience)
    )
    model().fit(X, Y, epochs=4, batch_size=16, callbacks=callbacks(folders[1], patience=patience))
    twice = im.load(folders[1] / "model.safetensors")
    again = callbacks(folders[1], patience=patience)
    found = twice.fit(X, Y, epochs=10, batch_size=16, callbacks=again, resume=True)
    assert everything(once) == everything(twice)
    same(history, found)
    assert twice.history is found
    assert again[4].seen == list(range(len(history)))
    for name in ("model.safetensors", "epochs.csv"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    for one in (once, twice):
        one.fit(X, Y, epochs=2, batch_size=16)
    assert everything(once) == everything(twice)


def test_one_script_for_the_first_run_and_each_restart(tmp_path: Path) -> None:
    """A crash in every epoch, and the same script again, until it ends."""
    path = tmp_path / "model.safetensors"
    crash_at = 0

    def crash(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == crash_at:
            raise RuntimeError("crash")

    def script(folder: Path) -> im.Sequential:
        path = folder / "model.safetensors"
        model = im.load(path) if path.exists() else regressor()
        model.fit(X, Y, epochs=8, batch_size=16, callbacks=[crash, *callbacks(folder)], resume=True)
        return model

    for epoch in range(8):
        crash_at = epoch
        with pytest.raises(RuntimeError, match="crash"):
            script(tmp_path)
    crash_at = -1
    model = script(tmp_path)
    (tmp_path / "plain").mkdir()
    plain = script(tmp_path / "plain")
    assert everything(model) == everything(plain)
    assert model.history is not None
    assert plain.history is not None
    same(model.history, plain.history)
    assert path.read_bytes() == (tmp_path / "plain" / "model.safetensors").read_bytes()


def test_four_and_save_and_load_in_a_new_process_and_six_are_ten(path: Path) -> None:
    model = regressor()
    model.fit(X, Y, epochs=4, batch_size=16)
    model.save(path)
    np.savez(path.parent / "data.npz", X=X, Y=Y)
    run(
        f"""
        import numpy as np, ironmlp as im
        data = np.load({str(path.parent / "data.npz")!r})
        model = im.load({str(path)!r})
        model.fit(data["X"], data["Y"], epochs=10, batch_size=16, resume=True)
        assert model.history.epochs.tolist() == [4, 5, 6, 7, 8, 9]
        model.save({str(path)!r})
        """
    )
    plain = regressor()
    plain.fit(X, Y, epochs=10, batch_size=16)
    assert everything(im.load(path)) == everything(plain)


def test_two_checkpoints_know_of_each_other(tmp_path: Path) -> None:
    """The best one that another file's training goes on with is not the best one before."""

    def train(folder: Path, epochs: int, model: im.Sequential | None = None) -> None:
        (model or regressor()).fit(
            X,
            Y,
            epochs=epochs,
            resume=True,
            callbacks=[
                Checkpoint(folder / "last"),
                Checkpoint(folder / "best{epoch}", monitor="score", mode="min"),
                Scripted(5.0, 4.0, 3.0, 4.0, 3.5, 2.0),
            ],
        )

    for name in ("once", "twice"):
        (tmp_path / name).mkdir()
    train(tmp_path / "once", 6)
    train(tmp_path / "twice", 3)
    train(tmp_path / "twice", 6, im.load(tmp_path / "twice" / "last"))
    files = [sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("once", "twice")]
    assert files[0] == files[1] == ["best1", "best2", "best3", "best6", "last"]


@pytest.mark.parametrize("first", ["last", "best"])
def test_a_break_between_two_checkpoints_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Each of the files tells what both have written, and one of them was not."""

    def given() -> Any:
        kinds: dict[str, Any] = {"last": {}, "best": {"monitor": "score", "mode": "min"}}
        names = [first, *({*kinds} - {first})]
        checkpoints = [Checkpoint(tmp_path / name, **kinds[name]) for name in names]
        return [*checkpoints, Scripted(3.0, 2.0, 1.0, 1.0)]

    def fail(self: Checkpoint, model: im.Sequential, training: Any) -> None:
        if model.epoch == 3 and Path(self.path).name != first:
            raise OSError("break")
        write(self, model, training)

    write = Checkpoint._write
    monkeypatch.setattr(Checkpoint, "_write", fail)
    with pytest.raises(OSError, match="break"):
        regressor().fit(X, Y, epochs=4, callbacks=given())
    monkeypatch.undo()
    other = {"last": "best", "best": "last"}[first]
    assert [im.load(tmp_path / name).epoch for name in (first, other)] == [3, 2]
    model = im.load(tmp_path / first)
    before = (tmp_path / first).read_bytes()
    model.fit(X, Y, epochs=3, callbacks=given(), resume=True)
    assert (tmp_path / first).read_bytes() == (tmp_path / other).read_bytes() == before


def test_copies_of_a_loaded_model_resume_apart(tmp_path: Path) -> None:
    """A callback may change the arrays of its state."""
    regressor().fit(X, Y, epochs=3, callbacks=callbacks(tmp_path))
    loaded = im.load(tmp_path / "model.safetensors")
    found = []
    for twin in (loaded.copy(), loaded):
        history = twin.fit(X, Y, epochs=6, callbacks=callbacks(tmp_path), resume=True)
        found.append((everything(twin), history["total"].tolist()))
    assert found[0] == found[1]


# What resume means without a checkpoint


def test_a_fresh_model_trains_up_to_epochs_in_all() -> None:
    model, plain = regressor(), regressor()
    assert len(model.fit(X, Y, epochs=3, resume=True)) == 3
    history = model.fit(X, Y, epochs=5, resume=True)
    assert history.epochs.tolist() == [3, 4]
    # With nothing left to train, the history is what it was.
    for epochs in (5, 2, 0):
        same(model.fit(X, Y, epochs=epochs, resume=True), history)
    plain.fit(X, Y, epochs=5)
    assert everything(model) == everything(plain)


def test_without_resume_a_checkpoints_model_trains_more_epochs_and_callbacks_begin_anew(
    tmp_path: Path,
) -> None:
    regressor().fit(X, Y, epochs=4, callbacks=callbacks(tmp_path))
    model, again = im.load(tmp_path / "model.safetensors"), callbacks(tmp_path)
    history = model.fit(X, Y, epochs=2, batch_size=10, callbacks=again)
    assert history.epochs.tolist() == [4, 5]
    assert again[4].seen == [4, 5]


# An end that lasts, and ends that do not


def test_an_early_stopped_run_returns_at_once_with_its_history(tmp_path: Path) -> None:
    model = regressor()
    history = model.fit(X, Y, epochs=30, callbacks=callbacks(tmp_path, patience=2))
    assert history.stop_reason == "early_stopping"
    again = im.load(tmp_path / "model.safetensors")
    for _ in range(3):
        found = again.fit(X, Y, epochs=90, callbacks=callbacks(tmp_path, patience=2), resume=True)
        same(found, history)
        assert everything(again) == everything(model)
    assert len(again.fit(X, Y, epochs=1)) == 1


@pytest.mark.parametrize("how", ["exception", "attribute"])
def test_a_run_that_was_stopped_by_hand_goes_on(path: Path, how: str) -> None:
    limit = 2

    def stop(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == limit:
            if how == "exception":
                raise im.StopTraining("the hour is over")
            model.stop_training = True

    def given() -> Any:
        return [stop, Checkpoint(path), EarlyStopping()]

    regressor().fit(X, Y, epochs=6, callbacks=given())
    model = im.load(path)
    assert model.history is not None
    assert model.history.stop_reason == "stopped"
    limit = -1
    assert len(model.fit(X, Y, epochs=6, callbacks=given(), resume=True)) == 6


def test_a_finished_run_trains_more_epochs_when_there_are_more(path: Path) -> None:
    def given() -> Any:
        return [
            Scripted(*[3.0, 1.0, 2.0, 2.0, 0.5, 1.0]),
            EarlyStopping("score", mode="min"),
            Checkpoint(path),
        ]

    once = regressor()
    history = once.fit(X, Y, epochs=6, callbacks=given())
    shorter = regressor()
    shorter.fit(X, Y, epochs=3, callbacks=given())
    assert shorter.epoch == 2  # the best one
    twice = im.load(path)
    same(twice.fit(X, Y, epochs=6, callbacks=given(), resume=True), history)
    assert everything(once) == everything(twice)
    assert twice.epoch == 5


def test_numbers_logged_at_the_end_of_a_finished_run_are_told_again(path: Path) -> None:
    told: list[Any] = []
    end = LambdaCallback(on_train_end=lambda model, logs: told.append(dict(logs)))
    for _ in range(2):
        model = im.load(path) if path.exists() else regressor()
        model.fit(X, Y, epochs=2, callbacks=[end, Checkpoint(path)], resume=True)
    assert told[0] == told[1]


def test_auto_stays_what_it_was_in_the_first_epoch(path: Path) -> None:
    """Validation skips epochs, and a broken-off training may go on with one of those."""

    def fit(model: im.Sequential, epochs: int) -> tuple[im.History, EarlyStopping]:
        stopping = EarlyStopping(patience=2)
        callbacks: Any = [stopping, im.ReduceLROnPlateau(patience=0), Checkpoint(path)]
        settings: Any = {"validation_split": 0.2, "validation_freq": 3, "resume": True}
        return model.fit(X, Y, epochs=epochs, callbacks=callbacks, **settings), stopping

    once = regressor(optimizer=im.Adam(lr=0.1))
    history, _ = fit(once, 60)
    assert history.stop_message.startswith("no better val_loss")
    for epochs in (4, 5):
        fit(regressor(optimizer=im.Adam(lr=0.1)), epochs)
        twice = im.load(path)
        found, stopping = fit(twice, 60)
        same(history, found)
        assert everything(once) == everything(twice)
        assert stopping.best_epoch is not None
        assert (stopping.best_epoch + 1) % 3 == 0
