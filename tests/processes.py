"""Scripts in processes of their own, which may crash or hang without taking the tests along."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

# Seconds after which a script counts as hanging; all take a few.
LIMIT = 120.0


def start(source: str, **pipes: Any) -> subprocess.Popen[str]:
    """A Python process with this source, in a session of its own, that imports from this folder.

    It dumps its threads' stacks on a crash.
    """
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(source)],
        cwd=Path(__file__).parent,
        text=True,
        start_new_session=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes},
    )


def finish(process: subprocess.Popen[str], seconds: float = LIMIT) -> Any:
    """What the process prints, as JSON, one value a line; it must end by itself, and well."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # Its forks, too: one of them may hold the pipes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        raise AssertionError(f"no end after {seconds} s\n{output}\n{errors}") from None
    assert process.returncode == 0, f"exit status {process.returncode}\n{output}\n{errors}"
    return [json.loads(line) for line in output.splitlines()]


def run(source: str, seconds: float = LIMIT) -> Any:
    """`start` and `finish`."""
    return finish(start(source), seconds)


def in_child(call: Any) -> Any:
    """What `call` gives in a fork of this process, as JSON; of an exception its type and message.

    For scripts. A child that hangs is killed, and fails.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(int(LIMIT / 2))
        try:
            result = call()
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        os.write(writable, json.dumps(result).encode())
        os._exit(0)
    os.close(writable)
    with open(readable, encoding="utf-8") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with status {status}"
    return json.loads(text)


def show(value: Any) -> None:
    """Print one line of JSON for `finish`."""
    print(json.dumps(value), flush=True)
