"""History.plot: its panels, lines, scales, and what it marks."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from ironmlp.history import History


def history(first: int = 0, **columns: Any) -> History:
    arrays = {name: np.array(values, float) for name, values in columns.items()}
    return History(arrays, range(first, first + len(arrays["loss"])), "epochs")


@pytest.fixture
def pyplot() -> Iterator[Any]:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def panels(ax: Any) -> dict[str, list[str]]:
    """The names of the lines of each panel, by the first line of its label."""
    return {
        panel.get_ylabel().split("\n")[0]: [
            line.get_label() for line in panel.lines if "epoch" not in line.get_label()[:14]
        ]
        for panel in ax.figure.axes
    }


def curves(panel: Any) -> dict[str, Any]:
    """The lines of a panel but for the mark of an epoch."""
    return {line.get_label(): line for line in panel.lines if len(line.get_xdata()) != 2}


def words(panel: Any) -> list[str]:
    legend = panel.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_one_column(pyplot: Any) -> None:
    found = history(first=3, loss=[3, 2, 1.5])
    ax = found.plot()
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [3, 4, 5]
    assert line.get_ydata().tolist() == [3, 2, 1.5]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert ax.figure.axes == [ax]
    assert words(ax) == []
    assert found.plot(ax) is ax


def test_losses_errors_scores_others_and_the_rate_have_panels_of_their_own(pyplot: Any) -> None:
    names = ["accuracy", "val_accuracy", "mae", "val_rmse", "odd", "penalty", "val_loss"]
    found = history(
        loss=[3, 2, 1], learning_rate=[1, 1, 0.1], **{name: [0.5, 0.6, 0.7] for name in names}
    )
    ax = found.plot()
    losses, errors, scores, others, rate = ax.figure.axes
    assert losses is ax
    assert list(curves(losses)) == ["loss", "val_loss", "penalty"]
    assert list(curves(errors)) == ["mae", "val_rmse"]
    assert list(curves(scores)) == ["accuracy", "val_accuracy"]
    assert list(curves(others)) == ["odd"]
    assert list(curves(rate)) == ["learning_rate"]
    labels = [panel.get_ylabel() for panel in ax.figure.axes]
    assert labels == ["loss, penalty", "mae, val_rmse", "accuracy", "odd", "learning\nrate"]
    # Epochs are written below the last, for all of them.
    assert [panel.get_xlabel() for panel in ax.figure.axes] == [*[""] * 4, "epoch"]
    assert len({panel.get_xlim() for panel in ax.figure.axes}) == 1
    assert words(scores) == ["accuracy", "val_accuracy"]
    assert words(others) == words(rate) == []
    ax.figure.canvas.draw()
    heights = [panel.get_position().y1 for panel in ax.figure.axes]
    assert heights == sorted(heights, reverse=True)


def test_a_number_and_its_validation_have_one_colour_and_dashes(pyplot: Any) -> None:
    names = ("accuracy", "val_accuracy", "f1", "val_f1")
    found = history(loss=[3, 2, 1], **{name: [0.5, 0.6, 0.7] for name in names})
    lines = curves(found.plot().figure.axes[1])
    assert list(lines) == [*names]
    for name in ("accuracy", "f1"):
        ours, held_out = lines[name], lines[f"val_{name}"]
        assert ours.get_color() == held_out.get_color()
        assert (ours.get_linestyle(), held_out.get_linestyle()) == ("-", "--")
        # So they are told apart without colours, and where there is one epoch.
        assert ours.get_marker() == held_out.get_marker()
        assert ours.get_markerfacecolor() != held_out.get_markerfacecolor() == "white"
    assert lines["f1"].get_color() != lines["accuracy"].get_color()
    assert lines["f1"].get_marker() != lines["accuracy"].get_marker()


def test_the_rate_is_shown_where_it_changed(pyplot: Any) -> None:
    assert len(history(loss=[3, 2], learning_rate=[0.1, 0.1]).plot().figure.axes) == 1
    _, rate = history(loss=[3, 2, 1], learning_rate=[0.1, 0.1, 0.01]).plot().figure.axes
    (line,) = rate.lines
    assert line.get_drawstyle() == "steps-mid"
    assert line.get_ydata().tolist() == [0.1, 0.1, 0.01]


def test_the_best_epoch_is_marked_in_all_panels(pyplot: Any) -> None:
    found = history(4, loss=[3, 2, 1], val_loss=[3, 2, 4], r2=[0.1, 0.2, 0.3])
    ax = found.plot()
    for panel in ax.figure.axes:
        (mark,) = [line for line in panel.lines if len(line.get_xdata()) == 2]
        assert list(mark.get_xdata()) == [5, 5]
    assert words(ax) == ["loss", "val_loss", "best epoch 5"]
    found._restored = 6
    ax = found.plot()
    assert words(ax)[-1] == "restored epoch 6"
    assert list(ax.lines[-1].get_xdata()) == [6, 6]
    assert words(history(loss=[3, 2]).plot()) == []


def test_it_goes_into_the_place_of_given_axes(pyplot: Any) -> None:
    found = history(loss=[3, 2, 1], accuracy=[0.5, 0.6, 0.7])
    figure, (left, right) = pyplot.subplots(1, 2)
    loose = figure.add_axes((0.4, 0.4, 0.2, 0.2))
    for ax in (right, loose):
        before, others = ax.get_position(), list(figure.axes)
        assert found.plot(ax) is ax
        (below,) = [axes for axes in figure.axes if axes not in others]
        box = below.get_position()
        assert [box.x0, box.x1] == pytest.approx([before.x0, before.x1])
        assert [box.y0, ax.get_position().y1] == pytest.approx([before.y0, before.y1])
        assert box.y1 < ax.get_position().y0
    assert not left.lines
    figure, ax = pyplot.subplots(layout="constrained")
    found.plot(ax)
    figure.canvas.draw()


def test_epochs_are_whole_numbers(pyplot: Any) -> None:
    for count in (1, 2, 3, 5000):
        ax = history(loss=np.linspace(2, 1, count)).plot()
        ax.figure.canvas.draw()
        ticks = ax.get_xticks()
        assert len(ticks)
        assert all(tick == round(tick) for tick in ticks)


def test_epochs_without_a_number_leave_no_gap_and_single_points_are_seen(pyplot: Any) -> None:
    score = np.where(np.arange(100) % 30, np.nan, 0.5)
    losses, others = (
        history(loss=[*range(100)], score=score, val_loss=[np.nan] * 100).plot().figure.axes
    )
    (line,) = others.lines
    assert line.get_xdata().tolist() == [0, 30, 60, 90]
    assert line.get_marker() == "o"
    assert curves(losses)["loss"].get_marker() in (None, "None")
    assert not len(curves(losses)["val_loss"].get_xdata())


@pytest.mark.parametrize(
    ("losses", "label", "scale", "below"),
    [
        # More than a decade: all of it on a logarithmic axis.
        ([50, 5, 0.5, 0.05, 0.04], "loss\n(log scale)", "log", 0.04),
        ([1e12, 1e4, 1e-7], "loss\n(log scale)", "log", 1e-7),
        ([2.0, 1.5, 1.2, 1.0, 0.9], "loss", "linear", 0.9),
        # The first of ten epochs is nine tenths of the height, and leaves it to the others.
        ([9, *np.linspace(1.1, 0.99, 9)], "loss\n(first epoch outside)", "linear", 0.99),
        # So are the first two of twenty; no logarithm of negative numbers.
        ([900, 90, *np.linspace(1, -1, 18)], "loss\n(first 2 epochs outside)", "linear", -1.0),
        ([5.0] * 6, "loss", "linear", 5.0),
        ([1e150, 1.0, 1e-150], "loss\n(log scale)", "log", 1.0),
        ([-1e150, *[1e150] * 5], "loss", "linear", 1e149),
        ([0.0] * 6, "loss", "linear", 0.0),
        ([np.inf, 2.0, 1.0, 0.9, 0.8], "loss", "linear", 0.8),
        # What is 0 in the end does not take the logarithm from the others.
        ([5.0, 0.5, 0.05, 0.0], "loss\n(log scale)", "log", 0.05),
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


def test_logarithmic_axes_have_numbers_that_one_can_read(pyplot: Any) -> None:
    ax = history(loss=np.geomspace(2, 0.12, 50)).plot()
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    shown = [
        label.get_text()
        for tick, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
        if low < tick < high
    ]
    assert shown == ["0.2", "0.5", "1", "2"]


def test_no_text_of_a_full_picture_lies_on_another(pyplot: Any) -> None:
    falling = np.geomspace(2, 0.05, 60)
    names = ("accuracy", "balanced_accuracy", "f1", "roc_auc")
    found = history(
        loss=falling,
        val_loss=falling + 0.1,
        learning_rate=np.repeat([0.1, 0.01, 0.001], 20),
        **{before + name: 1 - falling / 2 for name in names for before in ("", "val_")},
    )
    figure = found.plot().figure
    figure.canvas.draw()
    boxes = []
    for panel in figure.axes:
        labels = [*panel.get_yticklabels(), *panel.get_xticklabels()]
        legend = panel.get_legend()
        texts = [
            panel.xaxis.label,
            panel.yaxis.label,
            *labels,
            *(legend.get_texts() if legend else []),
        ]
        boxes += [
            (text.get_text(), text.get_window_extent())
            for text in texts
            if text.get_text() and text.get_visible() and on_axis(panel, text)
        ]
    assert len(boxes) > 20
    for i, (one, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1, one
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1, one
        for other, its in boxes[:i]:
            assert not box.overlaps(its), (one, other)


def on_axis(panel: Any, text: Any) -> bool:
    """Whether a tick's label is drawn: those of ticks outside of the limits are not."""
    x, y = text.get_position()
    if text in panel.get_yticklabels():
        low, high = panel.get_ylim()
        return bool(low <= y <= high)
    if text in panel.get_xticklabels():
        low, high = panel.get_xlim()
        return bool(low <= x <= high and panel.xaxis.get_tick_params()["labelbottom"])
    return True


def test_a_history_without_epochs_has_a_plot(pyplot: Any) -> None:
    assert history(loss=[]).plot().get_ylabel() == "loss"
    history(loss=[], val_loss=[]).plot().figure.canvas.draw()
