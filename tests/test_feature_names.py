"""The names of X's columns: learned by the first fit with a frame, kept, held against others."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import ironmlp as im
from frames import DataframeOnly, StreamOnly
from states import unchanged

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
Y = X[:, 0]
NAMES = ["width", "height", "größe"]
FRAME = pd.DataFrame(X, columns=NAMES)
TABLE = pa.table(FRAME)
FRAMES: dict[str, Any] = {
    "pandas": FRAME,
    "polars": pl.DataFrame(X, schema=NAMES),
    "pyarrow": TABLE,
    "a stream": StreamOnly(TABLE),
    "the interchange protocol": DataframeOnly(TABLE),
}


def model() -> im.MLP:
    return im.MLP([3, 4, 1], loss="mse", seed=0)


def fitted(frame: Any = FRAME) -> im.MLP:
    made = model()
    made.fit(frame, Y)
    return made


@pytest.mark.parametrize("kind", FRAMES)
def test_names_are_learned_as_scikit_learn_gives_them(kind: str) -> None:
    names = fitted(FRAMES[kind]).feature_names_in_
    assert type(names) is np.ndarray
    assert names.dtype == object
    assert names.tolist() == NAMES
    names[0] = "mine"
    assert fitted().feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize(
    "given",
    [X, X.tolist(), pd.DataFrame(X), pd.DataFrame(X, columns=["a", "b", 1])],
    ids=["array", "list", "numbers as names", "some strings"],
)
def test_without_names_there_is_no_attribute(given: Any) -> None:
    made = fitted(given)
    assert not hasattr(made, "feature_names_in_")
    with pytest.raises(AttributeError, match="after a fit with a frame"):
        made.feature_names_in_  # noqa: B018
    # The first fit with a frame may be a later one.
    made.fit(FRAME, Y)
    assert made.feature_names_in_.tolist() == NAMES


def test_only_a_fit_that_makes_a_step_learns_names() -> None:
    made = model()
    made.fit(FRAME, Y, epochs=0)
    made.train_on_batch(FRAME, Y)
    made.predict(FRAME)
    with pytest.raises(ValueError, match="y has"):
        made.fit(FRAME, Y[:5])
    assert not hasattr(made, "feature_names_in_")


CALLS: dict[str, Any] = {
    "fit": lambda made, x: made.fit(x, Y),
    "train_on_batch": lambda made, x: made.train_on_batch(x, Y),
    "predict": lambda made, x: made.predict(x),
    "forward": lambda made, x: made.forward(x),
    "predictor": lambda made, x: made.predictor(12)(x),
    "evaluate": lambda made, x: made.evaluate(x, Y),
    "loss_and_grad": lambda made, x: made.loss_and_grad(x, Y),
    "backward": lambda made, x: made.backward(x, Y[:, None]),
    "trace": lambda made, x: made.trace(x, Y),
}
OTHERS: dict[str, tuple[list[str], list[str]]] = {
    "another name": (["width", "height", "depth"], ["lacks 'größe'", "unexpected 'depth'"]),
    "another order": (["height", "width", "größe"], ["another order, 'height', 'width', 'größe'"]),
    "twice the same": (["width", "width", "height"], ["lacks 'größe'"]),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", OTHERS)
def test_other_names_or_another_order_are_refused_with_a_list(call: str, kind: str) -> None:
    names, words = OTHERS[kind]
    made = fitted()
    for library in (pd.DataFrame(X, columns=names), pa.Table.from_arrays(list(X.T), names)):
        with unchanged(made), pytest.raises(ValueError, match="the first frame of fit") as caught:
            CALLS[call](made, library)
        for word in [*words, "that one has 'width', 'height', 'größe'"]:
            assert word in str(caught.value)


def test_missing_and_unexpected_columns_are_listed() -> None:
    made = fitted()
    with pytest.raises(ValueError, match="it lacks 'height', 'größe'; that one"):
        made.predict(FRAME[["width"]])
    with pytest.raises(ValueError, match="it has the unexpected 'text';"):
        made.predict(FRAME.assign(text="x"))
    np.testing.assert_array_equal(
        made.predict(FRAME.assign(text="x")[made.feature_names_in_]), made.predict(X)
    )


@pytest.mark.parametrize("call", CALLS)
def test_arrays_and_frames_without_names_stay_welcome_and_silent(call: str) -> None:
    made = fitted()
    CALLS[call](made, X)
    CALLS[call](made, pd.DataFrame(X))
    assert made.feature_names_in_.tolist() == NAMES


def test_names_are_kept_by_copies_pickles_and_files_and_forgotten_by_reset(tmp_path: Path) -> None:
    made = fitted()
    made.save(tmp_path / "model")
    for twin in (
        made.copy(),
        copy.deepcopy(made),
        pickle.loads(pickle.dumps(made)),
        im.load(tmp_path / "model"),
    ):
        assert twin.feature_names_in_.tolist() == NAMES
        with pytest.raises(ValueError, match="another order"):
            twin.predict(FRAME[NAMES[::-1]])
    made.reset()
    assert not hasattr(made, "feature_names_in_")
    made.fit(FRAME[NAMES[::-1]], Y)
    assert made.feature_names_in_.tolist() == NAMES[::-1]


def test_the_frame_of_validation_data_has_the_names_of_x() -> None:
    made = model()
    made.fit(FRAME, Y, validation_data=(FRAME[:5], Y[:5]))
    made.fit(FRAME, Y, validation_data=(X, Y))
    for known in (model(), made):
        with unchanged(known), pytest.raises(ValueError, match=r"validation_data: .*another order"):
            known.fit(FRAME, Y, validation_data=(FRAME[NAMES[::-1]], Y))


def test_a_callback_sees_the_names() -> None:
    seen: list[Any] = []
    made = model()
    made.fit(FRAME, Y, callbacks=[lambda m, logs: seen.append(m.copy().feature_names_in_.tolist())])
    assert seen == [NAMES]


@pytest.mark.parametrize(
    "names", ['["a", "b"]', '["a", "b", 3]', '"abc"', "null", '{"a": 1, "b": 2, "c": 3}']
)
def test_a_file_with_other_names_is_refused(names: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    fitted(FRAME.set_axis(["a", "b", "c"], axis=1)).save(path)
    data = path.read_bytes()
    old, new = rb"[\"a\", \"b\", \"c\"]", names.replace('"', r"\"").encode()
    assert old in data
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(old, new).strip()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])
    with pytest.raises(ValueError, match="feature_names"):
        im.load(path)
