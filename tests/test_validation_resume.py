"""Validated trainings that go on: by files, by `Checkpoint` and resume, and with other rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(4)
X = RNG.normal(size=(50, 4))
Y = np.array(["a", "b", "c"])[RNG.integers(0, 3, 50)]
OTHER = (X[:9], Y[:9])


def model_of() -> Any:
    return im.MLP([4, 20, 3], loss="cross_entropy", optimizer=im.Adam(lr=0.02), seed=3)


SETTINGS: dict[str, dict[str, Any]] = {
    "split": {"validation_split": 0.3},
    "data": {"validation_data": OTHER},
    "skipped": {"validation_split": 0.3, "validation_freq": 3},
    "metrics": {"validation_split": 0.3, "metrics": ["f1", "accuracy"]},
    "balanced": {"validation_split": 0.3, "class_weight": "balanced"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_ten_epochs_are_four_a_file_and_six(name: str, tmp_path: Path) -> None:
    settings: Any = {"batch_size": 8, **SETTINGS[name]}
    whole = model_of().fit(X, Y, epochs=10, **settings)
    model = model_of()
    first = model.fit(X, Y, epochs=4, **settings)
    model.save(tmp_path / "m.safetensors")
    second = im.load(tmp_path / "m.safetensors").fit(X, Y, epochs=6, **settings)
    assert list(whole) == list(first) == list(second)
    for column in whole:
        together = np.concatenate([first[column], second[column]])
        np.testing.assert_array_equal(whole[column], together)


@pytest.mark.parametrize("name", SETTINGS)
def test_ten_epochs_are_four_a_checkpoint_and_resume(name: str, tmp_path: Path) -> None:
    settings: Any = {"batch_size": 8, **SETTINGS[name]}

    def callbacks(place: str) -> list[Any]:
        stopping = im.EarlyStopping(patience=8)
        return [im.callbacks.Checkpoint(tmp_path / place), stopping]

    whole = model_of().fit(X, Y, epochs=10, callbacks=callbacks("whole"), **settings)
    model_of().fit(X, Y, epochs=4, callbacks=callbacks("part"), **settings)
    model = im.load(tmp_path / "part")
    found = model.fit(X, Y, epochs=10, resume=True, callbacks=callbacks("part"), **settings)
    assert list(whole) == list(found)
    for column in whole:
        np.testing.assert_array_equal(whole[column], found[column])


def test_columns_go_on_where_nothing_is_called(tmp_path: Path) -> None:
    settings: Any = {"batch_size": 8, "validation_split": 0.3}
    whole = model_of().fit(X, Y, epochs=6, **settings)
    checkpoint = im.callbacks.Checkpoint(tmp_path / "c")
    model = model_of()
    model.fit(X, Y, epochs=2, callbacks=[checkpoint], **settings)
    found = im.load(tmp_path / "c").fit(
        X, Y, epochs=6, resume=True, callbacks=[checkpoint], **settings
    )
    for column in whole:
        np.testing.assert_array_equal(whole[column], found[column])


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"validation_split": 0.31},
        {"validation_split": 0.3, "validation_freq": 2},
        {"validation_split": 0.3, "metrics": "f1"},
        {"validation_data": OTHER},
        {"validation_split": 0.3, "class_weight": "balanced"},
    ],
)
def test_resume_refuses_other_validation(other: dict[str, Any], tmp_path: Path) -> None:
    checkpoint = im.callbacks.Checkpoint(tmp_path / "c")
    model_of().fit(X, Y, epochs=2, callbacks=[checkpoint], validation_split=0.3)
    model = im.load(tmp_path / "c")
    with pytest.raises(ValueError, match="resume=True goes on with the training"):
        model.fit(X, Y, epochs=4, resume=True, callbacks=[checkpoint], **other)
    model.fit(X, Y, epochs=4, resume=True, callbacks=[checkpoint], validation_split=0.3)
    assert model.epoch == 4
