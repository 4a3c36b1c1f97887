"""History: its columns, how it shows itself, its table, and its plot."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.history import History

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


# The plot


@pytest.fixture
def pyplot() -> Iterator[Any]:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def axes(ax: Any) -> Any:
    """The left axes and, if there are any, the right ones."""
    return ax, next((other for other in ax.figure.axes if other is not ax), None)


def test_plot(pyplot: Any) -> None:
    found = history(first=3, loss=[3, 2, 1.5])
    ax = found.plot()
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [3, 4, 5]
    assert line.get_ydata().tolist() == [3, 2, 1.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert axes(ax)[1] is None
    assert found.plot(ax) is ax


def test_losses_and_scores_have_axes_of_their_own(pyplot: Any) -> None:
    found = history(
        loss=[3, 2, 1], accuracy=[0.5, 0.6, 0.7], val_loss=[3, 3, 3], val_accuracy=[0.4] * 3
    )
    left, right = axes(found.plot())
    assert [line.get_label() for line in left.lines] == ["loss", "val_loss"]
    assert [line.get_label() for line in right.lines] == ["accuracy", "val_accuracy"]
    assert (left.get_ylabel(), right.get_ylabel()) == ("loss", "accuracy")
    colors = [line.get_color() for line in (*left.lines, *right.lines)]
    assert colors == ["C0", "C0", "C1", "C1"]
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["loss", "val_loss", "accuracy", "val_accuracy"]


def test_epochs_are_whole_numbers(pyplot: Any) -> None:
    for count in (1, 2, 3):
        ax = history(loss=np.linspace(2, 1, count)).plot()
        ax.figure.canvas.draw()
        ticks = ax.get_xticks()
        assert len(ticks)
        assert all(tick == round(tick) for tick in ticks)


def test_epochs_without_a_number_leave_no_gap_and_single_points_are_seen(pyplot: Any) -> None:
    _, right = axes(history(loss=[3, 2, 1, 1], score=[np.nan, 0.5, np.nan, 0.7]).plot())
    (line,) = right.lines
    assert line.get_xdata().tolist() == [1, 3]
    assert line.get_marker() == "."


@pytest.mark.parametrize(
    ("losses", "label", "scale", "below"),
    [
        # More than a decade: all of it on a logarithmic axis.
        ([50, 5, 0.5, 0.05, 0.04], "loss (log scale)", "log", 0.04),
        ([2.0, 1.5, 1.2, 1.0, 0.9], "loss", "linear", 0.9),
        # The first of ten epochs is nine tenths of the height, and leaves it to the others.
        ([9, *np.linspace(1.1, 0.99, 9)], "loss (first epoch outside)", "linear", 0.99),
        # So are the first two of twenty; no logarithm of negative numbers.
        ([900, 90, *np.linspace(1, -1, 18)], "loss (first 2 epochs outside)", "linear", -1.0),
        ([5.0] * 6, "loss", "linear", 5.0),
        ([np.inf, 2.0, 1.0, 0.9, 0.8], "loss", "linear", 0.8),
    ],
)
def test_the_first_epoch_does_not_squash_the_rest(
    losses: Any, label: str, scale: str, below: float, pyplot: Any
) -> None:
    ax = history(loss=losses).plot()
    assert ax.get_ylabel() == label
    assert ax.get_yscale() == scale
    low, high = ax.get_ylim()
    assert low < below < high
    if "outside" in label:
        assert high - low < 1.2 * np.ptp(losses[len(losses) // 10 :])


def test_a_history_without_epochs_has_a_plot(pyplot: Any) -> None:
    assert history(loss=[]).plot().get_ylabel() == "loss"
