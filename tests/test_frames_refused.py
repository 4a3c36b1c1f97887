"""What a frame as X must not hold: no numbers, missing values, and sizes that are not so."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ironmlp as im
import processes
from frames import DataframeOnly, StreamOnly
from states import unchanged

N = 6
NUMBERS = np.arange(N) / 4
Y = np.arange(N) * 1.0
CALLS: list[Callable[[im.MLP, Any], Any]] = [
    lambda model, x: model.fit(x, Y),
    lambda model, x: model.train_on_batch(x, Y),
    lambda model, x: model.loss_and_grad(x, Y),
    lambda model, x: model.evaluate(x, Y),
    lambda model, x: model.trace(x, Y),
    lambda model, x: model.backward(x, Y[:, None]),
    lambda model, x: model.predict(x),
    lambda model, x: model(x),
    lambda model, x: model.predictor(N)(x),
]


def refused(frame: Any, error: type[Exception], *words: str) -> None:
    model = im.MLP([2, 3, 1], loss="mse", seed=0)
    for call in CALLS:
        with unchanged(model), pytest.raises(error) as caught:
            call(model, frame)
        for word in words:
            assert word in str(caught.value), (word, str(caught.value))


TIMES = [datetime.datetime(2026, 1, 1 + i) for i in range(N)]
OTHERS: dict[str, tuple[Any, str]] = {
    "text": (pd.Series(["x"] * N), "dtype"),
    "text as objects": (pd.Series(["x"] * N, dtype=object), "objects"),
    "categories": (pd.Series(["x"] * N, dtype="category"), "dtype category"),
    "categories of numbers": (pd.Series([1, 2] * 3, dtype="category"), "dtype category"),
    "times": (pd.Series(TIMES), "times"),
    "times of a zone": (pd.Series(pd.to_datetime(TIMES).tz_localize("UTC")), "datetime64[us, UTC]"),
    "durations": (pd.Series(TIMES) - TIMES[0], "durations"),
    "periods": (pd.Series(pd.period_range("2026", periods=N, freq="D")), "period[D]"),
    "intervals": (pd.Series(pd.interval_range(0, N)), "interval"),
    "Decimal": (pd.Series([Decimal("1.5")] * N), "objects"),
    "numbers as objects": (pd.Series([1, 2.5] * 3, dtype=object), "astype(float)"),
    "complex numbers": (pd.Series(NUMBERS + 1j), "complex128"),
    "text of arrow": (pd.Series(["x"] * N, dtype="string[pyarrow]"), "string"),
    "polars text": (pl.Series(["x"] * N), "String"),
    "polars categories": (pl.Series(["x"] * N, dtype=pl.Categorical), "Categorical"),
    "polars times": (pl.Series(TIMES), "Datetime"),
    "polars Decimal": (pl.Series([Decimal("1.5")] * N), "Decimal"),
    "polars lists": (pl.Series([[1]] * N), "List"),
    "arrow text": (pa.array(["x"] * N), "string"),
    "arrow categories": (pa.array(["x"] * N).dictionary_encode(), "dictionary"),
    "arrow times": (pa.array(TIMES), "timestamp"),
    "arrow Decimal": (pa.array([Decimal("1.5")] * N), "decimal"),
}


def beside_numbers(column: Any, other: Any = NUMBERS) -> Any:
    """A frame of the column's library, with "size" before it and the column as "kind"."""
    if isinstance(column, pl.Series):
        return pl.DataFrame({"size": other, "kind": column})
    if isinstance(column, pa.Array):
        return pa.table({"size": other, "kind": column})
    return pd.DataFrame({"size": other, "kind": column})


@pytest.mark.parametrize("kind", OTHERS)
def test_columns_of_no_numbers_are_named_with_the_cure(kind: str) -> None:
    column, words = OTHERS[kind]
    cure = "encode them as numbers: text and categories with pandas.get_dummies"
    refused(beside_numbers(column), TypeError, f"{words}", "no numbers: 'kind' (", cure)


def test_all_such_columns_are_named() -> None:
    frame = pd.DataFrame({"a": ["x"], "b": [1.0], "c": pd.Series(["u"], dtype="category")})
    refused(frame, TypeError, "'a' (dtype", "), 'c' (dtype category)")
    many = pd.DataFrame({f"c{i}": ["x"] for i in range(30)})
    refused(many, TypeError, "'c9'", "and 20 more")


MISSING: dict[str, Any] = {
    "Int64": pd.Series([1, 2, 3, None, 5, None], dtype="Int64"),
    "Float32": pd.Series([1, 2, 3, None, 5, None], dtype="Float32"),
    "boolean": pd.Series([True, False, True, None, True, None], dtype="boolean"),
    "int64[pyarrow]": pd.Series([1, 2, 3, None, 5, None], dtype="int64[pyarrow]"),
    "polars integers": pl.Series([1, 2, 3, None, 5, None]),
    "polars floats": pl.Series([1.5, 2, 3, None, 5, None]),
    "polars booleans": pl.Series([True, False, True, None, True, None]),
    "arrow integers": pa.array([1, 2, 3, None, 5, None]),
    "arrow booleans": pa.array([True, False, True, None, True, None]),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_value_is_named_with_row_and_column(kind: str) -> None:
    frame = beside_numbers(MISSING[kind])
    refused(frame, ValueError, "missing value in row 3, column 'kind'")


@pytest.mark.parametrize("kind", ["polars integers", "arrow integers", "arrow booleans"])
def test_a_missing_value_of_a_protocol_is_named_too(kind: str) -> None:
    table = pa.table({"size": NUMBERS, "kind": pa.array(MISSING[kind])})
    table = pa.concat_tables([table[:2], table[2:]])
    for frame in (StreamOnly(table), DataframeOnly(table)):
        refused(frame, ValueError, "missing value in row 3, column 'kind'")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_nan_is_named_with_row_and_column_where_training_would_meet_it(
    value: float, library: Any
) -> None:
    values = NUMBERS.copy()
    values[4] = value
    frame = library.DataFrame({"n": np.arange(N), "with nan": values})
    model = im.MLP([2, 3, 1], loss="mse", seed=0)
    for call in CALLS[:3]:
        with unchanged(model), pytest.raises(ValueError, match=r"in row 4, column 'with nan', all"):
            call(model, frame)
    with pytest.raises(ValueError, match=r"in row 4, column 1, all must be finite"):
        model.fit(frame.to_numpy(), Y)


def test_nan_outputs_are_refused_by_predictions_and_given_by_forward() -> None:
    values = NUMBERS.copy()
    values[4] = np.nan
    for library in (pd, pl):
        frame = library.DataFrame({"a": np.arange(N), "b": values})
        model = im.MLP([2, 3, 2], loss="cross_entropy", seed=0)
        for call in (model.predict, model.predict_proba):
            with pytest.raises(ValueError, match="row 4 of X has the outputs nan"):
                call(frame)
        with pytest.raises(ValueError, match="row 4 of X has the outputs nan"):
            model.evaluate(frame, [0, 1] * 3)
        for call in (model.forward, model.predictor(N)):
            assert np.isnan(call(frame)).any(axis=1).tolist() == [i == 4 for i in range(N)]


def test_what_is_to_be_collected_says_so() -> None:
    refused(pl.DataFrame({"a": NUMBERS, "b": Y}).lazy(), TypeError, "LazyFrame", "collect()")


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_empty_frames(library: Any) -> None:
    refused(library.DataFrame({"a": np.zeros(0), "b": np.zeros(0)}), ValueError, "0 rows")
    refused(library.DataFrame({}), ValueError, "no columns")
    refused(library.DataFrame({"a": NUMBERS}), ValueError, "1 column, the network takes 2")


@pytest.mark.parametrize("answer", [None, 7, "no stream", ()])
def test_a_stream_that_is_none_is_refused(answer: Any) -> None:
    class Liar:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return answer

    refused(Liar(), TypeError, "Liar", "__arrow_c_stream__")


def test_a_stream_of_one_column_is_no_table() -> None:
    refused(StreamOnly(pa.chunked_array([NUMBERS])), TypeError, "StreamOnly")


def test_columns_that_lie_about_their_length_crash_nothing() -> None:
    """In a process of its own: a size that is believed is a crash there."""
    (errors,) = processes.run("""
import numpy as np, pyarrow as pa
import ironmlp as im
from frames import DataframeOnly
from processes import show

def lying(size, offset, bufsize):
    frame = pa.table({"a": np.arange(5.0), "b": np.arange(5.0)}).__dataframe__()
    class Buffer:
        def __init__(self, buffer): self.buffer, self.ptr = buffer, buffer.ptr
        bufsize = property(lambda self: bufsize if bufsize is not None else self.buffer.bufsize)
    class Column:
        def __init__(self, column): self.column = column
        dtype = property(lambda self: self.column.dtype)
        offset = offset
        describe_null = (0, None)
        def size(self): return size
        def get_chunks(self, n=None): return [self]
        def get_buffers(self):
            data, dtype = self.column.get_buffers()["data"]
            return {"data": (Buffer(data), dtype), "validity": None}
    class Frame:
        def column_names(self): return ["a", "b"]
        def num_rows(self): return 1 << 40
        def get_column(self, i): return Column(frame.get_column(i)) if i else frame.get_column(0)
    class Whole:
        def __dataframe__(self, *args): return Frame()
    return Whole()

errors = []
for size, offset, bufsize in [
    (1 << 40, 0, None), (5, 1 << 40, None), (5, -1, None), (-5, 0, None), (4, 0, None),
    (5, 0, 8), (5, 0, 0), (5, 0, -8),
]:
    try:
        im.MLP([2, 3, 1], loss="mse", seed=0).fit(lying(size, offset, bufsize), np.zeros(5))
        errors.append("none")
    except ValueError as error:
        errors.append(type(error).__name__)
show(errors)
""")
    assert errors == ["ValueError"] * 8
