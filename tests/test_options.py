"""What every optimizer takes by keyword: values, and models and files with and without them."""

from __future__ import annotations

import inspect
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from golden import array, read
from golden import name as golden_name
from ironmlp import optimizers, reference
from ironmlp.optimizers.options import DEFAULTS
from networks import DTYPES, unit

KINDS = [*optimizers.OPTIMIZERS.values()]

# A value of each that changes something.
CHANGED: dict[str, Any] = {
    "clip_norm": 0.5,
    "clip_value": 0.25,
    "l1": 0.1,
    "l2": 0.2,
    "decay_bias": False,
    "ema": 0.99,
}


def test_all_options_are_tried_here() -> None:
    assert [*CHANGED] == [*DEFAULTS]
    assert all(CHANGED[name] != default for name, default in DEFAULTS.items())


@pytest.mark.parametrize("kind", KINDS)
def test_every_optimizer_takes_all_of_them_by_keyword(kind: Any) -> None:
    plain, full = kind(), kind(**CHANGED)
    assert {name: getattr(plain, name) for name in DEFAULTS} == DEFAULTS
    assert {name: getattr(full, name) for name in DEFAULTS} == CHANGED
    assert plain == kind(**DEFAULTS)
    assert full != plain
    named = inspect.signature(kind).parameters
    assert [*named][-len(DEFAULTS) :] == [*DEFAULTS]
    for name, default in DEFAULTS.items():
        assert named[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert named[name].default == default


@pytest.mark.parametrize("kind", KINDS)
def test_those_that_change_nothing_are_not_shown_compared_or_kept(kind: Any) -> None:
    assert not any(name in repr(kind()) for name in DEFAULTS)
    for name, value in CHANGED.items():
        made = kind(**{name: value})
        assert repr(made).endswith(f", {name}={value!r})")
        assert eval(repr(made), {kind.__name__: kind}) == made
        assert hash(made) == hash(kind(**{name: value})) != hash(kind())
        assert pickle.loads(pickle.dumps(made)) == made
        assert made._with_lr(0.5) == kind(lr=0.5, **{name: value})


REFUSED = [
    ("clip_norm", 0.0, ValueError),
    ("clip_norm", -1.0, ValueError),
    ("clip_norm", float("inf"), ValueError),
    ("clip_norm", True, TypeError),
    ("clip_norm", "1", TypeError),
    ("clip_value", 0, ValueError),
    ("clip_value", float("nan"), ValueError),
    ("l1", -0.1, ValueError),
    ("l1", None, TypeError),
    ("l2", -1e-9, ValueError),
    ("l2", [0.1], TypeError),
    ("decay_bias", 1, TypeError),
    ("decay_bias", None, TypeError),
    ("ema", 0.0, ValueError),
    ("ema", 1.0, ValueError),
    ("ema", 999, ValueError),
    ("ema", True, TypeError),
]


@pytest.mark.parametrize(("name", "value", "error"), REFUSED, ids=repr)
def test_values_out_of_range_are_refused_by_name(name: str, value: Any, error: Any) -> None:
    for kind in KINDS:
        with pytest.raises(error, match=f"^{name} is "):
            kind(**{name: value})


@pytest.mark.parametrize("name", ["clip_value", "l1", "l2"])
def test_what_float32_cannot_hold_is_refused_when_a_model_is_made(name: str) -> None:
    optimizer = im.Adam(**{name: 1e39})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"^{name} of Adam is 1e\\+39, in float32"):
        im.MLP([2, 1], loss="mse", optimizer=optimizer)
    im.MLP([2, 1], loss="mse", optimizer=optimizer, dtype="float64")
    with pytest.raises(ValueError, match=r"^clip_value of SGD is 1e-50, in float32 that is 0"):
        im.MLP([2, 1], loss="mse", optimizer=im.SGD(clip_value=1e-50))


def test_an_unknown_keyword_is_named_with_all_that_there_are() -> None:
    with pytest.raises(TypeError, match=r"^Adam has no argument 'clipnorm': .*'clip_norm'"):
        im.Adam(clipnorm=1.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"it takes lr, betas, .*, clip_norm, .*, ema$"):
        im.Adam(nothing=1.0)  # type: ignore[call-arg]


def test_a_model_shows_them() -> None:
    net = im.MLP([2, 1], loss="mse", optimizer=im.Adam(clip_norm=1.0, ema=0.9), seed=0)
    assert "optimizer=Adam(lr=0.001, clip_norm=1.0, ema=0.9)" in repr(net)
    net.learning_rate = 0.5
    assert net.optimizer == im.Adam(lr=0.5, clip_norm=1.0, ema=0.9)


def small(optimizer: Any, dtype: Any = "float32", made_by: Any = im) -> Any:
    layers = [im.Linear(6, 20), im.LayerNorm(20), im.Tanh(), im.Linear(20, 3)]
    return made_by.Sequential(layers, loss="mse", optimizer=optimizer, dtype=dtype, seed=4)


X, Y = unit((50, 6), 1) - 0.5, unit((50, 3), 2)


def metadata(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {key: json.loads(value) for key, value in header["__metadata__"].items()}


def test_files_without_options_are_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    small(im.Adam()).save(path)
    found = metadata(path)
    assert found["format_version"] == 2
    arguments = found["model"]["Sequential"]["optimizer"]["Adam"]
    assert arguments.keys() == {"lr", "betas", "eps", "weight_decay"}


@pytest.mark.parametrize("name", CHANGED)
def test_files_with_an_option_are_refused_by_older_versions(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    net = small(im.Adam(**{name: CHANGED[name]}))
    net.save(path)
    assert metadata(path)["format_version"] == 4
    assert im.load(path).optimizer == net.optimizer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_ten_epochs_are_four_and_six_after_save_and_load(
    kind: Any, dtype: str, tmp_path: Path
) -> None:
    once, twice = (small(kind(**CHANGED), dtype) for _ in range(2))
    settings: dict[str, Any] = {"batch_size": 16, "verbose": False}
    whole = once.fit(X, Y, epochs=10, **settings)
    first = twice.fit(X, Y, epochs=4, **settings)
    path = tmp_path / "model.safetensors"
    twice.save(path)
    loaded = im.load(path)
    second = loaded.fit(X, Y, epochs=6, **settings)
    for column in ("loss", "penalty"):
        both = np.concatenate([first[column], second[column]])
        np.testing.assert_array_equal(both, whole[column])
    for made in (once.copy(), pickle.loads(pickle.dumps(once)), loaded):
        for twin, net in ((made, once), (made.averaged(), once.averaged())):
            for key, w in net.state_dict().items():
                np.testing.assert_array_equal(twin.state_dict()[key], w, err_msg=key)


OPTIONS = [{name: value} for name, value in CHANGED.items()]
OPTIONS += [CHANGED, CHANGED | {"clip_norm": None}, {"clip_norm": 0.01, "clip_value": 0.001}]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_references(kind: Any, options: dict[str, Any], dtype: str) -> None:
    optimizer = kind(lr=1e-3, weight_decay=0.1, **options)
    ours, theirs = (small(optimizer, dtype, made_by) for made_by in (im, reference))
    weight = unit((50,), 3)
    histories = [
        net.fit(X, Y, epochs=4, batch_size=20, sample_weight=weight, verbose=False)
        for net in (ours, theirs)
    ]
    assert [*histories[0]] == [*histories[1]]
    for name, column in histories[1].items():
        np.testing.assert_allclose(histories[0][name], column, rtol=bound(dtype), err_msg=name)
    pairs = [(ours, theirs)]
    if "ema" in options:
        pairs.append((ours.averaged(), theirs.averaged()))
    for found, expected in pairs:
        state = found.state_dict()
        for key, w in expected.state_dict().items():
            apart = np.abs(state[key] - w).max() / np.abs(w).max()
            assert apart <= bound(dtype), key


def bound(dtype: str) -> float:
    """Twelve updates from gradients that differ by rounding, of a bias that begins at 0: what Adam
    and its relatives divide by is as small, and the gradients' sums cancel."""
    return 400 * tolerances.UPDATES_EPS * tolerances.eps(dtype)


CASES = read("torch_options.json")


@pytest.mark.parametrize("case", CASES["cases"], ids=golden_name)
def test_two_hundred_steps_are_pytorchs(case: dict[str, Any]) -> None:
    made = getattr(optimizers, case["name"])(**case["options"])
    net = im.MLP(
        CASES["sizes"], activation="tanh", loss="mse", optimizer=made, dtype="float64", seed=0
    )
    initial = map(array, CASES["initial"])
    net.load_state_dict(dict(zip(net.state_dict(), initial, strict=True)))
    inputs, targets = array(CASES["X"]), array(CASES["targets"])
    history = net.fit(inputs, targets, epochs=CASES["steps"], batch_size=None, verbose=False)
    if made.l1 or made.l2:
        ends = history["penalty"][[0, -1]]
        np.testing.assert_allclose(ends, case["penalties"], rtol=tolerances.TORCH_STEPS)
    finals = [(net, case["final"])]
    if "average" in case:
        finals.append((net.averaged(), case["average"]))
    for found, expected in finals:
        for (key, w), final in zip(found.state_dict().items(), expected, strict=True):
            apart = np.abs(w - array(final)).max() / np.abs(final).max()
            assert apart <= tolerances.TORCH_STEPS, key
