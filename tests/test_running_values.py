"""Running values as part of a model: under which names, in copies and files, and back."""

import copy
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference

Array = np.ndarray[Any, Any]

LAYERS = [
    im.Linear(4, 6),
    im.BatchNorm1d(6),
    im.ReLU(),
    im.Residual([im.Tanh(), im.BatchNorm1d(6, momentum=None, affine=False), im.Linear(6, 6)]),
    im.Linear(6, 1, bias=False),
]
KEYS = (
    *("0.weight", "0.bias", "1.weight", "1.bias"),
    *("1.running_mean", "1.running_var", "1.num_batches_tracked"),
    *("3.1.running_mean", "3.1.running_var", "3.1.num_batches_tracked"),
    *("3.2.weight", "3.2.bias", "4.weight"),
)
RUNNING = tuple(key for key in KEYS if "running" in key or "num" in key)

DTYPES = ("float32", "float64")
EVERY_DTYPE = pytest.mark.parametrize("dtype", DTYPES)

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(50, 4)), rng.normal(size=50)


def fresh(dtype: str = "float32", library: Any = im) -> Any:
    return library.Sequential(LAYERS, loss="mse", dtype=dtype, seed=5)


def trained(dtype: str = "float32", **options: Any) -> im.Sequential:
    model: im.Sequential = fresh(dtype)
    model.fit(X, Y, epochs=2, batch_size=16, **options)
    return model


def assert_same(first: Any, second: Any) -> None:
    """Two models in one state, bit for bit."""
    one, other = first.state_dict(), second.state_dict()
    assert list(one) == list(other)
    for key, w in one.items():
        assert w.dtype == other[key].dtype, key
        assert w.tobytes() == other[key].tobytes(), key


@EVERY_DTYPE
@pytest.mark.parametrize("library", [im, reference])
def test_state_dict_has_torchs_keys_in_torchs_order(library: Any, dtype: str) -> None:
    state = fresh(dtype, library).state_dict()
    assert tuple(state) == KEYS
    for key in RUNNING:
        count = key.endswith("num_batches_tracked")
        assert state[key].dtype == ("int64" if count else dtype)
        assert state[key].shape == (() if count else (6,))
        assert np.all(state[key] == (1 if key.endswith("var") else 0))


def test_running_values_are_no_parameters() -> None:
    model = trained()
    assert model._core.n_parameters == 4 * 6 + 6 + 2 * 6 + 6 * 6 + 6 + 6
    assert "  BatchNorm1d(6)  " in model.summary()
    assert "90 parameters in float32" in model.summary()
    parameters = [key for key in KEYS if key not in RUNNING]
    for training in (False, True):
        _, grads = model.loss_and_grad(X, Y, training=training)
        assert list(grads) == parameters
        assert list(model.backward(X, Y[:, None], training=training)) == parameters
    with pytest.raises(ValueError, match=r"unexpected '1\.running_mean'"):
        model.apply_gradients(model.state_dict())
    assert not any("running" in key for key in model.trace(X, Y))
    moments = model._core.optimizer_state()["moments"]
    assert [len(moment) for moment in moments] == [len(parameters)] * 2


@EVERY_DTYPE
def test_what_state_dict_gave_is_taken(dtype: str) -> None:
    model, other = trained(dtype), fresh(dtype)
    other.load_state_dict(model.state_dict())
    assert_same(model, other)
    assert np.array_equal(model(X), other(X))
    # Copies: what is changed in them changes no model.
    model.state_dict()["1.running_mean"][...] = 7.0
    assert_same(model, other)


@pytest.mark.parametrize("library", [im, reference])
def test_without_strict_what_is_given_is_taken(library: Any) -> None:
    model = fresh(library=library)
    model.load_state_dict({"1.running_var": np.full(6, 4.0)}, strict=False)
    state = model.state_dict()
    assert np.all(state["1.running_var"] == 4.0)
    assert np.all(state["3.1.running_var"] == 1.0)
    with pytest.raises(ValueError, match=r"lacks '0\.weight'|the state has"):
        model.load_state_dict({"1.running_var": np.ones(6)})


@pytest.mark.parametrize("count", [3, 3.0, np.int64(3), np.float32(3), np.uint8(3), np.array(3)])
def test_a_number_of_batches_may_be_any_whole_number(count: Any) -> None:
    model = fresh()
    model.load_state_dict({"1.num_batches_tracked": count}, strict=False)
    found = model.state_dict()["1.num_batches_tracked"]
    assert found.dtype == "int64"
    assert found == 3


LARGE = 2**63 - 1


def test_large_numbers_of_batches_are_kept_exactly() -> None:
    model = fresh()
    for count in (LARGE, LARGE - 1):
        model.load_state_dict({"1.num_batches_tracked": np.int64(count)}, strict=False)
        assert int(model.copy().state_dict()["1.num_batches_tracked"]) == count


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("1.num_batches_tracked", -1, "is -1, it must be an integer from 0"),
        ("1.num_batches_tracked", 2.5, r"is 2\.5, it must be an integer"),
        ("1.num_batches_tracked", -1.0, "is -1, it must be an integer"),
        ("1.num_batches_tracked", np.nan, "is NaN, it must be an integer"),
        ("1.num_batches_tracked", 1e30, "it must be an integer"),
        ("1.num_batches_tracked", [3], "has shape"),
        ("1.running_mean", np.full(6, np.nan), "has a NaN"),
        ("1.running_mean", np.zeros(5), r"has shape \(5,\)"),
        ("3.1.running_var", np.full(6, np.inf), "infinite"),
        ("3.1.running_var", [1, 1, 1, -0.5, 1, 1], r"has -0\.5, a variance is at least 0"),
        ("3.1.running_var", "abcdef", "must hold real numbers"),
    ],
)
def test_what_is_no_running_value_is_refused(key: str, value: Any, message: str) -> None:
    model = trained()
    before = model.copy()
    state = {**fresh().state_dict(), key: value}
    with pytest.raises((ValueError, TypeError), match=message):
        model.load_state_dict(state)
    assert_same(model, before)


@EVERY_DTYPE
@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle", "file"])
def test_copies_have_the_running_values(way: str, dtype: str, tmp_path: Path) -> None:
    model = trained(dtype)
    if way == "file":
        model.save(tmp_path / "model")
        twin = im.load(tmp_path / "model")
    else:
        ways: Any = {"copy": im.Sequential.copy, "deepcopy": copy.deepcopy}
        twin = ways.get(way, lambda model: pickle.loads(pickle.dumps(model)))(model)
    assert_same(model, twin)
    kept = model.copy()
    twin.fit(X, Y, epochs=2, batch_size=16)
    assert_same(model, kept)
    model.fit(X, Y, epochs=2, batch_size=16)
    assert_same(model, twin)


def header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found: dict[str, Any] = json.loads(data[8 : 8 + length])
    return found


def test_older_readers_refuse_files_with_running_values_alone(tmp_path: Path) -> None:
    path = tmp_path / "model"
    trained().save(path)
    found = header(path)
    assert int(found["__metadata__"]["format_version"]) > 3
    assert found["1.num_batches_tracked"]["dtype"] == "I64"
    # Readers that map the file find each number at a multiple of its size.
    assert all(t["data_offsets"][0] % 8 == 0 for t in found.values() if t.get("dtype") == "I64")
    im.MLP([4, 6, 1], loss="mse", seed=0).save(path)
    assert found["__metadata__"]["format_version"] != header(path)["__metadata__"]["format_version"]


@pytest.mark.parametrize("wrong", ["lacks", "dtype", "negative"])
def test_files_with_other_running_values_are_refused(wrong: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    trained().save(path)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found, body = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    count = found["1.num_batches_tracked"]
    if wrong == "lacks":
        found["1.other"] = found.pop("1.num_batches_tracked")
    elif wrong == "dtype":
        count["dtype"] = "F64"
    else:
        body[slice(*count["data_offsets"])] = struct.pack("<q", -2)
    text = json.dumps(found).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    with pytest.raises(ValueError, match=r"1\.(num_batches_tracked|other)"):
        im.load(path)


def test_reset_forgets_all_batches() -> None:
    model = trained()
    model.reset(7)
    assert_same(model, im.Sequential(LAYERS, loss="mse", seed=7))


def test_early_stopping_gives_back_the_running_values_of_the_best_epoch() -> None:
    class Losses(im.Callback):
        """Of which the third epoch's is the best."""

        def on_epoch_end(self, model: Any, logs: dict[str, Any]) -> None:
            logs["watched"] = abs(logs["epoch"] - 2)

    stopping = im.EarlyStopping("watched", patience=2, mode="min")
    model, peer = fresh(), fresh()
    model.fit(X, Y, epochs=20, batch_size=16, callbacks=[Losses(), stopping])
    peer.fit(X, Y, epochs=3, batch_size=16)
    assert model.epoch == 3
    assert_same(model, peer)
    for one in (model, peer):
        one.fit(X, Y, epochs=1, batch_size=16)
    assert_same(model, peer)


def test_a_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model"

    def fit(model: im.Sequential, epochs: int) -> im.Sequential:
        stopping = im.EarlyStopping("loss", patience=100)
        callbacks = [im.Checkpoint(path), stopping]
        model.fit(X, Y, epochs=epochs, batch_size=16, callbacks=callbacks, resume=True)
        return model

    fit(fresh(), 4)
    resumed = fit(im.load(path), 10)
    path.unlink()
    assert_same(resumed, fit(fresh(), 10))


def test_ten_epochs_are_four_and_six(tmp_path: Path) -> None:
    whole, part = fresh(), fresh()
    whole.fit(X, Y, epochs=10, batch_size=16)
    part.fit(X, Y, epochs=4, batch_size=16)
    part.save(tmp_path / "model")
    part = im.load(tmp_path / "model")
    part.fit(X, Y, epochs=6, batch_size=16)
    assert_same(whole, part)


def test_models_without_normalizations_are_as_they_were(tmp_path: Path) -> None:
    model = im.MLP([4, 6, 1], loss="mse", seed=0)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(model._core.parameters()) == 4
