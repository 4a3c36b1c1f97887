"""Arrows between the files of the crate: each path leads to the file that defines what it names."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

from house.arrows import Drawing
from house.rust_code import Path, Token, absolute, paths, scopes, tokens

# What stands before the name of an item. A function within one is not the module's own.
ITEMS = ("const", "enum", "fn", "static", "struct", "trait", "type", "union")
DOORS = ("mod.rs", "lib.rs")


@dataclasses.dataclass
class Module:
    """What a module defines itself, and the names that its `use` declarations bring, as paths."""

    file: str
    items: set[str] = dataclasses.field(default_factory=set)
    names: dict[str, Path] = dataclasses.field(default_factory=dict)
    globs: list[Path] = dataclasses.field(default_factory=list)


def path_of(file: str) -> Path:
    """The module of a file below rust/."""
    parts = PurePosixPath(file).with_suffix("").parts[1:]
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


def drawing(sources: dict[str, str]) -> Drawing:
    """The files of `sources`, which have names as rust/kernels/mod.rs, and their arrows."""
    drawn = Drawing({file: source.count("\n") for file, source in sources.items()})
    codes = {file: tokens(source) for file, source in sources.items()}
    modules: dict[Path, Module] = {}
    for file, code in codes.items():
        work = declare(modules, file, code)
        if PurePosixPath(file).name in DOORS:
            if work is None:
                drawn.doors.add(file)
            else:
                drawn.working[file] = work
    crate = Crate(modules)
    for file, code in codes.items():
        for here, path, line in paths(code, path_of(file)):
            drawn.add(file, crate.file_of(here, path), line)
    return drawn


def declare(modules: dict[Path, Module], file: str, code: list[Token]) -> tuple[int, str] | None:
    """Add the modules of a file; the line and name of the first item that it defines, if any."""
    first = None
    modules.setdefault(path_of(file), Module(file))
    for i, (here, direct) in enumerate(scopes(code, path_of(file))):
        module = modules.setdefault(here, Module(file))
        word, line = code[i]
        # With a name that no path has, so that the code may end anywhere.
        following = [*(word for word, _ in code[i + 1 : i + 3]), ".", "."]
        if word == "use" and following[0] != "<":
            for path, name in used(code, i + 1, ())[0]:
                if name == "*":
                    module.globs.append(absolute(path, here))
                else:
                    module.names[name] = absolute(path, here)
        elif direct and (name := defined(code, i, following)):
            module.items.add(name)
            first = first or (line, name)
        elif direct and word == "impl":
            first = first or (line, "impl")
    return first


def defined(code: list[Token], i: int, following: list[str]) -> str | None:
    """The name of the item that begins at a token, if one does."""
    word, before = code[i][0], code[i - 1][0] if i else ""
    if word == "macro_rules":
        return following[1]
    is_name = following[0].isidentifier() and following[0] not in ("fn", "unsafe", "mut")
    # In <const N: usize> no item begins.
    return following[0] if word in ITEMS and is_name and before not in ("<", ",") else None


def used(code: list[Token], i: int, prefix: Path) -> tuple[list[tuple[Path, str]], int]:
    """The paths of the tree that a `use` has at a token, each with the name that it gets; the
    token after the tree."""
    found: list[tuple[Path, str]] = []
    path = prefix
    while True:
        word = code[i][0]
        i += 1
        if word == "{":
            while code[i][0] != "}":
                more, i = used(code, i, path)
                found += more
                i += code[i][0] == ","
            return found, i + 1
        if word == "*":
            return [(path, "*")], i
        if word == "::":
            continue
        if word != "self" or not path:
            path = (*path, word)
        if code[i][0] == "as":
            return [(path, code[i + 1][0])], i + 2
        if code[i][0] != "::":
            return [(path, path[-1])], i


@dataclasses.dataclass
class Crate:
    """All modules, to look names up in."""

    modules: dict[Path, Module]

    def file_of(self, here: Path, path: Path) -> str | None:
        """The file that defines what a path in the module `here` names, None if it is not of this
        crate."""
        return self._follow(here, path, frozenset()) or self._deepest(here, path)

    def _deepest(self, here: Path, path: Path) -> str | None:
        """The file of the last module on a path: what a macro defines there is no item to find."""
        if path[:1] == ("crate",):
            here, path = (), path[1:]
        known = (self.modules.get((*here, *path[:end])) for end in range(len(path), 0, -1))
        return next((module.file for module in known if module), None)

    def _follow(self, here: Path, path: Path, seen: frozenset[tuple[Path, str]]) -> str | None:
        """`seen` are the names by which the way came here, which do not lead on a second time."""
        if path[:1] == ("crate",):
            here, path = (), path[1:]
        module = self.modules.get(here)
        if module is None or not path:
            return module.file if module else None
        name, more = path[0], path[1:]
        # A function may be called as its module is.
        if (*here, name) in self.modules and (more or name not in module.names):
            return self._follow((*here, name), more, seen)
        if name in module.items:
            return module.file
        if (here, name) in seen:
            return None
        seen |= {(here, name)}
        if name in module.names:
            way = (*module.names[name], *more)
            return self._follow(here, way, seen) or self._deepest(here, way)
        ways = ((*way, *path) for way in module.globs)
        return next((file for way in ways if (file := self._follow(here, way, seen))), None)
