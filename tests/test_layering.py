"""The layering check passes on this repository, and reports every kind of violation."""

from pathlib import Path

import pytest

import layering
from house.map import described

ROOT = Path(__file__).resolve().parent.parent


def check(root: Path, name: str, source: str) -> list[str]:
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    return layering.violations(root)


def test_this_repository() -> None:
    assert (ROOT / "rust" / "lib.rs").is_file()
    assert layering.violations(ROOT) == []


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        # upward and sideways
        ("rust/kernels/a.rs", "use crate::network::Plan;", "kernels must not use network::Plan"),
        ("rust/simd/mod.rs", "use crate::kernels;", "simd must not use kernels"),
        ("rust/network/a.rs", "use crate::{\n  error::E,\n  training::Run};", "training::Run"),
        ("rust/network/a.rs", "use crate::{error, training};", "network must not use training"),
        ("rust/network/a.rs", "use {std::fmt, crate::training::Run};", "training::Run"),
        ("rust/network/a.rs", "use crate::{kernels::{a, b}, python::c};", "python::c"),
        ("rust/kernels/a.rs", "fn f() { crate::training::g() }", "training::g"),
        ("rust/kernels/gemm/a.rs", "use super::super::super::network::P;", "network::P"),
        ("rust/kernels/gemm/a.rs", "use self::super::super::super::network::P;", "network::P"),
        ("rust/kernels/a.rs", "mod t { use super::super::super::network::P; }", "network::P"),
        ("rust/kernels/mod.rs", "use super::network;", "kernels must not use network"),
        ("rust/simd/a.rs", "use crate::runtime::arena;", "simd must not use runtime::arena"),
        ("rust/runtime/a.rs", "use crate::simd::Lanes;", "runtime must not use simd::Lanes"),
        ("rust/error.rs", "use crate::simd::Lanes;", "error must not use simd::Lanes"),
        ("rust/kernels/a.rs", "use crate::Plan;", "crate::Plan is no floor"),
        ("rust/helpers/a.rs", "", "helpers is no floor"),
        # words outside their rooms
        ("rust/training/a.rs", "use pyo3::prelude::*;", "pyo3 outside"),
        ("rust/training/a.rs", "use numpy::PyArray2;", "numpy outside"),
        ("rust/lib.rs", "#[pyo3::pymodule] mod m {}", "pyo3 outside"),
        ("rust/kernels/a.rs", "use core::arch::x86_64::_mm_prefetch;", "core::arch outside"),
        ("rust/kernels/a.rs", "use std::{arch::asm, fmt};", "std::arch outside"),
        ("rust/kernels/a.rs", "fn f() { std::arch::asm!() }", "std::arch outside"),
        ("rust/training/a.rs", "fn f() { unsafe { g() } }", "unsafe outside"),
        ("rust/network/plan.rs", "unsafe impl Send for P {}", "unsafe outside"),
        ("rust/python/model.rs", "unsafe fn f() {}", "unsafe outside"),
        # after what looks like the start of a literal or a comment
        ("rust/training/a.rs", "fn f<'a>(x: &'a u8) { let c = '\"'; unsafe {} }", "unsafe outside"),
        ("rust/training/a.rs", 'let s = r#"a " b"#; unsafe {}', "unsafe outside"),
        ("rust/training/a.rs", "/* /* */ */ unsafe {}", "unsafe outside"),
        # memory that may be missing
        ("rust/network/a.rs", "let a = vec![T::ZERO; rows * cols];", "vec![value; count] aborts"),
        ("rust/network/a.rs", "let a = vec![[0; 2]; f(1, 2)];", "vec![value; count] aborts"),
        ("rust/network/a.rs", "let a = Vec::<T>::with_capacity(n);", "Vec::with_capacity aborts"),
        ("rust/python/run.rs", "let a = optimizers.to_vec();", ".to_vec aborts"),
        ("rust/training/a.rs", "let a: Vec<_> = b\n.iter()\n.collect();", ".collect aborts"),
        ("rust/network/rows/build.rs", "blocks.sort_by(f);", ".sort_by aborts"),
        # what a fork may cut off
        ("rust/simd/a.rs", "static X: std::sync::OnceLock<u8> = f();", "OnceLock is waited for"),
        ("rust/runtime/a.rs", "use std::sync::{Mutex, LazyLock};", "LazyLock is waited for"),
        # the way in
        ("rust/python/a.rs", "#[pyfunction]\npub fn f() -> u8 { 1 }", "Python calls f"),
        (
            "rust/python/a.rs",
            "#[pymethods] impl A { fn f(&self) { entry(|| {}) } #[new] fn g() { h() } } fn i() {}",
            "Python calls g",
        ),
        # size
        ("rust/kernels/a.rs", "\n" * 451, "451 lines, at most 450"),
        ("python/ironmlp/model.py", "\n" * 451, "451 lines, at most 450"),
        # what only introduces
        (
            "rust/kernels/a/mod.rs",
            "mod b;\npub fn f() {}",
            "mod.rs only declares and passes on: move f",
        ),
        ("rust/kernels/mod.rs", "mod b;\nimpl T for f32 {}", "move impl"),
        ("python/ironmlp/callbacks/__init__.py", "def f() -> int:\n    return 1\n", "move f"),
        ("python/ironmlp/_labels/__init__.py", "A = 2\nB = A + 1\n", "move B = A + 1"),
        # on no floor
        ("python/ironmlp/helpers.py", "", "it is on no floor"),
    ],
)
def test_reports(tmp_path: Path, name: str, source: str, message: str) -> None:
    found = check(tmp_path, name, source)
    assert len(found) == 1
    assert found[0].startswith(f"{name}:")
    assert message in found[0]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("rust/kernels/a.rs", "use crate::{error::Result, simd::{Lanes, Simd}};"),
        ("rust/kernels/a.rs", "use super::gemm; mod t { use super::super::gemm; }"),
        ("rust/runtime/a.rs", "use crate::simd::environment::Guard;"),
        ("rust/python/a.rs", "use pyo3::prelude::*; use numpy::X; use crate::training::Run;"),
        ("rust/python/array.rs", "fn f() { unsafe {} }"),
        ("rust/network/memory/view.rs", "fn f() { unsafe {} }"),
        ("rust/python/a.rs", "use pyo3::sync::PyOnceLock;"),
        ("rust/python/a.rs", "#[pyfunction] fn f(x: [u8; 2]) { entry(|| x) }\nfn g() { 1 }"),
        ("rust/python/a.rs", "impl A { fn f() { 1 } } #[pymethods] impl A { fn g() { entry(1) } }"),
        ("rust/python/environment.rs", "#[pymethods] impl A { fn g() { 1 } }"),
        ("rust/simd/a.rs", "use core::arch::x86_64::*; unsafe fn f() {}"),
        ("rust/lib.rs", '#[cfg(feature = "python")]\nmod python;\npub use crate::training::Run;'),
        ("rust/training/a.rs", "pub(crate) fn numpy_like(network: usize) {}"),
        ("rust/network/a.rs", "let a = vec![[0; 2], [f(1); 3]]; let b = gather::to_vec(x)?;"),
        ("rust/network/weight_phase.rs", "let a: Vec<_> = layers.iter().map(f).collect();"),
        ("rust/network/a.rs", "#[cfg(test)]\nmod tests { fn f() { let a = vec![0; 9]; } }"),
        ("rust/runtime/memory.rs", "let a = vec![0; 9];"),
        # comments and literals
        ("rust/training/a.rs", "//! [`pyo3`] unsafe crate::python\n/* unsafe /* */ numpy */"),
        ("rust/training/a.rs", 'let s = "unsafe \\" pyo3"; let r = r#"unsafe " numpy"#;'),
        ("python/ironmlp/model.py", "\n" * 450),
        ("rust/kernels/a/mod.rs", "//! A room.\n#[cfg(test)]\nmod b;\npub use b::{B, C as D};"),
        (
            "python/ironmlp/__init__.py",
            '"""A room."""\nfrom typing import TYPE_CHECKING\n__all__ = ["a"]\n'
            "if TYPE_CHECKING:\n    import numpy\ndef __getattr__(name):\n    return 1\n",
        ),
    ],
)
def test_accepts(tmp_path: Path, name: str, source: str) -> None:
    assert check(tmp_path, name, source) == []


# Each language with files that keep the rules, to which one more is added.
RUST = {
    "rust/lib.rs": "pub mod kernels;\npub mod network;",
    "rust/kernels/mod.rs": "pub mod room;\npub mod single;",
    "rust/kernels/room/mod.rs": "mod a;\nmod b;\npub use a::A;\npub use b::{B as C, *};",
    "rust/kernels/room/a.rs": "pub struct A;\npub fn twice() {}",
    "rust/kernels/room/b.rs": "pub struct B;\nimpl B { pub const SIZE: usize = 1; }",
    "rust/kernels/single.rs": "pub fn one() {}",
    "rust/network/mod.rs": "mod plan;\npub use plan::Plan;",
    "rust/network/plan.rs": "pub struct Plan;",
}
PYTHON = {
    "python/ironmlp/__init__.py": "from ironmlp.model import Sequential\n",
    "python/ironmlp/datasets.py": "class Data: ...\n",
    "python/ironmlp/functional.py": "class Formula: ...\n",
    "python/ironmlp/model.py": "from ironmlp.datasets import Data\nclass Sequential: ...\n",
    "python/ironmlp/callbacks/__init__.py": "from ironmlp.callbacks.base import Callback\n",
    "python/ironmlp/callbacks/base.py": "class Callback: ...\n",
    "python/ironmlp/callbacks/early.py": "from ironmlp.callbacks import Callback\n",
}
A, B, ONE = "rust/kernels/room/a.rs", "rust/kernels/room/b.rs", "rust/kernels/single.rs"
DATASETS, FUNCTIONAL, MODEL = (
    f"python/ironmlp/{name}.py" for name in ("datasets", "functional", "model")
)
BASE, EARLY = (f"python/ironmlp/callbacks/{name}.py" for name in ("base", "early"))


def planted(root: Path, changes: dict[str, str]) -> list[str]:
    sources = (RUST if next(iter(changes)).endswith(".rs") else PYTHON) | changes
    for name, source in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return layering.violations(root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # by a use, an expression, a macro, a module's name, in tests
        ({A: "use super::b::B; pub struct A;", B: "use super::a::A; pub struct B;"}, f"{A} -> {B}"),
        (
            {A: "fn f() { super::b::g() } pub struct A;", B: "use super::a; pub struct B;"},
            f"{A} -> {B}",
        ),
        (
            {A: "m!(crate::kernels::room::b::B); pub struct A;", B: "use super::*; type X = A;"},
            f"{A} -> {B}",
        ),
        (
            {A: "use super::b; pub struct A;", B: "mod tests { use super::super::a::twice; }"},
            f"{A} -> {B}",
        ),
        # through mod.rs: what it passes on, under another name, by a star, or has imported itself
        ({A: "use super::C; pub struct A;", B: "use super::A; pub struct B;"}, f"{A} -> {B}"),
        (
            {A: "use super::hidden; pub struct A;", B: "use super::A; pub fn hidden() {}"},
            f"{A} -> {B}",
        ),
        (
            {A: "use crate::kernels::room; fn f() -> room::C {}", B: "use super::a::A;"},
            f"{A} -> {B}",
        ),
        # from room to room
        (
            {A: "use crate::kernels::single; pub struct A;", ONE: "use super::room::A;"},
            f"{A} -> {ONE}",
        ),
        (
            {
                A: "use super::b::B;",
                B: "use crate::kernels::single::one;",
                ONE: "use super::room::a;",
            },
            f"a circle of 3 files has the way {A} -> {B} -> {ONE} -> {A}",
        ),
        # Python: at the top, in a function, for a type checker, relative, as a module, by name
        (
            {DATASETS: "import ironmlp.functional\n", FUNCTIONAL: "from ironmlp import datasets\n"},
            f"{DATASETS} -> {FUNCTIONAL}",
        ),
        (
            {
                DATASETS: "def f():\n    from ironmlp.functional import Formula\n",
                FUNCTIONAL: "if TYPE_CHECKING:\n    from ironmlp.datasets import Data\n",
            },
            f"{DATASETS} -> {FUNCTIONAL}",
        ),
        (
            {DATASETS: "from .functional import Formula\n", FUNCTIONAL: "from . import datasets\n"},
            f"{DATASETS} -> {FUNCTIONAL}",
        ),
        (
            {
                DATASETS: "import_module('ironmlp.functional')\n",
                FUNCTIONAL: "import ironmlp as im\nim.datasets\n",
            },
            f"{DATASETS} -> {FUNCTIONAL}",
        ),
        # through an __init__.py
        ({BASE: "from .early import X\nclass Callback: ...\n"}, f"{BASE} -> {EARLY}"),
    ],
)
def test_finds_a_circle(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    (found,) = planted(tmp_path, changes)
    first = next(iter(changes))
    assert found.startswith(f"{first}:")
    assert message in found
    assert found.endswith(f"-> {first}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({A: "pub use crate::network::Plan; pub struct A;"}, "kernels must not use network::Plan"),
        (
            {DATASETS: "from ironmlp.callbacks.base import Callback\n"},
            "data must not use training",
        ),
        (
            {DATASETS: "from ironmlp import callbacks\ncallbacks.Callback\n"},
            "must not use training",
        ),
        ({BASE: "if TYPE_CHECKING:\n    from ironmlp import Sequential\n"}, "must not use models"),
        ({BASE: "def f():\n    from ..model import Sequential\n"}, "must not use models"),
    ],
)
def test_finds_an_upward_arrow(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    (found,) = planted(tmp_path, changes)
    assert found.startswith(f"{next(iter(changes))}:")
    assert message in found


@pytest.mark.parametrize(
    "changes",
    [
        {A: "pub struct A;"},
        {B: "use super::{A, a::twice}; use crate::kernels::{room, single::one}; type T = room::A;"},
        {A: "//! [`super::b::B`]\nfn f() { let b = x.b; b::c; std::b::c() }", B: "use super::A;"},
        {A: "struct B; use self::B as C; fn f() -> B {}", B: "use super::a::*;"},
        {A: "#[cfg(test)] mod tests { use super::*; }", B: "use std::{fmt, ops::*}; use super::A;"},
        {MODEL: "from ironmlp import functional, datasets, _core\nfrom os import path\n"},
        {DATASETS: "def f(model: 'Sequential') -> None: ...\n"},
        {DATASETS: "import numpy as np\nnp.model\nTEXT = 'from ironmlp import model'\n"},
    ],
)
def test_finds_nothing_in_order(tmp_path: Path, changes: dict[str, str]) -> None:
    assert planted(tmp_path, changes) == []


def test_the_map(tmp_path: Path) -> None:
    assert len(planted(tmp_path, {A: "use super::C;\n\npub struct A;", B: "\nuse super::A;"})) == 1
    rust, _ = layering.drawings(tmp_path)
    head, *lines = described("Rust", rust)
    assert head == "Rust: 8 files, of which 4 only introduce; lines: 9; arrows: 2; circles: 1"
    assert lines[:3] == ["  circle of 2 files", f"    {A}:1 -> {B}", f"    {B}:2 -> {A}"]
    assert lines[3:5] == ["  longest files", "      3 rust/kernels/room/mod.rs"]


def test_gives_the_line(tmp_path: Path) -> None:
    source = '/* 1\n2 */\nlet s = "3\n4";\nunsafe {}\n'
    (found,) = check(tmp_path, "rust/training/a.rs", source)
    assert found.startswith("rust/training/a.rs:5: ")
