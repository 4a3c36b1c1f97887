"""The least of a program that still fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fuzzing.programs import Program


def shrunk(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The program without the lines and options that its failure does not need."""
    changed = True
    while changed:
        changed = False
        for smaller in candidates(program):
            if fails(smaller):
                program, changed = smaller, True
                break
    return program


def candidates(program: Program) -> list[Program]:
    """Programs with one line or one option less; the first line, which makes the model, stays."""
    lines = program.lines
    fewer = [replace(program, lines=lines[:i] + lines[i + 1 :]) for i in range(1, len(lines))]
    for i, line in enumerate(lines):
        for name in line.arguments:
            if name not in ("X", "y", "grad_output", "grads", "state_dict"):
                rest = {key: value for key, value in line.arguments.items() if key != name}
                less = replace(line, arguments=rest)
                fewer.append(replace(program, lines=(*lines[:i], less, *lines[i + 1 :])))
    return fewer
