"""What a `fit` without y refuses, before it begins or at the item where it finds it."""

from typing import Any

import numpy as np
import pytest

from hostile import N, X, Y, refused
from states import everything
from streams import WEIGHTS, Loader, items, net


def test_what_goes_with_arrays_alone() -> None:
    model = net()
    for name, value in {"batch_size": 32, "shuffle": True, "sample_weight": WEIGHTS}.items():
        refused(
            model, lambda given={name: value}: model.fit(items(X, Y), **given), ValueError, name,
            "stream",
        )  # fmt: skip
    refused(model, lambda: model.fit(items(X, Y), batch_size=8), ValueError, "items are the batch")
    refused(model, lambda: model.fit(items(X, Y), shuffle=False), ValueError, "DataLoader")
    refused(model, lambda: model.fit(X, Y, steps_per_epoch=3), ValueError, "steps_per_epoch is 3")
    refused(model, lambda: model.fit(items(X, Y), steps_per_epoch=0), ValueError, "at least 1")
    refused(model, lambda: model.fit(items(X, Y), steps_per_epoch=1.5), TypeError, "integer")
    refused(model, lambda: model.fit(items(X, Y), epochs=-1), ValueError, "epochs is -1")


def test_y_is_missing() -> None:
    pandas = pytest.importorskip("pandas")
    model = net()
    for array in (X, pandas.DataFrame(X), memoryview(X).cast("B"), "X", {"X": X}, 3, None):
        refused(model, lambda array=array: model.fit(array), TypeError, "missing")
    refused(model, lambda: model.fit(X.tolist()), TypeError, "item 0 of X", "needs y")


def test_a_stream_with_y() -> None:
    model = net()
    for stream in (Loader(X, Y), iter(items(X, Y))):
        refused(model, lambda X=stream: model.fit(X, Y), TypeError, "a stream, and y was given")


def test_items_of_another_form_name_their_place() -> None:
    wrong = [X, {"X": X, "y": Y}, (X,), (X, Y, WEIGHTS, 1), None, "Xy", (None, Y), (1.0, 2.0)]
    for item in wrong:
        model = net()
        with pytest.raises(TypeError, match=r"item 3 of X is .*\(X, y\) or \(X, y, weight\)"):
            model.fit([*items(X, Y), item])
        assert model._core.steps == 3


def test_what_is_wrong_with_an_items_arrays_names_its_place() -> None:
    wrong: list[tuple[Any, type[Exception], str]] = [
        ((X[:, :3], Y), ValueError, "3 columns"),
        ((X, Y[:-1]), ValueError, "19 rows"),
        ((X[:0], Y[:0]), ValueError, "0 rows"),
        ((np.full_like(X, np.nan), Y), ValueError, "NaN"),
        ((X, Y, -WEIGHTS), ValueError, "weight"),
        ((X, Y, WEIGHTS[1:]), ValueError, "weight has shape"),
        ((X.astype(str), Y), TypeError, "strings"),
        ((X, np.full(N, None)), ValueError, "missing"),
    ]
    for item, error, words in wrong:
        model = net()
        with pytest.raises(error, match=words) as caught:
            model.fit([*items(X, Y), item])
        assert caught.value.__notes__ == ["It was item 3 of X."]
        assert model._core.steps == 3


def test_a_model_takes_no_notice_of_a_length_that_raises(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Endless(Loader):
        def __len__(self) -> int:
            raise TypeError("no length")

    model = net()
    model.fit(Endless(X, Y), verbose=True)
    assert model.epoch == 1


def test_a_stream_of_read_only_and_reversed_arrays_is_read_in_place() -> None:
    x = X[::-1]
    x.flags.writeable = False
    model, twin = net(), net()
    model.fit([(x, Y[::-1])])
    twin.fit(x.copy(), Y[::-1], batch_size=None)
    assert everything(model) == everything(twin)
