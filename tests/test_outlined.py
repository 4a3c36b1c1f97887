"""Vector instructions are inlined into the kernels; the checker of that can fail."""

import platform
import shutil
from pathlib import Path

import pytest

import ironmlp._core
from outlined import disassembled, outlined

# A function that calls one of a single addition, and one that is longer.
SAMPLE = """
0000000000001000 <kernel>:
    1000:\tsub    $0x88,%rsp
    1004:\tvaddps (%rsi),%zmm0,%zmm1
    100a:\tcall   2000 <_mm512_add_ps>
    100f:\tcall   3000 <other>
    1014:\tret

0000000000002000 <_mm512_add_ps>:
    2000:\tmov    %rdi,%rax
    2003:\tvmovaps (%rdx),%zmm0
    2009:\tvaddps (%rsi),%zmm0,%zmm0
    200f:\tvmovaps %zmm0,(%rdi)
    2015:\tvzeroupper
    2018:\tret

0000000000003000 <other>:
    3000:\tvmovaps (%rdx),%ymm0
    3004:\tvmulps %ymm0,%ymm0,%ymm1
    3008:\tvaddps %ymm0,%ymm1,%ymm0
    300c:\tvmovaps %ymm0,(%rdi)
    3010:\tret

0000000000004000 <never_called>:
    4000:\tvaddps (%rsi),%zmm0,%zmm0
    4006:\tret
"""


def test_an_outlined_instruction_is_seen():
    assert outlined(SAMPLE.splitlines()) == ["2000"]


@pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("objdump") is None,
    reason="needs objdump and the instruction sets of x86-64",
)
def test_kernels_contain_their_instructions():
    lines = disassembled(Path(ironmlp._core.__file__))
    assert len(lines) > 100_000
    assert outlined(lines) == []
