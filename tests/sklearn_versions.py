"""Tries ironmlp.sklearn with several versions of scikit-learn, each in an environment of its own.

    python tests/sklearn_versions.py [1.7 1.8 1.9] [--folder target/sklearn]

Of each minor version the newest release is installed (once; a network connection is needed), beside
a link to the ironmlp of the interpreter that runs this. Then three things are run: scikit-learn's
own tests of its networks, its checks of estimators, and the other tests of ironmlp.sklearn, which
compare with that scikit-learn. Exit code 1 if anything fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

import ironmlp

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
VERSIONS = ["1.7", "1.8", "1.9"]
# scikit-learn before 1.9 gives its checks to pytest by a generator, which pytest 9 warns of.
TOOLS = ["pytest>=8,<9", "pandas", "matplotlib"]
OWN, CHECKS = TESTS / "test_sklearn_own.py", TESTS / "test_sklearn_checks.py"


def environment(version: str, folder: Path) -> Path:
    """The interpreter of an environment with that scikit-learn, made if it is not there."""
    place = folder / version
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        venv.create(place, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", f"scikit-learn=={version}.*", *TOOLS]
        subprocess.run(install, check=True)
        (place / "complete").touch()
    (link,) = (path / "ironmlp" for path in place.glob("lib/python*/site-packages"))
    link.unlink(missing_ok=True)
    link.symlink_to(Path(ironmlp.__file__).resolve().parent, target_is_directory=True)
    return python


def groups() -> dict[str, list[Path]]:
    """What is run, by what it is called."""
    others = sorted(set(TESTS.glob("test_sklearn_*.py")) - {OWN, CHECKS})
    return {"its own tests": [OWN], "estimator checks": [CHECKS], "tests beside it": others}


def run(python: Path, files: list[Path]) -> tuple[bool, str]:
    """Whether all tests of the files pass, and pytest's last line, or all that it says."""
    # Checks of arrays of other libraries are left out without this.
    settings = {**os.environ, "SCIPY_ARRAY_API": "1"} if files == [CHECKS] else dict(os.environ)
    settings.pop("PYTHONPATH", None)
    command = [python, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    passed = done.returncode == 0
    return passed, done.stdout.splitlines()[-1] if passed else done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", default=VERSIONS, help=", ".join(VERSIONS))
    parser.add_argument("--folder", type=Path, default=ROOT / "target" / "sklearn")
    arguments = parser.parse_args()
    right = True
    for version in arguments.versions:
        python = environment(version, arguments.folder.resolve())
        question = "import sklearn; print(sklearn.__version__)"
        found = subprocess.run([python, "-c", question], check=True, capture_output=True, text=True)
        for name, files in groups().items():
            passed, said = run(python, files)
            print(f"scikit-learn {found.stdout.strip()}: {name}: {said}", flush=True)
            right &= passed
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
