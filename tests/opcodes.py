"""An interrupt at every instruction of Python code, as Ctrl-C may come at any."""

import gc
import itertools
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


def interrupted(call: Callable[[], Any], at: int) -> tuple[int, BaseException | None]:
    """Call, with a KeyboardInterrupt before instruction `at` of all of its Python code.

    How many instructions have begun, and what was raised.
    """
    begun = 0

    def each(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal begun
        frame.f_trace_opcodes = True
        if event == "opcode":
            begun += 1
            if begun - 1 == at:
                raise KeyboardInterrupt
        return each

    before = sys.gettrace()
    # Python 3.12 has no such events unless a frame wants them before the tracer is set.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(each)
    try:
        call()
    except BaseException as error:
        # What its frames hold, as open files, goes with them.
        error.__context__ = None
        return begun, error.with_traceback(None)
    finally:
        sys.settrace(before)
    return begun, None


def every_instruction(call: Callable[[], Any], prepare: Callable[[], Any]) -> Iterator[int]:
    """The number of each instruction, after `prepare` and a call that was interrupted there."""
    for at in itertools.count():
        prepare()
        begun, error = interrupted(call, at)
        if begun <= at:
            gc.collect()
            return
        assert isinstance(error, KeyboardInterrupt), f"instruction {at} hides Ctrl-C: {error!r}"
        yield at
