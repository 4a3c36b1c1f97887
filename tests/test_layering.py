"""The layering check passes on this repository, and reports every kind of violation."""

from pathlib import Path

import pytest

import layering

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
        ("rust/python/run.rs", "let a = losses.to_vec();", ".to_vec aborts"),
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
        ("python/ironmlp/a.py", "\n" * 451, "451 lines, at most 450"),
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
        ("rust/network/step.rs", "let a: Vec<_> = layers.iter().map(f).collect();"),
        ("rust/network/a.rs", "#[cfg(test)]\nmod tests { fn f() { let a = vec![0; 9]; } }"),
        ("rust/runtime/memory.rs", "let a = vec![0; 9];"),
        # comments and literals
        ("rust/training/a.rs", "//! [`pyo3`] unsafe crate::python\n/* unsafe /* */ numpy */"),
        ("rust/training/a.rs", 'let s = "unsafe \\" pyo3"; let r = r#"unsafe " numpy"#;'),
        ("python/ironmlp/a.py", "\n" * 450),
    ],
)
def test_accepts(tmp_path: Path, name: str, source: str) -> None:
    assert check(tmp_path, name, source) == []


def test_gives_the_line(tmp_path: Path) -> None:
    source = '/* 1\n2 */\nlet s = "3\n4";\nunsafe {}\n'
    (found,) = check(tmp_path, "rust/training/a.rs", source)
    assert found.startswith("rust/training/a.rs:5: ")
