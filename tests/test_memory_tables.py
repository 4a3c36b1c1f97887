"""Training on a frame or a sparse matrix takes no copy of it, and none that is dense.

Each measurement has a process of its own, whose other memory is known.
"""

import sys
from typing import Any

import pytest

from processes import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

HEAD = """
import gc, json, resource
import numpy as np
import ironmlp as im

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3

def use(columns, x, y):
    # All that takes X; the first call on a part has what each call takes beside.
    model = im.MLP([columns, 4, 1], loss="mse", seed=0, n_threads=1)
    model.fit(x, y, batch_size=256, verbose=False)
    model.predictor(len(y))(x)
    model.evaluate(x, y)
"""


def measured(script: str) -> Any:
    (value,) = run(HEAD + script)
    return value


FRAMES = {
    # A frame of two blocks, whose columns as one array would be 51 MB of float64.
    "pandas": "pd.concat([pd.DataFrame(floats), pd.DataFrame(whole)], axis=1)",
    "pandas nullable": "pd.DataFrame({str(i): pd.array(c) for i, c in enumerate(columns)})",
    "polars": "pl.DataFrame({str(i): c for i, c in enumerate(columns)})",
    "pyarrow": "pa.table({str(i): c for i, c in enumerate(columns)})",
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_of_50_mb_is_not_copied(kind: str) -> None:
    grown = measured(f"""
import pandas as pd, polars as pl, pyarrow as pa
rows = 400_000
floats, whole = np.zeros((rows, 8)), np.zeros((rows, 8), np.int64)
columns = [c.copy() for c in (*floats.T, *whole.T)]
y = np.zeros(rows)
x = {FRAMES[kind]}
use(16, x[:1000], y[:1000])
del columns, floats, whole
gc.collect()
before = most()
use(16, x, y)
print(json.dumps(most() - before))
""")
    # y in float32, the outputs and their copies: 1.6 MB each.
    assert grown < 20


def test_a_sparse_matrix_is_never_dense() -> None:
    # 50 MB of float32 if it were.
    grown = measured("""
import scipy.sparse as sp
rows, columns = 5000, 2500
rng = np.random.default_rng(0)
places = np.arange(rows), rng.integers(0, columns, rows)
x = sp.csr_array((np.ones(rows), places), (rows, columns))
y = np.zeros(rows)
use(columns, x[:1000], y[:1000])
before = most()
use(columns, x, y)
use(columns, x.tocsc(), y)
print(json.dumps(most() - before))
""")
    assert grown < 12
