"""Runs every Python block of README.md and docs/, and every program of examples/.

The blocks of one file share one namespace and run in order, as a reader would run them.
"""

import inspect
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ironmlp as im

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# A file that begins with _ is shared by programs, and none itself.
EXAMPLES = sorted((ROOT / "examples").glob("[!_]*.py"))
# What makes a long program short.
OPTIONS = {"cracks.py": ["drawn/cracks.png", "--epochs", "3", "--size", "64"]}
# The files that a program writes.
WRITTEN = {"cracks.py": ["drawn/cracks.png"], "lenet.py": ["lenet.png", "lenet.safetensors"]}

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_page(page: Path) -> int:
    """Runs the blocks of `page`, errors with its own line numbers, and returns their number."""
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": page.stem}
    blocks = list(_BLOCK.finditer(text))
    for block in blocks:
        above = text.count("\n", 0, block.start(1))
        exec(compile("\n" * above + block[1], str(page), "exec"), namespace)
    return len(blocks)


def run_program(path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    # -B: nothing is written beside a program that imports from its own folder.
    command = [sys.executable, "-B", "-W", "error", str(path), *OPTIONS.get(path.name, [])]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    # A fence that the pattern above does not find would never run.
    assert run_page(page) == len(re.findall(r"^\s*```+ *python", text, re.MULTILINE))


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "quickstart.md",
        "cross-entropy.md",
        "backprop.md",
        "layers.md",
        "optimizers.md",
        "schedules.md",
        "files.md",
        "callbacks.md",
        "lenet.md",
        "training-loops.md",
        "from-keras.md",
        "from-pytorch.md",
        "sklearn.md",
        "from-scikit-learn.md",
        "table-to-model.md",
    ],
)
def test_page_has_blocks(name: str) -> None:
    (page,) = (page for page in PAGES if page.name == name)
    assert _BLOCK.search(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["from-keras.md", "from-pytorch.md"])
def test_the_tables_for_newcomers_name_what_is_there(name: str) -> None:
    """Classes that the last column calls are ironmlp's, and take arguments of these names."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    ours = [line.split(" | ")[-1] for line in text.splitlines() if line.startswith("| ")]
    calls = [call for cell in ours for call in re.findall(r"\b([A-Z]\w+)\(([^()]*)\)", cell)]
    assert len(calls) > 5
    for made, arguments in calls:
        kind = getattr(im, made)
        for keyword in re.findall(r"(\w+)=", arguments):
            assert keyword in inspect.signature(kind).parameters, (made, keyword)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example(path: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    done = run_program(path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    for name in WRITTEN.get(path.name, []):
        assert (tmp_path / name).stat().st_size > 1000


def test_the_example_of_cracks_learns_to_see_them(tmp_path: Path) -> None:
    (path,) = (path for path in EXAMPLES if path.name == "cracks.py")
    (tmp_path / "drawn").mkdir()
    lines = run_program(path, tmp_path).stdout.splitlines()
    assert float(lines[-3].split()[-1]) > 0.85
    sound, cracked = ([int(n) for n in re.findall(r"\d+", line)] for line in lines[-2:])
    assert sum(sound) + sum(cracked) == 269
    assert (sound[0] + cracked[1]) / 269 > 0.85


def test_images_do_not_run_into_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from _images import mosaic

    drawn = mosaic(np.full((9, 28, 28), 255, np.uint8))
    gaps = np.isnan(drawn)
    assert (drawn[~gaps] == 255).all()
    for lines in (gaps.all(axis=0), gaps.all(axis=1)):
        assert [(key, len(list(run))) for key, run in itertools.groupby(lines.tolist())] == [
            (False, 28),
            (True, 3),
            (False, 28),
            (True, 3),
            (False, 28),
        ]


def test_there_are_examples() -> None:
    assert {"xor.py", "policy_gradient.py", "lenet.py", "cracks.py"} <= {
        path.name for path in EXAMPLES
    }


def test_a_failing_block_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\na = 1\n```\n\n```python\nassert a == 2\n```\n", "utf-8")
    with pytest.raises(AssertionError) as caught:
        run_page(page)
    assert caught.traceback[-1].lineno == 7  # zero-based
    page.write_text("```python\na = 1\n```\n\n```python\nassert a == 1\n```\n", "utf-8")
    assert run_page(page) == 2


def test_a_failing_program_fails(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text("import warnings\nwarnings.warn('a warning is an error')\n", "utf-8")
    assert run_program(path, tmp_path).returncode == 1
