"""Kills trainings with SIGKILL at random moments, has the same script run again until it ends, and
compares with a training that nobody disturbs.

    python tests/sigkill.py --times 200 --seed 1

After each kill the checkpoint must be a whole model, no older than before, and the table of epochs
must have a row for each epoch of it. At the end all files must be equal byte for byte: the
checkpoint with history, settings and callbacks, the model that `fit` leaves, and the table.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ironmlp as im

CHECKPOINT, BEST, TABLE, RESULT = "last.safetensors", "best.safetensors", "epochs.csv", "result"
# Seconds in which the kills fall after a training has begun; and after the start of the process,
# for every fifth, which takes some 0.15 s to import all.
WITHIN, WITHIN_START = 0.08, 0.25
# Seconds that a process may take.
LIMIT = 60.0


class Remembering(im.Callback):
    """A callback of the user's own, whose numbers depend on all epochs before."""

    def __init__(self) -> None:
        self.mean = 0.0

    def on_train_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.mean = 0.0

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.mean = 0.9 * self.mean + 0.1 * logs["loss"]
        logs["mean"] = self.mean + 0.02 * (logs["epoch"] * 7 % 5)

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def set_state(self, state: dict[str, Any]) -> None:
        self.mean = state["mean"]


class Begun(im.ProgressBar):
    """Tells the parent that training begins. As a display it may be there or not."""

    def __init__(self) -> None:
        pass

    def on_train_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        print("begun", flush=True)

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        pass

    def on_train_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        pass


def script(folder: Path, number: int) -> None:
    """What a user would write: the same for the first run and for each restart."""
    rng = np.random.default_rng(number)
    X = rng.normal(size=(60, 4))
    y = X[:, 0] * X[:, 1]
    path = folder / CHECKPOINT
    model = im.load(path) if path.exists() else made(number)
    model.fit(
        X,
        y,
        epochs=14 + number % 20,
        batch_size=16,
        validation_split=0.2,
        validation_freq=1 + number % 2,
        callbacks=[
            Begun(),
            im.Checkpoint(path, every=1 + number % 3),
            im.Checkpoint(folder / BEST, monitor="mean", mode="min"),
            im.CSVLogger(folder / TABLE),
            im.EarlyStopping(patience=5 + number % 20),
            im.ReduceLROnPlateau(factor=0.5, patience=2),
            Remembering(),
        ],
        resume=True,
        verbose=False,
    )
    model.save(folder / RESULT)


def made(number: int) -> im.Sequential:
    optimizers = [im.Adam(lr=0.02), im.SGD(lr=0.05, momentum=0.9), im.AdamW(lr=0.02), im.Lion()]
    layers = [im.Linear(4, 12), im.LayerNorm(12), im.Tanh(), im.Dropout(0.1), im.Linear(12, 1)]
    return im.Sequential(layers, loss="mse", optimizer=optimizers[number % 4], seed=number)


def start(folder: Path, number: int, plant: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", str(folder), "--number", str(number)]
    return subprocess.Popen([*command, "--plant", plant], stdout=subprocess.PIPE, text=True)


def killed(process: subprocess.Popen[str], draw: random.Random) -> bool:
    """Kill the process at a random moment; whether it was there to be killed."""
    assert process.stdout is not None
    if draw.random() < 0.2:
        time.sleep(draw.uniform(0, WITHIN_START))
    else:
        process.stdout.readline()
        time.sleep(draw.uniform(0, WITHIN))
    process.send_signal(signal.SIGKILL)
    status = process.wait(LIMIT)
    process.stdout.close()
    assert status in (0, -signal.SIGKILL), f"the script ended by itself with status {status}"
    return status != 0


def epoch_of(folder: Path) -> int:
    """The epoch of the checkpoint, which must be whole, and have its rows in the table."""
    if not (folder / CHECKPOINT).exists():
        return 0
    model = im.load(folder / CHECKPOINT)
    if (folder / BEST).exists():
        im.load(folder / BEST)
    rows = (folder / TABLE).read_text(encoding="utf-8").splitlines()[1:]
    assert len(rows) >= model.epoch, f"{len(rows)} rows of {model.epoch} epochs"
    assert [row.split(",")[0] for row in rows] == [str(epoch) for epoch in range(len(rows))]
    assert model.history is not None
    assert len(model.history) == model.epoch
    return model.epoch


def kills(folder: Path, number: int, draw: random.Random, plant: str) -> Iterator[None]:
    """One training that is killed until it ends by itself; a step for each kill."""
    before = 0
    while killed(start(folder, number, plant), draw):
        epoch = epoch_of(folder)
        assert epoch >= before, f"the checkpoint is of epoch {epoch}, it was of {before}"
        before = epoch
        yield


def difference(one: Path, other: Path) -> str | None:
    """The first file that two trainings have left different."""
    for name in (CHECKPOINT, BEST, TABLE, RESULT):
        if (one / name).read_bytes() != (other / name).read_bytes():
            return name
    return None


def campaign(times: int, seed: int, plant: str = "") -> Iterator[str]:
    """Kill so many times; what was found wrong."""
    draw, done = random.Random(seed), 0
    for number in itertools.count(1000 * seed):
        if done >= times:
            return
        with tempfile.TemporaryDirectory() as name:
            folders = [Path(name) / "killed", Path(name) / "undisturbed"]
            for folder in folders:
                folder.mkdir()
            count = 0
            try:
                for _ in itertools.islice(kills(folders[0], number, draw, plant), times - done):
                    count += 1
                # The last time, and the one time of the other, in this process.
                for folder in folders:
                    with contextlib.redirect_stdout(io.StringIO()):
                        script(folder, number)
                if (file := difference(*folders)) is not None:
                    yield f"training {number}: {file} differs after {count} kills"
            except (AssertionError, ValueError) as error:
                count += 1
                yield f"training {number}: after {count} kills: {error}"
            done += count


def as_child(folder: Path, number: int, plant: str) -> None:
    """Run the script, with a fault that is to be found if a `plant` is named."""
    if plant == "in place":
        from ironmlp._files import atomic, saving

        def write(path: Any, chunks: Any) -> None:
            with open(path, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    file.flush()
                    time.sleep(0.001)

        atomic.write = saving.write = write
    elif plant == "forgets":
        Remembering.set_state = lambda self, state: None  # type: ignore[method-assign]
    script(folder, number)


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill trainings and resume them.")
    parser.add_argument("--times", type=int, default=20, help="how many kills (20)")
    parser.add_argument("--seed", type=int, default=0, help="which moments and trainings (0)")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--plant", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        as_child(given.child, given.number, given.plant)
        return 0
    begun, found = time.monotonic(), 0
    with contextlib.suppress(KeyboardInterrupt):
        for finding in campaign(given.times, given.seed, given.plant):
            found += 1
            print(finding, flush=True)
        seconds = time.monotonic() - begun
        print(f"{given.times} kills of seed {given.seed} in {seconds:.0f} s: {found} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
