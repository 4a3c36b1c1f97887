"""An interrupt at every instruction of Python code, as Ctrl-C may come at any."""

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
    sys.settrace(each)
    try:
        call()
    except BaseException as error:
        return begun, error
    finally:
        sys.settrace(before)
    return begun, None


def every_instruction(call: Callable[[], Any], prepare: Callable[[], Any]) -> Iterator[int]:
    """The number of each instruction, after `prepare` and a call that was interrupted there."""
    for at in itertools.count():
        prepare()
        begun, error = interrupted(call, at)
        if begun <= at:
            return
        assert isinstance(error, KeyboardInterrupt), f"instruction {at} hides Ctrl-C: {error!r}"
        yield at
