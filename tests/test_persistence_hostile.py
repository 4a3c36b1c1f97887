"""Files that are cut, damaged, or written to do harm: a ValueError, and no memory for claims."""

import json
import re
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp._files import safetensors
from ironmlp._files.classes import BYTES_LIMIT, classes_from_json

# What no hostile file may take: it has a few kilobytes.
MEMORY = 5_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def good(path: Path) -> bytes:
    """The bytes of a small model with moments, counters and known labels."""
    model = im.MLP([2, 1, 2], loss="cross_entropy", optimizer=im.SGD(momentum=0.5), seed=3)
    model.fit(np.eye(2), ["a", "b"])
    model.save(path)
    return path.read_bytes()


def parts(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the values."""
    start = 8 + int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = json.loads(raw[8:start])
    return header, raw[start:]


def joined(header: Any, values: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def load(path: Path, raw: bytes) -> im.Sequential:
    path.write_bytes(raw)
    return im.load(path)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def survives(path: Path, raw: bytes) -> bool:
    """Whether the file loads; all that it may raise is a plain ValueError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a flipped bit can make other numerics
            model = load(path, raw)
    except ValueError:
        return False
    model.predict(np.eye(2))
    return True


def test_every_cut_is_refused(path: Path) -> None:
    raw = good(path)
    assert survives(path, raw)
    assert not any(survives(path, raw[:n]) for n in range(len(raw)))
    assert not survives(path, raw + b"\0")


def test_damaged_bytes_do_no_harm(path: Path) -> None:
    raw = good(path)
    start = len(raw) - len(parts(raw)[1])
    rng = np.random.default_rng(0)
    loaded = 0
    for _ in range(4000):
        damaged = bytearray(raw)
        for _ in range(rng.integers(1, 4)):
            # The header has most bytes and is where harm could come from; values are numbers.
            damaged[rng.integers(0, start if rng.random() < 0.9 else len(raw))] = rng.integers(256)
        loaded += survives(path, bytes(damaged))
    assert 0 < loaded < 2000


def test_damaged_digits_and_signs_do_no_harm(path: Path) -> None:
    """Most random bytes break the JSON; these keep it whole."""
    raw = good(path)
    start = len(raw) - len(parts(raw)[1])
    digits = [i for i in range(8, start) if chr(raw[i]) in '0123456789,:.[]{}"-']
    rng = np.random.default_rng(1)
    loaded = whole = 0
    for _ in range(4000):
        damaged = bytearray(raw)
        damaged[rng.choice(digits)] = ord(rng.choice([*'0123456789,:.[]{}"-e']))
        loaded += survives(path, bytes(damaged))
        whole += is_json(bytes(damaged[8:start]))
    assert 400 < whole < 4000
    # Some digits are of the seed or of counters: such a file is a file of another model.
    assert 0 < loaded < whole


def tensor(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["0.weight"].update(changes)


def string(name: str, value: str) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["__metadata__"].update({name: value})


def model(arguments: str, name: str = "MLP") -> Callable[[dict[str, Any]], object]:
    return string("model", f'{{"{name}": {arguments}}}')


MLP = (
    '"activation": {"ReLU": {}}, "init": "zeros", "loss": {"CrossEntropy": {}}, '
    '"optimizer": {"SGD": {"momentum": 0.5}}, "dtype": "float32"'
)

# A change of the good file's header, and words of the refusal.
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no metadata": (lambda h: h.pop("__metadata__"), "another program"),
    "metadata a list": (lambda h: h.update(__metadata__=[]), "__metadata__"),
    "metadata of numbers": (lambda h: h["__metadata__"].update(seed=3), "strings"),
    "newer": (string("format_version", "1000"), "newer ironmlp wrote it"),
    "older than the first": (string("format_version", "0"), "format_version is 0"),
    "version a fraction": (string("format_version", "1.0"), "integer"),
    "version no JSON": (string("format_version", "one"), "Expecting value"),
    "no seed": (lambda h: h["__metadata__"].pop("seed"), "lacks seed"),
    "seed too large": (string("seed", str(2**64)), "2**64"),
    "seed a string": (string("seed", '"3"'), "integer"),
    "epoch negative": (string("epoch", "-1"), "epoch is -1"),
    "steps true": (string("steps", "true"), "integer"),
    "steps too many": (string("steps", str(2**63)), "2**63"),
    "rate NaN": (string("learning_rate", "NaN"), "NaN"),
    "rate infinite": (string("learning_rate", "1e999"), "finite"),
    "rate negative": (string("learning_rate", "-1.0"), "learning_rate"),
    "scalars above one": (string("scalars", "[1.0, 2.0, 1.0]"), "scalars has 2"),
    "two scalars": (string("scalars", "[1.0, 1.0]"), "list of 3 numbers"),
    "scalars a number": (string("scalars", "1.0"), "list of 3 numbers"),
    "scalars of format 1": (string("format_version", "1"), "lacks beta_powers"),
    "many digits": (string("seed", "1" * 5000), "digits"),
    "deep nesting": (string("model", "[" * 100_000), "nested too deeply"),
    "deep model": (string("model", '{"MLP":' * 900 + "0" + "}" * 900), "holds no model"),
    "deep specs": (
        model('{"a":' + '{"ReLU":{"a":' * 300 + "0" + "}}" * 300 + "}"),
        "holds no model",
    ),
    "deep list": (model('{"a": ' + "[" * 900 + "]" * 900 + "}"), "nested too deeply"),
    "unknown model": (model("{}", "Transformer"), "Transformer"),
    "a class of Python": (model("{}", "builtins.eval"), "builtins.eval"),
    "two models": (string("model", '{"MLP": {}, "Sequential": {}}'), "one class"),
    "model a list": (string("model", "[]"), "one class"),
    "repeated key": (string("model", '{"MLP": {}, "MLP": {}}'), "repeats"),
    "no layer_sizes": (model("{" + MLP + "}"), "layer_sizes"),
    "sizes a string": (model('{"layer_sizes": "212", ' + MLP + "}"), "sequence"),
    "sizes a number": (model('{"layer_sizes": 2, ' + MLP + "}"), "sequence"),
    "size negative": (model('{"layer_sizes": [2, -1, 2], ' + MLP + "}"), "layer_sizes[1]"),
    "other sizes": (model('{"layer_sizes": [2, 3, 2], ' + MLP + "}"), "0.weight"),
    "huge sizes": (model('{"layer_sizes": [2, 4611686018427387904, 2], ' + MLP + "}"), "0.weight"),
    "many sizes": (model('{"layer_sizes": [' + "1," * 10_000 + "1], " + MLP + "}"), "tensors"),
    "threads": (model('{"layer_sizes": [2, 1, 2], "n_threads": 99, ' + MLP + "}"), "n_threads"),
    "unknown argument": (model('{"layer_sizes": [2, 1, 2], "a": 1, ' + MLP + "}"), "'a'"),
    "unknown layer": (model('{"layer_sizes": [2, 1, 2], "a": {"os.system": {}}}'), "os.system"),
    "layer's argument": (model('{"layers": [{"ELU": {"alpha": "1"}}]}', "Sequential"), "alpha"),
    "no layers": (model('{"layers": []}', "Sequential"), "no Linear"),
    "huge layer": (
        model(
            '{"layers": [{"Linear": {"in_features": 1000000000, "out_features": 1000000000}}],'
            '"loss": "mse", "dtype": "float32"}',
            "Sequential",
        ),
        "0.weight",
    ),
    "other dtype": (
        model('{"layer_sizes": [2, 1, 2], ' + MLP.replace("float32", "float64") + "}"),
        "float64",
    ),
    "moments too many": (
        model('{"layer_sizes": [2, 1, 2], ' + MLP.replace("0.5", "0.0") + "}"),
        "moments",
    ),
    "labels too few": (string("learned", '{"dtype": "<U1", "classes": ["a"]}'), "classes"),
    "labels twice": (string("learned", '{"dtype": "<U1", "classes": ["a", "a"]}'), "different"),
    "labels of two types": (string("learned", '{"dtype": "object", "classes": ["b", 1]}'), "types"),
    "labels flat": (string("learned", "true"), "learned is True"),
    "missing tensor": (lambda h: h.pop("0.weight"), "must begin at 0"),
    "renamed tensor": (lambda h: h.update({"7.weight": h.pop("0.weight")}), "0.weight"),
    "tensor a list": (lambda h: h.update({"0.weight": []}), "exactly dtype"),
    "tensor with more": (tensor(strides=[1]), "exactly dtype"),
    "unknown dtype": (tensor(dtype="F8"), "dtypes F32, F64"),
    "dtype a list": (tensor(dtype=["F32"]), "dtypes F32, F64"),
    "integers": (tensor(dtype="I32"), "dtypes F32, F64"),
    "wider dtype": (tensor(dtype="F64"), "0.weight"),
    "other shape": (tensor(shape=[2, 1]), "(2, 1)"),
    "huge shape": (tensor(shape=[2**40, 2**40]), "0.weight"),
    "negative shape": (tensor(shape=[-1, -2]), "integers"),
    "shape of floats": (tensor(shape=[1.0, 2.0]), "integers"),
    "shape of bools": (tensor(shape=[True, 2]), "integers"),
    "many dimensions": (tensor(shape=[1] * 100), "integers"),
    "offsets reversed": (tensor(data_offsets=[8, 0]), "0.weight"),
    "offsets beyond": (tensor(data_offsets=[0, 2**62]), "0.weight"),
    "one offset": (tensor(data_offsets=[0]), "2 data_offsets"),
    "overlap": (lambda h: h["0.bias"].update(data_offsets=[0, 4]), "must begin at"),
    "gap": (lambda h: h["0.bias"].update(data_offsets=[12, 16]), "must begin at 8"),
    "same bytes twice": (lambda h: h.update({"copy": h["0.weight"]}), "must begin at 8"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_hostile_headers(name: str, path: Path) -> None:
    change, word = CHANGES[name]
    header, values = parts(good(path))
    change(header)
    raw = joined(header, values)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="holds no model of ironmlp") as caught:
            load(path, raw)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert type(caught.value) is ValueError
    assert word in str(caught.value), caught.value
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "0 bytes"),
        (b"\x01", "1 bytes"),
        (b"\xff" * 8, "fewer than its header"),
        ((2**63).to_bytes(8, "little") + b"{}", "fewer than its header"),
        (joined(b"", b""), "Expecting value"),
        (joined(b"{}", b""), "another program"),
        (joined(b"[]", b""), "no JSON object"),
        (joined(b"\xff\xfe", b""), "utf-8"),
        (joined(b"[" * 1_000_000, b""), "nested too deeply"),
        (joined(b'{"a": 1, "a": 1}', b""), "repeats"),
        (joined(b'{"a": NaN}', b""), "NaN"),
        (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.", "fewer than its header"),
    ],
)
def test_hostile_bytes(raw: bytes, word: str, path: Path) -> None:
    with pytest.raises(ValueError, match="holds no model of ironmlp") as caught:
        load(path, raw)
    assert word in str(caught.value), caught.value


def test_a_long_header_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.write((2**34).to_bytes(8, "little"))
        file.truncate(2**34 + 8)  # takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="at most 8388608 are read"):
            im.load(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_what_would_not_be_read_is_not_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "HEADER_LIMIT", 500)
    with pytest.raises(ValueError, match="at most 500"):
        im.MLP([2, 1], loss="mse").save(path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["0.weight", "2.bias", "optimizer/0/2.bias"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_must_be_finite(name: str, value: float, path: Path) -> None:
    header, values = parts(good(path))
    start, end = header[name]["data_offsets"]
    wrong = np.full((end - start) // 4, value, "<f4").tobytes()
    with pytest.raises(ValueError, match=r"finite|NaN"):
        load(path, joined(header, values[:start] + wrong + values[end:]))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (1, "null"),
        ("a", "null"),
        ({"dtype": "<U1"}, "dtype and classes"),
        ({"dtype": 1, "classes": []}, "string"),
        ({"dtype": "<U1", "classes": "ab"}, "list"),
        ({"dtype": "<U1", "classes": [None]}, "numbers, strings"),
        ({"dtype": "<U1", "classes": ["ab"]}, "not all"),
        ({"dtype": "<U1", "classes": [1]}, "not all"),
        ({"dtype": "<i8", "classes": [1.5]}, "not all"),
        ({"dtype": "<i8", "classes": ["a"]}, "invalid literal"),
        ({"dtype": "<i8", "classes": [2**63]}, "not all"),
        ({"dtype": "|i1", "classes": [300]}, "not all"),
        ({"dtype": "|S1", "classes": ["€"]}, "not all"),
        ({"dtype": "<M8[s]", "classes": ["2020"]}, "not all"),
        ({"dtype": "string", "classes": [1]}, "dtype"),
        ({"dtype": "<c16", "classes": [1]}, "never"),
        ({"dtype": "O", "classes": [1]}, "never"),
        ({"dtype": "(9,9,9)f8", "classes": [1]}, "never"),
        ({"dtype": f"<U{BYTES_LIMIT}", "classes": ["a"]}, "bytes"),
    ],
    ids=str,
)
def test_hostile_labels(value: Any, word: str) -> None:
    with pytest.raises(ValueError, match=re.escape(word)):
        classes_from_json(value)
