"""fit(resume=True): what it refuses, and says about it, and what may differ."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, Checkpoint, EarlyStopping, LambdaCallback
from states import unchanged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor() -> im.MLP:
    return im.MLP([4, 6, 1], loss="mse", optimizer=im.Adam(lr=1e-2), seed=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


class Counting(Callback):
    pass


def watch(model: im.Sequential, logs: dict[str, Any]) -> None:
    logs["val_loss"] = float(logs["epoch"])


def begun(path: Path) -> im.Sequential:
    regressor().fit(
        X, Y, epochs=2, batch_size=16, callbacks=[EarlyStopping(), watch, Checkpoint(path)]
    )
    return im.load(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 8}, "batch_size is 8, it was 16"),
        ({"batch_size": None}, "batch_size is None, it was 16"),
        ({"shuffle": False}, "shuffle is False, it was True"),
        ({"X": X[:40], "y": Y[:40]}, "the number of rows that are trained on is 40, it was 50"),
        ({"y": Y[::-1]}, "y's checksum is"),
        ({"sample_weight": np.arange(50)}, "the checksum of sample_weight and class_weight is"),
        ({"batch_size": 8, "shuffle": False}, "batch_size is 8, it was 16; shuffle is False"),
    ],
)
def test_other_settings_are_refused_and_the_error_says_which(
    path: Path, changes: Any, words: str
) -> None:
    model = begun(path)
    given: Any = {
        "X": X,
        "y": Y,
        "batch_size": 16,
        "callbacks": [EarlyStopping(), watch, Checkpoint(path)],
    }
    with unchanged(model), pytest.raises(ValueError, match="resume=True") as caught:
        model.fit(**given | changes, epochs=4, resume=True)
    assert words in str(caught.value)
    # It was no step, so the training can still be resumed.
    assert len(model.fit(**given, epochs=4, resume=True)) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"validation_split": 0.3}, "the checksum of the rows that validate is"),
        ({"validation_split": 0.0, "validation_freq": 1}, "rows that validate is None, it was "),
        ({"validation_split": 0.0, "validation_data": (X, Y)}, "the checksum of the rows that"),
        ({"validation_freq": 1}, "validation_freq is 1, it was 2"),
        ({"metrics": ["mae"]}, "metrics is ['mae'], it was auto"),
    ],
)
def test_another_validation_is_refused(path: Path, changes: Any, words: str) -> None:
    def given() -> Any:
        return {"validation_split": 0.2, "validation_freq": 2, "callbacks": [Checkpoint(path)]}

    regressor().fit(X, Y, epochs=2, **given())
    model = im.load(path)
    with unchanged(model), pytest.raises(ValueError, match="resume=True") as caught:
        model.fit(X, Y, epochs=4, resume=True, **given() | changes)
    assert words in str(caught.value)
    assert len(model.fit(X, Y, epochs=4, resume=True, **given())) == 4


def test_other_class_weights_are_refused(path: Path) -> None:
    model, labels = im.MLP([4, 2], loss="cross_entropy", seed=1), (Y > 0) * 1
    model.fit(X, labels, class_weight="balanced", callbacks=[Checkpoint(path)])
    model = im.load(path)
    with (
        unchanged(model),
        pytest.raises(ValueError, match="sample_weight and class_weight is None"),
    ):
        model.fit(X, labels, epochs=2, callbacks=[Checkpoint(path)], resume=True)


def another(model: im.Sequential, logs: dict[str, Any]) -> None:
    pass


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([watch], "there is none, there was EarlyStopping(monitor='auto'"),
        (
            [EarlyStopping(patience=3), watch],
            "is EarlyStopping(monitor='auto', min_delta=0.0, patience=3",
        ),
        ([EarlyStopping(), watch, Counting()], "there is Counting(), there was none"),
        ([EarlyStopping(), another], "there is LambdaCallback(on_epoch_end='another'), there was "),
        ([EarlyStopping(), watch, watch], "on_epoch_end='watch'"),
    ],
)
def test_other_callbacks_are_refused_and_the_error_says_which(
    path: Path, given: Any, words: str
) -> None:
    model = begun(path)
    with unchanged(model), pytest.raises(ValueError, match="resume=True") as caught:
        model.fit(X, Y, epochs=4, batch_size=16, callbacks=[*given, Checkpoint(path)], resume=True)
    assert words in str(caught.value)


def test_what_decides_nothing_may_differ(path: Path, tmp_path: Path) -> None:
    """The order among ranks, displays, paths, threads, and batches that hold all rows anyway."""
    regressor().fit(
        X, Y, epochs=2, batch_size=50, callbacks=[EarlyStopping(), watch, Checkpoint(path)]
    )
    model = im.load(path, n_threads=1)
    (tmp_path / "moved").mkdir()
    moved = Checkpoint(tmp_path / "moved" / "model")
    given: Any = [im.ProgressBar(), moved, watch, EarlyStopping()]
    history = model.fit(
        X, Y, epochs=4, batch_size=None, callbacks=given, resume=True, verbose=False
    )
    assert len(history) == 4


def test_a_model_that_was_trained_since_is_refused(path: Path) -> None:
    model = begun(path)
    model.train_on_batch(X, Y)
    with unchanged(model), pytest.raises(ValueError, match="load the file again"):
        model.fit(
            X,
            Y,
            epochs=4,
            batch_size=16,
            callbacks=[EarlyStopping(), watch, Checkpoint(path)],
            resume=True,
        )
    model.save(path)
    assert im.load(path).history is None


def test_a_training_that_an_error_has_ended_begins_again_from_its_file(path: Path) -> None:
    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        if failing and logs["epoch"] == 3:
            raise KeyboardInterrupt

    def given() -> Any:
        return [fail, Checkpoint(path)]

    failing = True
    regressor().fit(X, Y, epochs=2, callbacks=given())
    model = im.load(path)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=9, callbacks=given(), resume=True)
    failing = False
    with unchanged(model), pytest.raises(ValueError, match="load the file again"):
        model.fit(X, Y, epochs=9, callbacks=given(), resume=True)
    model = im.load(path)
    assert model.epoch == 3
    assert len(model.fit(X, Y, epochs=9, callbacks=given(), resume=True)) == 9
    # It has returned, and goes on like any other model.
    assert len(model.fit(X, Y, epochs=10, resume=True)) == 1


def test_reset_forgets_the_checkpoint(path: Path) -> None:
    model = begun(path)
    model.reset()
    assert model.history is None
    assert len(model.fit(X, Y, epochs=4, resume=True)) == 4


def test_an_error_before_the_first_step_leaves_what_can_be_resumed(path: Path) -> None:
    failing = [True]

    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        if failing[0]:
            raise LookupError

    def given() -> Any:
        return [LambdaCallback(on_train_begin=fail), EarlyStopping(), Checkpoint(path)]

    failing[0] = False
    regressor().fit(X, Y, epochs=2, callbacks=given())
    model = im.load(path)
    failing[0] = True
    with unchanged(model), pytest.raises(LookupError):
        model.fit(X, Y, epochs=4, callbacks=given(), resume=True)
    failing[0] = False
    assert len(model.fit(X, Y, epochs=4, callbacks=given(), resume=True)) == 4


def test_a_callback_with_a_state_must_take_it_back(path: Path) -> None:
    class Half(Callback):
        def state(self) -> dict[str, Any]:
            return {"a": 1}

    regressor().fit(X, Y, epochs=2, callbacks=[Half(), Checkpoint(path)])
    with pytest.raises(TypeError, match="override set_state"):
        im.load(path).fit(X, Y, epochs=4, callbacks=[Half(), Checkpoint(path)], resume=True)


@pytest.mark.parametrize("resume", [1, "yes", None])
def test_resume_is_true_or_false(resume: Any) -> None:
    model = regressor()
    with unchanged(model), pytest.raises(TypeError, match="resume"):
        model.fit(X, Y, resume=resume)


def test_streams_are_refused(path: Path) -> None:
    stream = [(X[:25], Y[:25]), (X[25:], Y[25:])]
    model = regressor()
    with unchanged(model), pytest.raises(ValueError, match="resume goes with arrays"):
        model.fit(stream, epochs=2, resume=True)
    model.fit(stream, epochs=2, callbacks=[Checkpoint(path)])
    loaded = im.load(path)
    assert loaded.history is not None
    assert len(loaded.history) == 2
    with unchanged(loaded), pytest.raises(ValueError, match="streamed is None, it was True"):
        loaded.fit(X, Y, epochs=4, callbacks=[Checkpoint(path)], resume=True)
