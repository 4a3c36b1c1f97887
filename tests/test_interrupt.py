"""Ctrl-C: it comes out of `fit`, finished steps stay, and the model is free, whenever it comes.

A test measures no time: a limit far above all that is promised fails only what hangs.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ironmlp as im
import processes
from hostile import N, X, Y, regressor
from states import everything, squares

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs an OS with POSIX signals")

# A batch of 3 rows: 7 batches an epoch, the last one shorter.
SIZE = 3
BATCHES = 7


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """The handler of Ctrl-C that Python begins with, and afterwards the one that was there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def by_hand(model: im.Sequential, steps: int, x: Any = X, y: Any = Y) -> None:
    """So many steps in the rows' order: whole epochs by `fit`, the rest batch by batch."""
    epochs, rest = divmod(steps, BATCHES)
    model.fit(x, y, epochs=epochs, batch_size=SIZE, shuffle=False)
    for start in range(0, rest * SIZE, SIZE):
        model.train_on_batch(x[start : start + SIZE], y[start : start + SIZE])


def check_interrupted(model: im.Sequential, fresh: im.Sequential) -> int:
    """The model has the finished steps and no more, and both go on alike; the number of steps."""
    steps = model._core.steps - fresh._core.steps
    by_hand(fresh, steps)
    assert everything(model) == everything(fresh)
    for one in (model, fresh):
        # In the order of the epoch that was interrupted.
        one.fit(X, Y, epochs=2, batch_size=SIZE)
    assert everything(model) == everything(fresh)
    return steps


def test_the_check_sees_a_step_too_many_and_an_epoch_that_counts() -> None:
    def extra_step(model: im.Sequential) -> None:
        model.train_on_batch(X[:SIZE], Y[:SIZE])

    def extra_epoch(model: im.Sequential) -> None:
        state = model._core.optimizer_state()
        model._core.set_optimizer_state(state | {"epoch": state["epoch"] + 1})

    for spoil in (extra_step, extra_epoch):
        model = regressor()
        by_hand(model, 10)
        spoil(model)
        with pytest.raises(AssertionError):
            check_interrupted(model, regressor())


# At a moment that the test chooses


class Press:
    """A loss function that presses Ctrl-C in one of its calls."""

    def __init__(self, call: int) -> None:
        self.call = call
        self.calls = 0

    def __call__(self, outputs: Any, targets: Any) -> tuple[float, Any]:
        self.calls += 1
        if self.calls == self.call:
            signal.raise_signal(signal.SIGINT)
        return squares(outputs, targets)


@pytest.mark.parametrize("call", [1, 2, BATCHES, BATCHES + 1, 2 * BATCHES + 4])
@pytest.mark.parametrize("callbacks", [[], [lambda model, logs: None]], ids=["plain", "callback"])
def test_ctrl_c_in_a_loss_function(call: int, callbacks: Any) -> None:
    model = regressor(loss=squares)
    model._loss = Press(call)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=5, batch_size=SIZE, shuffle=False, callbacks=callbacks)
    assert model.epoch == 2 + (call - 1) // BATCHES
    model._loss = squares
    assert check_interrupted(model, regressor(loss=squares)) == call - 1


@pytest.mark.parametrize(
    ("moment", "epoch", "finished"),
    [
        ("on_train_begin", None, 0),
        ("on_epoch_begin", 2, 0),
        ("on_epoch_begin", 4, 2),
        ("on_epoch_end", 2, 1),
        ("on_epoch_end", 5, 4),
        ("on_train_end", 5, 4),
    ],
)
@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
def test_ctrl_c_in_a_callback(moment: str, epoch: Any, finished: int, loss: Any) -> None:
    def press(model: im.Sequential, logs: Any) -> None:
        if logs.get("epoch") == epoch:
            signal.raise_signal(signal.SIGINT)

    model = regressor(loss=loss)
    callback = im.LambdaCallback(**{moment: press})
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=4, batch_size=SIZE, shuffle=False, callbacks=[callback])
    assert model.epoch == 2 + finished
    assert check_interrupted(model, regressor(loss=loss)) == finished * BATCHES


class OwnError(Exception):
    """What a signal handler raises."""


def test_a_handler_may_raise_what_it_likes() -> None:
    def handler(number: int, frame: Any) -> None:
        raise OwnError("from the handler")

    signal.signal(signal.SIGINT, handler)
    model = regressor(loss=squares)
    model._loss = Press(BATCHES + 3)
    with pytest.raises(OwnError, match="from the handler"):
        model.fit(X, Y, epochs=5, batch_size=SIZE, shuffle=False)
    model._loss = squares
    assert check_interrupted(model, regressor(loss=squares)) == BATCHES + 2


def test_a_handler_that_returns_changes_nothing() -> None:
    found: list[Any] = []

    def handler(number: int, frame: Any) -> None:
        found.append(model(X).shape)
        with pytest.raises(RuntimeError, match="in training already"):
            model.fit(X, Y)

    signal.signal(signal.SIGINT, handler)
    model, plain = regressor(loss=squares), regressor(loss=squares)
    model._loss = Press(BATCHES + 3)
    model.fit(X, Y, epochs=3, batch_size=SIZE)
    plain.fit(X, Y, epochs=3, batch_size=SIZE)
    assert found == [(N, 1)]
    assert everything(model) == everything(plain)


# At every moment: signal handlers run when Python calls a function of its own


def interrupted_at(call: int, fit: Callable[[], Any]) -> BaseException | None:
    """The Ctrl-C that comes when `fit` makes its call of this number; None for fewer calls."""
    calls = 0

    def trace(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        fit()
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.settrace(before)
    return None


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
@pytest.mark.parametrize("callbacks", [[], [im.Callback()]], ids=["plain", "callback"])
@pytest.mark.parametrize("stream", [False, True], ids=["arrays", "stream"])
def test_a_model_is_free_whenever_ctrl_c_came(loss: Any, callbacks: Any, stream: bool) -> None:
    trained = regressor(loss=loss)
    data: Any = (X, Y)
    settings: dict[str, Any] = {"epochs": 2, "callbacks": callbacks}
    if stream:
        data = ([(X[row : row + SIZE], Y[row : row + SIZE]) for row in range(0, N, SIZE)],)
        settings["steps_per_epoch"] = BATCHES
    else:
        settings |= {"batch_size": SIZE, "shuffle": False}
    for call in range(1, 1000):
        model = trained.copy()
        # An exception keeps the variables of all that it came through.
        error = interrupted_at(call, lambda: model.fit(*data, **settings))  # noqa: B023
        if error is None:
            break
        check_interrupted(model, trained.copy())
    assert 20 < call < 999


class Ending(im.Callback):
    """Counts its hooks."""

    begun = ended = 0

    def on_train_begin(self, model: Any, logs: Any) -> None:
        self.begun += 1

    def on_train_end(self, model: Any, logs: Any) -> None:
        self.ended += 1


def test_callbacks_hear_of_the_ending_whenever_ctrl_c_came() -> None:
    """And the labels are known if a step was made, else not."""
    labels = [f"label {row % 3}" for row in range(N)]
    for call in range(1, 1000):
        endings = [Ending(), Ending(), Ending()]
        model = im.MLP([4, 5, 3], loss="cross_entropy", seed=1)
        error = interrupted_at(
            call,
            lambda: model.fit(X, labels, epochs=2, callbacks=[im.EarlyStopping(), *endings]),  # noqa: B023
        )
        # The Ctrl-C may have come as one of the hooks began, but only one of them.
        heard = sum(ending.ended for ending in endings)
        assert heard >= 2 or not any(ending.begun for ending in endings), call
        assert all(ending.ended <= 1 for ending in endings)
        assert (model.classes_.tolist() == [0, 1, 2]) == (model._core.steps == 0)
        if error is None:
            break
    assert heard == 3
    assert 100 < call < 999


# From outside


SCRIPT = """
import signal, sys, threading
import numpy as np
import ironmlp as im
from processes import show
from hostile import X, Y, regressor
from states import everything, squares
from test_interrupt import check_interrupted, SIZE

def ready():
    print("ready", file=sys.__stderr__, flush=True)

class Progress:
    # Takes a progress line; ready when the first steps are done.

    def __init__(self):
        self.shown = False

    def write(self, text):
        if not self.shown and ("loss" in text or "batch" in text):
            self.shown = True
            ready()

    def flush(self):
        pass

    def isatty(self):
        return True

def watched(model, *data, **settings):
    sys.stderr = Progress()
    try:
        model.fit(*data, shuffle=False, verbose=True, **settings)
    finally:
        sys.stderr = sys.__stderr__

def pressed(call):
    try:
        call()
    except BaseException as error:
        return type(error).__name__
    return "no error"
"""


def press_when_ready(source: str, times: int = 1) -> Any:
    """What a script prints that gets so many Ctrl-Cs, one after each "ready"."""
    process = processes.start(SCRIPT + source)
    assert process.stderr
    for _ in range(times):
        line = process.stderr.readline()
        if line != "ready\n":
            break
        process.send_signal(signal.SIGINT)
    return processes.finish(process)


def test_a_script_without_ctrl_c_handling_ends_by_it() -> None:
    with pytest.raises(AssertionError, match=r"exit status -2(.|\n)*KeyboardInterrupt"):
        press_when_ready("ready()\nthreading.Event().wait()")


@pytest.mark.parametrize("loss", ["'mse'", "squares"])
@pytest.mark.parametrize("callbacks", ["[]", "[lambda model, logs: None]"])
def test_a_long_fit_ends_by_ctrl_c(loss: str, callbacks: str) -> None:
    kind, steps = press_when_ready(f"""
model = regressor(loss={loss})
show(pressed(lambda: watched(
    model, X, Y, epochs=10**12, batch_size=SIZE, callbacks={callbacks}
)))
show(check_interrupted(model, regressor(loss={loss})))
""")
    assert kind == "KeyboardInterrupt"
    assert steps > 0


def test_a_long_epoch_ends_by_ctrl_c() -> None:
    kind, epoch, steps, same = press_when_ready("""
rows = np.random.default_rng(0).normal(size=(400_000, 16))
model = im.MLP([16, 64, 64, 1], loss="mse", seed=1, optimizer=im.SGD(lr=0.01))
fresh = model.copy()
show(pressed(lambda: watched(model, rows, rows[:, 0], epochs=10**6, batch_size=1)))
show(model.epoch)
steps = model._core.steps
show(steps)
for row in range(steps % len(rows)) if model.epoch == 0 else ():
    fresh.train_on_batch(rows[row : row + 1], rows[row : row + 1, 0])
show(everything(model) == everything(fresh) if model.epoch == 0 else True)
""")
    assert kind == "KeyboardInterrupt"
    assert steps // 400_000 == epoch
    assert steps > 0
    assert same


def test_a_handler_from_outside_may_raise_what_it_likes() -> None:
    kind, steps = press_when_ready("""
def handler(number, frame):
    raise LookupError("from the handler")

signal.signal(signal.SIGINT, handler)
model = regressor()
show(pressed(lambda: watched(model, X, Y, epochs=10**12, batch_size=SIZE)))
show(check_interrupted(model, regressor()))
""")
    assert kind == "LookupError"
    assert steps > 0


@pytest.mark.parametrize(
    "call",
    [
        "model(rows)",
        "model.evaluate(rows, goals)",
        "model.predict(rows)",
        "model.loss_and_grad(rows, goals)",
        "model.predictor(len(rows))(rows)",
        "model.train_on_batch(rows, goals)",
        "im.functional.matmul(rows[:2000], rows[:2000].T)",
        "model.fit(rows, goals, batch_size=None)",
    ],
)
def test_ctrl_c_in_a_long_call_does_no_harm(call: str) -> None:
    kinds, same = press_when_ready(
        f"""
rows = np.random.default_rng(0).normal(size=(50_000, 64))
goals = rows[:, 0]
model = im.MLP([64, 128, 1], loss="mse", seed=1, optimizer=im.SGD(lr=0.0))
expected = model(rows)

def repeat():
    ready()
    while True:
        {call}

show([pressed(repeat) for _ in range(5)])
show(np.array_equal(model(rows), expected))
""",
        times=5,
    )
    assert kinds == ["KeyboardInterrupt"] * 5
    assert same


def test_two_ctrl_cs_in_a_row() -> None:
    process = processes.start(
        SCRIPT
        + """
model = regressor()
def run():
    try:
        watched(model, X, Y, epochs=10**12, batch_size=SIZE)
    finally:
        ready()
        threading.Event().wait()

show(pressed(run))
show(check_interrupted(model, regressor()))
"""
    )
    assert process.stderr
    for _ in range(2):
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
    kind, steps = processes.finish(process)
    assert kind == "KeyboardInterrupt"
    assert steps > 0


def test_ignored_ctrl_cs_change_nothing() -> None:
    process = subprocess.run(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", SCRIPT + """
import os
model, plain = regressor(), regressor()
press = lambda model, logs: os.kill(os.getpid(), signal.SIGINT)
model.fit(X, Y, epochs=20, callbacks=[press])
plain.fit(X, Y, epochs=20)
show(everything(model) == everything(plain))
"""],
        cwd=os.path.dirname(__file__), capture_output=True, text=True, timeout=processes.LIMIT,
        check=True,
    )  # fmt: skip
    assert process.stdout == "true\n"
