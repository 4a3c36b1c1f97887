"""Peak memory of `fit` on 60,000 rows of 784: X is read in place, never copied.

    python benches/memory.py

Each case runs in a process of its own: 784-512-256-10, batch 128, one epoch after a first `fit` on
few rows, which brings in code and thread stacks. The kernel's mark of the highest resident size is
set back before `fit` (/proc/self/clear_refs, so Linux only). Exits with 1 if the peak of ironmlp
rises by more than a tenth of a float32 X.
"""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROWS, SIZES, BATCH = 60_000, (784, 512, 256, 10), 128
MB = 1e6
LIMIT = ROWS * SIZES[0] * 4 / 10

Make = Callable[[np.ndarray], np.ndarray]
X_FORMS: dict[str, Make] = {
    "float32": lambda X: X,
    "float32, Fortran order": np.asfortranarray,
    "float64": lambda X: X.astype(np.float64),
    "uint8": lambda X: (255 * X).astype(np.uint8),
}
CASES = [*(("ironmlp", form) for form in X_FORMS), ("sklearn", "float32")]


def status(name: str) -> int:
    """A field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def ironmlp_fit() -> Callable[[np.ndarray, np.ndarray], object]:
    import ironmlp as im

    model = im.MLP(SIZES, loss="cross_entropy", optimizer=im.SGD(lr=0.01), seed=0)
    return lambda X, y: model.fit(X, y, epochs=1, batch_size=BATCH, verbose=False)


def sklearn_fit() -> Callable[[np.ndarray, np.ndarray], object]:
    from sklearn.neural_network import MLPClassifier

    classes = np.arange(SIZES[-1])
    model = MLPClassifier(SIZES[1:-1], solver="sgd", batch_size=BATCH, learning_rate_init=0.01)
    # An epoch, as `fit` with max_iter=1 is, without its warning that more would be better.
    return lambda X, y: model.partial_fit(X, y, classes=classes)


def measure(package: str, form: str) -> None:
    """Print the bytes of X and by how much the peak rises in `fit`."""
    random = np.random.default_rng(0)
    X = X_FORMS[form](random.random((ROWS, SIZES[0]), dtype=np.float32))
    y = random.integers(SIZES[-1], size=ROWS)
    fit = {"ironmlp": ironmlp_fit, "sklearn": sklearn_fit}[package]()
    fit(X[: 2 * BATCH], y[: 2 * BATCH])
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    fit(X, y)
    print(X.nbytes, status("VmHWM") - before)


def main() -> int:
    if sys.argv[1:]:
        measure(*sys.argv[1:])
        return 0
    if importlib.util.find_spec("sklearn") is None:
        print("not installed: sklearn")
    weights = sum(a * b + b for a, b in itertools.pairwise(SIZES))
    batch = BATCH * sum(SIZES)
    print(f"parameters {4 * weights / MB:.1f} MB, a batch's activations {4 * batch / MB:.1f} MB")
    failed = False
    for package, form in CASES:
        if importlib.util.find_spec(package) is None:
            continue
        command = [sys.executable, __file__, package, form]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        size, rise = map(int, done.stdout.split())
        print(
            f"{package:8} X {form:23} {size / MB:6.1f} MB, peak + {rise / MB:6.1f} MB", flush=True
        )
        failed |= package == "ironmlp" and rise > LIMIT
    if failed:
        print(f"ERROR: the peak of ironmlp rose by more than {LIMIT / MB:.1f} MB", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
