"""Finds vector instructions that became functions of their own.

What is not inlined into the functions that enable an instruction set (`enter` in `rust/simd/`)
cannot take the instructions in: it calls a function for each of them, which gives the same bits ten
times as slowly. A closure may stay outside so, whatever its function is marked. `outlined(lines)`
takes what `objdump -d` prints and gives the addresses of such functions: a few moves, one vector
operation, and a return.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# Instructions of such a function, at most.
MOST = 9

_LINE = re.compile(r"^\s*([0-9a-f]+):\t(\S+)\s*(.*)$")
_TARGET = re.compile(r"^([0-9a-f]+)\b")
_MOVES = re.compile(r"^(v?mov\w*|vzeroupper|endbr64|nop\w*|lea|xchg)$")
_WIDE = re.compile(r"%[yz]mm")


def disassembled(library: Path) -> list[str]:
    """What objdump prints of a library."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(library)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def outlined(lines: Iterable[str]) -> list[str]:
    """Addresses of functions that are one vector operation, of those that something calls."""
    code: list[tuple[str, str, str]] = []
    called = set()
    for line in lines:
        if found := _LINE.match(line):
            address, name, operands = found.groups()
            code.append((address, name, operands))
            if name.startswith("call") and (target := _TARGET.match(operands)):
                called.add(target[1])
    starts = [at for at, (address, _, _) in enumerate(code) if address in called]
    return [code[at][0] for at in starts if _is_one(code, at)]


def _is_one(code: list[tuple[str, str, str]], start: int) -> bool:
    operations = 0
    for _, name, operands in code[start : start + MOST]:
        if name.startswith("ret"):
            return operations == 1
        if not _MOVES.match(name):
            if not (name.startswith("v") and _WIDE.search(operands)):
                return False
            operations += 1
    return False
