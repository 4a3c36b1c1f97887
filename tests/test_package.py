"""Facts of the installed package: what is in it, what it needs, what it imports."""

import importlib
import importlib.metadata
import itertools
import pkgutil
import re
import rlcompleter
import subprocess
import sys
import sysconfig
import tomllib
import zlib
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np

import ironmlp

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(ironmlp.__file__).parent


def test_tests_run_against_the_installed_package() -> None:
    # `make test` installs the wheel; the working tree must not stand in for it.
    assert PACKAGE.parent == Path(sysconfig.get_path("platlib"))


def test_needs_numpy_alone() -> None:
    needed = importlib.metadata.requires("ironmlp") or []
    always = [line for line in needed if "extra ==" not in line]
    assert [re.match(r"[\w-]+", line)[0] for line in always] == ["numpy"]


def test_version() -> None:
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["package"]["version"]
    assert importlib.metadata.version("ironmlp") == cargo
    assert ironmlp.__version__ == cargo
    assert ironmlp.config()["version"] == cargo


def test_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_core.pyi").is_file()


def test_every_source_file_is_shipped() -> None:
    source = ROOT / "python" / "ironmlp"
    built = re.compile(r"_core\..*(so|pyd)$|\.pyc$")
    names = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and not built.search(path.name)
    }
    assert names
    assert not {name for name in names if not (PACKAGE / name).is_file()}


def test_the_package_is_small() -> None:
    """2.8 MB is the limit of the wheel, which is a zip file."""
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(len(zlib.compress(path.read_bytes())) for path in files) <= 2_900_000


def test_import_loads_no_optional_package() -> None:
    code = "import sys, ironmlp; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"ironmlp", "numpy"} <= loaded
    assert not loaded & {"matplotlib", "pandas", "sklearn", "scipy", "tqdm", "torch", "jax"}


def public_modules() -> list[ModuleType]:
    names = [found.name for found in pkgutil.iter_modules(ironmlp.__path__)]
    public = [name for name in names if not name.startswith("_")]
    return [ironmlp, *(importlib.import_module(f"ironmlp.{name}") for name in public)]


def faults(module: ModuleType) -> list[str]:
    """What `dir` and completion show of a module and is no public name of it, or do not show.

    `help` goes by `__all__` alone.
    """
    public = set(module.__all__)
    seen = {"dir": set(dir(module))}
    completer = rlcompleter.Completer({"module": module})
    found = (completer.complete("module.", i) for i in itertools.count())
    listed = itertools.takewhile(lambda name: name is not None, found)
    seen["completion"] = {name.removeprefix("module.").rstrip("()") for name in listed}
    # It leaves out names that begin with underscores.
    wanted = {"dir": public, "completion": {name for name in public if name[0] != "_"}}
    wrong = [f"{what}: {name}" for what in seen for name in sorted(seen[what] ^ wanted[what])]
    objects = [(name, getattr(module, name, None)) for name in sorted(public)]
    for name, value in objects:
        if isinstance(value, type | FunctionType) and not value.__module__.startswith("ironmlp"):
            wrong.append(f"foreign: {name}")
    return wrong


def test_modules_show_public_names_only() -> None:
    modules = public_modules()
    assert {"ironmlp", "ironmlp.layers", "ironmlp.history"} <= {m.__name__ for m in modules}
    assert {module.__name__: faults(module) for module in modules} == {
        module.__name__: [] for module in modules
    }


def test_a_name_that_is_not_public_is_found() -> None:
    planted = ModuleType("planted", "A module.")
    planted.__dict__.update({"np": np, "Path": Path, "__all__": ["Path", "gone"]})
    found = faults(planted)
    assert {"dir: np", "dir: gone", "completion: np", "foreign: Path"} <= set(found)
