"""`save` and `load`: the same model, in a file that other programs read."""

import copy
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import layers, losses, optimizers, persistence, schedules
from ironmlp._files import specs
from ironmlp._files.classes import classes_from_json, classes_to_json
from states import everything, squares

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
LABELS = np.arange(30) % 3
FILE = "model.safetensors"


def saved(model: im.Sequential, folder: Path) -> im.Sequential:
    model.save(folder / FILE)
    return im.load(folder / FILE)


def deep() -> im.Sequential:
    """A model with every kind of layer's argument and of its own settings."""
    return im.Sequential(
        [
            im.Linear(4, 9, bias=False, init="he_normal"),
            im.LeakyReLU(0.3),
            im.Dropout(0.2),
            im.Linear(9, 9, trainable=False),
            im.GELU(approximate="tanh"),
            im.Linear(9, 3, lr_scale=0.1),
        ],
        loss=im.CrossEntropy(class_weight=[1.0, 2.0, 1 / 3], label_smoothing=0.1),
        optimizer=im.Adam(lr=0.01, betas=(0.8, 0.99), weight_decay=1e-3),
        seed=2**64 - 1,
    )


MODELS: dict[str, Any] = {
    "deep": (deep, LABELS),
    "classes of text": (lambda: im.MLP([4, 5, 3], loss="cross_entropy", seed=1), "abc"),
    "float64": (
        lambda: im.MLP([4, 1], loss="mse", dtype="float64", optimizer=im.SGD(lr=0.01), seed=2),
        X[:, 0],
    ),
    "momentum": (
        lambda: im.MLP(
            [4, 6, 2],
            activation=im.Softplus(2.0),
            loss=im.Huber(0.5),
            optimizer=im.SGD(lr=0.01, momentum=0.9, nesterov=True),
            init="normal",
        ),
        X[:, :2],
    ),
    "adamw": (
        lambda: im.MLP([4, 6, 2], loss="mse", optimizer=im.AdamW(lr=0.01, weight_decay=0.1)),
        X[:, :2],
    ),
    "lion": (
        lambda: im.MLP([4, 6, 2], loss="mse", optimizer=im.Lion(lr=0.01, weight_decay=0.1)),
        X[:, :2],
    ),
    "nadam": (
        lambda: im.MLP([4, 6, 2], loss="mse", optimizer=im.NAdam(lr=0.01, momentum_decay=0.1)),
        X[:, :2],
    ),
    "rmsprop": (
        lambda: im.MLP(
            [4, 6, 2], loss="mse", optimizer=im.RMSprop(lr=0.01, momentum=0.9, centered=True)
        ),
        X[:, :2],
    ),
    "amsgrad": (
        lambda: im.MLP([4, 6, 2], loss="mse", optimizer=im.Adam(lr=0.01, amsgrad=True)),
        X[:, :2],
    ),
    "dampened": (
        lambda: im.MLP(
            [4, 6, 2], loss="mse", optimizer=im.SGD(lr=0.01, momentum=0.9, dampening=0.5)
        ),
        X[:, :2],
    ),
    "eps hat": (
        lambda: im.MLP([4, 6, 2], loss="mse", optimizer=im.Adam(lr=0.01, eps_hat=True)),
        X[:, :2],
    ),
    "velocity": (
        lambda: im.MLP(
            [4, 6, 2], loss="mse", optimizer=im.SGD(0.01, momentum=0.9, lr_in_velocity=True)
        ),
        X[:, :2],
    ),
    "flags": (
        lambda: im.MLP([4, 3, 3], loss=im.BinaryCrossEntropy(pos_weight=[1, 2, 3])),
        (X[:, :3] > 0) * 1.0,
    ),
    "probabilities": (
        lambda: im.MLP([4, 1], loss=im.BinaryCrossEntropy(from_logits=False, reduction="sum")),
        np.where(X[:, 0] > 0, "yes", "no"),
    ),
}
MODELS["classes of text"] = (MODELS["classes of text"][0], np.array(list("abc"))[LABELS])


@pytest.mark.parametrize("name", MODELS)
def test_training_goes_on_with_the_same_bits(name: str, tmp_path: Path) -> None:
    make, y = MODELS[name]
    once = make()
    twice = copy.copy(once)
    once.fit(X, y, epochs=10, batch_size=8)
    twice.fit(X, y, epochs=4, batch_size=8)
    twin = saved(twice, tmp_path)
    assert type(twin) is type(once)
    assert repr(twin) == repr(twice)
    assert everything(twin) == everything(twice)
    twin.fit(X, y, epochs=6, batch_size=8)
    assert everything(twin) == everything(once)
    np.testing.assert_array_equal(twin.predict(X), once.predict(X))
    assert twin.predict(X).dtype == once.predict(X).dtype
    assert twin.predict(X).shape == once.predict(X).shape


def test_an_mlp_stays_one(tmp_path: Path) -> None:
    twin = saved(im.MLP([4, 5, 1], activation="tanh", loss="mse", init="zeros"), tmp_path)
    assert isinstance(twin, im.MLP)
    assert twin.layer_sizes == (4, 5, 1)


def test_settings_of_the_moment_stay(tmp_path: Path) -> None:
    model = deep()
    model.learning_rate = 0.1 + 0.2
    twin = saved(model, tmp_path)
    assert (twin.learning_rate, twin.seed, twin.epoch) == (0.1 + 0.2, 2**64 - 1, 0)
    twin.reset()
    model.reset()
    assert everything(twin) == everything(model)


def test_threads_belong_to_the_machine(tmp_path: Path) -> None:
    model = im.MLP([4, 1], loss="mse", n_threads=3)
    assert saved(model, tmp_path).n_threads is None
    assert im.load(tmp_path / FILE, n_threads=2).n_threads == 2
    with pytest.raises(TypeError, match="n_threads"):
        im.load(tmp_path / FILE, n_threads=2.0)  # type: ignore[arg-type]


def test_saving_in_a_callback(tmp_path: Path) -> None:
    model, y = deep(), LABELS
    kept = {}

    def checkpoint(model: im.Sequential, logs: dict[str, Any]) -> None:
        model.save(tmp_path / f"{logs['epoch']}")
        kept[logs["epoch"]] = everything(model)

    model.fit(X, y, epochs=3, callbacks=[checkpoint])
    assert everything(im.load(tmp_path / "1")) == kept[1]
    assert everything(im.load(tmp_path / "2")) == everything(model)


# Arguments and labels of every kind

SPECS: list[Any] = [
    layers.Conv2d(4, 6, (3, 2), padding=1, groups=2, init="normal", lr_scale=0.5),
    layers.AvgPool2d(2, (3, 1)),
    layers.MaxPool2d((2, 3)),
    layers.Flatten(),
    layers.Linear(3, 2, False, trainable=False),
    layers.Dropout(0.25),
    layers.LayerNorm(3, 0.1, False, lr_scale=0.5),
    layers.BatchNorm1d(3, 0.1, None, lr_scale=0.5),
    layers.BatchNorm2d(3, 0.1, None, affine=False),
    layers.Residual([layers.LayerNorm(3), layers.Residual([layers.ReLU()])]),
    layers.Identity(),
    layers.Sigmoid(),
    layers.Tanh(),
    layers.ReLU(),
    layers.LeakyReLU(0.1),
    layers.ELU(2.0),
    layers.GELU("tanh"),
    layers.SiLU(),
    layers.Mish(),
    layers.SELU(),
    layers.PReLU(3, -0.5, trainable=False, lr_scale=0.5),
    layers.Hardswish(),
    layers.Softplus(2.0, 5.0),
    losses.BinaryCrossEntropy(pos_weight=[1, 2]),
    losses.CrossEntropy(class_weight=[1, 0.1], ignore_index=-1),
    losses.MSE(),
    losses.MAE(reduction="sum"),
    losses.Huber(0.1),
    losses.LogCosh(),
    losses.Quantile([0.1, 0.9]),
    losses.PoissonNLL(False, True, 0.5),
    losses.GaussianNLL(reduction="sum"),
    losses.Focal(1.5, 0.3),
    optimizers.SGD(0.1, 0.9, 0.01, True),
    optimizers.Adam(betas=(0.1, 0.2)),
    optimizers.AdamW(weight_decay=0.5),
    optimizers.SGD(momentum=0.9, dampening=0.5),
    optimizers.Adam(amsgrad=True),
    optimizers.SGD(nesterov=True, lr_in_velocity=True),
    optimizers.Adam(eps_hat=True),
    optimizers.NAdam(betas=(0.1, 0.2), momentum_decay=0.5),
    optimizers.RAdam(betas=(0.1, 0.2)),
    optimizers.RMSprop(alpha=0.5, momentum=0.9, centered=True),
    optimizers.Adagrad(lr_decay=0.5),
    optimizers.Lion(betas=(0.1, 0.2)),
    schedules.StepLR(0.1, 3, by="step"),
    schedules.MultiStepLR(0.1, [3, 5]),
    schedules.ExponentialLR(0.1, 0.5),
    schedules.CosineAnnealingLR(0.1, 9),
    schedules.CosineAnnealingWarmRestarts(0.1, 9),
    schedules.OneCycleLR(0.1, 9),
    schedules.PolynomialLR(0.1, 9),
    schedules.LinearWarmup(schedules.StepLR(0.1, 3), 5),
    schedules.Forgotten(),
]


@pytest.mark.parametrize("value", SPECS, ids=lambda value: type(value).__name__)
def test_every_spec_survives(value: Any) -> None:
    text = json.dumps(specs.to_json(value), allow_nan=False)
    assert specs.from_json(json.loads(text)) == value


def test_every_public_spec_is_tested() -> None:
    assert {type(value).__name__ for value in SPECS} == set(specs.SPECS)


KNOWN = [
    np.array([-5, 7, 2**62]),
    np.array([5, 7], np.uint8),
    np.array([False, True]),
    np.array([0.1, 1 / 3, 1e300]),
    np.array([0.1, 7.5], np.float32),
    np.array(["", "é", "日本語"]),
    np.array(["no", "yes"], dtype=">U5"),
    np.array([b"a", b"\xff\x80"]),
    np.array(["long", "short"], dtype=object),
    np.array([1, 10**30], dtype=object),
    np.array(["no", "yes"], dtype=np.dtypes.StringDType()),
    np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]"),
    np.array([5, 7], dtype="m8[ns]"),
]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: str(known.dtype))
def test_labels_of_every_type(known: Any) -> None:
    again = classes_from_json(json.loads(json.dumps(classes_to_json(known))))
    assert again.dtype == known.dtype
    assert again.tolist() == known.tolist()
    assert [type(label) for label in again] == [type(label) for label in known]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: str(known.dtype))
def test_a_loaded_model_knows_its_labels(known: Any, tmp_path: Path) -> None:
    y = known[np.arange(30) % len(known)]
    model = im.MLP([4, 3, len(known)], loss="cross_entropy", seed=0)
    model.fit(X, y)
    twin = saved(model, tmp_path)
    assert twin.classes_.dtype == model.classes_.dtype
    assert twin.predict(X).tolist() == model.predict(X).tolist()
    assert twin.evaluate(X, y) == model.evaluate(X, y)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: im.MLP([4, 1], loss=squares), ["squares", "state_dict"]),
        (lambda: type("Mine", (im.MLP,), {})([4, 1], loss="mse"), ["Mine", "pickle"]),
    ],
    ids=["function", "subclass"],
)
def test_what_a_file_cannot_hold(make: Any, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(TypeError) as caught:
        make().save(tmp_path / FILE)
    assert all(word in str(caught.value) for word in words), caught.value
    assert not [*tmp_path.iterdir()]


def test_labels_that_a_file_cannot_hold(tmp_path: Path) -> None:
    model = im.MLP([4, 3, 2], loss="cross_entropy")
    y = np.array([(1, "a"), (2, "b"), None], dtype=object)[:2][np.arange(30) % 2]
    model.fit(X, y)
    with pytest.raises(TypeError, match="pickle"):
        model.save(tmp_path / FILE)


# The file


def test_the_file_is_a_safetensors_file(tmp_path: Path) -> None:
    """By the definition of the format, with nothing of ours."""
    model = deep()
    model.fit(X, LABELS, epochs=2)
    model.save(tmp_path / FILE)
    raw = (tmp_path / FILE).read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    assert start % 8 == 0
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    assert metadata["format_version"] == "2"
    assert metadata["seed"] == str(2**64 - 1)
    assert metadata["epoch"] == "2"
    offset = 0
    found = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32"
        first, last = entry["data_offsets"]
        assert first == offset
        values = np.frombuffer(raw[start + first : start + last], "<f4")
        found[name] = values.reshape(entry["shape"])
        offset = last
    assert start + offset == len(raw)
    state = model.state_dict()
    assert [*found][: len(state)] == [*state]
    moments = model._core.optimizer_state()["moments"]
    assert [*found][len(state) :] == [f"optimizer/{i}/{key}" for i in (0, 1) for key in state]
    expected = [*state.values(), *moments[0], *moments[1]]
    for values, other in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(values, other)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = im.MLP([4, 1], loss="mse")
    monkeypatch.chdir(tmp_path)
    for path in ("here", tmp_path / "there", "é" * 120):
        model.save(path)
        assert everything(im.load(path)) == everything(model)
    for wrong in (3, None, 1.5):
        with pytest.raises(TypeError):
            model.save(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            im.load(wrong)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        im.load("nowhere")
    with pytest.raises(FileNotFoundError):
        model.save("no/folder")
    with pytest.raises(IsADirectoryError):
        model.save(tmp_path)
    with pytest.raises(IsADirectoryError):
        im.load(tmp_path)
    assert not [*tmp_path.glob("*.tmp"), *tmp_path.glob(".*")]


def test_a_file_is_complete_or_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE
    im.MLP([4, 1], loss="mse").save(path)
    before = path.read_bytes()
    seen: list[int] = []

    def full(descriptor: int) -> None:
        seen.append(os.fstat(descriptor).st_size)
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        im.MLP([4, 5, 1], loss="mse").save(path)
    assert seen[0] > 0  # the bytes were there, and under another name
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_an_ordinary_file(umask: int, tmp_path: Path) -> None:
    # The umask belongs to the whole process, so another one tries it.
    program = f"import os, ironmlp as im\nos.umask({umask})\nim.MLP([1, 1], loss='mse').save('a')"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_a_replaced_file_keeps_its_permissions_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / FILE, tmp_path / "link"
    path.write_bytes(b"")
    path.chmod(0o640)
    link.symlink_to(path)
    model = im.MLP([4, 1], loss="mse")
    model.save(link)
    assert link.is_symlink()
    assert everything(im.load(path)) == everything(model)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_is_no_ordinary_file_stays() -> None:
    with pytest.raises(OSError, match="ordinary file"):
        im.MLP([4, 1], loss="mse").save(os.devnull)
    assert not Path(os.devnull).is_file()


def test_a_file_of_other_numerics_loads_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = deep()
    model.save(tmp_path / FILE)
    monkeypatch.setattr(persistence, "config", lambda: {"numerics": 99, "version": "9"})
    with pytest.warns(UserWarning, match=r"numerics 2.* 99"):
        twin = im.load(tmp_path / FILE)
    assert everything(twin) == everything(model)
