"""What an older ironmlp has pickled is unpickled, and goes on as if nothing had been."""

import pickle
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from golden import make_pickles as golden
from states import everything


def unpickled(name: str) -> Any:
    return pickle.loads((golden.FOLDER / f"{name}.pickle").read_bytes())


def test_the_pickles_are_of_every_model() -> None:
    found = {path.stem for path in golden.FOLDER.glob("*.pickle")}
    assert found == {*golden.MODELS, "others"}


@pytest.mark.parametrize("name", golden.MODELS)
def test_an_old_pickle_is_the_model(name: str) -> None:
    old, now = unpickled(name), golden.made(name)
    X, y = golden.rows(), golden.targets(name)
    assert type(old) is type(now)
    assert repr(old) == repr(now)
    assert everything(old) == everything(now)
    assert old.history.keys() == now.history.keys() == ["loss", "rate"]
    for column in old.history.keys():  # noqa: SIM118 - a history is no dict
        assert np.array_equal(old.history[column], now.history[column])
    for model in (old, now):
        model.fit(X, y, epochs=2)
    assert everything(old) == everything(now)
    assert np.array_equal(old.predict(X), now.predict(X))


def test_an_old_pickle_of_what_is_no_model() -> None:
    stopping, bar, stop = unpickled("others")
    assert repr(stopping) == repr(golden.others()[0])
    assert bar is im.ProgressBar
    assert isinstance(stop, im.StopTraining)
    model = golden.made("numbers")
    model.fit(golden.rows(), golden.targets("numbers"), epochs=5, callbacks=[stopping])
    assert stopping.best is not None
