"""Arrows between the modules of the package: each import leads to the file that defines the name.

All imports count, also those within functions and those that only a type checker reads.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import PurePosixPath

from house.arrows import Drawing

# Functions that an __init__.py may have: they are asked for names that it passes on.
PASSING_ON = ("__dir__", "__getattr__")


@dataclasses.dataclass
class Import:
    """`name` of `module`, or the module itself if `name` is empty, known here as `alias`."""

    module: str
    name: str
    alias: str
    line: int


def module_of(file: str) -> str:
    """The name of the module of a file below python/."""
    parts = PurePosixPath(file).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def drawing(sources: dict[str, str]) -> Drawing:
    """The files of `sources`, which have names as python/ironmlp/model.py, and their arrows."""
    drawn = Drawing({file: source.count("\n") for file, source in sources.items()})
    trees = {file: ast.parse(source, file) for file, source in sources.items()}
    for file, tree in trees.items():
        if PurePosixPath(file).name == "__init__.py":
            work = first_work(tree.body)
            if work is None:
                drawn.doors.add(file)
            else:
                drawn.working[file] = work
    package = Package(
        {module_of(file): file for file in sources},
        {file: list(imports(tree, file)) for file, tree in trees.items()},
        drawn.doors,
    )
    for file, tree in trees.items():
        for made in package.imports[file]:
            drawn.add(file, package.file_of(made.module, made.name), made.line)
            if module := package.module(made):
                for name in attributes(tree, made.alias):
                    drawn.add(file, package.file_of(module, name), made.line)
    return drawn


def first_work(body: list[ast.stmt]) -> tuple[int, str] | None:
    """The line and name of the first statement of an __init__.py that does more than introduce:
    than to import, to list names, and to look up those that are imported with their first use."""
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant(str())):
                continue
            case ast.Assign(value=value) if is_literal(value):
                continue
            case ast.FunctionDef(name=name) if name in PASSING_ON:
                continue
            case ast.If(test=ast.Name("TYPE_CHECKING")) if first_work(statement.body) is None:
                continue
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                return statement.lineno, name
            case _:
                return statement.lineno, ast.unparse(statement).partition("\n")[0]
    return None


def is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def imports(tree: ast.Module, file: str) -> Iterator[Import]:
    """Every import of a file, wherever it stands."""
    inside = module_of(file).split(".")
    if not file.endswith("/__init__.py"):
        inside.pop()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                yield Import(module, name.name, name.asname or name.name, node.lineno)
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield Import(name.name, "", name.asname or name.name, node.lineno)
        elif isinstance(node, ast.Call) and node.args and by_name(node.func):
            match node.args[0]:
                case ast.Constant(str(module)):
                    yield Import(module, "", "", node.lineno)


def by_name(function: ast.expr) -> bool:
    """Whether this is `importlib.import_module`."""
    return ast.unparse(function).rpartition(".")[2] == "import_module"


def attributes(tree: ast.Module, module: str) -> Iterator[str]:
    """The names that a file takes from a module that it has imported under this name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == module:
            yield node.attr


@dataclasses.dataclass
class Package:
    """All modules, to look names up in."""

    files: dict[str, str]
    imports: dict[str, list[Import]]
    doors: set[str]

    def module(self, made: Import) -> str | None:
        """The module that an import brings, if it brings one of this package."""
        module = f"{made.module}.{made.name}".removesuffix(".")
        return module if module in self.files else None

    def file_of(self, module: str, name: str) -> str | None:
        """The file that defines a name of a module (which is one if the name is empty), None if it
        is not of this package. What an __init__.py passes on is followed."""
        if name and f"{module}.{name}" in self.files:
            return self.files[f"{module}.{name}"]
        file = self.files.get(module)
        if file in self.doors and name:
            for made in self.imports[file]:
                if made.alias == name and (made.module, made.name) != (module, name):
                    return self.file_of(made.module, made.name)
        return file
