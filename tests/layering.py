"""Checks the floors of the house: which module of rust/ may use which, and how Python comes in.

`violations(root)` lists what breaks the rules, one line each; run as a script it prints them
and exits with 1 if there are any. Comments and string literals are ignored.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FLOORS = {
    "error": 0,
    "simd": 1,
    "runtime": 1,
    "kernels": 2,
    "network": 3,
    "training": 4,
    "python": 5,
}
# What is simd's to know: the floating-point environment, which a worker thread sets, and which
# types are elements of an arena.
SIDEWAYS = {("runtime", "simd::environment"), ("runtime", "simd::Real")}

# Where a word may stand: files, or folders when they end in "/".
ROOMS = {
    "pyo3": ("rust/python/",),
    "numpy": ("rust/python/",),
    "core::arch": ("rust/simd/",),
    "std::arch": ("rust/simd/",),
    "unsafe": (
        "rust/simd/",
        "rust/kernels/",
        "rust/runtime/",
        "rust/python/array.rs",
        "rust/python/output.rs",
        "rust/network/memory/view.rs",
    ),
}
# What ends the process where there is no memory; `runtime::memory` has what gives an error. It may
# stand where the result has an entry for each layer or dimension, or fewer.
UNCHECKED = {
    "vec![value; count]": (),
    "Vec::with_capacity": (),
    ".to_vec": ("rust/python/array.rs",),
    ".sort_by": (),
    ".sort": (),
    ".concat": (),
    ".repeat": (),
    ".collect": (
        "rust/network/rows/build.rs",
        "rust/network/memory/state.rs",
        "rust/network/step.rs",
        "rust/network/update.rs",
        "rust/python/array.rs",
        "rust/python/config.rs",
        "rust/python/model.rs",
        "rust/python/spec.rs",
        "rust/python/state.rs",
        "rust/runtime/recent.rs",
        "rust/simd/dispatch.rs",
    ),
}
# Who comes to one of these while another thread is in it waits, in the child of a fork for ever.
WAITING = ("OnceLock", "OnceCell", "Once", "LazyLock")

# What a function that Python calls begins with, but for those that set the environment themselves.
ENTRY = "entry"
ENVIRONMENT = "rust/python/environment.rs"

MAX_LINES = 450

# In this order: a comment may hold quotes, and 'a' is a character but 'a a lifetime.
_IGNORED = re.compile(
    r"""//[^\n]*
      | \b[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
      | "(?:\\.|[^"\\])*"
      | '(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'])'
    """,
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(r"\n|[A-Za-z_]\w*|::|\S")

Token = tuple[str, int]


def tokens(source: str) -> list[Token]:
    """Words and signs of Rust code with their line numbers, without comments and literals."""
    found: list[Token] = []
    position, line = 0, 1
    while position < len(source):
        skipped = _block_comment(source, position) or _IGNORED.match(source, position)
        end = skipped if isinstance(skipped, int) else skipped.end() if skipped else None
        if end is None:
            match = _TOKEN.match(source, position)
            end = match.end() if match else position + 1
            if match and match[0] != "\n":
                found.append((match[0], line))
        line += source.count("\n", position, end)
        position = end
    return found


def _block_comment(source: str, start: int) -> int | None:
    """End of the block comment at `start`, which may hold others; None if there is none."""
    if not source.startswith("/*", start):
        return None
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(source, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(source)


def _tails(code: list[Token], start: int, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths that continue `prefix` at the token `start`, groups in braces spread out."""
    words = [word for word, _ in code[start : start + 2]]
    if not words or words[0] != "::":
        yield prefix
    elif words[1:] == ["{"]:
        depth, element = 1, start + 2
        for i in range(start + 2, len(code)):
            word = code[i][0]
            if depth == 1 and word in (",", "}") and i > element:
                yield from _tails(code, element + 1, (*prefix, code[element][0]))
            if depth == 1 and word == ",":
                element = i + 1
            depth += {"{": 1, "}": -1}.get(word, 0)
            if depth == 0:
                return
    else:
        yield from _tails(code, start + 2, (*prefix, *words[1:]))


def paths(code: list[Token], module: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every path of `code` with its line; those of this crate begin with "crate".

    `module` is the file's own path in the crate; `super` is resolved against it and against
    the modules that the file opens itself.
    """
    braces: list[tuple[str, ...]] = []
    for i, (word, line) in enumerate(code):
        before = code[i - 1][0] if i else ""
        if word == "{":
            is_module = i > 1 and code[i - 2][0] == "mod"
            braces.append((before,) if is_module else ())
        elif word == "}" and braces:
            braces.pop()
        elif before != "::" and (word[0].isalpha() or word[0] == "_"):
            here = ("crate", *module, *(name for opened in braces for name in opened))
            for tail in _tails(code, i + 1, (word,)):
                climbs = 1 if tail[0] == "self" and tail[1:2] == ("super",) else 0
                names = tail[climbs:]
                up = next((n for n, name in enumerate(names) if name != "super"), len(names))
                yield ((*here[: len(here) - up], *names[up:]) if up else names), line


def _bodies(code: list[Token]) -> Iterator[tuple[str, int, str]]:
    """Name, line and first word of each function that Python calls: `#[pyfunction]` stands before
    one, `#[pymethods]` before a block of them."""
    words = [word for word, _ in code]
    for i, word in enumerate(words):
        if word not in ("pyfunction", "pymethods") or words[i - 2 : i] != ["#", "["]:
            continue
        depth, within = 0, 0 if word == "pyfunction" else 1
        name: tuple[str, int] | None = None
        for j in range(i, len(code)):
            depth += {"{": 1, "}": -1}.get(words[j], 0)
            if words[j] == "fn" and depth == within:
                name = code[j + 1]
            elif words[j] == "{" and depth == within + 1 and name is not None:
                yield *name, words[j + 1]
                name = None
                if within == 0:
                    break
            elif words[j] == "}" and depth == 0:
                break


def _allowed(floor: str, path: tuple[str, ...]) -> bool:
    target = path[1]
    return (
        target == floor
        or FLOORS[target] < FLOORS[floor]
        or any(floor == a and path[1:3] == tuple(b.split("::")) for a, b in SIDEWAYS)
    )


def _allocations(code: list[Token]) -> Iterator[tuple[str, int]]:
    """Each of `UNCHECKED` in the code before its tests, with its line."""
    words = [word for word, _ in code]
    for i, (word, line) in enumerate(code):
        if words[i : i + 6] == ["#", "[", "cfg", "(", "test", ")"]:
            return
        before = words[i - 1] if i else ""
        if words[i : i + 3] == ["vec", "!", "["] and _is_repeated(words[i + 3 :]):
            yield "vec![value; count]", line
        elif before == "." and f".{word}" in UNCHECKED:
            yield f".{word}", line
        elif before == "::" and f"Vec::{word}" in UNCHECKED:
            yield f"Vec::{word}", line


def _is_repeated(words: list[str]) -> bool:
    """Whether a vector of one value begins here, and not a list."""
    depth = 0
    for word in words:
        if depth == 0 and word in (";", "]"):
            return word == ";"
        depth += (word in "([{") - (word in ")]}")
    return False


def _check(name: str, source: str) -> Iterator[tuple[int, str]]:
    module = tuple(part for part in Path(name).with_suffix("").parts[1:] if part != "mod")
    floor = module[0]
    if floor not in FLOORS and floor != "lib":
        yield 1, f"{floor} is no floor; known are {', '.join(FLOORS)}"
        return
    code = tokens(source)
    for what, line in _allocations(code):
        if not name.startswith(("rust/runtime/memory.rs", *UNCHECKED[what])):
            yield line, f"{what} aborts without memory: use runtime::memory"
    for word, line in code:
        if word in WAITING:
            yield line, f"{word} is waited for, which a fork may cut off: use an atomic"
    if name != ENVIRONMENT:
        for function, line, first in _bodies(code):
            if first != ENTRY:
                yield line, f"Python calls {function}, which must begin with {ENTRY}"
    for path, line in paths(code, () if floor == "lib" else module):
        if path[0] == "crate" and len(path) > 1 and floor != "lib":
            if path[1] not in FLOORS:
                yield line, f"crate::{path[1]} is no floor; known are {', '.join(FLOORS)}"
            elif not _allowed(floor, path):
                yield line, f"{floor} must not use {'::'.join(path[1:])}"
        for room in (path[0], "::".join(path[:2])):
            if room in ROOMS and not name.startswith(ROOMS[room]):
                yield line, f"{room} outside {', '.join(ROOMS[room])}"


def violations(root: Path) -> list[str]:
    """What breaks the rules in `root`/rust and `root`/python, as "file:line: what"."""
    found = []
    for path in sorted([*root.glob("rust/**/*.rs"), *root.glob("python/**/*.py")]):
        name, source = path.relative_to(root).as_posix(), path.read_text("utf-8")
        lines = source.count("\n")
        if lines > MAX_LINES:
            found.append(f"{name}:{lines}: {lines} lines, at most {MAX_LINES}")
        if name.endswith(".rs"):
            found += sorted({f"{name}:{line}: {what}" for line, what in _check(name, source)})
    return found


if __name__ == "__main__":
    broken = violations(Path(__file__).resolve().parent.parent)
    print("\n".join(broken) or "layering: every file is on its floor")
    sys.exit(bool(broken))
