"""Labels keep their type and are compared by their values, never as float64."""

import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import datasets

BIG = 2**53


def classifier(outputs: int, **settings: Any) -> im.MLP:
    return im.MLP([1, outputs], loss=im.CrossEntropy(**settings), seed=0)


def trained(y: Any, **settings: Any) -> im.MLP:
    model = classifier(len(y), **settings)
    model.fit(rows(y), y)
    return model


def rows(y: Any) -> Any:
    return np.arange(float(len(y)))[:, np.newaxis]


def loss_of_indices(model: im.MLP, indices: Any) -> float:
    """The loss of a twin that knows no labels."""
    twin = classifier(len(model.classes_))
    twin.load_state_dict(model.state_dict())
    return twin.evaluate(rows(indices), indices)["loss"]


# What a model was trained on, and equal labels in other dtypes.
SAME: dict[str, tuple[Any, list[Any]]] = {
    "int64 and uint64": (
        np.array([BIG, BIG + 1]),
        [
            np.array([BIG, BIG + 1], np.uint64),
            [BIG, BIG + 1],
            np.array([BIG, BIG + 1], dtype=object),
            np.array([BIG, BIG + 1], dtype=">i8"),
        ],
    ),
    "uint64 and int64": (
        np.array([5, BIG + 1], np.uint64),
        [np.array([5, BIG + 1]), [5, BIG + 1], np.array([5, BIG + 1], dtype=object)],
    ),
    "objects of 64 bits and a sign": (
        np.array([-1, 2**63, 2**63 + 1], dtype=object),
        [[-1, 2**63, 2**63 + 1], [np.int64(-1), np.uint64(2**63), np.uint64(2**63 + 1)]],
    ),
    "a list beyond int64": ([2**63, 2**63 + 1], [np.array([2**63, 2**63 + 1], np.uint64)]),
    "more than 64 bits": ([2**70, 2**70 + 1, -(2**80)], [np.array([2**70, 2**70 + 1, -(2**80)])]),
    "integers and a fraction": (
        [0.5, BIG + 1, BIG + 2],
        [[Fraction(1, 2), BIG + 1, BIG + 2], np.array([0.5, BIG + 1, BIG + 2], dtype=object)],
    ),
    "floats and integers": (
        np.array([-1.0, 2.0**60]),
        [[-1, 2**60], np.array([-1, 2**60]), np.array([-1.0, 2.0**60], np.float32)],
    ),
    "integers and floats": (
        np.array([-1, 2**60]),
        [[-1.0, 2.0**60], np.array([-1.0, 2.0**60], np.float32), np.array([-1, 2**60], "g")],
    ),
    "float32": (np.array([0.1, 2.5], np.float32), [np.array([0.1, 2.5], np.float32).tolist()]),
    "float16": (np.array([0.1, 2.5], np.float16), [np.array([0.1, 2.5], np.float16).tolist()]),
    "small integers": (np.array([-1, 7], np.int8), [[-1, 7], [-1.0, 7.0]]),
    "bools": (np.array([False, True]), [[0, 1], [0.0, 1.0], np.array([0, 1], np.uint8)]),
    "text": (
        ["a", "bcd"],
        [
            np.array(["a", "bcd"], "U9"),
            np.array(["a", "bcd"], dtype=object),
            np.array(["a", "bcd"], dtype=np.dtypes.StringDType()),
        ],
    ),
    "text of any length": (
        np.array(["a", "bcd"], dtype=np.dtypes.StringDType()),
        [["a", "bcd"], np.array(["a", "bcd"], dtype=object)],
    ),
    "zeros at the end of text": (["a", "a\0"], [np.array(["a", "a\0"], dtype=object)]),
    "zeros at the end of bytes": ([b"\1", b"\1\0"], [np.array([b"\1", b"\1\0"], dtype=object)]),
    "days and nanoseconds": (
        np.array(["2024-01-01", "2025-01-01"], "M8[D]"),
        [
            np.array(["2024-01-01", "2025-01-01"], "M8[ns]"),
            np.array(["2024", "2025"], "M8[Y]"),
        ],
    ),
    "durations": (np.array([1, 2], "m8[h]"), [np.array([3600, 7200], "m8[s]")]),
    "decimals and integers": (
        [Decimal("0.5"), BIG + 1],
        [[Decimal("0.5"), Decimal(BIG + 1)], np.array([0.5, BIG + 1], dtype=object)],
    ),
    "dates": ([datetime.date(2024, 1, 1), datetime.date(2025, 1, 1)], []),
}


@pytest.mark.parametrize("name", SAME)
def test_equal_labels_are_the_same_class(name: str, tmp_path: Path) -> None:
    y, others = SAME[name]
    model = trained(y)
    in_order = sorted(y if isinstance(y, list) else y.tolist())
    assert model.classes_.tolist() == in_order
    indices = [in_order.index(label) for label in (y if isinstance(y, list) else y.tolist())]
    expected = loss_of_indices(model, indices)
    assert model.evaluate(rows(y), y)["loss"] == expected
    for other in others:
        assert model.evaluate(rows(y), other)["loss"] == expected
        model.copy().fit(rows(y), other)
    if not np.issubdtype(model.classes_.dtype, np.number):
        return
    model.save(tmp_path / "model.safetensors")
    twin = im.load(tmp_path / "model.safetensors")
    assert twin.classes_.dtype == model.classes_.dtype
    assert twin.classes_.tolist() == in_order
    for other in others:
        assert twin.evaluate(rows(y), other)["loss"] == expected


# What a model was trained on, and labels that are near but others, by the row of the first.
OTHERS: dict[str, tuple[Any, Any, int]] = {
    "uint64": (np.array([BIG, BIG + 1]), np.array([BIG, BIG + 2], np.uint64), 1),
    "float64": (np.array([BIG + 1, BIG + 3]), np.array([2.0**53 + 4, 2.0**53]), 0),
    "an integer that no float64 is": (np.array([-1.0, 2.0**53]), np.array([-1, BIG + 1]), 1),
    "an integer that no float32 is": (
        np.array([-1, 2**24], np.float32),
        np.array([2**24, 2**24 + 1]),
        1,
    ),
    "beyond float16": (np.array([-1, 2], np.float16), np.array([70000, -1]), 0),
    "beyond int8": (np.array([-1, 7], np.int8), np.array([-1, 263]), 1),
    "negative": (np.array([5, 2**64 - 1], np.uint64), np.array([5, -1]), 1),
    "2**64 as a float": (np.array([5, 2**64 - 1], np.uint64), np.array([5.0, 2.0**64]), 1),
    "more than 64 bits": (np.array([5, 2**63 - 1]), [5, 2**64 + 5], 1),
    "a fraction": (np.array([-1, 7]), np.array([-1.0, 7.5]), 1),
    "the next float": (np.array([0.1, 2.5], np.float32), np.array([2.5, 0.1]), 1),
    "within a day": (
        np.array(["2024-01-01", "2025-01-01"], "M8[D]"),
        np.array(["2024-01-01T00", "2025-01-01T01"], "M8[h]"),
        1,
    ),
    "beyond the years of nanoseconds": (
        np.array(["2082-07-31T07:12:26.937622528", "2021-01-01"], "M8[ns]"),
        np.array(["12020", "2021"], "M8[Y]"),
        0,
    ),
    "longer text": (np.array(["a", "b"]), np.array(["a", "bb"]), 1),
    "text with a zero": (np.array(["a", "b"]), ["b", "a\0"], 1),
}


@pytest.mark.parametrize("name", OTHERS)
def test_labels_that_are_near_are_others(name: str) -> None:
    known, other, row = OTHERS[name]
    model = trained(known)
    for call in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match=rf"y\[{row}\] is .*, the model's classes are"):
            call(rows(other), other)
    assert model.epoch == 1


def test_objects_beyond_int64_are_as_many_classes_as_they_are() -> None:
    labels = [-1, 2**63, 2**63 + 1]
    model = classifier(3)
    model.fit(rows(labels), np.array(labels, dtype=object))
    assert model.classes_.tolist() == labels
    assert all(type(label) is int for label in model.predict(rows(labels)).tolist())


@pytest.mark.parametrize(
    "other",
    [
        ["a", "b"],
        [b"a", b"b"],
        [1, 2],
        [datetime.date(2024, 1, 1), 2],
        np.array(["2024", "2025"], "M8[D]"),
        np.array([1, 2], "m8[s]"),
    ],
)
@pytest.mark.parametrize(
    "known",
    [
        ["c", "d"],
        [b"c", b"d"],
        [3, 4],
        [datetime.date(2022, 1, 1), datetime.date(2023, 1, 1)],
        np.array(["2022", "2023"], "M8[D]"),
        np.array([3, 4], "m8[s]"),
    ],
)
def test_labels_of_another_kind_are_others(known: Any, other: Any) -> None:
    with pytest.raises(ValueError, match="the model's classes are"):
        trained(known).evaluate(rows(other), other)


def test_two_classes_of_binary_cross_entropy() -> None:
    model = im.MLP([1, 1], loss="binary_cross_entropy", seed=0)
    y = np.array([BIG, BIG + 1])
    model.fit(rows(y), y)
    model.fit(rows(y), y.astype(np.uint64))
    with pytest.raises(ValueError, match=r"y\[1\]"):
        model.fit(rows(y), np.array([BIG, BIG + 2], np.uint64))


@pytest.mark.parametrize(
    ("ignored", "y"),
    [
        (BIG + 1, np.array([0.0, 2.0**53])),
        (2**24 + 1, np.array([0, 2**24], np.float32)),
        (10**6, np.array([0, 60000], np.float16)),
        (-1, np.array([0, 2**64 - 1], np.uint64)),
        (2, np.array([0, 5], dtype=np.uint8)),
    ],
    ids=str,
)
def test_an_ignored_index_is_that_number_alone(ignored: int, y: Any) -> None:
    with np.errstate(all="raise"), pytest.raises(ValueError, match=r"y\[1\]"):
        classifier(2, ignore_index=ignored).evaluate(rows(y), y)


def test_the_row_that_is_named_counts_ignored_ones() -> None:
    model = classifier(2, ignore_index=-100)
    model.fit(rows(range(3)), [10, 20, -100])
    with pytest.raises(ValueError, match=r"y\[2\] is 30"):
        model.evaluate(rows(range(3)), [-100, 10, 30])
    with pytest.raises(ValueError, match=r"y\[1\] is 7"):
        classifier(2, ignore_index=-100).evaluate(rows(range(2)), [-100, 7])


def test_a_split_keeps_large_labels_apart() -> None:
    y = [-1, 2**63, 2**63 + 1] * 4
    _, _, y_train, y_test = datasets.stratified_split(range(12), y, 0.25)
    assert sorted(y_test.tolist()) == [-1, 2**63, 2**63 + 1]
    assert sorted(y_train.tolist()) == sorted([-1, 2**63, 2**63 + 1] * 3)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "float16", "float64"])
@pytest.mark.parametrize("other", ["int8", "uint8", "int64", "uint64", "float32", "float64"])
def test_every_pair_of_dtypes_is_compared_by_values(dtype: str, other: str) -> None:
    candidates = [-(2**63), -BIG - 1, -129, -1, 0, 1, 127, 128, 255, 2048, 2049, BIG, BIG + 1]
    candidates += [2**63 - 1, 2**63, 2**64 - 1]
    known, values = (held(candidates, kind) for kind in (dtype, other))
    model = trained(known)
    of_known, of_values = known.tolist(), values.tolist()  # Python compares without rounding
    for place, label in enumerate(of_values):
        if label in of_known:
            model.evaluate(rows([0]), values[place : place + 1])
        else:
            with pytest.raises(ValueError, match=r"y\[0\]"):
                model.evaluate(rows([0]), values[place : place + 1])


def held(numbers: list[int], dtype: str) -> Any:
    """What of these numbers a dtype holds, each once; of floats the nearest."""
    if np.dtype(dtype).kind == "f":
        with np.errstate(over="ignore"):
            values = np.array(numbers, np.float64).astype(dtype)
        return np.unique(values[np.isfinite(values)])
    limits = np.iinfo(dtype)
    return np.array([number for number in numbers if limits.min <= number <= limits.max], dtype)
