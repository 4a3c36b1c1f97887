"""Checks the floors of the house: which file may use which, in rust/ and in python/, and how
Python comes in.

    python tests/layering.py
    python tests/layering.py --map

`violations(root)` lists what breaks the rules, one line each; run as a script it prints them
and exits with 1 if there are any, or prints the map: files, arrows, circles and the longest files.
Comments and string literals are ignored.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from house import python_files, rust_files
from house.arrows import Drawing
from house.map import described
from house.rust_code import Token, paths, tokens

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

# The floors of python/ironmlp, from the ground up: files, or folders when they end in "/".
PYTHON_FLOORS = {
    "arguments": ("_environment.py", "_html.py", "_arguments/"),
    "specs": ("layers/", "losses/", "optimizers/", "schedules.py"),
    "data": (
        *("_configuration.py", "_labels/", "functional.py", "datasets.py", "_datasets/"),
        *("metrics.py", "_metrics/"),
    ),
    "engine": ("_engine/",),
    "files": ("_files/",),
    "training": ("callbacks/", "history.py", "_training/"),
    "models": ("model.py", "mlp.py", "lenet.py"),
    "tools": ("persistence.py", "reference/", "_commands/", "__main__.py", "sklearn/"),
}

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
        "rust/network/weight_phase.rs",
        "rust/network/update.rs",
        "rust/python/array.rs",
        "rust/python/config.rs",
        "rust/python/handle.rs",
        "rust/python/state.rs",
        "rust/runtime/recent.rs",
        "rust/simd/dispatch.rs",
    ),
}
# Who comes to one of these while another thread is in it waits, in the child of a fork for ever.
WAITING = ("OnceLock", "OnceCell", "Once", "LazyLock")

# What a function that Python calls begins with, but for those that set the environment themselves.
ENTRY = "entry"
# The same, of one that calls functions of the caller's.
ENTRY_CALLING = "entry_calling"
ENVIRONMENT = "rust/python/environment.rs"

MAX_LINES = 450


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
            if first not in (ENTRY, ENTRY_CALLING):
                yield line, f"Python calls {function}, which must begin with {ENTRY}"
    for _, path, line in paths(code, () if floor == "lib" else module):
        if path[0] == "crate" and len(path) > 1 and floor != "lib":
            if path[1] not in FLOORS:
                yield line, f"crate::{path[1]} is no floor; known are {', '.join(FLOORS)}"
            elif not _allowed(floor, path):
                yield line, f"{floor} must not use {'::'.join(path[1:])}"
        for room in (path[0], "::".join(path[:2])):
            if room in ROOMS and not name.startswith(ROOMS[room]):
                yield line, f"{room} outside {', '.join(ROOMS[room])}"


def python_floor(file: str) -> int | None:
    """The number of a file's floor, from the ground up."""
    name = file.removeprefix("python/ironmlp/")
    for number, members in enumerate(PYTHON_FLOORS.values()):
        if any(name == m or (m.endswith("/") and name.startswith(m)) for m in members):
            return number
    return None


def _upward(drawn: Drawing) -> Iterator[str]:
    """The arrows between files of Python that lead to a higher floor, and files on none."""
    names = list(PYTHON_FLOORS)
    floors = {file: python_floor(file) for file in drawn.lines if file not in drawn.doors}
    for file, floor in floors.items():
        if floor is None:
            yield f"{file}:1: it is on no floor; known are {', '.join(names)}"
    for (source, target), line in drawn.arrows.items():
        low, high = floors[source], floors[target]
        if low is not None and high is not None and low < high:
            yield f"{source}:{line}: {names[low]} must not use {names[high]} ({target})"


def _drawn(drawn: Drawing) -> Iterator[str]:
    """The circles of a drawing, and the files that were to introduce only."""
    for circle in drawn.circles():
        way = drawn.round_trip(circle)
        line = drawn.arrows[way[0], way[1]]
        around = " -> ".join([*way, way[0]])
        yield f"{way[0]}:{line}: a circle of {len(circle)} files has the way {around}"
    for file, (line, name) in drawn.working.items():
        door = Path(file).name
        yield f"{file}:{line}: {door} only declares and passes on: move {name} into another file"


def drawings(root: Path) -> tuple[Drawing, Drawing]:
    """The files of `root`/rust and of `root`/python with their arrows."""

    def sources(pattern: str) -> dict[str, str]:
        found = sorted(root.glob(pattern))
        return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in found}

    return (
        rust_files.drawing(sources("rust/**/*.rs")),
        python_files.drawing(sources("python/**/*.py")),
    )


def violations(root: Path) -> list[str]:
    """What breaks the rules in `root`/rust and `root`/python, as "file:line: what"."""
    rust, python = drawings(root)
    found = [
        f"{name}:{lines}: {lines} lines, at most {MAX_LINES}"
        for name, lines in (rust.lines | python.lines).items()
        if lines > MAX_LINES
    ]
    for name in rust.lines:
        source = (root / name).read_text("utf-8")
        found += sorted({f"{name}:{line}: {what}" for line, what in _check(name, source)})
    return [*found, *_drawn(rust), *_drawn(python), *_upward(python)]


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    if sys.argv[1:] == ["--map"]:
        for language, drawn in zip(("Rust", "Python"), drawings(root), strict=True):
            print(*described(language, drawn), sep="\n")
        return 0
    broken = violations(root)
    print("\n".join(broken) or "layering: every file is on its floor")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
