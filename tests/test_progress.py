"""What fit shows: on a terminal, in a notebook, in a file, and beside a bar of tqdm's."""

import io
import re
import sys
import time
import types
from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0] * X[:, 1]


def regressor() -> im.MLP:
    return im.MLP([4, 6, 1], loss="mse", optimizer=im.Adam(lr=1e-2), seed=1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Notebook(io.StringIO):
    """As the stream of a notebook's kernel."""


Notebook.__module__ = "ipykernel.iostream"


def screen(text: str) -> list[str]:
    """The lines that a terminal shows of this text."""
    lines: list[list[str]] = [[]]
    column = 0
    for character in text:
        if character == "\n":
            lines.append([])
            column = 0
        elif character == "\r":
            column = 0
        else:
            lines[-1][column : column + 1] = [character]
            column += 1
    return ["".join(line).rstrip() for line in lines]


def test_screen() -> None:
    assert screen("long\rab\r\nx\n") == ["abng", "x", ""]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which stands still."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, **settings: Any) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    regressor().fit(X, Y, **{"epochs": 3, **settings})
    return stream.getvalue()


# Where


@pytest.mark.parametrize("verbose", ["auto", True, 1, np.True_])
def test_one_line_that_is_written_again(verbose: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, Terminal(), verbose=verbose)
    assert text.startswith("\r")
    assert text.count("\n") == 1
    line, end = screen(text)
    assert re.fullmatch(r"epoch 3/3  loss \d\.\d+  \d+\.\d s", line)
    assert end == ""


@pytest.mark.parametrize("verbose", ["auto", True])
def test_a_notebooks_line_is_updated_where_it_stands(
    verbose: Any, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    outputs: list[list[str]] = []

    class Handle:
        def update(self, data: dict[str, str], raw: bool) -> None:
            assert raw
            outputs[-1].append(data["text/plain"])

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        outputs.append([data["text/plain"]])
        return Handle()

    def wait(model: im.Sequential, logs: dict[str, Any]) -> None:
        clock[0] += 1.0

    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    module = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    settings: Any = {"epochs": 3, "verbose": verbose, "log_every": 2, "callbacks": [wait]}
    lines = shown(monkeypatch, Notebook(), **settings).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 0", "epoch 2"]
    (line,) = outputs
    states = ["epoch 0/3", "epoch 1/3", "epoch 2/3", "epoch 3/3", "epoch 3/3"]
    assert [text.split("  ")[0] for text in line] == states
    assert shown(monkeypatch, Notebook(), verbose=False) == ""


def test_auto_is_silent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO()) == ""


@pytest.mark.parametrize("verbose", [False, 0, np.False_])
def test_false_is_silent(verbose: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Terminal(), verbose=verbose) == ""


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_epochs_count_from_the_models_birth(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", stream())
    model = regressor()
    model.fit(X, Y, epochs=3, verbose=False)
    model.fit(X, Y, epochs=2, verbose=True)
    assert screen(sys.stderr.getvalue())[-2].startswith("epoch 5/5  loss ")  # type: ignore[attr-defined]


def test_without_a_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = regressor().fit(X, Y, verbose=False)
    monkeypatch.setattr("sys.stderr", None)
    history = regressor().fit(X, Y, verbose=True, log_every=1)
    assert history["loss"].tolist() == silent["loss"].tolist()


def test_a_line_is_no_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        clock[0] += 1.0
        logs.update({f"a_number_with_a_long_name_{i}": i for i in range(9)})

    text = shown(monkeypatch, Terminal(), callbacks=[log])
    # But for the last one, which stays.
    assert max(len(part) for part in re.split("[\r\n]", text)[:-2]) == 79


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_the_line_ends_after_an_exception(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        if logs["epoch"] == 1:
            raise error

    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        with pytest.raises(error):
            regressor().fit(X, Y, epochs=5, verbose=True, callbacks=[fail])
        *_, line, end = screen(stream.getvalue())
        assert line.startswith("epoch 2/5  loss ")
        assert end == ""


# In a file


def test_true_writes_whole_lines_into_a_file(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    def wait(model: im.Sequential, logs: dict[str, Any]) -> None:
        clock[0] += 1.0

    text = shown(monkeypatch, io.StringIO(), verbose=True, epochs=5, callbacks=[wait])
    assert "\r" not in text
    assert [line[:9] for line in text.splitlines()] == [f"epoch {e}/5" for e in (1, 2, 3, 4, 5)]


def test_lines_become_fewer_as_time_goes_on(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    def wait(model: im.Sequential, logs: dict[str, Any]) -> None:
        clock[0] += 0.25

    # A second between two lines, then the fiftieth part of the time that has passed.
    text = shown(monkeypatch, io.StringIO(), verbose=True, epochs=14_400, callbacks=[wait])
    seconds = [float(line.split()[-2]) for line in text.splitlines()]
    assert seconds[:3] == pytest.approx([0.2, 1.2, 2.2], abs=0.06)
    assert seconds[-1] == 3600.0
    assert 200 < len(seconds) < 300


def test_a_fast_fit_writes_two_lines(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    text = shown(
        monkeypatch, io.StringIO(), verbose=True, epochs=50, callbacks=[lambda model, logs: None]
    )
    first, last = text.splitlines()
    assert first.startswith("epoch 1/50  loss ")
    assert last.startswith("epoch 50/50  loss ")


# Lines


@pytest.mark.parametrize("with_callback", [False, True])
def test_log_every(monkeypatch: pytest.MonkeyPatch, with_callback: bool) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    callbacks = [lambda model, logs: None] if with_callback else []
    model = regressor()
    losses = [
        *model.fit(X, Y, epochs=8, log_every=10, callbacks=callbacks)["loss"],
        *model.fit(X, Y, epochs=17, log_every=10, callbacks=callbacks)["loss"],
    ]
    expected = [f"epoch {e}  loss {losses[e]:.6g}" for e in (0, 10, 20)]
    assert stream.getvalue().splitlines() == expected


def test_lines_have_what_callbacks_log(monkeypatch: pytest.MonkeyPatch) -> None:
    log = lambda model, logs: logs.update(val_loss=logs["epoch"] / 2)  # noqa: E731
    lines = shown(monkeypatch, io.StringIO(), log_every=1, callbacks=[log]).splitlines()
    assert [line.split("  ")[2] for line in lines] == ["val_loss 0", "val_loss 0.5", "val_loss 1"]
    (line, _) = screen(shown(monkeypatch, Terminal(), callbacks=[log]))
    assert "  val_loss 1  " in line


def test_lines_stand_above_the_progress_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = screen(shown(monkeypatch, Terminal(), epochs=25, log_every=10))
    starts = ["epoch 0  loss", "epoch 10  loss", "epoch 20  loss", "epoch 25/25  loss", ""]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"verbose": "yes"}, ValueError, ["verbose", "'yes'", "'auto'"]),
        ({"verbose": 10}, ValueError, ["verbose is 10", "log_every=n"]),
        ({"verbose": -1}, ValueError, ["verbose", "-1"]),
        ({"verbose": 1.5}, TypeError, ["verbose", "1.5"]),
        ({"verbose": None}, TypeError, ["verbose", "None"]),
        ({"log_every": -1}, ValueError, ["log_every", "-1"]),
        ({"log_every": 1.5}, TypeError, ["log_every", "1.5"]),
    ],
)
def test_refused(arguments: Any, error: Any, words: list[str]) -> None:
    with pytest.raises(error) as caught:
        regressor().fit(X, Y, **arguments)
    assert all(word in str(caught.value) for word in words), caught.value


# Beside what others show


@pytest.mark.parametrize("pause", [0.0, 1e-4, 1.0], ids=["fast", "1e-4 s", "slow"])
def test_what_callbacks_print_has_lines_of_its_own(
    pause: float, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    """One terminal for both streams."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)

    def say(model: im.Sequential, logs: dict[str, Any]) -> None:
        clock[0] += pause
        print(f"my own {logs['epoch']}", file=terminal)

    regressor().fit(X, Y, epochs=30, callbacks=[say])
    *lines, last, _ = screen(terminal.getvalue())
    assert lines == [f"my own {epoch}" for epoch in range(30)]
    assert last.startswith("epoch 30/30  loss ")


class Bar:
    """As much of tqdm's as is used."""

    calls: list[Any]

    def __init__(self, initial: int, total: int, unit: str) -> None:
        self.calls.append((initial, total, unit))

    def set_postfix(self, numbers: dict[str, str], refresh: bool) -> None:
        self.calls.append({name: float(number) for name, number in numbers.items()})

    def update(self) -> None:
        self.calls.append("update")

    def close(self) -> None:
        self.calls.append("close")

    @classmethod
    def write(cls, text: str, file: Any) -> None:
        cls.calls.append(text)


@pytest.fixture
def bar_calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    Bar.calls = []
    module = types.ModuleType("tqdm.auto")
    module.tqdm = Bar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    return Bar.calls


def test_progress_bar(bar_calls: list[Any]) -> None:
    log = lambda model, logs: logs.update(score=0.5)  # noqa: E731
    model = regressor()
    model.fit(X, Y, epochs=3)
    history = model.fit(X, Y, epochs=2, callbacks=[im.ProgressBar(), log])
    first, second = ({"loss": float(f"{x:.6g}"), "score": 0.5} for x in history["loss"])
    assert bar_calls == [(3, 5, "epoch"), first, "update", second, "update", "close"]


@pytest.mark.parametrize("verbose", ["auto", True])
def test_a_bar_takes_the_place_of_the_line(
    verbose: Any, bar_calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    callbacks = [im.ProgressBar()]
    assert shown(monkeypatch, Terminal(), verbose=verbose, callbacks=callbacks) == ""
    assert bar_calls[-1] == "close"


def test_lines_stand_above_a_bar(bar_calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    callbacks = [im.ProgressBar()]
    assert shown(monkeypatch, Terminal(), log_every=2, callbacks=callbacks) == ""
    lines = [call for call in bar_calls if isinstance(call, str) and call.startswith("epoch")]
    assert [line.split("  ")[0] for line in lines] == ["epoch 0", "epoch 2"]


@pytest.mark.parametrize("moment", ["on_train_begin", "on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_a_bar_closes_after_an_exception(moment: str, error: Any, bar_calls: list[Any]) -> None:
    def fail(model: im.Sequential, logs: dict[str, Any]) -> None:
        raise error

    hooks: Any = {moment: fail}
    callbacks = [im.LambdaCallback(**hooks), im.ProgressBar()]
    with pytest.raises(error) as caught:
        regressor().fit(X, Y, callbacks=callbacks)
    assert not hasattr(caught.value, "__notes__")
    assert bar_calls == ([] if moment == "on_train_begin" else [(0, 1, "epoch"), "close"])


def test_progress_bar_with_tqdm(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    regressor().fit(X, Y, epochs=3, log_every=1, callbacks=[im.ProgressBar()])
    text = capsys.readouterr().err
    assert "3/3" in text
    assert "epoch 2  loss" in text


def test_progress_bar_without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'ironmlp\[progress\]'"):
        im.ProgressBar()
