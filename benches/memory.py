"""Peak memory of training: on 60,000 rows of 784, and on images of 227 x 227.

    python benches/memory.py

Each case runs in a process of its own, and the kernel's mark of the highest resident size is set
back before the training (/proc/self/clear_refs, so Linux only).

Rows: 784-512-256-10, batch 128, one epoch of `fit` after a first one on few rows, which brings in
code and thread stacks. X is read in place, never copied: the peak of ironmlp must not rise by more
than a tenth of a float32 X.

Images: LeNet-5 with a batch of 128, one thread, one epoch. What is beside X counts, parameters and
code that runs for the first time too: in ironmlp it must be at most 400 MB. The others' is printed.

Exits with 1 if the peak of ironmlp is above either limit.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workers import PEERS, environment
from workloads import BY_NAME

ROWS, SIZES, BATCH = 60_000, (784, 512, 256, 10), 128
MB = 1e6
LIMIT = ROWS * SIZES[0] * 4 / 10
IMAGES, IMAGES_LIMIT = "lenet-227", 400 * MB
IMAGE_PEERS = ("ironmlp", "torch", "torch-channels-last", "jax")

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


def measure_images(peer: str) -> None:
    """Print the bytes of X, and by how much the peak rises beside X."""
    module = importlib.import_module(PEERS[peer][0])
    before = status("VmRSS")
    trainer = module.Trainer(BY_NAME[IMAGES], 1)
    Path("/proc/self/clear_refs").write_text("5")
    trainer.train(1, shuffle=True)
    size = 4 * BY_NAME[IMAGES].rows * math.prod(BY_NAME[IMAGES].image or ())
    print(size, status("VmHWM") - before - size)


def measured(title: str, *arguments: str) -> int:
    """By how much the peak rose in a process with these arguments; a line says so."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env=environment(1)
    )
    size, rise = map(int, done.stdout.split())
    print(f"{title:44} {size / MB:6.1f} MB, peak + {rise / MB:6.1f} MB", flush=True)
    return rise


def main() -> int:
    if sys.argv[1:]:
        {1: measure_images, 2: measure}[len(sys.argv) - 1](*sys.argv[1:])
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
        rise = measured(f"{package:8} X {form}", package, form)
        if package == "ironmlp" and rise > LIMIT:
            failed = True
            print(f"ERROR: that is more than {LIMIT / MB:.1f} MB", file=sys.stderr)
    for peer in IMAGE_PEERS:
        if importlib.util.find_spec(PEERS[peer][1]) is None:
            continue
        rise = measured(f"{peer}, {IMAGES}, X float32", peer)
        if peer == "ironmlp" and rise > IMAGES_LIMIT:
            failed = True
            print(f"ERROR: that is more than {IMAGES_LIMIT / MB:.1f} MB", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
