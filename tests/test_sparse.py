"""SciPy's sparse matrices as X: what an array of the same numbers gives, batch by batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import ironmlp as im
import processes
from alike import assert_alike
from states import everything, unchanged

RNG = np.random.default_rng(0)
N, COLUMNS = 40, 37
DENSE = RNG.normal(size=(N, COLUMNS)) * (RNG.random((N, COLUMNS)) < 0.1)
DENSE[3] = 0
Y = DENSE.sum(axis=1)

KINDS: dict[str, Callable[[Any], Any]] = {
    "csr_matrix": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc_matrix": sp.csc_matrix,
    "csc_array": sp.csc_array,
    "coo_matrix": sp.coo_matrix,
    "coo_array": sp.coo_array,
    "bsr_array": sp.bsr_array,
    "lil_array": sp.lil_array,
    "dok_array": sp.dok_array,
}


def model() -> im.MLP:
    return im.MLP([COLUMNS, 5, 1], loss="mse", seed=0)


def trained(X: Any) -> im.MLP:
    made = model()
    made.fit(X, Y, epochs=3, batch_size=7)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_sparse_matrix_trains_as_an_array(kind: str) -> None:
    X, plain, other = KINDS[kind](DENSE), trained(DENSE), trained(KINDS[kind](DENSE))
    assert everything(other) == everything(plain)
    assert_alike(plain, DENSE, other, X, Y)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "int64", "uint64", "float32", "float64", "bool"]
)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_values_and_indices_of_every_dtype(dtype: str, index: Any) -> None:
    dense = np.abs(np.ceil(DENSE)).astype(dtype)
    X = sp.csr_array(dense)
    X = sp.csr_array((X.data, X.indices.astype(index), X.indptr.astype(index)), shape=X.shape)
    # SciPy chooses the type of indices as it likes.
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    assert everything(trained(X)) == everything(trained(dense))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scale_and_dtype(dtype: Any) -> None:
    kept = []
    for X in (DENSE, sp.csr_array(DENSE)):
        layers = [im.Linear(COLUMNS, 20), im.Tanh(), im.Linear(20, 1)]
        made = im.Sequential(layers, loss="mse", seed=0, dtype=dtype, scale=3.0)
        made.fit(X, Y, epochs=2)
        kept.append(everything(made))
    assert kept[0] == kept[1]


def test_a_threaded_and_a_large_batch() -> None:
    dense = np.tile(DENSE, (200, 1))  # several slabs
    plain, other = model(), model()
    for made, X in ((plain, dense), (other, sp.csr_array(dense))):
        made.fit(X, np.tile(Y, 200), epochs=2, batch_size=None)
    assert everything(other) == everything(plain)
    np.testing.assert_array_equal(other(sp.csr_array(dense)), plain(dense))


def test_unsorted_indices_and_duplicates_are_added_up_and_left_as_they_are() -> None:
    rows = sp.csr_array(
        ([1.0, 2.0, 3.0, 4.0], [4, 4, 0, 1], [0, 3, 4] + [4] * (N - 2)), shape=(N, COLUMNS)
    )
    before = rows.indices.copy()
    assert everything(trained(rows)) == everything(trained(rows.toarray()))
    assert rows.toarray()[0, :5].tolist() == [3, 0, 0, 0, 3]
    assert rows.indices.tolist() == before.tolist()


def test_an_empty_matrix_and_one_of_zeros() -> None:
    zeros = sp.csr_array((N, COLUMNS))
    assert everything(trained(zeros)) == everything(trained(np.zeros((N, COLUMNS))))
    with pytest.raises(ValueError, match="0 rows"):
        model().predict(sp.csr_array((0, COLUMNS)))


@pytest.mark.parametrize("value", [np.nan, -np.inf, 1e39])
def test_nan_is_named_with_its_row_and_column(value: float) -> None:
    X = sp.lil_array(DENSE)
    X[17, 30] = X[29, 2] = value
    made = model()
    for call in (made.fit, made.train_on_batch, made.loss_and_grad):
        with unchanged(made), pytest.raises(ValueError, match="in row 17, column 30, all must"):
            call(X.tocsr(), Y)


def test_what_is_no_sparse_x_is_refused() -> None:
    made = model()
    for given, error, words in [
        (sp.csr_array(DENSE[:, 1:]), ValueError, "36 columns, the network takes 37"),
        (sp.csr_array(DENSE * 1j), TypeError, "complex128"),
        (sp.coo_array(DENSE[0]), ValueError, r"sparse and has shape \(37,\)"),
    ]:
        for call in (made.predict, made.predictor(N), lambda x: made.fit(x, Y)):
            with unchanged(made), pytest.raises(error, match=words):
                call(given)
    with pytest.raises(TypeError, match="y is a sparse csr_array, only X may be: use toarray"):
        made.fit(DENSE, sp.csr_array(Y[:, None]))


def test_a_sparse_matrix_that_lies_crashes_nothing() -> None:
    """In a process of its own: an index that is believed is a crash there."""
    (messages,) = processes.run("""
import numpy as np, scipy.sparse as sp
import ironmlp as im
from processes import show

def lying(**attributes):
    class Liar(sp.csr_array):
        has_canonical_format = True
        def tocsr(self, copy=False): return self
    rows = Liar(np.eye(5))
    for name, value in attributes.items():
        setattr(rows, name, value)
    return rows

messages = []
for attributes in [
    {"indices": np.array([0, 1, 2, 3, 1 << 30])},
    {"indices": np.array([0, 1, 2, 3, -1])},
    {"indices": np.arange(4)},
    {"indices": np.arange(5.0)},
    {"indices": np.arange(5, dtype=np.uint64)},
    {"indptr": np.array([0, 1, 2, 3, 4, 1 << 40])},
    {"indptr": np.array([0, 1, 2, 9, 4, 5])},
    {"indptr": np.array([3, 1, 2, 3, 4, 5])},
    {"indptr": np.array([0, 5])},
    {"data": np.zeros(0)},
    {"data": [1, 2, 3, 4, 5]},
    {"data": np.array([object()] * 5)},
]:
    try:
        im.MLP([5, 3, 1], loss="mse", seed=0).fit(lying(**attributes), np.zeros(5))
        messages.append("none")
    except (TypeError, ValueError) as error:
        messages.append(str(error))
show(messages)
""")
    for message, words in zip(
        messages,
        [
            "indices has 1073741824, it has 5 columns",
            "indices has -1, it has 5 columns",
            "data has 5 elements, indices 4",
            "indices must hold integers",
            "indices must hold integers",
            "indptr[5] is 1099511627776",
            "indptr[3] is 9",
            "indptr[0] is 3",
            "5 rows, its indptr 1",
            "data has 0 elements, indices 5",
            "data of X is of type list",
            "data of X has dtype object",
        ],
        strict=True,
    ):
        assert words in message
