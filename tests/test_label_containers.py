"""y in the containers of other packages: series, columns, frames of one column or several."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ironmlp as im
from states import everything, squares, unchanged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
BIG = 2**53
LABELS: dict[str, np.ndarray[Any, Any]] = {
    "indices": np.arange(12) % 3,
    "text": np.array(["ant", "bee", "cat"])[np.arange(12) % 3],
    "large": np.array([BIG, BIG + 1, BIG + 2])[np.arange(12) % 3],
    "unsigned": np.array([1, 2**63, 2**64 - 1], np.uint64)[np.arange(12) % 3],
    "times": np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[us]")[np.arange(12) % 3],
}
CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "pandas": pd.Series,
    "pandas, another index": lambda y: pd.Series(y, index=range(12, 0, -1)),
    "pandas nullable": lambda y: pd.Series(y).convert_dtypes(),
    "pandas of arrow": lambda y: pd.Series(y).convert_dtypes(dtype_backend="pyarrow"),
    "pandas category": lambda y: pd.Series(y, dtype="category"),
    "pandas category, in another order": lambda y: pd.Series(
        pd.Categorical(y, categories=np.unique(y)[::-1])
    ),
    "pandas index": pd.Index,
    "pandas array": lambda y: pd.array(y),
    "pandas column": lambda y: pd.DataFrame({"label": y}),
    "polars": pl.Series,
    "polars column": lambda y: pl.DataFrame({"label": y}),
    "pyarrow": pa.array,
    "pyarrow chunks": lambda y: pa.chunked_array([pa.array(y[:5]), pa.array(y[5:])]),
    "pyarrow dictionary": lambda y: pa.array(y).dictionary_encode(),
    "pyarrow column": lambda y: pa.table({"label": y}),
}


def classifier() -> im.MLP:
    return im.MLP([3, 4, 3], loss="cross_entropy", seed=0)


def exact(labels: Any) -> list[Any]:
    """The labels as Python's objects, times as microseconds."""
    array = np.asarray(labels)
    return (array.astype("M8[us]").astype(int) if array.dtype.kind == "M" else array).tolist()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", LABELS)
def test_labels_keep_their_values_in_every_container(container: str, kind: str) -> None:
    labels = LABELS[kind]
    plain, other = classifier(), classifier()
    plain.fit(X, labels)
    given = CONTAINERS[container](labels)
    other.fit(X, given)
    assert exact(other.classes_) == exact(plain.classes_)
    for key, value in plain.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[key], value)
    assert exact(other.predict(X)) == exact(plain.predict(X))
    assert other.evaluate(X, given) == plain.evaluate(X, labels)
    # One container's labels are another's.
    assert other.evaluate(X, labels) == plain.evaluate(X, given)


@pytest.mark.parametrize(
    "container", ["pandas", "polars", "pandas nullable", "pandas of arrow", "pyarrow"]
)
def test_numbers_in_every_container(container: str) -> None:
    values = RNG.normal(size=12)
    plain, other = (im.MLP([3, 4, 1], loss="mse", seed=0) for _ in range(2))
    plain.fit(X, values, sample_weight=np.abs(values))
    wrap = CONTAINERS[container]
    other.fit(X, wrap(values), sample_weight=wrap(np.abs(values)))
    assert everything(other) == everything(plain)
    integers = np.arange(12) % 5
    plain.fit(X, integers)
    other.fit(X, wrap(integers))
    assert everything(other) == everything(plain)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_frame_of_several_columns_is_several_outputs(library: Any) -> None:
    plain, other = (im.MLP([3, 4, 2], loss="mse", seed=0) for _ in range(2))
    columns = {"a": X[:, 0], "b": X[:, 1] > 0}
    plain.fit(X, np.stack(list(columns.values()), axis=1))
    other.fit(X, library(columns))
    assert everything(other) == everything(plain)
    assert other.predict(X).shape == (12, 2)
    with pytest.raises(TypeError, match="y has a column that holds no numbers: 't'"):
        other.fit(X, library({"a": X[:, 0], "t": ["x"] * 12}))


def test_a_frame_of_one_column_is_its_column() -> None:
    model = im.MLP([3, 4, 1], loss="mse", seed=0)
    model.fit(X, pd.DataFrame({"y": X[:, 0]}))
    assert model.predict(X).shape == (12,)


ROW = 7


def without(values: Any) -> list[Any]:
    listed = np.asarray(values).tolist()
    listed[ROW] = None
    return listed


MISSING: dict[str, Any] = {
    "list, None": without(LABELS["text"]),
    "list of numbers, None": without(LABELS["indices"]),
    "objects, NaN": np.array([*["a"] * ROW, np.nan, *["b"] * 4], dtype=object),
    "pandas text": pd.Series(without(LABELS["text"])),
    "pandas text as objects": pd.Series(without(LABELS["text"]), dtype=object),
    "pandas Int64": pd.Series(without(LABELS["large"]), dtype="Int64"),
    "pandas boolean": pd.Series(without(LABELS["indices"] > 0), dtype="boolean"),
    "pandas string": pd.Series(without(LABELS["text"]), dtype="string"),
    "pandas of arrow": pd.Series(without(LABELS["indices"]), dtype="int64[pyarrow]"),
    "pandas category": pd.Series(without(LABELS["text"]), dtype="category"),
    "pandas times": pd.Series(pd.to_datetime([None if i == ROW else "2020" for i in range(12)])),
    "pandas floats": pd.Series([float(i) if i != ROW else np.nan for i in range(12)]),
    "pandas column": pd.DataFrame({"y": without(LABELS["text"])}),
    "polars text": pl.Series(without(LABELS["text"])),
    "polars integers": pl.Series(without(LABELS["large"])),
    "polars booleans": pl.Series(without(LABELS["indices"] > 0)),
    "polars categories": pl.Series(without(LABELS["text"]), dtype=pl.Categorical),
    "polars column": pl.DataFrame({"y": without(LABELS["indices"])}),
    "arrow text": pa.array(without(LABELS["text"])),
    "arrow integers": pa.array(without(LABELS["large"])),
    "arrow dictionary": pa.array(without(LABELS["text"])).dictionary_encode(),
    "arrow chunks": pa.chunked_array([pa.array([1, 2]), pa.array([*range(5), None, *range(4)])]),
}


# Times are no numbers, missing or not.
PAIRS = {
    (kind, loss) for kind in MISSING for loss in ("cross_entropy", "binary_cross_entropy", "mse")
}


@pytest.mark.parametrize(("kind", "loss"), sorted(PAIRS - {("pandas times", "mse")}))
def test_a_missing_label_is_refused_with_its_row_and_never_a_class(kind: str, loss: str) -> None:
    outputs = 3 if loss == "cross_entropy" else 1
    model = im.MLP([3, 4, outputs], loss=loss, seed=0)
    for call in (model.fit, model.train_on_batch, model.evaluate):
        with unchanged(model), pytest.raises(ValueError, match=rf"row {ROW}\b"):
            call(X, MISSING[kind])


def test_a_missing_target_among_several_columns_is_named() -> None:
    model = im.MLP([3, 4, 2], loss="mse", seed=0)
    for library in (pl.DataFrame, pa.table):
        frame = library({"a": X[:, 0], "b": without(LABELS["indices"])})
        with pytest.raises(ValueError, match=f"y has a missing value in row {ROW}, column 'b'"):
            model.fit(X, frame)


def test_a_loss_of_ones_own_reads_a_column_as_other_losses_do() -> None:
    frame = pd.DataFrame({"y": X[:, 0]})
    for y in (frame, pl.from_pandas(frame), frame["y"]):
        model = im.MLP([3, 4, 1], loss=squares, seed=0)
        model.fit(X, y)
        assert model.predict(X).shape == (12,)
