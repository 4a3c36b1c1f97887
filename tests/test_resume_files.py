"""Checkpoints that are cut, damaged, or written to do harm: a ValueError, at `load` or before the
first step."""

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from states import everything, unchanged
from test_persistence_hostile import is_json, joined, load, parts, string

X, Y = np.eye(2), np.array([1.0, -1.0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def callbacks(path: Path) -> list[Any]:
    return [im.EarlyStopping(), im.ReduceLROnPlateau(patience=0), im.Checkpoint(path)]


def fit(model: im.Sequential, path: Path, epochs: int) -> im.History:
    return model.fit(X, Y, epochs=epochs, callbacks=callbacks(path), resume=True, verbose=False)


def good(path: Path) -> bytes:
    """The bytes of a small model's checkpoint, with a best state."""
    fit(im.MLP([2, 1, 1], loss="mse", optimizer=im.SGD(momentum=0.5), seed=3), path, 2)
    return path.read_bytes()


def survives(path: Path, raw: bytes) -> bool:
    """Whether the file loads; all that it may raise is a plain ValueError, here and in `fit`, which
    then leaves the model as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a flipped bit can make other numerics
        try:
            model = load(path, raw)
        except ValueError:
            return False
    model.predict(X)
    before = everything(model)
    try:
        fit(model, path, 1)
    except (ValueError, FloatingPointError):
        assert everything(model) == before
    return True


def test_cuts_are_refused(path: Path) -> None:
    raw = good(path)
    assert survives(path, raw)
    assert not any(survives(path, raw[:n]) for n in range(0, len(raw), 7))
    assert not survives(path, raw + b"\0")


def test_damaged_digits_and_signs_do_no_harm(path: Path) -> None:
    raw = good(path)
    start = len(raw) - len(parts(raw)[1])
    digits = [i for i in range(8, start) if chr(raw[i]) in '0123456789,:.[]{}"-']
    rng = np.random.default_rng(1)
    loaded = whole = 0
    for _ in range(1000):
        damaged = bytearray(raw)
        damaged[rng.choice(digits)] = ord(rng.choice([*'0123456789,:.[]{}"-e']))
        loaded += survives(path, bytes(damaged))
        whole += is_json(bytes(damaged[8:start]))
    assert 0 < loaded < whole


def training(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """A change of what the file tells of the training."""

    def changed(header: dict[str, Any]) -> None:
        value = json.loads(header["__metadata__"]["training"])
        change(value)
        header["__metadata__"]["training"] = json.dumps(value)

    return changed


# What is wrong, and a word of the message.
HEADERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no training": (lambda h: h["__metadata__"].pop("training"), "nothing tells what the tensor"),
    "training null": (string("training", "null"), "nothing tells"),
    "training a list": (string("training", "[]"), "nothing tells"),
    "training no JSON": (string("training", "x"), "Expecting value"),
    "nested too deeply": (string("training", "[" * 100_000), "nested too deeply"),
    "history lost": (training(lambda t: t.pop("history")), "nothing tells"),
    "one key more": (training(lambda t: t.update(a=1)), "exactly settings"),
    "settings a list": (training(lambda t: t.update(settings=[])), "settings must be an object"),
    "callbacks an object": (training(lambda t: t.update(callbacks={})), "nothing tells"),
    "reason a number": (training(lambda t: t.update(stop_reason=1)), "must be strings"),
    "an array that is none": (
        training(lambda t: t["settings"].update(a={"$": "array"})),
        "no such tensor",
    ),
    "a mark of no kind": (training(lambda t: t["settings"].update(a={"$": []})), "no such tensor"),
    "a mark and more": (
        training(lambda t: t["settings"].update(a={"$": "inf", "b": 1})),
        "no such tensor",
    ),
    "a column of numbers": (training(lambda t: t["history"].update(a=[1.0, 2.0])), "column 'a'"),
    "a callback without a state": (
        training(lambda t: t["callbacks"][1].pop("state")),
        "exactly class, arguments, state",
    ),
    "a callback's class": (training(lambda t: t["callbacks"][1].update({"class": 1})), "a string"),
    "a tensor more": (
        lambda h: h.update({"training/x": h.pop("training/history/loss")}),
        "no such tensor",
    ),
    "a history that is longer than the model is old": (string("epoch", "1"), "at most 1 epochs"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_headers(name: str, path: Path) -> None:
    change, word = HEADERS[name]
    header, values = parts(good(path))
    change(header)
    with pytest.raises(ValueError, match="holds no model of ironmlp") as caught:
        load(path, joined(header, values))
    assert word in str(caught.value), caught.value


def state(index: int, **changes: Any) -> Callable[[dict[str, Any]], object]:
    return training(lambda t: t["callbacks"][index]["state"].update(changes))


# What `load` cannot know.
STATES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a word for a number": (state(0, best="small"), "best is 'small'"),
    "a fraction for a count": (state(0, waited=1.5), "waited is 1.5"),
    "one entry more": (state(1, more=1), "this one has"),
    "plateau's best a bool": (state(1, best=True), "best is True"),
}


def test_a_best_state_of_another_shape_is_refused_before_the_first_step(path: Path) -> None:
    header, values = parts(good(path))
    name = "training/callbacks/0/state/best_state/parameters/0"
    header[name]["shape"] = [2, 1]
    model = load(path, joined(header, values))
    with unchanged(model), pytest.raises(ValueError, match=r"best_state of .* shape"):
        fit(model, path, 4)


def test_a_best_state_that_is_not_finite_is_refused_before_the_first_step(path: Path) -> None:
    header, values = parts(good(path))
    start, end = header["training/callbacks/0/state/best_state/parameters/1"]["data_offsets"]
    wrong = np.full((end - start) // 4, np.nan, "<f4").tobytes()
    model = load(path, joined(header, values[:start] + wrong + values[end:]))
    with unchanged(model), pytest.raises(ValueError, match=r"best_state of .*(finite|NaN)"):
        fit(model, path, 4)


@pytest.mark.parametrize("name", STATES)
def test_hostile_states(name: str, path: Path) -> None:
    change, word = STATES[name]
    header, values = parts(good(path))
    change(header)
    model = load(path, joined(header, values))
    with unchanged(model), pytest.raises(ValueError, match=re.escape(word)):
        fit(model, path, 4)


@pytest.mark.parametrize(
    "best",
    [
        {},
        {"parameters": []},
        {"parameters": [], "optimizer_state": {}},
        {"parameters": 3, "optimizer_state": {}},
        {"optimizer_state": {"epoch": -1}},
    ],
)
def test_a_best_state_that_is_none_is_refused_before_the_first_step(path: Path, best: Any) -> None:
    header, values = parts(good(path))
    # Its tensors are the last of the file.
    ours = [name for name in header if "/best_state/" in name]
    values = values[: min(header.pop(name)["data_offsets"][0] for name in ours)]
    state(0, best_state=best)(header)
    model = load(path, joined(header, values))
    with unchanged(model), pytest.raises(ValueError, match="best_state of EarlyStopping"):
        fit(model, path, 4)


@pytest.mark.parametrize("entry", ["epoch", "steps", "scalars", "learning_rate"])
@pytest.mark.parametrize("value", [-1, 2.0**70, "a", [], None])
def test_a_best_state_with_wrong_numbers_is_refused(path: Path, entry: str, value: Any) -> None:
    def change(t: dict[str, Any]) -> None:
        t["callbacks"][0]["state"]["best_state"]["optimizer_state"][entry] = value

    header, values = parts(good(path))
    training(change)(header)
    model = load(path, joined(header, values))
    if (entry, value) == ("learning_rate", 2.0**70):
        return  # a large one is one
    with unchanged(model), pytest.raises(ValueError, match="best_state of EarlyStopping"):
        fit(model, path, 4)


def test_a_file_of_another_program_with_such_tensors_is_no_model(path: Path) -> None:
    header, values = parts(good(path))
    kept = {name: entry for name, entry in header.items() if name.startswith("training/")}
    with pytest.raises(ValueError, match="holds no model"):
        load(path, joined(kept, values))


def test_an_infinite_best_comes_back(path: Path) -> None:
    """JSON has no word for it, and users' numbers may be infinite."""

    def log(model: im.Sequential, logs: dict[str, Any]) -> None:
        logs["score"] = -np.inf

    given: Any = [log, im.EarlyStopping("score", mode="max"), im.Checkpoint(path)]
    im.MLP([2, 1], loss="mse", seed=1).fit(X, Y, epochs=2, callbacks=given)
    model = im.load(path)
    assert model.history is not None
    assert model.history["score"].tolist() == [-np.inf] * 2
    model.fit(X, Y, epochs=3, callbacks=given, resume=True)
    assert given[1].best == -np.inf
