"""A missing label is refused with its row, whatever it is and whatever holds it."""

import decimal
from collections import deque
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ironmlp as im
from ironmlp import datasets

X = np.arange(6.0)[:, np.newaxis]
NAN = float("nan")


def binary() -> im.MLP:
    return im.MLP([1, 1], loss="binary_cross_entropy", seed=0)


def classifier(**settings: Any) -> im.MLP:
    return im.MLP([1, 2], loss=im.CrossEntropy(**settings), seed=0)


def frame(values: Any, dtype: str) -> Any:
    return pd.Series(values, dtype=dtype)


MISSING = {
    "text and NaN": ["a", "b", "a", NAN, "b", "a"],
    "text and NumPy's NaN": ["a", "b", "a", np.float32("nan"), "b", "a"],
    "text and None": ["a", "b", "a", None, "b", "a"],
    "text and pandas.NA": ["a", "b", "a", pd.NA, "b", "a"],
    "text and NaT": ["a", "b", "a", pd.NaT, "b", "a"],
    "bytes and NaN": [b"a", b"b", b"a", NAN, b"b", b"a"],
    "a tuple": ("a", "b", "a", NAN, "b", "a"),
    "a deque": deque(["a", "b", "a", NAN, "b", "a"]),
    "a column": [["a"], ["b"], ["a"], [NAN], ["b"], ["a"]],
    "integers and None": [0, 1, 0, None, 1, 0],
    "integers and NaN": [0, 1, 0, NAN, 1, 0],
    "integers and pandas.NA": [0, 1, 0, pd.NA, 1, 0],
    "bools and None": [False, True, False, None, True, False],
    "large integers and None": [2**70, 2**71, 2**70, None, 2**71, 2**70],
    "dates and NaT": pd.to_datetime(["2024", "2025", "2024", None, "2025", "2024"]),
    "a list of dates and NaT": [np.datetime64(d) for d in ("2024", "2025", "2024", "NaT")] * 2,
    "decimals": [decimal.Decimal(d) for d in ("1", "2", "1", "NaN", "2", "1")],
    "an array of objects": np.array(["a", "b", "a", NAN, "b", "a"], dtype=object),
    "an array of strings": np.array(
        ["a", "b", "a", NAN, "b", "a"], dtype=np.dtypes.StringDType(na_object=NAN)
    ),
    "strings with None": np.array(
        ["a", "b", "a", None, "b", "a"], dtype=np.dtypes.StringDType(na_object=None)
    ),
    "pandas objects": frame(["a", "b", "a", None, "b", "a"], "object"),
    "pandas str": frame(["a", "b", "a", None, "b", "a"], "str"),
    "pandas string": frame(["a", "b", "a", None, "b", "a"], "string"),
    "pandas category": frame(["a", "b", "a", None, "b", "a"], "category"),
    "pandas category of integers": frame([1, 2, 1, None, 2, 1], "category"),
    "pandas Int64": frame([0, 1, 0, None, 1, 0], "Int64"),
    "pandas boolean": frame([False, True, False, None, True, False], "boolean"),
    "pandas Float64": frame([0.0, 1.0, 0.0, None, 1.0, 0.0], "Float64"),
}


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("make", [binary, classifier])
def test_a_missing_label_is_refused_with_its_row(make: Any, name: str) -> None:
    y = MISSING[name]
    if name == "a column" and make is classifier:
        y = [row[0] for row in y]
    rows = X[: len(y)] if len(y) <= 6 else np.arange(8.0)[:, np.newaxis]
    model = make()
    for call in (model.fit, model.train_on_batch, model.loss_and_grad, model.evaluate):
        with pytest.raises(ValueError, match="row 3"):
            call(rows, y)
    assert model.classes_.tolist() == [0, 1]
    if name != "a column":
        with pytest.raises(ValueError, match="row 3"):
            datasets.stratified_split(rows, y)


def test_beside_an_ignored_index_too() -> None:
    model = classifier(ignore_index=-100)
    for y in ([1, -100, None], [1.0, -100.0, NAN]):
        with pytest.raises(ValueError, match="row 2"):
            model.fit(X[:3], y)


@pytest.mark.parametrize("make", [binary, classifier])
@pytest.mark.parametrize("labels", [("None", "nan"), ("NaN", "NaT"), (b"nan", b"NA")], ids=str)
def test_text_that_looks_like_one_is_a_label(make: Any, labels: Any) -> None:
    for y in (list(labels), np.array(labels), np.array(labels, dtype=object)):
        model = make()
        model.fit(X[:2], y)
        assert model.classes_.tolist() == sorted(labels)


@pytest.mark.parametrize(
    ("y", "row"),
    [
        ([0.5, None, 1.0], 1),
        ([0.5, 1.0, NAN], 2),
        ([0, 1, None], 2),
        (frame([None, 1.5, 2.5], "Float64"), 0),
        (frame([1, 2, None], "Int64"), 2),
        ([[0.5], [None], [1.0]], 1),
        (np.array([0.5, 1.0, None], dtype=object), 2),
    ],
)
def test_a_regressions_target_too(y: Any, row: int) -> None:
    model = im.MLP([1, 1], loss="mse", seed=0)
    with pytest.raises(ValueError, match=f"row {row}"):
        model.fit(X[:3], y)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy", "mse"])
def test_a_row_of_several_targets_too(loss: str) -> None:
    model = im.MLP([1, 2], loss=loss, seed=0)
    with pytest.raises(ValueError, match="row 1"):
        model.fit(X[:3], [[0.5, 0.5], [0.5, None], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("y", "types"),
    [
        (["a", 1], "int, str"),
        (["a", 1.5], "float, str"),
        (["a", True], "bool, str"),
        (["a", b"b"], "bytes, str"),
        ([b"a", 1], "bytes, int"),
        (np.array(["a", 1], dtype=object), "int, str"),
    ],
)
@pytest.mark.parametrize("make", [binary, classifier])
def test_labels_of_several_types_are_refused(make: Any, y: Any, types: str) -> None:
    with pytest.raises(TypeError, match=rf"y has labels of several types \({types}\)"):
        make().fit(X[:2], y)
