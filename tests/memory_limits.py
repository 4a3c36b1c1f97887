"""What calls of the public API do where memory runs out, in forks with a limit on their addresses.

`python tests/memory_limits.py [tries [call ...]]` goes through the calls with so many limits each
and prints what was wrong, as JSON: a signal that ended the process, an exception that is no
MemoryError, one of ours without both byte counts, or one after which the model is another.
"""

import contextlib
import gc
import json
import os
import pickle
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ironmlp as im
import ironmlp.functional as F
from states import everything, squares

RNG = np.random.default_rng(0)
ROWS = 1500
X = RNG.normal(size=(ROWS, 200))
Y = np.arange(ROWS) % 90
ONES = np.ones(ROWS)
IMAGES = RNG.random((96, 1, 28, 28), "f4")
DIGITS = np.arange(96) % 10
LOGITS = RNG.normal(size=(ROWS, 90))
PAGE = resource.getpagesize()


def rows(**settings: Any) -> im.MLP:
    given = {"loss": "cross_entropy", "optimizer": im.Adam(), "seed": 1, "n_threads": 3}
    model = im.MLP([200, 400, 90], **{**given, **settings})
    model.train_on_batch(X[:90], Y[:90])
    return model


def of_function() -> im.MLP:
    model = im.MLP([200, 400, 1], loss=squares, seed=1)
    model.train_on_batch(X[:90], ONES[:90])
    return model


def images() -> im.Sequential:
    model = im.LeNet5((1, 28, 28), optimizer=im.Adam(), seed=1, n_threads=2)
    model.train_on_batch(IMAGES[:20], DIGITS[:20])
    return model


def nothing() -> None:
    """No model."""


STATE = {key: value + 1 for key, value in rows().state_dict().items()}
GRADIENTS = {key: value + 1 for key, value in rows().state_dict().items()}
OUTPUT = np.ones((ROWS, 90), "f4")
FOLDER = tempfile.TemporaryDirectory()
SAVED = Path(FOLDER.name) / "saved.safetensors"
rows().save(SAVED)
PICKLED = pickle.dumps(rows())

# With these glibc asks the system for whatever is larger than a few pages, and keeps nothing back.
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(4 * PAGE),
    "MALLOC_TOP_PAD_": "0",
    "MALLOC_ARENA_MAX": "1",
}

Call = Callable[[Any], Any]
# The model that a call is made on, and the call.
CALLS: dict[str, tuple[Callable[[], Any], Call]] = {
    "MLP": (nothing, lambda _: rows()),
    "LeNet5": (nothing, lambda _: images()),
    "load": (nothing, lambda _: im.load(SAVED)),
    "unpickle": (nothing, lambda _: pickle.loads(PICKLED)),
    "pickle": (rows, pickle.dumps),
    "copy": (rows, lambda model: model.copy()),
    "save": (rows, lambda model: model.save(SAVED.with_suffix(f".{os.getpid()}"))),
    "reset": (rows, lambda model: model.reset(9)),
    "state_dict": (rows, lambda model: model.state_dict()),
    "load_state_dict": (rows, lambda model: model.load_state_dict(STATE)),
    "optimizer_state": (rows, lambda model: model._core.optimizer_state()),
    "forward": (rows, lambda model: model.forward(X)),
    "predict": (rows, lambda model: model.predict(X)),
    "predict_proba": (rows, lambda model: model.predict_proba(X)),
    "predictor": (rows, lambda model: model.predictor(ROWS)(X)),
    "evaluate": (rows, lambda model: model.evaluate(X, Y)),
    "loss_and_grad": (rows, lambda model: model.loss_and_grad(X, Y, input_grad=True)),
    "backward": (rows, lambda model: model.backward(X, OUTPUT, input_grad=True)),
    "trace": (rows, lambda model: model.trace(X, Y)),
    "train_on_batch": (rows, lambda model: model.train_on_batch(X, Y, sample_weight=ONES)),
    "apply_gradients": (rows, lambda model: model.apply_gradients(GRADIENTS)),
    "fit": (rows, lambda model: model.fit(X, Y, batch_size=100)),
    "fit with callbacks": (
        rows,
        lambda model: model.fit(X, Y, epochs=2, batch_size=None, callbacks=[lambda _, logs: logs]),
    ),
    "fit by a function": (of_function, lambda model: model.fit(X, ONES, batch_size=300)),
    "images: forward": (images, lambda model: model.forward(IMAGES)),
    "images: loss_and_grad": (images, lambda model: model.loss_and_grad(IMAGES, DIGITS)),
    "images: trace": (images, lambda model: model.trace(IMAGES, DIGITS)),
    "images: fit": (images, lambda model: model.fit(IMAGES, DIGITS, batch_size=64)),
    "images: reset": (images, lambda model: model.reset(9)),
    "functions": (
        nothing,
        lambda _: (
            F.sigmoid(LOGITS),
            F.matmul(LOGITS, LOGITS[:90]),
            F.softmax_cross_entropy_with_logits_grad(LOGITS, Y),
        ),
    ),
}


def address_space() -> int:
    """Bytes in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * PAGE


@contextlib.contextmanager
def limited(more: int) -> Iterator[None]:
    """No more than so many bytes beside those in use."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = address_space() + more
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def attempt(name: str, more: int) -> str:
    """What happens with so many bytes: "done", "refused", or what is wrong."""
    make, call = CALLS[name]
    model = make()
    before = None if model is None else everything(model)
    gc.collect()
    try:
        with limited(more):
            call(model)
    except MemoryError as error:
        # NumPy's own, and Python's, say less.
        text = str(error)
        if "needed" in text and "available" not in text:
            return f"MemoryError: {text}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    else:
        return "done"
    # A fit that had made a step before goes on from there.
    if model is not None and (after := everything(model)) != before:
        differ = sorted(key for key in after if before is None or after[key] != before.get(key))
        if not ("fit" in name and "steps" in differ):
            return f"MemoryError, and the model has another {', '.join(differ)}"
    return "refused"


def in_fork(name: str, more: int) -> str:
    """As `attempt`, in a process that may die of it."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(120)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(writable, attempt(name, more).encode())
        os._exit(0)
    os.close(writable)
    with open(readable, encoding="utf-8") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}"
    return text if status == 0 else f"ended with status {os.WEXITSTATUS(status)}"


def tries(name: str, count: int) -> dict[str, Any]:
    """The same call with `count` limits from nothing to what it takes, and what was wrong."""
    enough = 1 << 16
    while in_fork(name, enough) != "done" and enough < 1 << 31:
        enough *= 2
    random = np.random.default_rng(len(name) + count)
    wrong: dict[str, str] = {}
    refused = 0
    for number in range(count):
        more = int(enough * (number + random.random()) / count) // PAGE * PAGE
        found = in_fork(name, more)
        refused += found == "refused"
        if found not in ("done", "refused"):
            wrong[f"{name}, {more} bytes"] = found
    return {"enough": enough, "refused": refused, "wrong": wrong}


if __name__ == "__main__":
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    names = sys.argv[2:] or list(CALLS)
    for name in names:
        print(json.dumps({name: tries(name, count)}), flush=True)
