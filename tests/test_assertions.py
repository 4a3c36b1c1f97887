"""Every test here looks at something: what one computes and throws away shows nothing."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

MODULES = {path.stem for path in TESTS.glob("*.py")}

# Calls that fail unless something holds, beside `assert` and helpers that make such a call.
LOOKS = ("pytest.raises", "pytest.warns", "pytest.fail", "np.testing.assert")


def functions(trees: Iterable[ast.AST]) -> Iterator[ast.FunctionDef]:
    for tree in trees:
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def calls(function: ast.AST) -> set[str]:
    """What a function calls, with the dots ("np.testing.assert_array_equal") but for the names of
    the modules here."""
    found = {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    short = {name.partition(".")[2] for name in found if name.partition(".")[0] in MODULES}
    return found | short


def looks(function: ast.FunctionDef, helpers: set[str]) -> bool:
    """Whether there is something in a function that can fail."""
    if any(isinstance(node, ast.Assert) for node in ast.walk(function)):
        return True
    called = calls(function)
    return not helpers.isdisjoint(called) or any(name.startswith(LOOKS) for name in called)


def helpers_of(trees: Iterable[ast.AST]) -> set[str]:
    """The functions that look at something themselves or by others; no method, whose names the
    package's have too."""
    found: set[str] = set()
    named = [f for f in functions(trees) if not f.name.startswith("test_")]
    while more := {f.name for f in named if f.name not in found and looks(f, found)}:
        found |= more
    return found


def blind(trees: list[ast.Module], helpers: set[str]) -> list[str]:
    """The tests that look at nothing, and the lines that throw away what they compare."""
    tests = [f for f in functions(trees) if f.name.startswith("test_")]
    found = [f"{f.name} asserts nothing" for f in tests if not looks(f, helpers)]
    nodes = [node for tree in trees for node in ast.walk(tree) if useless(node)]
    return found + [f"line {getattr(node, 'lineno', 0)}: {useless(node)}" for node in nodes]


def useless(node: ast.AST) -> str:
    """What is wrong with a piece of a test, if anything."""
    match node:
        case ast.Expr(value=ast.Compare() | ast.BoolOp()):
            return "a comparison that nobody sees"
        case ast.Call(func=ast.Attribute(attr="raises"), args=[ast.Name("Exception"), *_]):
            return "pytest.raises of everything"
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return "compares a thing with itself" if ast.dump(left) == ast.dump(right) else ""
        case ast.For(iter=ast.List(elts=[]) | ast.Tuple(elts=[])):
            return "a loop over nothing"
    return ""


def trees_of(paths: Iterable[Path]) -> list[ast.Module]:
    return [ast.parse(path.read_text("utf-8"), str(path)) for path in paths]


def test_every_test_looks_at_something() -> None:
    helpers = helpers_of(trees_of(TESTS.rglob("*.py")))
    paths = sorted(TESTS.glob("test_*.py"))
    assert len(paths) > 30
    found = {path.name: blind(trees_of([path]), helpers) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def test_a():\n    f(3)", "test_a asserts nothing"),
        ("def test_a():\n    assert f()\n    f() == 3", "line 3: a comparison that nobody sees"),
        ("def test_a():\n    with pytest.raises(Exception):\n        f()", "of everything"),
        ("def test_a():\n    assert f(1) == f(1)", "compares a thing with itself"),
        ("def test_a():\n    for i in []:\n        assert i", "a loop over nothing"),
    ],
)
def test_a_blind_test_is_found(source: str, said: str) -> None:
    (found,) = blind([ast.parse(source)], {"check"})
    assert said in found


def test_helpers_count() -> None:
    helper = "def check(x):\n    assert x\n\ndef f(x):\n    check(x)\n\ndef g(x):\n    return x"
    assert helpers_of([ast.parse(helper)]) == {"check", "f"}
    assert not blind([ast.parse("def test_a():\n    f(3)")], {"check", "f"})
    assert blind([ast.parse("def test_a():\n    g(3)")], {"check", "f"})
