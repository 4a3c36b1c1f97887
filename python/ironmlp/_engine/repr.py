"""How a model shows itself: as the call that makes it, without what is the default anyway."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ironmlp._arguments.spec import Spec

# Characters of a line, and those before each line within a call of several.
WIDTH, INDENT = 100, 4


def call(made: type, arguments: Mapping[str, Any]) -> str:
    """The constructor's call with its arguments, the first without its name."""
    parameters = inspect.signature(made).parameters
    words: list[str] = []
    for name, value in arguments.items():
        text = listed(value) if isinstance(value, list) else word(value)
        default = parameters[name].default
        if default is inspect.Parameter.empty and not words:
            words.append(text)
        elif type(value) is not type(default) or value != default:
            words.append(f"{name}={text}")
    return in_lines(f"{made.__name__}(", words, ")")


def listed(values: Sequence[Any]) -> str:
    return in_lines("[", map(word, values), "]")


def word(value: Any) -> str:
    return brief(value) if isinstance(value, Spec) else repr(value)


def brief(spec: Spec) -> str:
    """A layer, loss or optimizer with the arguments that make it what it is, and the first."""
    arguments = spec._arguments()
    if arguments.get("init") == "torch_linear":
        # What a model gives to layers that are made without.
        del arguments["init"]
        spec = type(spec)(**arguments)
    parameters = inspect.signature(type(spec)).parameters.values()
    first = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY][:1]
    needed = [p.name for p in parameters if p.default is p.empty]
    for name in [name for name in arguments if name not in (*first, *needed)]:
        others = {key: value for key, value in arguments.items() if key != name}
        # Without one of them the others may be refused.
        with contextlib.suppress(ValueError):
            if type(spec)(**others) == spec:
                arguments = others
    words = [argument(v) if k in needed else f"{k}={v!r}" for k, v in arguments.items()]
    return f"{type(spec).__name__}({', '.join(words)})"


def argument(value: Any) -> str:
    """An argument of a layer, which may be layers."""
    if isinstance(value, tuple) and all(isinstance(entry, Spec) for entry in value):
        return f"[{', '.join(map(brief, value))}]"
    return repr(value)


def in_lines(before: str, words: Iterable[str], after: str) -> str:
    """The words in one line, or in a line each if that would be too long."""
    words = list(words)
    line = before + ", ".join(words) + after
    if len(line) <= WIDTH - INDENT and "\n" not in line:
        return line
    indent = " " * INDENT
    return "\n".join(
        [before, *(f"{indent}{word},".replace("\n", f"\n{indent}") for word in words), after]
    )
