"""Draws trainings of everything that there is, and breaks each off and goes on: 10 = 4 + 6.

    python tests/restarts.py --cases 40 --seed 1
    python tests/restarts.py --case 1000017

A case depends on its number alone. It trains once for all epochs, and once to a drawn epoch, into a
file, and in a new process from the file on. With callbacks the file is a Checkpoint's, and `fit`
resumes; without, it is what `save` writes. Parameters, moments, counters, labels, history, files
and what the callbacks remember must be equal, bit for bit.
"""

from __future__ import annotations

import argparse
import itertools
import math
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ironmlp as im
from ironmlp._engine.architecture import STANDARDIZED
from ironmlp.losses import Loss
from ironmlp.optimizers import Optimizer
from ironmlp.schedules import Schedule
from states import everything

CASES_OF_A_SEED = 1_000_000
MODEL, CHECKPOINT, TABLE, RESULT = "saved", "last.safetensors", "epochs.csv", "result.pickle"
LIMIT = 120.0


class Remembering(im.Callback):
    """A callback of the user's own whose numbers depend on all epochs before."""

    def __init__(self) -> None:
        self.mean = np.zeros(3, np.float32)

    def on_train_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.mean = np.zeros(3, np.float32)

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.mean = np.float32(0.9) * self.mean + np.float32(0.1 * logs["loss"])
        logs["remembered"] = self.mean[1]

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def set_state(self, state: dict[str, Any]) -> None:
        self.mean = state["mean"]


def wave(model: im.Sequential, logs: dict[str, Any]) -> None:
    """A number that gets better and worse."""
    logs["wave"] = logs["loss"] * (1.0 + 0.2 * (logs["epoch"] * 7 % 5))


def lowest(y_true: Any, y_pred: Any) -> float:
    """A metric of the user's own."""
    return float(np.min(y_pred))


class Case:
    """A model, its data, and how it is trained."""

    def __init__(self, number: int) -> None:
        self.rng = np.random.default_rng(number)
        self.epochs = 10
        self.broken_off = int(self.rng.integers(1, 10))
        self.seed = int(self.rng.integers(2**63))
        self.rows = int(self.rng.integers(2, self.pick([8, 40, 150])))
        self.outputs = int(self.pick([1, 2, 3, 17]))
        self.image = self.chance(0.2)
        self.loss = self.drawn_loss()
        self.optimizer = self.drawn_optimizer()
        if number % 2:
            schedule = self.drawn_schedule(number, self.optimizer.lr)
            self.optimizer = self.optimizer._with_lr(schedule)
        self.layers = self.drawn_layers()
        self.settings = self.drawn_settings()
        self.X, self.y = self.drawn_rows()
        self.fit = self.drawn_fit()
        self.kinds = [kind for kind in KINDS if self.chance(0.4)] if self.chance(0.75) else []
        self.every = int(self.pick([1, 1, 3]))
        self.patience = int(self.rng.integers(1, 6))

    def pick(self, values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def drawn_loss(self) -> Loss:
        losses: list[Any] = [
            im.MSE(),
            im.MAE(),
            im.Huber(0.5),
            im.LogCosh(),
            im.BinaryCrossEntropy(),
            im.PoissonNLL(),
            im.Focal(),
            im.Quantile([(place + 0.5) / self.outputs for place in range(self.outputs)]),
        ]
        if self.outputs % 2 == 0:
            losses += [im.GaussianNLL()] * 3
        if self.outputs > 1:
            losses += [im.CrossEntropy(), im.CrossEntropy(label_smoothing=0.1)] * 2
        return self.pick(losses)  # type: ignore[no-any-return]

    def drawn_optimizer(self) -> Optimizer:
        return self.pick(  # type: ignore[no-any-return]
            [
                im.SGD(lr=0.05),
                im.SGD(lr=0.02, momentum=0.9),
                im.SGD(lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
                im.Adam(lr=0.01),
                im.Adam(lr=0.01, weight_decay=0.01),
                im.AdamW(lr=0.01, weight_decay=0.1),
                im.AdamW(lr=0.01, clip_norm=0.5, decay_bias=False, ema=0.9),
                im.SGD(lr=0.05, l1=0.01, l2=0.1, clip_value=0.1, ema=0.95),
                im.Lion(lr=1e-3, weight_decay=0.1),
                im.SGD(lr=0.02, momentum=0.9, dampening=0.5),
                im.Adam(lr=0.01, amsgrad=True),
                im.Adam(lr=0.01, eps_hat=True),
                im.SGD(lr=0.02, momentum=0.9, nesterov=True, lr_in_velocity=True),
                im.NAdam(lr=0.01),
                im.RAdam(lr=0.01),
                im.RMSprop(lr=2e-3, momentum=0.5, centered=True),
                im.Adagrad(lr=0.02, lr_decay=0.01),
            ]
        )

    def drawn_schedule(self, number: int, lr: Any) -> Schedule:
        """One after the other, so that a few cases have them all."""
        by = self.pick(["epoch", "step"])
        schedules = [
            im.StepLR(lr, 3, 0.5, by=by),
            im.MultiStepLR(lr, [2, 5, 6], 0.3, by=by),
            im.ExponentialLR(lr, 0.9, by=by),
            im.CosineAnnealingLR(lr, 8, lr / 50, by=by),
            im.CosineAnnealingWarmRestarts(lr, 3, 2, lr / 10, by=by),
            im.OneCycleLR(lr, 30),
            im.PolynomialLR(lr, 12, 0.9, by=by),
        ]
        found = schedules[number // 2 % len(schedules)]
        return found if number % 5 else im.LinearWarmup(found, 4, 0.1)

    def drawn_layers(self) -> list[im.Layer]:
        layers: list[im.Layer] = []
        width = 5
        if self.image:
            norm = [im.BatchNorm2d(3)] if self.chance(0.4) else []
            layers = [im.Conv2d(2, 3, 3, padding=1), *norm, im.PReLU(3), im.MaxPool2d(2)]
            layers.append(im.Flatten())
            width = 3 * 2 * 2
        for _ in range(int(self.rng.integers(0, 3))):
            wide = int(self.rng.integers(1, self.pick([6, 20, 70])))
            layers.append(im.Linear(width, wide))
            width = wide
            if self.chance(0.3):
                layers.append(im.LayerNorm(width))
            if self.chance(0.25):
                layers.append(im.BatchNorm1d(width, momentum=self.pick([0.1, None])))
            activations = [im.Tanh(), im.ReLU(), im.GELU(), im.Mish(), im.SiLU()]
            activations += [im.SELU(), im.Hardswish(), im.PReLU(), im.PReLU(width)]
            layers.append(self.pick(activations))
            if self.chance(0.3):
                layers.append(im.Dropout(0.3))
            if self.chance(0.2):
                layers.append(im.Residual([im.Linear(width, width), im.Tanh()]))
        return [*layers, im.Linear(width, self.outputs)]

    def drawn_settings(self) -> dict[str, Any]:
        settings = {"dtype": self.pick(["float32", "float64"])}
        if self.chance(0.3):
            settings["standardize"] = True
        if isinstance(self.loss, STANDARDIZED) and self.chance(0.3):
            settings["standardize_y"] = True
        return settings

    def drawn_rows(self) -> tuple[Any, Any]:
        shape = (self.rows, 2, 4, 4) if self.image else (self.rows, 5)
        X = self.rng.normal(size=shape).astype(self.pick(["float32", "float64"]))
        if isinstance(self.loss, im.CrossEntropy):
            # Twice each class, so that a part of the rows has them all.
            y = self.rng.integers(self.outputs, size=self.rows)
            y[: 2 * self.outputs] = [*range(self.outputs), *range(self.outputs)][: self.rows]
            if self.chance(0.5):
                names = np.array([f"class {index}" for index in range(self.outputs)])
                self.classes = names
                return X, names[y]
            return X, y
        columns = {im.Quantile: 1, im.GaussianNLL: self.outputs // 2}
        y = self.rng.normal(size=(self.rows, columns.get(type(self.loss), self.outputs)))
        if isinstance(self.loss, im.BinaryCrossEntropy | im.Focal):
            y = (y > 0) * 1.0
        if isinstance(self.loss, im.PoissonNLL):
            y = np.floor(np.exp(y))
        return X, y[:, 0] if y.shape[1] == 1 and self.chance(0.5) else y

    def drawn_fit(self) -> dict[str, Any]:
        fit: dict[str, Any] = {
            "batch_size": self.pick([None, 1, 7, 16, 1000]),
            "shuffle": not self.chance(0.2),
        }
        if self.chance(0.3):
            fit["sample_weight"] = self.rng.uniform(0.1, 2.0, self.rows)
        if hasattr(self, "classes"):
            fit["classes"] = self.classes
        if self.rows >= 5 * self.outputs and self.chance(0.5):
            self.draw_validation(fit)
        if isinstance(self.loss, im.CrossEntropy) and self.chance(0.75):
            fit["class_weight"] = "balanced"
        if self.has_lone_row(fit):
            fit["batch_size"] = None
        return fit

    def has_lone_row(self, fit: dict[str, Any]) -> bool:
        """Whether some batch has one row, of which a `BatchNorm1d` makes nothing."""
        held = math.ceil(self.rows * fit.get("validation_split", 0.0))
        rows = self.rows - held
        # A split by classes may hold out other numbers.
        counts = [rows - 1, rows, rows + 1] if held else [rows]
        size = fit["batch_size"] or self.rows
        return "BatchNorm1d" in repr(self.layers) and any(
            n % size == 1 or size == 1 for n in counts
        )

    def draw_validation(self, fit: dict[str, Any]) -> None:
        if self.chance(0.6):
            fit["validation_split"] = float(self.rng.uniform(0.1, 0.3))
            if not fit["shuffle"]:
                # The last rows must leave one of each class.
                fit["shuffle"] = not isinstance(self.loss, im.CrossEntropy)
        else:
            weight = self.rng.uniform(0.1, 2.0, min(9, self.rows))
            fit["validation_data"] = (self.X[:9], self.y[:9], weight)
        fit["validation_freq"] = int(self.pick([1, 1, 2, 3]))
        metrics: list[Any] = ["auto", [im.Metric(lowest, mode="max", takes="outputs")]]
        if isinstance(self.loss, im.CrossEntropy):
            metrics += [["accuracy", "log_loss", "balanced_accuracy"]] * 2
        elif not isinstance(self.loss, im.BinaryCrossEntropy | im.Focal):
            metrics += [["r2", "mae", "rmse"]] * 2
        fit["metrics"] = self.pick(metrics)

    def model(self) -> im.Sequential:
        return im.Sequential(
            self.layers,
            loss=self.loss,
            optimizer=self.optimizer,
            seed=self.seed,
            **self.settings,
        )

    def callbacks(self, folder: Path) -> list[Any]:
        if not self.kinds:
            return []
        made = {
            "wave": wave,
            "remembering": Remembering(),
            "table": im.CSVLogger(folder / TABLE),
            "stopping": im.EarlyStopping(patience=self.patience),
            "stopping by wave": im.EarlyStopping("wave", patience=self.patience, mode="min"),
            "plateau": im.ReduceLROnPlateau("auto", 0.5, 0, threshold=0.2),
        }
        kinds = [*self.kinds, *(["wave"] if "stopping by wave" in self.kinds else [])]
        checkpoint = im.Checkpoint(folder / CHECKPOINT, every=self.every)
        return [checkpoint, *(made[kind] for kind in dict.fromkeys(kinds))]

    def train(self, model: im.Sequential, epochs: int, folder: Path) -> dict[str, Any]:
        """Up to so many epochs in all; all that is to be compared."""
        callbacks = self.callbacks(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scales
            history = model.fit(
                *(self.X, self.y),
                epochs=epochs,
                callbacks=callbacks,
                resume=True,
                verbose=False,
                **self.fit,
            )
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MODEL}
        return {
            "model": everything(model),
            "outputs": model(self.X).tobytes(),
            "history": {name: history[name].tobytes() for name in history.keys()},  # noqa: SIM118
            "epochs": history.epochs.tolist(),
            "reason": (history.stop_reason, history.stop_message),
            "files": files,
            "remembered": [
                c.state() if isinstance(c, im.EarlyStopping) else None for c in callbacks
            ],
        }

    def __repr__(self) -> str:
        arrays = ("classes", "sample_weight", "validation_data")
        fit = {name: value for name, value in self.fit.items() if name not in arrays}
        fit |= {name: True for name in arrays if name in self.fit}
        return (
            f"{self.layers}, {self.loss}, {self.optimizer}, {self.settings}, {fit}, "
            f"{self.rows} rows, {self.kinds}, every {self.every}, broken off at {self.broken_off}"
        )


KINDS = ("wave", "remembering", "table", "stopping", "stopping by wave", "plateau")


def first_part(case: Case, folder: Path) -> None:
    model = case.model()
    case.train(model, case.broken_off, folder)
    if not case.kinds:
        model.save(folder / MODEL)


def second_part(case: Case, folder: Path) -> dict[str, Any]:
    model = im.load(folder / (CHECKPOINT if case.kinds else MODEL))
    return case.train(model, case.epochs, folder)


def in_a_new_process(number: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", str(folder), "--case", str(number)]
    subprocess.run(command, check=True, timeout=LIMIT)
    found: dict[str, Any] = pickle.loads((folder.parent / RESULT).read_bytes())
    return found


def tried(number: int, *, anew: bool) -> str | None:
    """What differs in a case; `anew` is in a new process."""
    case = Case(number)
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / "once", Path(name) / "twice"]
        for folder in folders:
            folder.mkdir()
        once = case.train(case.model(), case.epochs, folders[0])
        first_part(case, folders[1])
        twice = in_a_new_process(number, folders[1]) if anew else second_part(case, folders[1])
    if not case.kinds:
        # The history of a part without a checkpoint is that of its own epochs.
        for name in ("history", "epochs"):
            del once[name], twice[name]
    differ = [name for name in once if once[name] != twice[name]]
    return f"case {number}: {', '.join(differ)} differ\n{case!r}" if differ else None


def campaign(first: int, count: int, *, anew: bool) -> Iterator[str]:
    for number in itertools.islice(itertools.count(first), count):
        if (found := tried(number, anew=anew)) is not None:
            yield found


def main() -> int:
    parser = argparse.ArgumentParser(description="Break trainings off and go on with them.")
    parser.add_argument("--cases", type=int, default=40, help="how many (40)")
    parser.add_argument("--seed", type=int, default=0, help="which of them (0)")
    parser.add_argument("--case", type=int, help="one case, by its number")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        result = second_part(Case(given.case), given.child)
        (given.child.parent / RESULT).write_bytes(pickle.dumps(result))
        return 0
    if given.case is not None:
        found = tried(given.case, anew=True)
        print(found or f"case {given.case} holds: {Case(given.case)!r}")
        return 1 if found else 0
    begun, count = time.monotonic(), 0
    for finding in campaign(given.seed * CASES_OF_A_SEED, given.cases, anew=True):
        count += 1
        print(finding, flush=True)
    seconds = time.monotonic() - begun
    print(f"{given.cases} cases of seed {given.seed} in {seconds:.0f} s: {count} differ")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
