"""fit on a real terminal and into a real pipe, in processes of their own."""

import os
import re
import struct
from collections.abc import Callable
from typing import Any

import pytest

from processes import LIMIT, start
from test_progress import screen

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs an OS with pseudo-terminals")

PROGRAM = """
    import fcntl, os, sys, termios
    if os.isatty(2):
        # Ctrl-C of this terminal goes to this process.
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    import numpy as np
    import ironmlp as im

    X = np.random.default_rng(0).normal(size=(400, 4))
    model = im.MLP([4, 32, 1], loss="mse", seed=1)
    def log(model, logs):
        if logs["epoch"] == 2:
            print("my own", file=sys.stderr)
    try:
        held_out = {{"validation_split": 0.25, "metrics": "mae"}}
        model.fit(X, X[:, 0], epochs={epochs}, callbacks=[log], verbose={verbose}, **held_out)
    finally:
        print(model.history.stop_reason, model.epoch)
"""


def on_terminal(columns: int, answer: Callable[[str], bytes], **settings: Any) -> tuple[str, str]:
    """What the program writes to a terminal of so many columns, and to its stdout; `answer` gives
    what is typed after so much of it."""
    import fcntl
    import termios

    ours, theirs = os.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = start(PROGRAM.format(**settings), stdin=theirs, stderr=theirs)
        os.close(theirs)
        text = ""
        while True:
            try:
                text += os.read(ours, 65536).decode()
            except OSError:
                # The other end is closed.
                break
            if typed := answer(text):
                os.write(ours, typed)
        return text, process.communicate(timeout=LIMIT)[0]
    finally:
        os.close(ours)


def test_one_line_on_a_terminal() -> None:
    text, output = on_terminal(200, lambda text: b"", epochs=20, verbose="'auto'")
    *above, line, end = screen(text)
    assert above == ["my own"]
    assert re.fullmatch(r"epoch 20/20  loss \S+  val_loss \S+  val_mae \S+  \d+\.\d s", line)
    assert end == ""
    assert output == "epochs 20\n"


def test_ctrl_c_leaves_the_line_and_the_history_within_the_terminals_width() -> None:
    typed = False

    def answer(text: str) -> bytes:
        nonlocal typed
        if typed or len(re.findall("\repoch", text)) < 5:
            return b""
        typed = True
        return b"\x03"

    text, output = on_terminal(30, answer, epochs=10**9, verbose="True")
    reason, epoch = output.split()
    assert reason == "interrupted"
    before, _, traceback = text.partition("Traceback")
    assert traceback.rstrip().endswith("KeyboardInterrupt")
    # All but the last state, which stays, fit into the line; the terminal writes ^C by itself.
    *states, last = re.findall(r"\r(epoch[^\r\n]*)", before.replace("^C", ""))
    assert last.startswith(f"epoch {epoch}/{10**9}  ")
    assert max(len(state.rstrip()) for state in states) == 29


def test_whole_lines_in_a_pipe() -> None:
    process = start(PROGRAM.format(epochs=20, verbose=True))
    output, text = process.communicate(timeout=LIMIT)
    assert output == "epochs 20\n"
    *first, own, last, end = text.split("\n")
    assert (own, end) == ("my own", "")
    for line in (*first, last):
        assert re.fullmatch(r"epoch \d+/20  loss \S+  val_loss \S+  val_mae \S+  \d+\.\d s", line)
    assert last.startswith("epoch 20/20  ")
    # "auto" writes none.
    process = start(PROGRAM.format(epochs=20, verbose="'auto'"))
    assert process.communicate(timeout=LIMIT) == ("epochs 20\n", "my own\n")
