"""Ctrl-C in a long call: it ends the call, whichever it is, and leaves the model as it was.

The calls would take many minutes in little memory, for all rows of their X are the same one; a
process that does not end long before that is killed by its alarm, and fails.
"""

import os
from pathlib import Path
from typing import Any

import pytest

import processes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs an OS with POSIX signals")

BEGIN = """
import os, signal, threading, time
import numpy as np
import ironmlp as im, ironmlp.functional as F
from processes import show
from states import everything, squares

ROW = np.random.default_rng(0).normal(size=64).astype(np.float32)

def many(row, rows=10_000_000):
    # So many rows that are this one.
    row = np.asarray(row)
    return np.broadcast_to(row, (rows, *row.shape))

X, FLAT, COLUMN = many(ROW), many(0.5), many([0.5])

def wide(**settings):
    settings = {"loss": "mse", "optimizer": "sgd", "seed": 1, **settings}
    return im.MLP([64, 1024, 1024, 1], **settings)

def press():
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)

def pressed(call):
    # What Ctrl-C makes of the call.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(40)
    threading.Thread(target=press, daemon=True).start()
    try:
        call()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
    return "no error"
"""

CALLS = {
    "forward": "model(X)",
    "predict": "model.predict(X)",
    "evaluate": "model.evaluate(X, FLAT)",
    "predictor": "model.predictor(len(X))(X)",
    "loss_and_grad": "model.loss_and_grad(X, FLAT)",
    "loss_and_grad, training": "model.loss_and_grad(X, FLAT, training=True)",
    "backward": "model.backward(X, COLUMN)",
}


def script(source: str) -> Any:
    return processes.run(BEGIN + source)


def test_a_call_that_is_not_ended_fails() -> None:
    with pytest.raises(AssertionError, match="exit status -14"):
        script("""
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
alarm = signal.alarm
signal.alarm = lambda seconds: alarm(min(seconds, 2))
pressed(lambda: time.sleep(60))
""")


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_long_call(call: str) -> None:
    found, same, works = script(f"""
model = wide()
before = everything(model)
show(pressed(lambda: {CALLS[call]}))
show(everything(model) == before)
show(np.isfinite(model(X[:5])).all().item())
""")
    assert found == "KeyboardInterrupt: "
    assert same
    assert works


@pytest.mark.parametrize("loss", ["'cross_entropy'", "'binary_cross_entropy'"])
def test_ctrl_c_ends_predict_proba(loss: str) -> None:
    (found,) = script(f"""
outputs = 2 if {loss} == "cross_entropy" else 1
model = im.MLP([64, 1024, 1024, outputs], loss={loss}, seed=1)
show(pressed(lambda: model.predict_proba(X)))
""")
    assert found == "KeyboardInterrupt: "


def test_ctrl_c_ends_a_call_of_images() -> None:
    (found,) = script("""
pixels = many(np.zeros((1, 64, 64), np.uint8), 2_000_000)
model = im.LeNet5((1, 64, 64), scale=255, seed=1)
show(pressed(lambda: model.predict(pixels)))
""")
    assert found == "KeyboardInterrupt: "


@pytest.mark.parametrize("call", ["fit", "train_on_batch", "loss_and_grad"])
def test_ctrl_c_ends_the_search_for_nan(call: str) -> None:
    found, same = script(f"""
columns = 200_000
model = im.MLP([columns, 1], loss="mse", seed=1)
before = everything(model)
x = many(np.ones(columns, np.float32))
show(pressed(lambda: model.{call}(x, FLAT)))
show(everything(model) == before)
""")
    assert found == "KeyboardInterrupt: "
    assert same


def test_what_a_handler_raises_comes_out_of_the_call() -> None:
    (found,) = script("""
def handler(number, frame):
    raise LookupError("from the handler")

signal.default_int_handler = handler
model = wide()
show(pressed(lambda: model(X)))
""")
    assert found == "LookupError: from the handler"


def test_a_handler_that_returns_changes_nothing() -> None:
    calls, same = script("""
calls = []
signal.default_int_handler = lambda number, frame: calls.append(model(X[:3]).shape)
model = wide()
result = []
assert pressed(lambda: result.append(model(X[:200_000]))) == "no error"
time.sleep(0.6)
show([list(shape) for shape in calls])
show(bool((result[0] == result[0][0]).all() and result[0][0] == model(X[:1])[0]))
""")
    assert calls == [[3, 1]]
    assert same


def test_a_handler_may_read_the_model_that_a_call_reads_but_not_change_it(tmp_path: Path) -> None:
    found, same = script(f"""
found = []

def handler(number, frame):
    model.save({str(tmp_path / "model.safetensors")!r})
    found.append(im.load({str(tmp_path / "model.safetensors")!r}).predict(X[:2]).shape == (2, 1))
    for change in (
        lambda: model.fit(ROW[None], [0.5]),
        lambda: model.reset(),
        lambda: model.load_state_dict(model.state_dict()),
    ):
        try:
            change()
        except RuntimeError as error:
            found.append("signal handler" in str(error))

signal.default_int_handler = handler
model = wide()
result = []
# So long that the handler runs in the middle.
assert pressed(lambda: result.append(model(X[:200_000]))) == "no error"
show(found)
show(bool((result[0] == result[0][0]).all()))
""")
    assert found == [True] * 4
    assert same


def test_a_handler_may_use_the_model_for_which_a_writer_waits() -> None:
    (found,) = script("""
found = []
def handler(number, frame):
    found.append(model(X[:3]).shape[0])
    raise LookupError

signal.default_int_handler = handler
model = wide()
threading.Thread(target=model, args=(X,), daemon=True).start()
time.sleep(0.2)
pressed(lambda: model.fit(ROW[None], [0.5]))
show(found)
os._exit(0)
""")
    assert found == [3]


@pytest.mark.parametrize(
    "call",
    ["model.fit(ROW[None], [0.5])", "model.load_state_dict(model.state_dict())", "model.reset()"],
)
def test_ctrl_c_ends_the_wait_for_another_threads_call(call: str) -> None:
    (found,) = script(f"""
model = wide()
threading.Thread(target=model, args=(X,), daemon=True).start()
time.sleep(0.2)
show(pressed(lambda: {call}))
os._exit(0)
""")
    assert found == "KeyboardInterrupt: "


def test_only_the_main_threads_call_ends() -> None:
    found, works = script("""
model = wide()
other = []
def predict():
    other.append(model(X[:50_000]))
thread = threading.Thread(target=predict)
thread.start()
show(pressed(lambda: model(X)))
thread.join()
show(len(other) == 1 and np.isfinite(other[0]).all().item())
""")
    assert found == "KeyboardInterrupt: "
    assert works


def test_other_threads_run_while_a_model_is_made() -> None:
    ticks, before = script("""
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.001)
threading.Thread(target=tick, daemon=True).start()
while ticks == 0:
    time.sleep(0.001)
before = ticks
im.MLP([3000, 3000, 1], loss="mse", optimizer="sgd", init="normal", dtype="float64", seed=0)
show(ticks)
show(before)
os._exit(0)
""")
    assert ticks - before > 10
