"""Frames as X: column by column what an array of the same numbers gives, whatever the library."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ironmlp as im
from alike import assert_alike
from frames import DataframeOnly, StreamOnly
from states import everything

RNG = np.random.default_rng(0)
N = 23
DTYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "bool"),
)
INTEGERS = RNG.integers(0, 2, (N, len(DTYPES)))
# A column of each of NumPy's dtypes.
PLAIN = pd.DataFrame({d: INTEGERS[:, i].astype(d) for i, d in enumerate(DTYPES)})
NULLABLE = (
    *("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"),
    *("Float32", "Float64", "boolean"),
)
Y = RNG.normal(size=N)


def model(columns: int = len(DTYPES)) -> im.MLP:
    return im.MLP([columns, 4, 1], loss="mse", seed=0)


def trained(X: Any, columns: int = len(DTYPES)) -> im.MLP:
    fitted = model(columns)
    fitted.fit(X, Y, epochs=2, batch_size=5)
    return fitted


def check_same(X: Any, dense: Any) -> None:
    """Every method gives for X what it gives for an array."""
    columns = dense.shape[1]
    plain, other = trained(dense, columns), trained(X, columns)
    assert everything(other) == everything(plain)
    assert_alike(plain, dense, other, X, Y)
    assert everything(other)["steps"] == 11


FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: PLAIN,
    "pandas, cut": lambda: pd.concat([PLAIN] * 3, ignore_index=True).iloc[2 * N :],
    "pandas, reversed twice": lambda: PLAIN.iloc[::-1].copy().iloc[::-1],
    "polars": lambda: pl.from_pandas(PLAIN),
    "polars, several chunks": lambda: pl.concat(
        [pl.from_pandas(PLAIN[:9]), pl.from_pandas(PLAIN[9:])], rechunk=False
    ),
    "pyarrow table": lambda: pa.table(PLAIN),
    "pyarrow, several chunks": lambda: pa.concat_tables([pa.table(PLAIN[:9]), pa.table(PLAIN[9:])]),
    "pyarrow record batch": lambda: pa.table(PLAIN).to_batches()[0],
    "a stream": lambda: StreamOnly(pa.table(PLAIN)),
    "the interchange protocol": lambda: DataframeOnly(pa.table(PLAIN)),
    "the interchange protocol, in chunks": lambda: DataframeOnly(
        pa.concat_tables([pa.table(PLAIN[:9]), pa.table(PLAIN[9:])])
    ),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_of_every_dtype_trains_as_an_array(kind: str) -> None:
    check_same(FRAMES[kind](), INTEGERS.astype(float))


def test_nullable_numbers_and_those_of_arrow_are_numbers() -> None:
    arrow = [f"{d.lower().replace('boolean', 'bool')}[pyarrow]" for d in NULLABLE]
    arrow = [d.replace("float32", "float").replace("float64", "double") for d in arrow]
    dtypes = [*NULLABLE, *arrow]
    dense = RNG.integers(0, 2, (N, len(dtypes)))
    columns = {d: pd.Series(dense[:, i], dtype="int64").astype(d) for i, d in enumerate(dtypes)}
    check_same(pd.DataFrame(columns), dense.astype(float))


def test_bool_beside_float_is_a_number() -> None:
    # As an array pandas makes objects of it.
    frame = pd.DataFrame({"a": Y, "b": Y > 0})
    assert frame.to_numpy().dtype == object
    check_same(frame, np.stack([Y, Y > 0], axis=1))


def test_integers_of_128_bits_and_polars_float16() -> None:
    frame = pl.DataFrame({"a": np.arange(N), "b": np.arange(N) / 2}).select(
        pl.col("a").cast(pl.Int128), pl.col("b").cast(pl.Float16)
    )
    check_same(frame, np.stack([np.arange(N), np.arange(N) / 2], axis=1))


def test_sparse_columns_of_pandas() -> None:
    frame = pd.get_dummies(pd.Series(list("abc" * 7 + "ab")), sparse=True)
    check_same(frame, frame.to_numpy(dtype=float))


@pytest.mark.parametrize("rows", [N, 3000])
def test_frames_of_one_dtype(rows: int) -> None:
    # One is copied at once, the other read as the rows of its block.
    dense = RNG.normal(size=(rows, 30))
    frame, plain, other = pd.DataFrame(dense), model(30), model(30)
    plain.fit(dense, dense[:, 0], batch_size=64)
    other.fit(frame, dense[:, 0], batch_size=64)
    assert everything(other) == everything(plain)


def test_large_integers_are_rounded_once() -> None:
    # float32(2**60 + 2**36 + 1): a stop at float64 would round down.
    value = 2**60 + 2**36 + 1
    frame = pd.DataFrame({"a": pd.array([value], dtype="Int64"), "b": [0.5]})
    network = im.Sequential([im.Linear(2, 1, init="zeros", bias=False)], loss="mse", seed=0)
    network.load_state_dict({"0.weight": [[1.0, 0.0]]})
    assert network(frame).item() == 2.0**60 + 2.0**37


def test_positions_count_and_not_the_index() -> None:
    frame = PLAIN.set_index(np.arange(N)[::-1] * 7)
    y = pd.Series(Y, index=RNG.permutation(N))
    other = model()
    other.fit(frame, y, epochs=2, batch_size=5)
    assert everything(other) == everything(trained(INTEGERS.astype(float)))


def test_a_subclass_of_a_frame_is_one() -> None:
    class Mine(pd.DataFrame):
        @property
        def _constructor(self) -> Any:
            return Mine

    check_same(Mine(PLAIN), INTEGERS.astype(float))


@pytest.mark.parametrize("frame", [PLAIN, pl.from_pandas(PLAIN)], ids=["pandas", "polars"])
def test_a_predictor_takes_one_row_of_a_frame(frame: Any) -> None:
    fitted = trained(frame)
    assert fitted.predictor()(frame[3:4]).tolist() == fitted(INTEGERS[3:4]).tolist()


@pytest.mark.parametrize("frame", FRAMES)
def test_images_are_no_frame(frame: str) -> None:
    layers = [im.Conv2d(1, 2, 3), im.Flatten(), im.Linear(2, 1)]
    network = im.Sequential(layers, loss="mse", seed=0)
    for call in (network.predict, network.predictor(N)):
        with pytest.raises(ValueError, match=r"has shape \(23, 12\), the network takes images"):
            call(FRAMES[frame]())


def test_nothing_is_imported_for_arrays_and_lists() -> None:
    script = """
        import sys
        import numpy as np
        import ironmlp as im
        model = im.MLP([2, 3, 1], loss="mse", seed=0)
        model.fit(np.ones((4, 2)), [1.0, 2.0, 3.0, 4.0])
        model.predict([[1, 2], [3, 4]])
        print({"pandas", "polars", "pyarrow", "scipy", "torch", "ctypes.util"} & set(sys.modules))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    assert subprocess.run(command, check=True, capture_output=True).stdout.strip() == b"set()"
