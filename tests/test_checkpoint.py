"""Checkpoint: when it writes, what its files hold, and what is refused before the first step."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, Checkpoint, EarlyStopping, LambdaCallback, StopTraining
from states import everything, squares, unchanged

X = np.random.default_rng(0).normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor(**settings: Any) -> im.MLP:
    defaults = {"loss": "mse", "optimizer": im.Adam(lr=1e-2), "seed": 1}
    return im.MLP([4, 6, 1], **{**defaults, **settings})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


class Scripted(Callback):
    def __init__(self, *values: float, name: str = "score") -> None:
        self.values, self.name = values, name

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        logs[self.name] = self.values[logs["epoch"]]


def written(folder: Path) -> list[int]:
    """The epochs of the files, in their order."""
    return [im.load(file).epoch for file in sorted(folder.iterdir())]


# When


def test_each_epoch_and_the_newest_stays(path: Path) -> None:
    seen: list[int] = []

    class Last(Callback):
        _rank = 4

        def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
            kept = im.load(path)
            assert everything(kept) == everything(model)
            seen.append(kept.epoch)

    regressor().fit(X, Y, epochs=3, callbacks=[Last(), Checkpoint(path)])
    assert seen == [1, 2, 3]
    assert list(path.parent.iterdir()) == [path]


def test_every_n_epochs_from_the_models_birth_and_the_last(tmp_path: Path) -> None:
    model = regressor()
    model.fit(X, Y, epochs=1)
    model.fit(X, Y, epochs=7, callbacks=[Checkpoint(tmp_path / "{epoch:02d}", every=3)])
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["03", "06", "08"]
    assert written(tmp_path) == [3, 6, 8]


@pytest.mark.parametrize("how", ["exception", "attribute", "early stopping"])
def test_the_epoch_at_which_callbacks_stop_is_the_last(tmp_path: Path, how: str) -> None:
    def stop(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 3 and how == "exception":
            raise StopTraining
        model.stop_training = logs["epoch"] == 3 and how == "attribute"

    stopping: Any = [EarlyStopping("score", patience=3, mode="min")] * (how == "early stopping")
    checkpoint = Checkpoint(tmp_path / "{epoch}", every=3)
    log = Scripted(*range(9))
    regressor().fit(X, Y, epochs=9, callbacks=[checkpoint, stop, log, *stopping])
    assert written(tmp_path) == [3, 4]


def test_with_monitor_only_the_better_ones(tmp_path: Path) -> None:
    log = Scripted(3.0, 4.0, np.nan, 2.0, 2.0, 1.0, 5.0)
    checkpoint = Checkpoint(tmp_path / "{epoch}", monitor="score", mode="min")
    regressor().fit(X, Y, epochs=7, callbacks=[checkpoint, log])
    assert written(tmp_path) == [1, 4, 6]


def test_with_monitor_and_every_the_better_ones_of_these(tmp_path: Path) -> None:
    log = Scripted(0.0, 4.0, 1.0, 5.0, 0.0, 3.0, 2.0)
    checkpoint = Checkpoint(tmp_path / "{epoch}", monitor="score", mode="min", every=2)
    regressor().fit(X, Y, epochs=7, callbacks=[checkpoint, log])
    assert written(tmp_path) == [2, 6, 7]


def test_accuracy_is_better_when_larger(tmp_path: Path) -> None:
    log = Scripted(0.2, 0.9, 0.7, 0.95, name="val_accuracy")
    checkpoint = Checkpoint(tmp_path / "{epoch}", monitor="val_accuracy")
    regressor().fit(X, Y, epochs=4, callbacks=[checkpoint, log])
    assert written(tmp_path) == [1, 2, 4]


def test_it_starts_anew_in_each_fit(tmp_path: Path) -> None:
    model, checkpoint = regressor(), Checkpoint(tmp_path / "{epoch}", monitor="loss")
    model.fit(X, Y, epochs=1, callbacks=[checkpoint])
    model.learning_rate = 0.0
    model.fit(X[::-1] + 1, Y, epochs=1, callbacks=[checkpoint])
    assert written(tmp_path) == [1, 2]


def test_it_comes_after_readers_and_before_displays_whatever_the_order(path: Path) -> None:
    stopping = EarlyStopping("score", patience=1, mode="min")
    plateau = im.ReduceLROnPlateau("score", 0.5, 0, mode="min")
    rates: list[float] = []

    class Display(Callback):
        _rank = 4

        def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
            kept = im.load(path)
            rates.append(kept.learning_rate)
            assert kept.history is not None
            assert kept.history.keys() == ["loss", "score", "learning_rate"]

    callbacks = [Display(), Checkpoint(path), stopping, plateau, Scripted(1.0, 2.0, 2.0)]
    regressor().fit(X, Y, epochs=3, callbacks=callbacks)
    assert rates == [0.01, 0.005]
    last = im.load(path).history
    assert last is not None
    assert last.stop_reason == "early_stopping"


# What


def test_the_file_is_a_model_and_its_history(path: Path) -> None:
    log = Scripted(1.0, np.nan, -np.inf)
    history = regressor().fit(X, Y, epochs=3, callbacks=[log, Checkpoint(path)])
    model = im.load(path)
    assert model.history is not None
    assert model.history.to_frame().equals(history.to_frame())
    assert (model.history.stop_reason, model.history.stop_message) == ("epochs", "")
    assert model.history.epochs.tolist() == [0, 1, 2]
    more = model.fit(X, Y, epochs=1)
    assert model.history is more
    assert more.epochs.tolist() == [3]


def test_the_history_of_a_training_that_would_have_gone_on(tmp_path: Path) -> None:
    regressor().fit(X, Y, epochs=2, callbacks=[Checkpoint(tmp_path / "{epoch}")])
    history = im.load(tmp_path / "1").history
    assert history is not None
    assert history.stop_reason == "interrupted"


def test_the_file_holds_the_last_epoch_and_fit_gives_the_best(path: Path) -> None:
    model = regressor()
    callbacks: Any = [Scripted(2.0, 1.0, 3.0), EarlyStopping("score", mode="min"), Checkpoint(path)]
    model.fit(X, Y, epochs=3, callbacks=callbacks)
    assert (model.epoch, im.load(path).epoch) == (2, 3)
    again = im.load(path)
    history = again.fit(X, Y, epochs=3, callbacks=callbacks, resume=True)
    assert everything(again) == everything(model)
    assert len(history) == 3


def test_an_older_file_stays_when_a_new_one_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def spoil(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 2:
            monkeypatch.setattr("os.replace", fail)

    model = regressor()
    with pytest.raises(OSError, match="No space left"):
        model.fit(X, Y, epochs=5, callbacks=[Checkpoint(path), spoil])
    assert im.load(path).epoch == 2
    assert model.epoch == 3
    assert list(path.parent.iterdir()) == [path]


def test_copies_in_the_middle_of_a_training(path: Path, tmp_path: Path) -> None:
    """Pickle, deepcopy, copy and save in a callback are models that train on as this one does."""
    twins: list[im.Sequential] = []

    def take(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 2:
            model.save(tmp_path / "saved")
            twins.extend([pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model.copy()])
            twins.append(im.load(tmp_path / "saved"))

    model = regressor()
    callbacks: Any = [take, Checkpoint(path), EarlyStopping(), im.ReduceLROnPlateau()]
    model.fit(X, Y, epochs=5, batch_size=16, callbacks=callbacks)
    plain = regressor()
    plain.fit(X, Y, epochs=5, batch_size=16)
    assert len(twins) == 4
    for twin in twins:
        assert twin.epoch == 3
        twin.fit(X, Y, epochs=2, batch_size=16)
        assert everything(twin) == everything(plain)


def test_a_loaded_model_keeps_its_training_in_copies_and_files(path: Path, tmp_path: Path) -> None:
    def callbacks() -> Any:
        return [EarlyStopping(patience=3), Checkpoint(path)]

    whole = regressor()
    history = whole.fit(X, Y, epochs=6, callbacks=callbacks())
    regressor().fit(X, Y, epochs=3, callbacks=callbacks())
    loaded = im.load(path)
    loaded.save(tmp_path / "again")
    twins = [pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded), loaded.copy()]
    twins.append(im.load(tmp_path / "again"))
    for twin in twins:
        found = twin.fit(X, Y, epochs=6, callbacks=callbacks(), resume=True)
        assert everything(twin) == everything(whole)
        assert found.to_frame().equals(history.to_frame())


# What is refused


def test_a_model_that_no_file_can_hold_is_an_error_before_the_first_step(path: Path) -> None:
    class Own(im.MLP):
        pass

    for model in (regressor(loss=squares), Own([4, 6, 1], loss="mse")):
        with unchanged(model), pytest.raises(TypeError):
            model.fit(X, Y, callbacks=[Checkpoint(path)])
    assert not path.exists()


@pytest.mark.parametrize("wrong", ["missing/model", "."])
def test_a_place_that_is_none_is_an_error_before_the_first_step(tmp_path: Path, wrong: str) -> None:
    model = regressor()
    with unchanged(model), pytest.raises(OSError, match="folder"):
        model.fit(X, Y, callbacks=[Checkpoint(tmp_path / wrong)])


def test_a_direction_that_no_table_knows_is_an_error_before_the_first_step(path: Path) -> None:
    model = regressor()
    with unchanged(model), pytest.raises(ValueError, match="mode='min' or mode='max'"):
        model.fit(X, Y, callbacks=[Checkpoint(path, monitor="score")])


def test_a_state_that_is_no_dict(path: Path) -> None:
    class Own(Callback):
        def state(self) -> Any:
            return [1]

    with pytest.raises(TypeError, match=r"gave \[1\], it must be a dict"):
        regressor().fit(X, Y, callbacks=[Own(), Checkpoint(path)])


@pytest.mark.parametrize(
    "state",
    [
        {"a": object()},
        {"a": np.arange(3, dtype=np.int32)},
        {1: 2},
        {"$": 1},
        {"a/b": np.ones(1), "a": {"b": np.ones(1)}},
    ],
)
def test_a_state_that_no_file_can_hold(path: Path, state: Any) -> None:
    class Own(Callback):
        def state(self) -> Any:
            return state

    with pytest.raises(TypeError, match="a file cannot hold"):
        regressor().fit(X, Y, callbacks=[Own(), Checkpoint(path)])
    assert not path.exists()


@pytest.mark.parametrize(
    ("settings", "error", "word"),
    [
        ({"path": 3}, TypeError, "PathLike"),
        ({"path": "{val_loss}"}, ValueError, "val_loss"),
        ({"path": "{}"}, ValueError, "epoch alone"),
        ({"path": "{0}"}, ValueError, "epoch alone"),
        ({"path": "a{"}, ValueError, "doubled"),
        ({"path": "{epoch.x}"}, ValueError, "epoch alone"),
        ({"path": "{epoch:s}"}, ValueError, "epoch alone"),
        ({"every": 0}, ValueError, "every"),
        ({"every": 1.5}, TypeError, "every"),
        ({"mode": "best"}, ValueError, "mode"),
        ({"monitor": 1}, TypeError, "monitor"),
    ],
)
def test_arguments(settings: Any, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        Checkpoint(**{"path": "model", **settings})


def test_doubled_braces_mean_themselves(tmp_path: Path) -> None:
    regressor().fit(X, Y, callbacks=[Checkpoint(tmp_path / "{{a}}{epoch}")])
    assert [file.name for file in tmp_path.iterdir()] == ["{a}1"]


def test_lambda_callbacks_are_told_apart_by_their_functions() -> None:
    one = LambdaCallback(on_train_begin=squares)
    assert one._arguments() == {"on_train_begin": "squares"}
