"""Time of `import`, and installed sizes, of ironmlp and of what else trains networks.

    python benches/import_time.py

Each import is timed inside 15 fresh processes, all packages in turn; NumPy's median is shown beside
what ironmlp adds to it. A size is of all files of a package and of the packages that it requires.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROUNDS = 15
# Module by the name of its distribution.
MODULES = {
    "numpy": "numpy",
    "ironmlp": "ironmlp",
    "scikit-learn": "sklearn.neural_network",
    "torch": "torch",
    "jax": "jax.numpy",
}


def import_time(module: str) -> float:
    """Milliseconds of importing `module` in a new process."""
    code = (
        f"import time; begin = time.perf_counter(); import {module}; "
        "print(time.perf_counter() - begin)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return 1000 * float(done.stdout)


def requirements(name: str) -> set[str]:
    """The installed distributions that `name` needs, itself included; extras are not needed."""
    found, waiting = set(), [name]
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in found:
            continue
        try:
            listed = metadata.requires(current) or []
        except metadata.PackageNotFoundError:
            continue  # for another system or Python
        found.add(current)
        for requirement in listed:
            word, _, marker = requirement.partition(";")
            if "extra" not in marker:
                waiting.append(re.split(r"[^A-Za-z0-9._-]", word.strip())[0])
    return found


def size(name: str) -> int:
    """Bytes of the installed files of a distribution."""
    paths = (Path(str(file.locate())) for file in metadata.files(name) or [])
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> None:
    there = {}
    for name, module in MODULES.items():
        try:
            there[name] = module, metadata.version(name)
        except metadata.PackageNotFoundError:
            print(f"not installed: {name}")
    for module, _ in there.values():
        import_time(module)  # into the file cache
    times: dict[str, list[float]] = {name: [] for name in there}
    for _ in range(ROUNDS):
        for name, (module, _) in there.items():
            times[name].append(import_time(module))
    for name, (module, version) in there.items():
        alone, needed = size(name), requirements(name)
        print(
            f"import {module:22} {statistics.median(times[name]):8.1f} ms; {name} {version} "
            f"{alone / 1e6:.1f} MB, with its {len(needed) - 1} requirements "
            f"{sum(map(size, needed)) / 1e6:.1f} MB"
        )
    added = statistics.median(times["ironmlp"]) - statistics.median(times["numpy"])
    print(f"ironmlp adds {added:.1f} ms to NumPy's import")


if __name__ == "__main__":
    main()
