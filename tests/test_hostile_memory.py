"""Arrays in strange memory, as inputs and as `out`: the same bits as from a plain array."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import ironmlp.functional as F
from hostile import RNG, refused, regressor
from states import everything

# Multiples of 1/8 below 16: float16 and every longer dtype hold them.
PLAIN = RNG.integers(-100, 100, (21, 4)) / 8.0
N = len(PLAIN)


class Subclass(np.ndarray):
    """Says that it is something else."""

    def __len__(self) -> int:
        raise AssertionError("the length is that of the array")

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("elements are those of the array")

    def __array_ufunc__(self, *arguments: Any, **settings: Any) -> Any:
        raise AssertionError("the arithmetic is NumPy's")


class Wrapped:
    """Is no array but gives one."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


def read_only(values: Any) -> Any:
    values = values.copy()
    values.setflags(write=False)
    return values


def strided(values: Any) -> Any:
    """Every third row and second column of a larger array."""
    rows, columns = values.shape
    spread = np.full((3 * rows, 2 * columns), np.nan)
    spread[::3, ::2] = values
    return spread[::3, ::2]


def unaligned(values: Any, dtype: str = "f8") -> Any:
    """From the second byte of a buffer on."""
    given = np.frombuffer(b"\0" + values.astype(dtype).tobytes(), np.uint8)[1:].view(dtype)
    return given.reshape(values.shape)


def overlapping(values: Any) -> Any:
    """Every row begins with the second element of the row before it; only of equal elements."""
    flat = np.full(values.shape[0] + values.shape[1], values[0, 0])
    return np.lib.stride_tricks.as_strided(flat, values.shape, (8, 8))


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "read-only": read_only,
    "strided": strided,
    "columns first": np.asfortranarray,
    "backwards": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "columns backwards": lambda x: np.asfortranarray(x[:, ::-1])[:, ::-1],
    "unaligned": unaligned,
    "unaligned float32": lambda x: unaligned(x, "f4"),
    "unaligned float16": lambda x: unaligned(x, "f2"),
    "big-endian": lambda x: x.astype(">f8"),
    "big-endian integers": lambda x: x.astype(">i4"),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "subclass": lambda x: x.view(Subclass),
    "list": lambda x: x.tolist(),
    "tuple of arrays": tuple,
    "__array__": Wrapped,
    "__array__, strided": lambda x: Wrapped(strided(x)),
    "memoryview": lambda x: memoryview(np.ascontiguousarray(x)),
    "field of records": lambda x: np.rec.fromarrays([x, -x], names="a,b").a,
    "one row for all": lambda x: np.broadcast_to(x[:1], x.shape),
    "one column for all": lambda x: np.broadcast_to(x[:, :1], x.shape),
    "one element for all": lambda x: np.broadcast_to(x[0, 0], x.shape),
    "overlapping": overlapping,
}


def plain(given: Any) -> Any:
    """A contiguous float64 array of the same numbers."""
    given = given.view(np.ndarray) if isinstance(given, np.ndarray) else given
    return np.array(given, dtype=np.float64, order="C")


def laid_out(layout: str) -> Any:
    make = LAYOUTS[layout]
    return make(np.floor(PLAIN)) if "integers" in layout else make(PLAIN)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_x_in_any_layout_gives_the_same_bits(layout: str, dtype: str) -> None:
    given = laid_out(layout)
    same = plain(given)
    model = regressor(dtype=dtype)
    twin = model.copy()
    assert np.array_equal(model(given), model(same))
    y = same[:, 1]
    results = [one.backward(x, np.ones((N, 1))) for one, x in ((model, given), (twin, same))]
    assert all(np.array_equal(results[0][key], results[1][key]) for key in results[1])
    assert model.evaluate(given, y) == twin.evaluate(same, y)
    assert model.train_on_batch(given, y) == twin.train_on_batch(same, y)
    model.fit(given, y, epochs=2, batch_size=8)
    twin.fit(same, y, epochs=2, batch_size=8)
    assert everything(model) == everything(twin)
    # Nothing was written to the input.
    assert np.array_equal(plain(given), same)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_targets_and_weights_in_any_layout(layout: str) -> None:
    given, same = laid_out(layout), plain(laid_out(layout))
    weights = np.abs(strided(PLAIN))[:, 2][::-1]
    models = [im.MLP([4, 5, 4], loss="mse", seed=1) for _ in range(2)]
    models[0].fit(PLAIN, given, sample_weight=weights)
    models[1].fit(PLAIN, same, sample_weight=weights.copy())
    assert everything(models[0]) == everything(models[1])
    gradient = models[0].backward(PLAIN, given)
    assert np.array_equal(gradient["0.weight"], models[1].backward(PLAIN, same)["0.weight"])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_functions_of_arrays_in_any_layout(layout: str) -> None:
    given, same = laid_out(layout), plain(laid_out(layout))
    for first, second in ((given, same), (same, given)):
        dtype = np.float32 if np.asarray(first).dtype == np.float32 else np.float64
        as_computed = same.astype(dtype)
        assert np.array_equal(F.sigmoid(first), F.sigmoid(as_computed))
        assert np.array_equal(F.matmul(first, second[:4] if second is same else same[:4]),
                              F.matmul(same, same[:4]))  # fmt: skip
        assert np.array_equal(F.sigmoid_backward(first, second), F.sigmoid_backward(same, same))
        assert np.array_equal(
            F.sigmoid_cross_entropy_with_logits_grad(first, second),
            F.sigmoid_cross_entropy_with_logits_grad(as_computed, same),
        )


FOREIGN = ["big-endian", "big-endian integers", "longdouble"]
NO_ARRAYS = [name for name in LAYOUTS if not isinstance(laid_out(name), np.ndarray)]


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in FOREIGN + NO_ARRAYS])
def test_a_predictor_reads_arrays_in_any_layout(layout: str) -> None:
    given, model = laid_out(layout), regressor()
    assert np.array_equal(model.predictor(N)(given), model(plain(given)))
    row = given.view(np.ndarray)[3]
    assert np.array_equal(model.predictor()(row), model(plain(given))[3])


@pytest.mark.parametrize("name", [*FOREIGN, *NO_ARRAYS])
def test_a_predictor_takes_what_forward_takes(name: str) -> None:
    model, given = regressor(), laid_out(name)
    np.testing.assert_array_equal(model.predictor(N)(given), model(given))


def test_a_read_only_memory_map(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0" * 5 + PLAIN.astype("f4").tobytes())
    before = path.read_bytes()
    mapped = np.memmap(path, "f4", "r", offset=5, shape=PLAIN.shape)
    model, twin = regressor(), regressor()
    model.fit(mapped, mapped[:, 0], batch_size=8)
    twin.fit(PLAIN, PLAIN[:, 0], batch_size=8)
    assert everything(model) == everything(twin)
    assert np.array_equal(model(mapped), twin(PLAIN))
    refused(model, lambda: model.forward(mapped, out=mapped[:, :1]), ValueError, "out is read-only")
    assert path.read_bytes() == before


def test_a_number_beyond_float64_is_infinite() -> None:
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long doubles of this machine are float64")
    given = PLAIN.astype(np.longdouble)
    given[5, 1] = np.longdouble("1e4000")
    model = regressor()
    refused(model, lambda: model.fit(given, PLAIN[:, 0]), ValueError, "X has", "row 5,")
    refused(model, lambda: model.fit(PLAIN, given[:, 1]), ValueError, "y has", "row 5,")
    assert np.array_equal(np.delete(model(given), 5, 0), np.delete(model(PLAIN), 5, 0))


# out


def filled(shape: Any, dtype: Any = "f4", order: Any = "C") -> Any:
    return np.full(shape, 7, dtype=dtype, order=order)


NO_OUT: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "float64": (filled((N, 3), "f8"), TypeError, ["dtype float64", "float32"]),
    "big-endian": (filled((N, 3), ">f4"), TypeError, ["dtype >f4", "float32"]),
    "integers": (filled((N, 3), "i4"), TypeError, ["dtype int32", "float32"]),
    "objects": (filled((N, 3), "O"), TypeError, ["dtype object", "float32"]),
    "rows": (filled((N - 1, 3)), ValueError, [f"shape ({N - 1}, 3)", f"({N}, 3)"]),
    "columns": (filled((N, 4)), ValueError, [f"shape ({N}, 4)", f"({N}, 3)"]),
    "flat": (filled(3 * N), ValueError, [f"shape ({3 * N},)", f"({N}, 3)"]),
    "3 dimensions": (filled((1, N, 3)), ValueError, [f"shape (1, {N}, 3)", f"({N}, 3)"]),
    "columns first": (filled((N, 3), order="F"), ValueError, ["not C-contiguous"]),
    "strided": (filled((2 * N, 3))[::2], ValueError, ["not C-contiguous"]),
    "backwards": (filled((N, 3))[::-1], ValueError, ["not C-contiguous"]),
    "broadcast": (np.broadcast_to(filled(()), (N, 3)), ValueError, ["read-only"]),
    "read-only": (read_only(filled((N, 3))), ValueError, ["read-only", "writable"]),
    "masked": (np.ma.masked_array(filled((N, 3))), TypeError, ["masked array"]),
    "list": ([[7.0] * 3] * N, TypeError, ["list", "NumPy array"]),
    "number": (7.0, TypeError, ["float", "NumPy array"]),
}


def three_outputs() -> im.MLP:
    return im.MLP([4, 6, 3], loss="mse", seed=1)


@pytest.mark.parametrize("case", NO_OUT)
def test_what_is_no_out_is_refused_and_untouched(case: str) -> None:
    out, error, words = NO_OUT[case]
    model = three_outputs()
    for call in (model.forward, model, model.predictor(N)):
        refused(model, lambda call=call: call(PLAIN, out=out), error, "out ", *words)
    assert np.all(np.asarray(out) == 7)


def test_an_unaligned_out_is_refused() -> None:
    buffer = np.full(12 * N + 1, 7, np.uint8)
    out = buffer[1:].view("f4").reshape(N, 3)
    model = three_outputs()
    for call in (model.forward, model.predictor(N)):
        refused(model, lambda call=call: call(PLAIN, out=out), ValueError, "out is not aligned")
    assert np.all(buffer == 7)


@pytest.mark.parametrize("rows", [N, 3000])
def test_an_out_that_overlaps_x(rows: int) -> None:
    model = three_outputs()
    values = RNG.normal(size=(rows, 4)).astype("f4")
    expected = model(values)
    for call in (model.forward, model.predictor(rows)):
        for shift in (0, 1, rows):
            buffer = np.zeros(4 * rows + 3 * rows, "f4")
            x = buffer[shift : shift + 4 * rows].reshape(rows, 4)
            x[...] = values
            out = buffer[: 3 * rows].reshape(rows, 3)
            assert call(x, out=out) is out
            assert np.array_equal(out, expected)


def test_an_out_that_is_a_parameter_copy_changes_no_model() -> None:
    model = im.MLP([3, 3], loss="mse", seed=1)
    weight = model.state_dict()["0.weight"]
    before = everything(model)
    assert model.forward(np.ones((3, 3)), out=weight) is weight
    assert everything(model) == before
