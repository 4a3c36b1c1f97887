"""How a model shows itself: as the call that makes it, without what is the default anyway."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ironmlp._arguments.spec import Spec
from ironmlp.layers import Residual

# Characters of a line, and those before each line within a call of several.
WIDTH, INDENT = 100, 4


def call(made: type, arguments: Mapping[str, Any]) -> str:
    """The constructor's call with its arguments, the first without its name."""
    (_, first), *others = told(made, arguments)
    words = [first, *(f"{name}={text}" for name, text in others)]
    return in_lines(f"{made.__name__}(", words, ")")


def told(made: type, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names of the arguments and their texts, without those that are the default."""
    parameters = inspect.signature(made).parameters
    for name, value in arguments.items():
        default = parameters[name].default
        if type(value) is not type(default) or value != default:
            yield name, listed(value, 1) if isinstance(value, list) else word(value, 1)


def listed(values: Iterable[Any], depth: int) -> str:
    """A list that begins so many calls and lists within others."""
    return in_lines("[", (word(value, depth + 1) for value in values), "]", depth)


def word(value: Any, depth: int) -> str:
    return brief(value, depth) if isinstance(value, Spec) else repr(value)


def brief(spec: Spec, depth: int = 0) -> str:
    """A layer, loss or optimizer with the arguments that make it what it is, and the first."""
    if isinstance(spec, Residual):
        return f"Residual({listed(spec.layers, depth)})"
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
    words = [repr(v) if k in needed else f"{k}={v!r}" for k, v in arguments.items()]
    return f"{type(spec).__name__}({', '.join(words)})"


def in_lines(before: str, words: Iterable[str], after: str, depth: int = 0) -> str:
    """The words in one line, or in a line each if that would be too long where it stands."""
    words = list(words)
    line = before + ", ".join(words) + after
    if depth * INDENT + len(line) <= WIDTH - INDENT and "\n" not in line:
        return line
    indent = " " * INDENT
    return "\n".join(
        [before, *(f"{indent}{word},".replace("\n", f"\n{indent}") for word in words), after]
    )
