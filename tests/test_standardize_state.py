"""What a model that standardizes knows: learned by `fit` or `adapt`, kept by copies and files."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import callbacks

Array = np.ndarray[Any, Any]

UNREADY = r"knows no mean and deviation yet: call fit\(X, y\), or adapt\(X\)"


def data(n: int = 120) -> tuple[Array, Array]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 4)) * [1, 50, 1e-3, 7] + [0, 1000, 1, -3]
    return X, 500.0 * X[:, 0] + X[:, 3]


def made(**options: Any) -> im.MLP:
    given: dict[str, Any] = {"standardize": True, "standardize_y": True, "seed": 4, **options}
    return im.MLP([4, 20, 1], loss="mse", **given)


def known(model: im.Sequential) -> Any:
    return model._core.standards()


def same(a: Any, b: Any) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


USES: dict[str, Any] = {
    "forward": lambda m, X, y: m(X),
    "predict": lambda m, X, y: m.predict(X),
    "evaluate": lambda m, X, y: m.evaluate(X, y),
    "train_on_batch": lambda m, X, y: m.train_on_batch(X, y),
    "loss_and_grad": lambda m, X, y: m.loss_and_grad(X, y),
    "backward": lambda m, X, y: m.backward(X, np.ones((len(X), 1))),
    "trace": lambda m, X, y: m.trace(X, y),
    "predictor": lambda m, X, y: m.predictor()(X[0]),
}


@pytest.mark.parametrize("options", [{}, {"standardize": False}, {"standardize_y": False}])
@pytest.mark.parametrize("use", USES)
def test_use_before_is_an_error_with_the_cure(use: str, options: Any) -> None:
    X, y = data()
    model = made(**options)
    before = model.state_dict()
    with pytest.raises(RuntimeError, match=UNREADY):
        USES[use](model, X, y)
    same(model.state_dict(), before)
    assert model._core.steps == 0
    model.adapt(X, y)
    USES[use](model, X, y)


def test_adapt_replaces_what_was_known() -> None:
    X, y = data()
    model = made()
    model.adapt(X[:50], y[:50])
    np.testing.assert_allclose(known(model)["X"][0], X[:50].mean(axis=0), rtol=1e-12)
    model.fit(X, y, epochs=1)  # which finds them there
    np.testing.assert_allclose(known(model)["X"][0], X[:50].mean(axis=0), rtol=1e-12)
    model.adapt(X, y)
    np.testing.assert_allclose(known(model)["X"][0], X.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(known(model)["y"][1], [y.std()], rtol=1e-12)


def test_adapt_and_steps_are_a_fit() -> None:
    X, y = data()
    a, b = made(), made()
    a.fit(X, y, epochs=2, batch_size=50, shuffle=False)
    b.adapt(X, y)
    for start in (0, 50, 100, 0, 50, 100):
        b.train_on_batch(X[start : start + 50], y[start : start + 50])
    same(a.state_dict(), b.state_dict())


def test_a_stream_needs_adapt_and_is_then_a_fit() -> None:
    X, y = data()
    items = [(X[start : start + 50], y[start : start + 50]) for start in (0, 50, 100)]
    stream, arrays = made(), made()
    with pytest.raises(RuntimeError, match=UNREADY):
        stream.fit(items)
    assert known(stream) is None
    stream.adapt(X, y)
    stream.fit(items, epochs=2)
    arrays.fit(X, y, epochs=2, batch_size=50, shuffle=False)
    same(stream.state_dict(), arrays.state_dict())


def test_adapt_refuses_what_it_cannot_use() -> None:
    X, y = data()
    with pytest.raises(ValueError, match="neither standardize=True nor standardize_y=True"):
        made(standardize=False, standardize_y=False).adapt(X, y)
    model = made()
    model.adapt(X, y)
    before = known(model)
    with pytest.raises(ValueError, match=r"y is None, standardize_y=True needs it: adapt\(X, y\)"):
        model.adapt(X)
    with pytest.raises(ValueError, match="3 columns, the network takes 4"):
        model.adapt(X[:, :3], y)
    with pytest.raises(ValueError, match="y has 119 rows"):
        model.adapt(X, y[1:])
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="X has a NaN or infinite value in row 3"):
        model.adapt(X, y)
    same(known(model), before)
    made(standardize_y=False).adapt(np.ones((2, 4)))


def test_no_keys_in_state_dict_and_load_state_dict_leaves_them() -> None:
    X, y = data()
    model = made()
    model.fit(X, y)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    before = known(model)
    model.load_state_dict(made(seed=9).state_dict())
    same(known(model), before)


def test_reset_forgets() -> None:
    X, y = data()
    model = made()
    first = model.fit(X, y)["loss"]
    model.reset()
    assert known(model) is None
    with pytest.raises(RuntimeError, match=UNREADY):
        model.predict(X)
    np.testing.assert_array_equal(model.fit(X, y)["loss"], first)


@pytest.mark.parametrize("epochs", [2, 6])
def test_copies_pickles_and_files_go_on_with_the_same_bits(epochs: int, tmp_path: Path) -> None:
    X, y = data()
    once = made()
    once.fit(X, y, epochs=10)
    first = made()
    first.fit(X, y, epochs=10 - epochs)
    first.save(tmp_path / "m")
    ways = [
        first.copy(),
        copy.deepcopy(first),
        pickle.loads(pickle.dumps(first)),
        im.load(tmp_path / "m"),
    ]
    for model in ways:
        assert (model.standardize, model.standardize_y, model.scale) == (True, True, None)
        same(known(model), known(first))
        model.fit(X[::-1][::-1], y, epochs=epochs)
        same(model.state_dict(), once.state_dict())
        np.testing.assert_array_equal(model.predict(X), once.predict(X))
        assert repr(model) == repr(once)


def test_a_model_that_knows_nothing_yet_comes_back_so(tmp_path: Path) -> None:
    model = made()
    model.save(tmp_path / "m")
    for other in (im.load(tmp_path / "m"), pickle.loads(pickle.dumps(model)), model.copy()):
        assert known(other) is None
        with pytest.raises(RuntimeError, match=UNREADY):
            other.predict(data()[0])


def test_a_float32_file_keeps_float64_means(tmp_path: Path) -> None:
    X, y = data()
    model = made(scale=3.0)
    model.fit(X, y)
    model.save(tmp_path / "m")
    raw = (tmp_path / "m").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    names = [f"standardize/{of}/{what}" for of in ("X", "y") for what in ("mean", "std")]
    assert [header[name]["dtype"] for name in names] == ["F64"] * 4
    assert json.loads(header["__metadata__"]["format_version"]) == 3
    arguments = json.loads(header["__metadata__"]["model"])["MLP"]
    assert arguments["standardize"] is arguments["standardize_y"] is True
    assert im.load(tmp_path / "m").scale == 3.0
    made(standardize=False, standardize_y=False).save(tmp_path / "plain")
    assert b'"format_version":"2"' in (tmp_path / "plain").read_bytes()


def test_a_model_pickled_before_there_was_such_an_argument() -> None:
    model = made(standardize=False, standardize_y=False)
    state = model.__getstate__()
    del state["standards"], state["attributes"]["_standardize"]
    del state["attributes"]["_standardize_y"]
    old = object.__new__(im.MLP)
    old.__setstate__(state)
    X = data()[0]
    np.testing.assert_array_equal(old(X), model(X))
    assert old.standardize is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("standardize/X/mean", "standardize/Z/mean", "has one of"),
        ("standardize/X/", "standardize/Z/", "belongs to no model"),
        ('standardize\\": true', 'standardize\\": false', "it has those of X"),
        ('"F64"', '"F32"', "has bytes"),
    ],
)
def test_a_damaged_file_is_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    X, y = data()
    model = made()
    model.fit(X, y)
    model.save(tmp_path / "m")
    raw = (tmp_path / "m").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = raw[8 : 8 + length].decode().rstrip()
    assert old in header
    text = header.replace(old, new).encode()
    (tmp_path / "m").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    with pytest.raises(ValueError, match=message):
        im.load(tmp_path / "m")


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -1.0])
def test_a_file_with_a_deviation_that_is_none_is_refused(wrong: float, tmp_path: Path) -> None:
    X, y = data()
    model = made()
    model.fit(X, y)
    model.save(tmp_path / "m")
    raw = (tmp_path / "m").read_bytes()
    deviation = known(model)["X"][1]
    assert raw.count(deviation.tobytes()) == 1
    spoilt = deviation.copy()
    spoilt[2] = wrong
    (tmp_path / "m").write_bytes(raw.replace(deviation.tobytes(), spoilt.tobytes()))
    with pytest.raises(ValueError, match="the mean and deviation of X must be 4 finite numbers"):
        im.load(tmp_path / "m")


class AtBegin(callbacks.Callback):
    def on_train_begin(self, model: Any, logs: Any) -> None:
        self.seen = model.predict(data()[0])
        raise callbacks.StopTraining("at once")


def test_a_fit_without_a_step_learns_nothing() -> None:
    X, y = data()
    model, at_begin = made(), AtBegin()
    model.fit(X, y, epochs=0)
    assert known(model) is None
    model.fit(X, y, callbacks=[at_begin])  # which could predict, as it would have during the fit
    assert len(at_begin.seen) == len(X)
    assert known(model) is None
    with pytest.raises(ValueError, match="epochs"):
        model.fit(X, y, epochs=-1)
    with pytest.raises(ValueError, match="in row 2"):
        model.fit(np.where(np.arange(120)[:, None] == 2, np.nan, X), y)
    assert known(model) is None
    model.fit(X, y)
    before = known(model)
    model.fit(X * 3, y, epochs=0)
    same(known(model), before)


def test_early_stopping_gives_back_the_best_epoch() -> None:
    X, y = data()
    stopped, plain = made(optimizer=im.Adam(lr=0.5)), made(optimizer=im.Adam(lr=0.5))
    stopping = callbacks.EarlyStopping("loss", patience=1)
    stopped.fit(X, y, epochs=200, callbacks=[stopping])
    assert stopping.best_epoch is not None
    plain.fit(X, y, epochs=stopping.best_epoch + 1)
    same(stopped.state_dict(), plain.state_dict())
    same(known(stopped), known(plain))


def test_adapt_within_a_fit_is_refused() -> None:
    X, y = data()
    model = made()

    def adapt(model: Any, logs: Any) -> None:
        model.adapt(X[:10], y[:10])

    with pytest.raises(RuntimeError, match="in training"):
        model.fit(X, y, callbacks=[adapt])
    np.testing.assert_allclose(known(model)["X"][0], X.mean(axis=0), rtol=1e-12)


def test_a_reset_within_a_fit_leaves_a_model_that_can_be_used() -> None:
    X, y = data()
    model = made()

    def reset(model: Any, logs: Any) -> None:
        if logs["epoch"] == 1:
            model.reset()

    model.fit(X, y, epochs=3, callbacks=[reset])
    np.testing.assert_allclose(known(model)["X"][0], X.mean(axis=0), rtol=1e-12)
    assert np.isfinite(model.predict(X)).all()


def test_arguments() -> None:
    for name in ("standardize", "standardize_y"):
        with pytest.raises(TypeError, match=f"{name} is 1 "):
            made(**{name: 1})
    model = made(standardize=np.True_, standardize_y=False)
    assert (model.standardize, model.standardize_y) == (True, False)
    text = repr(model)
    assert "standardize=True" in text
    assert "standardize_y" not in text
    assert made(scale=2.0).scale == 2.0
    lenet = im.LeNet5((1, 28, 28), 10, standardize=True)
    assert lenet.standardize


def test_models_of_one_shape_know_their_own() -> None:
    X, y = data()
    a, b = made(), made()
    a.fit(X, y)
    with pytest.raises(RuntimeError, match=UNREADY):
        b.predict(X)
    b.fit(X * 2 + 1, y * 3)
    assert (known(a)["X"][0] != known(b)["X"][0]).all()
