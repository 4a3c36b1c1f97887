"""Frames and sparse matrices in all that a fit does beside training."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

import ironmlp as im
from states import everything, squares

RNG = np.random.default_rng(0)
N = 60
DENSE = np.round(RNG.normal(size=(N, 5)) * (RNG.random((N, 5)) < 0.5), 2)
DENSE[:, 1] = DENSE[:, 1] > 0
Y = DENSE[:, 0] - DENSE[:, 2]
FRAME = pd.DataFrame(DENSE, columns=list("abcde")).astype({"b": bool, "c": "float32"})
DENSE = FRAME.astype(float).to_numpy()
KINDS: dict[str, Any] = {
    "pandas": FRAME,
    "polars": pl.from_pandas(FRAME),
    "sparse": sp.csr_array(DENSE),
}


def rows(X: Any, start: int, end: int) -> Any:
    return X[start:end]


of_each_kind = pytest.mark.parametrize("X", KINDS.values(), ids=list(KINDS))


def same(X: Any, model: Any, **settings: Any) -> None:
    """Both fits leave the same model and the same history."""
    plain, other = model(), model()
    one = plain.fit(DENSE, Y, epochs=3, batch_size=7, **settings)
    two = other.fit(X, Y, epochs=3, batch_size=7, **settings)
    assert everything(other) == everything(plain)
    assert {name: list(column) for name, column in one.items()} == {
        name: list(column) for name, column in two.items()
    }
    np.testing.assert_array_equal(other.predict(X), plain.predict(DENSE))


def regressor(**settings: Any) -> im.Sequential:
    layers = [im.Linear(5, 20), im.ReLU(), im.Linear(20, 1)]
    return im.Sequential(layers, seed=0, **{"loss": "mse", **settings})


@of_each_kind
def test_standardize(X: Any) -> None:
    same(X, lambda: regressor(standardize=True, standardize_y=True))
    plain, other = regressor(standardize=True), regressor(standardize=True)
    plain.adapt(DENSE)
    other.adapt(X)
    np.testing.assert_array_equal(other(X), plain(DENSE))


@of_each_kind
def test_validation_split(X: Any) -> None:
    same(X, regressor, validation_split=0.25)
    same(X, regressor, validation_split=0.25, shuffle=False)


@of_each_kind
def test_validation_data_of_any_kind(X: Any) -> None:
    plain, other = regressor(), regressor()
    one = plain.fit(DENSE[:40], Y[:40], validation_data=(DENSE[40:], Y[40:]))
    two = other.fit(rows(X, 0, 40), Y[:40], validation_data=(rows(X, 40, N), Y[40:]))
    assert list(one["val_loss"]) == list(two["val_loss"])
    two = regressor().fit(DENSE[:40], Y[:40], validation_data=(rows(X, 40, N), Y[40:]))
    assert list(one["val_loss"]) == list(two["val_loss"])


def test_nan_in_validation_data_is_found() -> None:
    wrong = FRAME.assign(d=[np.nan if i == 3 else 0.0 for i in range(N)])
    with pytest.raises(ValueError, match="row 3, column 'd'"):
        regressor().fit(FRAME, Y, validation_data=(wrong, Y))


@of_each_kind
def test_a_loss_of_ones_own(X: Any) -> None:
    same(X, lambda: regressor(loss=squares))


@of_each_kind
def test_streams(X: Any) -> None:
    plain, other = regressor(), regressor()
    cuts = [(0, 20), (20, 40), (40, N)]
    plain.fit([(DENSE[a:b], Y[a:b]) for a, b in cuts], epochs=2)
    other.fit([(rows(X, a, b), Y[a:b]) for a, b in cuts], epochs=2)
    assert everything(other) == everything(plain)


def test_columns_of_different_scales_are_warned_of() -> None:
    wide = FRAME.assign(a=FRAME["a"] * 1e6)
    with pytest.warns(UserWarning, match="standardize=True"):
        regressor().fit(wide, Y)
    with pytest.warns(UserWarning, match="standardize=True"):
        regressor().fit(sp.csr_array(wide.astype(float).to_numpy()), Y)


def test_a_function_as_loss_gets_y_of_any_container() -> None:
    seen = []

    def loss(outputs: Any, targets: Any) -> tuple[float, Any]:
        seen.append((type(targets), targets.shape))
        return squares(outputs, targets)

    regressor(loss=loss).fit(FRAME, pd.Series(Y), batch_size=None)
    regressor(loss=loss).fit(FRAME, pl.Series(Y), batch_size=None)
    assert seen == [(np.ndarray, (N, 1))] * 2
