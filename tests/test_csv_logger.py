"""CSVLogger: the file that it writes, row by row, and what becomes of an older one."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import ironmlp as im
from ironmlp.callbacks import Callback, CSVLogger, LambdaCallback
from states import unchanged

X = np.random.default_rng(0).normal(size=(20, 4))
Y = X[:, 0] * X[:, 1]


def regressor() -> im.MLP:
    return im.MLP([4, 2, 1], loss="mse", optimizer=im.Adam(lr=0.01), seed=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "epochs.csv"


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_row_an_epoch_with_all_digits(path: Path) -> None:
    model = regressor()
    model.fit(X, Y, epochs=3)
    log = lambda model, logs: logs.update(third=np.float32(1 / 3), flag=True)  # noqa: E731
    history = model.fit(X, Y, epochs=2, callbacks=[CSVLogger(path), log])
    first, second = history["loss"].tolist()
    third = repr(float(np.float32(1 / 3)))
    assert path.read_text() == (
        f"epoch,loss,third,flag\n3,{first!r},{third},1.0\n4,{second!r},{third},1.0\n"
    )


def test_it_is_the_history(path: Path) -> None:
    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] > 2:
            logs["late, with a comma"] = -np.inf
        logs["val_loss"] = np.nan if logs["epoch"] % 2 else 0.1

    history = regressor().fit(X, Y, epochs=6, callbacks=[CSVLogger(path), log])
    read = pandas.read_csv(path, index_col="epoch")
    assert len(read) == 6
    pandas.testing.assert_frame_equal(read, history.to_frame(), rtol=1e-15)


def test_each_row_is_there_when_its_epoch_has_ended(path: Path) -> None:
    seen: list[int] = []

    class Last(Callback):
        _rank = 4

        def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
            seen.append(len(table(path)))

    regressor().fit(X, Y, epochs=4, callbacks=[Last(), CSVLogger(path)])
    assert seen == [2, 3, 4, 5]


def test_a_column_that_appears_later_is_empty_before(path: Path) -> None:
    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 2:
            logs["late"] = 7

    regressor().fit(X, Y, epochs=4, callbacks=[CSVLogger(path), log])
    header, *rows = table(path)
    assert header == ["epoch", "loss", "late"]
    assert [row[2] for row in rows] == ["", "", "7.0", ""]


def test_not_a_number_and_no_number_are_empty_cells(path: Path) -> None:
    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["a"] = np.nan
        if logs["epoch"]:
            logs["b"] = np.inf

    regressor().fit(X, Y, epochs=2, callbacks=[CSVLogger(path), log])
    assert [row[2:] for row in table(path)] == [["a", "b"], ["", ""], ["", "inf"]]


def test_what_is_logged_at_the_end_belongs_to_the_last_epoch(path: Path) -> None:
    end = LambdaCallback(on_train_end=lambda model, logs: logs.update(final=5))
    history = regressor().fit(X, Y, epochs=2, callbacks=[CSVLogger(path), end])
    assert [row[2] for row in table(path)] == ["final", "", "5.0"]
    assert history["final"].tolist()[1] == 5


def test_a_fit_replaces_the_file_of_an_earlier_one(path: Path) -> None:
    model, logger = regressor(), CSVLogger(path)
    model.fit(X, Y, epochs=3, callbacks=[logger])
    model.fit(X, Y, epochs=2, callbacks=[logger])
    assert [row[0] for row in table(path)] == ["epoch", "3", "4"]


def test_a_fit_that_ends_before_its_first_epoch_leaves_the_file(path: Path) -> None:
    path.write_text("precious")
    regressor().fit(X, Y, epochs=0, callbacks=[CSVLogger(path)])
    with pytest.raises(ValueError, match="sample_weight"):
        regressor().fit(X, Y, sample_weight=[-1.0] * 20, callbacks=[CSVLogger(path)])
    assert path.read_text() == "precious"


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_after_an_exception_the_rows_are_there(path: Path, error: Any) -> None:
    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 2:
            raise error

    with pytest.raises(error):
        regressor().fit(X, Y, epochs=5, callbacks=[CSVLogger(path), fail])
    # As in the history, which has the epoch that the exception came after.
    assert [row[0] for row in table(path)] == ["epoch", "0", "1", "2"]


@pytest.mark.parametrize("wrong", ["missing/epochs.csv", "."])
def test_a_place_that_is_none_is_an_error_before_the_first_step(tmp_path: Path, wrong: str) -> None:
    model = regressor()
    with unchanged(model), pytest.raises(OSError, match=r"folder") as caught:
        model.fit(X, Y, callbacks=[CSVLogger(tmp_path / wrong)])
    assert caught.value.filename == str(tmp_path / wrong)


def test_a_path_must_be_one() -> None:
    with pytest.raises(TypeError):
        CSVLogger(3)  # type: ignore[arg-type]
