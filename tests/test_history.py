"""History: its columns, its best epoch, how it shows itself, and its table."""

import pickle
import re
import sys
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.history import History
from pages import Page

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor() -> im.MLP:
    return im.MLP([4, 6, 1], loss="mse", optimizer=im.Adam(lr=1e-2), seed=1)


def history(first: int = 0, **columns: Any) -> History:
    arrays = {name: np.array(values, float) for name, values in columns.items()}
    return History(arrays, range(first, first + len(arrays["loss"])), "epochs")


def test_it_keeps_the_numbers_of_callbacks() -> None:
    def every_other(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] % 2:
            logs["val_loss"] = np.float32(logs["epoch"])

    found = regressor().fit(X, Y, epochs=5, callbacks=[every_other])
    assert found.keys() == ["loss", "val_loss"]
    np.testing.assert_array_equal(found["val_loss"], [np.nan, 1.0, np.nan, 3.0, np.nan])
    assert found["val_loss"].dtype == np.float64
    assert "val_loss" in found
    assert "accuracy" not in found
    with pytest.raises(KeyError, match="'loss', 'val_loss'"):
        found["accuracy"]


@pytest.mark.parametrize("callbacks", [(), (lambda model, logs: None,)], ids=["plain", "callback"])
def test_epochs_count_from_the_models_birth(callbacks: Any) -> None:
    model = regressor()
    model.fit(X, Y, epochs=3)
    found = model.fit(X, Y, epochs=2, callbacks=callbacks)
    assert found.epochs.dtype == np.int64
    assert found.epochs.tolist() == [3, 4]


def test_it_shows_itself() -> None:
    stop = lambda model, logs: setattr(model, "stop_training", True)  # noqa: E731
    text = repr(regressor().fit(X, Y, epochs=2, callbacks=[stop]))
    assert text.startswith("<History: 1 epoch, last loss ")
    assert text.endswith(", stop_reason 'stopped'>")
    assert repr(history(loss=[3, 2], accuracy=[0.5, 0.75])) == (
        "<History: 2 epochs, last loss 2, accuracy 0.75, stop_reason 'epochs'>"
    )
    assert repr(history(loss=[])) == "<History: 0 epochs, stop_reason 'epochs'>"


def test_to_frame() -> None:
    pandas = pytest.importorskip("pandas")
    model = regressor()
    model.fit(X, Y, epochs=4)
    found = model.fit(X, Y, epochs=3)
    frame = found.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["loss"].tolist() == found["loss"].tolist()
    assert frame.index.name == "epoch"
    assert frame.index.tolist() == [4, 5, 6]


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
    found = regressor().fit(X, Y)
    # None makes an import fail, a cached submodule would let it through.
    for name in {package, f"{package}.pyplot"}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as caught:
        getattr(found, call)()
    assert words in str(caught.value)


def test_it_iterates_as_a_dict_does() -> None:
    found = history(loss=[3, 2], accuracy=[0.5, 0.75])
    assert list(found) == found.keys() == ["loss", "accuracy"]
    assert [name for name, _ in found.items()] == list(found)
    for (_, column), same in zip(found.items(), found.values(), strict=True):
        assert column is same
    assert {name: column.tolist() for name, column in dict(found).items()} == {
        "loss": [3, 2],
        "accuracy": [0.5, 0.75],
    }
    # The number of epochs, as before.
    assert len(found) == 2
    assert all(name in found for name in found)


def test_the_best_epoch_is_that_of_the_smallest_validation_loss() -> None:
    assert history(3, loss=[5, 4, 3, 2, 1], val_loss=[np.nan, 2, 1, 1, 3]).best_epoch == 5
    assert history(loss=[3, 2]).best_epoch is None
    assert history(loss=[3, 2], val_loss=[np.nan, np.nan]).best_epoch is None
    assert history(loss=[], val_loss=[]).best_epoch is None


def test_the_best_epoch_is_the_one_that_early_stopping_gave_back() -> None:
    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["val_loss"] = 10 - logs["epoch"]
        logs["val_accuracy"] = -abs(logs["epoch"] - 3)

    stopping = im.EarlyStopping("val_accuracy", patience=2)
    model = regressor()
    found = model.fit(X, Y, epochs=9, callbacks=[log, stopping])
    assert found.stop_reason == "early_stopping"
    assert found.best_epoch == stopping.best_epoch == 3 == model.epoch - 1
    assert pickle.loads(pickle.dumps(found)).best_epoch == 3
    kept = im.EarlyStopping("val_accuracy", patience=2, restore_best_weights=False)
    found = regressor().fit(X, Y, epochs=9, callbacks=[log, kept])
    assert found.best_epoch == found.epochs[-1] == 5
    # What an earlier fit gave back is not this one's.
    assert regressor().fit(X, Y, epochs=0, callbacks=[log, stopping]).best_epoch is None


def test_a_notebook_shows_the_last_and_the_best_numbers() -> None:
    found = history(2, loss=[30, 20, 1], val_accuracy=[0.5, 0.75, 0.25], odd=[np.nan, 1, np.nan])
    found.stop_reason, found.stop_message = "stopped", "a <b> & c"
    page = Page(found._repr_html_())
    assert page.words.strip() == "3 epochs, stop_reason 'stopped' (a <b> & c)"
    assert "<b>" not in found._repr_html_()
    assert page.rows == [
        ["", "last", "best", "of epoch", ""],
        ["loss", "1", "1", "4", ""],
        ["val_accuracy", "0.25", "0.75", "3", ""],
        ["odd", "nan", "", "", ""],
    ]
    assert page.tags.count("svg") == page.tags.count("polyline") == 2
    assert set(page.tags) <= {"div", "table", "thead", "tbody", "tr", "th", "td", "svg", "polyline"}
    name = "<script>"
    assert name not in history(loss=[1], **{name: [1]})._repr_html_()


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1],
        [np.nan, np.inf],
        [1, 1, 1],
        [1e308, -1e308, np.nan, 5],
        [5e-324, 1e308, 0.5],
        10.0 ** np.linspace(3, -3, 1000),
        np.sin(np.arange(5000.0)),
    ],
)
def test_the_small_curves_are_within_their_pictures(values: Any) -> None:
    html = history(loss=values)._repr_html_()
    found = re.findall(r'points="([^"]*)"', html)
    assert len(found) == (np.count_nonzero(np.isfinite(np.array(values, float))) > 1)
    for points in found:
        xs, ys = np.array([point.split(",") for point in points.split()], float).T
        assert 2 <= len(xs) <= 122
        assert (np.diff(xs) >= 0).all()
        assert (xs.min(), xs.max()) == (1, 119)
        assert ys.min() >= 1
        assert ys.max() <= 19
        assert len(set(ys)) == 1 or (ys.min(), ys.max()) == (1, 19)


def test_a_small_curve_goes_as_its_numbers_do() -> None:
    """Upwards is a smaller y; each part of a long one keeps its least and its largest number."""
    rng = np.random.default_rng(0)
    for values in ([1, 3, 2], [*range(1000)], rng.normal(size=10_000).cumsum()):
        (points,) = re.findall(r'points="([^"]*)"', history(loss=values)._repr_html_())
        xs, ys = np.array([point.split(",") for point in points.split()], float).T
        low, high = np.min(values), np.max(values)
        heights = 19 - 18 * (np.array(values) - low) / (high - low)
        where = 1 + 118 * np.arange(len(values)) / (len(values) - 1)
        for x, y in zip(xs, ys, strict=True):
            near = heights[np.abs(where - x) <= 0.06]
            assert np.abs(near - y).min() <= 0.06
        for place in (np.argmin(values), np.argmax(values)):
            assert np.abs(xs[np.abs(ys - heights[place]) <= 0.06] - where[place]).min() <= 0.06
