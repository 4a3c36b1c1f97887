"""Validation in `fit`: what is computed of which rows, when, and that training does not see it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp._training.advance import ByCore

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 4))
NUMBERS = X @ RNG.normal(size=(4, 2))
LABELS = np.array(["a", "b", "c"])[(X @ RNG.normal(size=(4, 3))).argmax(axis=1)]
OTHER = RNG.normal(size=(23, 4))
WEIGHTS = RNG.uniform(0.0, 3.0, size=60)


def squares(outputs: Any, targets: Any, weights: Any = None) -> tuple[float, Any]:
    w = np.ones(len(outputs)) if weights is None else weights
    part = w[:, np.newaxis] / w.sum() / outputs.shape[1]
    return float(np.sum(part * (outputs - targets) ** 2)), 2.0 * part * (outputs - targets)


# A model of each kind of loss and plan, its y, and a y for OTHER.
KINDS: dict[str, tuple[Any, Any, Any]] = {
    "tiny": ([4, 5, 3], {"loss": "cross_entropy"}, LABELS),
    "wide": ([4, 40, 3], {"loss": "cross_entropy"}, LABELS),
    "ignored": (
        [4, 5, 3],
        {"loss": im.CrossEntropy(ignore_index=-1)},
        np.where(np.arange(60) % 7 == 0, -1, np.arange(60) % 3),
    ),
    "two": ([4, 6, 1], {"loss": "binary_cross_entropy"}, LABELS == "a"),
    "flags": ([4, 6, 3], {"loss": "binary_cross_entropy"}, (NUMBERS > 0)[:, [0, 1, 0]]),
    "numbers": ([4, 20, 2], {"loss": "mse"}, NUMBERS),
    "sum": ([4, 5, 2], {"loss": im.Huber(reduction="sum"), "optimizer": im.Adam()}, NUMBERS),
    "standardized": (
        [4, 5, 2],
        {"loss": "mse", "standardize": True, "standardize_y": True},
        NUMBERS * 30.0 + 7.0,
    ),
    "own": ([4, 6, 2], {"loss": squares}, NUMBERS),
}


def model_of(kind: str, **settings: Any) -> Any:
    sizes, options, _ = KINDS[kind]
    return im.MLP(sizes, **{"seed": 5, "optimizer": im.SGD(lr=0.05), **options, **settings})


def same_model(a: Any, b: Any) -> bool:
    return all(np.array_equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [8, None])
def test_no_trained_bit_depends_on_validation(kind: str, batch_size: int | None) -> None:
    y = KINDS[kind][2]
    layers = [im.Linear(4, 9), im.ReLU(), im.Dropout(0.3), im.Linear(9, KINDS[kind][0][-1])]
    for make in (lambda: model_of(kind), lambda: im.Sequential(layers, seed=2, **KINDS[kind][1])):
        plain, watched = make(), make()
        first = plain.fit(X, y, epochs=5, batch_size=batch_size)
        second = watched.fit(
            X, y, epochs=5, batch_size=batch_size, validation_data=(X[:9], y[:9]), metrics=()
        )
        assert same_model(plain, watched)
        assert first["loss"].tolist() == second["loss"].tolist()
        assert list(second) == ["loss", "val_loss"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [13, None])
def test_the_numbers_are_those_of_evaluate(
    kind: str, weighted: bool, batch_size: int | None
) -> None:
    y = KINDS[kind][2]
    weights = WEIGHTS[:25] if weighted else None
    rows = (X[:25], y[:25]) + ((weights,) if weighted else ())
    evaluated: list[dict[str, float]] = []

    def watch(model: Any, _logs: Any) -> None:
        evaluated.append(model.evaluate(X[:25], y[:25], sample_weight=weights))

    settings: Any = {"epochs": 4, "batch_size": batch_size, "validation_data": rows}
    slow, quick = model_of(kind), model_of(kind)
    logged = slow.fit(X, y, callbacks=[watch], **settings)
    sliced = quick.fit(X, y, **settings)
    names = list(evaluated[0])
    assert list(sliced) == list(logged) == ["loss", *map("val_{}".format, names)]
    for name in names:
        expected = [found[name] for found in evaluated]
        assert logged[f"val_{name}"].tolist() == expected
        assert sliced[f"val_{name}"].tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch_size", "shuffle"), [(8, True), (8, False), (60, True)])
def test_a_split_trains_as_its_training_rows_alone(
    kind: str, batch_size: int, shuffle: bool
) -> None:
    y = KINDS[kind][2]
    split = model_of(kind)
    with_weights = {"sample_weight": WEIGHTS} if kind == "numbers" else {}
    settings: Any = {"epochs": 3, "batch_size": batch_size, "shuffle": shuffle}
    history = split.fit(X, y, validation_split=0.25, **with_weights, **settings)
    again = model_of(kind)
    held = held_out_rows(again, X, y, shuffle)
    trained = np.setdiff1d(np.arange(60), held)
    assert len(held) == 15
    alone = model_of(kind)
    weights = {"sample_weight": WEIGHTS[trained]} if with_weights else {}
    plain = alone.fit(X[trained], y[trained], **weights, **settings)
    assert same_model(split, alone)
    np.testing.assert_array_equal(history["loss"], plain["loss"])
    # And held-out weights weigh validation.
    weights = {"sample_weight": WEIGHTS[held]} if with_weights else {}
    found = alone.evaluate(X[held], y[held], **weights)
    for name, value in found.items():
        assert history[f"val_{name}"][-1] == value


def held_out_rows(model: Any, x: Any, y: Any, shuffle: bool) -> Any:
    """The rows of a split, seen through a metric that is given them one by one."""
    from ironmlp._training import split as splits
    from ironmlp._training.data import read_data
    from ironmlp._training.weights import classes_of

    data = read_data(model, x, y, None, None)
    classes = classes_of(data.reading, data.targets)
    if not shuffle:
        return splits.last(0.25, len(x), classes).held_out
    return splits.split(0.25, len(x), model.seed, classes).held_out


def test_many_epochs_go_by_in_one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()
    train = ByCore.train

    def counted(self: Any, *args: Any) -> bool:
        next(calls)
        return train(self, *args)

    monkeypatch.setattr(ByCore, "train", counted)
    model = im.MLP([2, 3, 1], loss="mse", seed=0)
    history = model.fit(
        X[:4, :2], NUMBERS[:4, :1], epochs=500, validation_data=(X[:4, :2], NUMBERS[:4, :1])
    )
    assert len(history["val_loss"]) == len(history["val_r2"]) == 500
    assert next(calls) < 100


def test_the_core_runs_skipped_epochs_together() -> None:
    model, twin = model_of("tiny"), model_of("tiny")
    a = model.fit(X, LABELS, epochs=9, batch_size=None, validation_split=0.2, validation_freq=4)
    b = twin.fit(X, LABELS, epochs=9, batch_size=None, validation_split=0.2)
    due = np.arange(9) % 4 == 3
    assert np.isnan(a["val_loss"]).tolist() == (~due).tolist()
    assert a["val_loss"][due].tolist() == b["val_loss"][due].tolist()
    assert a["val_accuracy"][due].tolist() == b["val_accuracy"][due].tolist()


@pytest.mark.parametrize("metrics", ["auto", ["f1"]])
@pytest.mark.parametrize("kind", ["tiny", "own"])
def test_skipped_epochs_are_nan_and_counted_from_birth(kind: str, metrics: Any) -> None:
    y = KINDS[kind][2]
    if kind == "own" and metrics != "auto":
        metrics = ["mae"]
    model = model_of(kind)
    settings: Any = {"validation_data": (X, y), "validation_freq": 3, "metrics": metrics}
    first, second = (model.fit(X, y, epochs=4, **settings) for _ in range(2))
    for name in list(first)[1:]:
        found = np.concatenate([first[name], second[name]])
        assert np.isnan(found).tolist() == [True, True, False, True, True, False, True, True]


def test_callbacks_skip_epochs_that_were_not_validated() -> None:
    stop = im.EarlyStopping(patience=2, min_delta=1e9)
    history = model_of("tiny").fit(
        X, LABELS, epochs=20, validation_split=0.2, validation_freq=3, callbacks=[stop]
    )
    # Epochs 2, 5 and 8 are validated: the second and third are no better.
    assert (stop.best_epoch, len(history)) == (2, 9)
    assert history.stop_message.startswith("no better val_loss")


def test_early_stopping_restores_the_best_validated_epoch() -> None:
    model = im.MLP([4, 30, 3], loss="cross_entropy", seed=1, optimizer=im.Adam(lr=0.05))
    settings: Any = {"validation_split": 0.3, "batch_size": 8}
    stop = im.EarlyStopping(patience=3)
    history = model.fit(X, LABELS, epochs=200, callbacks=[stop], **settings)
    best = int(np.nanargmin(history["val_loss"]))
    assert stop.best_epoch == best < len(history) - 1
    twin = im.MLP([4, 30, 3], loss="cross_entropy", seed=1, optimizer=im.Adam(lr=0.05))
    twin.fit(X, LABELS, epochs=best + 1, **settings)
    assert same_model(model, twin)


def test_an_own_loss_is_called_once_a_validation() -> None:
    seen: list[Any] = []

    def loss(outputs: Any, targets: Any, *weights: Any) -> Any:
        seen.append((len(outputs), len(targets), *map(len, weights)))
        return squares(outputs, targets, *weights)

    model = im.MLP([4, 6, 2], loss=loss, seed=5)
    history = model.fit(X, NUMBERS, epochs=2, batch_size=None, validation_split=0.25)
    assert seen == [(45, 45), (15, 15)] * 2
    assert list(history) == ["loss", "val_loss"]
    seen.clear()
    model.fit(
        X,
        NUMBERS,
        batch_size=None,
        sample_weight=WEIGHTS,
        validation_data=(X[:7], NUMBERS[:7], WEIGHTS[:7]),
    )
    assert seen == [(60, 60, 60), (7, 7, 7)]


def test_an_own_loss_of_several_arrays_is_validated() -> None:
    actions, gains = np.arange(60) % 2, RNG.normal(size=60)

    def policy(outputs: Any, y: Any) -> Any:
        action, gain = y
        picked = np.eye(2)[action] * gain[:, np.newaxis] / len(gain)
        return float(np.sum(outputs * picked)), picked

    model = im.MLP([4, 6, 2], loss=policy, seed=5, dtype="float64")
    history = model.fit(X, (actions, gains), epochs=2, validation_split=0.25)
    assert list(history) == ["loss", "val_loss"]
    held = held_out_rows(model, X, (actions, gains), shuffle=True)
    expected = model.evaluate(X[held], (actions[held], gains[held]))
    assert expected == {"loss": history["val_loss"][-1]}


def test_streams_are_validated() -> None:
    items = [(X[i : i + 20], NUMBERS[i : i + 20]) for i in (0, 20, 40)]
    for kind in ("numbers", "own", "standardized"):
        model, twin = model_of(kind), model_of(kind)
        if kind == "standardized":
            model.adapt(X, NUMBERS)
        held = (X[:9], NUMBERS[:9])
        history = model.fit(items, epochs=3, validation_data=held, validation_freq=2)
        expected = twin.fit(
            X, NUMBERS, epochs=3, batch_size=20, shuffle=False, validation_data=held
        )
        assert same_model(model, twin)
        assert list(history) == list(expected)
        for name in list(history)[1:]:
            assert np.isnan(history[name]).tolist() == [True, False, True]
            assert history[name][1] == expected[name][1]


def test_streams_of_labels_are_validated() -> None:
    items = [(X[i : i + 20], LABELS[i : i + 20]) for i in (0, 20, 40)]
    model = model_of("tiny")
    history = model.fit(
        items, classes=["a", "b", "c"], validation_data=(X, LABELS), metrics=["accuracy", "f1"]
    )
    expected = model.evaluate(X, LABELS, metrics=["accuracy", "f1"])
    assert {name: history[f"val_{name}"][0] for name in expected} == expected
    with pytest.raises(ValueError, match="validation_split goes with arrays"):
        model.fit(items, validation_split=0.1)
    with pytest.raises(ValueError, match="validation_data: y"):
        model_of("tiny").fit(items, validation_data=(X, LABELS))


def test_images_are_validated_also_of_another_size() -> None:
    images = RNG.normal(size=(20, 1, 8, 8)).astype(np.float32)
    y = np.arange(20) % 2
    layers = [im.Conv2d(1, 2, 3), im.ReLU(), im.MaxPool2d(2), im.Flatten(), im.Linear(18, 2)]
    for held in ({"validation_split": 0.25}, {"validation_data": (images[:5], y[:5])}):
        model, twin = (im.Sequential(layers, loss="cross_entropy", seed=1) for _ in range(2))
        history = model.fit(images, y, epochs=2, batch_size=6, **held)
        if "validation_data" in held:
            twin.fit(images, y, epochs=2, batch_size=6)
            assert same_model(model, twin)
            found = model.evaluate(images[:5], y[:5])
            assert history["val_loss"][-1] == found["loss"]
            assert history["val_accuracy"][-1] == found["accuracy"]


def test_outputs_that_are_nan_have_no_numbers() -> None:
    bad = X.copy()
    bad[3, 0] = np.nan
    for metrics in ("auto", ["f1", "log_loss"]):
        model = model_of("tiny")
        history = model.fit(
            X, LABELS, epochs=2, validation_data=(bad, LABELS), check_finite=False, metrics=metrics
        )
        for name in list(history)[2:]:
            assert np.isnan(history[name]).all()


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"validation_data": (X, LABELS), "validation_split": 0.1}, ValueError, "one of them"),
    ({"validation_data": X}, TypeError, "validation_data is a ndarray"),
    ({"validation_data": (X,)}, TypeError, "tuple of 1"),
    ({"validation_data": (X, LABELS, WEIGHTS, 1)}, TypeError, "tuple of 4"),
    ({"validation_data": (X[:, :3], LABELS)}, ValueError, "validation_data: X has 3 columns"),
    ({"validation_data": (X[:0], LABELS[:0])}, ValueError, "validation_data: X has 0 rows"),
    ({"validation_data": (X, LABELS[:5])}, ValueError, "validation_data: y has 5 rows"),
    ({"validation_data": (X, ["z"] * 60)}, ValueError, r"validation_data: y\[0\] is 'z'"),
    ({"validation_data": (X.astype(complex), LABELS)}, TypeError, "validation_data: X has dtype"),
    ({"validation_data": (X, LABELS, -WEIGHTS)}, ValueError, "validation_data: sample_weight"),
    ({"validation_data": (X, LABELS, 0 * WEIGHTS)}, ValueError, "is 0 for all rows"),
    ({"validation_data": (X * np.inf, LABELS)}, ValueError, "NaN or infinite value in row 0"),
    ({"validation_split": 1.0}, ValueError, "validation_split is 1.0"),
    ({"validation_split": -0.1}, ValueError, "validation_split is -0.1"),
    ({"validation_split": "0.1"}, TypeError, "must be a number"),
    ({"validation_split": 0.999}, ValueError, "none is left to train on"),
    ({"validation_split": 0.2, "validation_freq": 0}, ValueError, "validation_freq is 0"),
    ({"validation_split": 0.2, "validation_freq": 1.5}, TypeError, "validation_freq is 1.5"),
    ({"validation_split": 0.2, "metrics": ["f2"]}, ValueError, "did you mean 'f1'|known are"),
    ({"metrics": ["accuracy"]}, ValueError, "nothing validates"),
    (
        {"validation_split": 0.2, "sample_weight": np.where(np.arange(60) == 0, 1.0, 0.0)},
        ValueError,
        "held out by validation_split is 0 for all rows",
    ),
]


@pytest.mark.parametrize(("settings", "error", "words"), WRONG)
def test_arguments_are_checked_before_the_first_step(
    settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    model = model_of("tiny")
    before = model.state_dict()
    with pytest.raises(error, match=words):
        model.fit(X, LABELS, epochs=3, **settings)
    assert model._core.steps == model.epoch == 0
    assert model.classes_.tolist() == [0, 1, 2]
    assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())


def test_callbacks_leave_validation_as_it_is() -> None:
    def spoil(_model: Any, logs: Any) -> None:
        logs["val_loss"] = 0.0

    with pytest.raises(ValueError, match="val_loss"):
        model_of("tiny").fit(X, LABELS, validation_split=0.2, callbacks=[spoil])


def test_lines_show_validation(capsys: pytest.CaptureFixture[str]) -> None:
    settings: Any = {"epochs": 3, "validation_split": 0.2, "validation_freq": 2, "log_every": 1}
    history = model_of("tiny").fit(X, LABELS, **settings)
    lines = capsys.readouterr().err.splitlines()
    loss, accuracy = history["val_loss"][1], history["val_accuracy"][1]
    assert lines[1].endswith(f"  val_loss {loss:.6g}  val_accuracy {accuracy:.6g}")
    assert "val_" not in lines[0] + lines[2]
    model_of("tiny").fit(X, LABELS, callbacks=[lambda _m, _l: None], **settings)
    assert capsys.readouterr().err.splitlines() == lines


def test_a_callback_that_raises_leaves_what_was_validated() -> None:
    def stop(_model: Any, logs: Any) -> None:
        if logs["epoch"] == 2:
            raise KeyError("x")

    model = model_of("tiny")
    with pytest.raises(KeyError):
        model.fit(X, LABELS, epochs=9, validation_split=0.2, callbacks=[stop])
    assert not np.isnan(model.history["val_loss"]).any()
    assert len(model.history["val_accuracy"]) == 3
