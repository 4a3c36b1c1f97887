"""Sequential and MLP: what they are made of, and every method but fit."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp.optimizers import OPTIMIZERS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4))
LABELS = RNG.integers(0, 3, 20)


def classifier(**settings: Any) -> im.MLP:
    return im.MLP([4, 5, 3], **{"loss": "cross_entropy", "seed": 1, **settings})


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return list(first) == list(second) and all(
        np.array_equal(first[key], second[key]) for key in first
    )


# What a model is made of


def test_mlp_puts_activations_between_its_linear_layers() -> None:
    model = im.MLP([4, 8, 6, 1], activation="tanh", loss="mse", init="he_normal")
    assert [type(layer).__name__ for layer in model.layers] == [
        "Linear",
        "Tanh",
        "Linear",
        "Tanh",
        "Linear",
    ]
    assert model.layers[0] == im.Linear(4, 8, init="he_normal")
    assert model.layer_sizes == (4, 8, 6, 1)


def test_mlp_takes_an_activation_layer() -> None:
    model = im.MLP([4, 8, 1], activation=im.LeakyReLU(0.3), loss="mse")
    assert model.layers[1] == im.LeakyReLU(0.3)


def test_mlp_without_a_hidden_layer() -> None:
    assert im.MLP([4, 1], loss="mse").layers == (im.Linear(4, 1, init="torch_linear"),)


def test_defaults() -> None:
    model = im.MLP([4, 1], loss="binary_cross_entropy")
    assert model.optimizer == im.Adam()
    assert model.loss == im.BinaryCrossEntropy()
    assert model.dtype == np.float32
    assert model.epoch == 0
    assert model.learning_rate == 1e-3
    assert model.n_threads is None


def test_a_layer_keeps_its_own_init() -> None:
    layers = [im.Linear(4, 3, init="zeros", lr_scale=0.5), im.Linear(3, 1, bias=False)]
    model = im.Sequential(layers, loss="mse")
    assert model.layers == (layers[0], im.Linear(3, 1, False, init="torch_linear"))
    assert not model.state_dict()["0.weight"].any()


def test_seed_decides_the_parameters_and_none_draws_one() -> None:
    assert same(classifier(seed=7).state_dict(), classifier(seed=np.int64(7)).state_dict())
    drawn = classifier(seed=None)
    assert 0 <= drawn.seed < 2**64
    assert drawn.seed != classifier(seed=None).seed
    assert same(drawn.state_dict(), classifier(seed=drawn.seed).state_dict())


def test_the_global_generator_is_not_read() -> None:
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model = classifier(seed=None)
    model.fit(X, LABELS, epochs=2)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: im.MLP(64, loss="mse"), TypeError, ["layer_sizes", "64", "sequence"]),
        (lambda: im.MLP("64", loss="mse"), TypeError, ["layer_sizes", "sequence"]),
        (lambda: im.MLP([4], loss="mse"), ValueError, ["layer_sizes", "length 1", "at least 2"]),
        (lambda: im.MLP([4, 0, 1], loss="mse"), ValueError, ["layer_sizes[1]", "0"]),
        (lambda: im.MLP([4, 2**63], loss="mse"), ValueError, ["layer_sizes[1]", str(2**63)]),
        (lambda: im.MLP([4, 2.0], loss="mse"), TypeError, ["layer_sizes[1]", "2.0", "integer"]),
        (lambda: im.MLP([4, 1], loss="mean"), ValueError, ["loss", "'mean'", "'mse'", "'huber'"]),
        (lambda: im.MLP([4, 1], loss="mse", init="he"), ValueError, ["init", "'he_normal'"]),
        (lambda: im.MLP([4, 1], loss="mse", activation="rlu"), ValueError, ["'rlu'", "'relu'"]),
        (lambda: im.MLP([4, 1], loss="mse", optimizer="sdg"), ValueError, ["'sdg'", "'sgd'"]),
        (lambda: im.MLP([4, 1], loss="mse", dtype="float16"), ValueError, ["dtype", "'float64'"]),
        (lambda: im.MLP([4, 1], loss="mse", seed=-1), ValueError, ["seed", "-1"]),
        (lambda: im.MLP([4, 1], loss="mse", seed=2**64), ValueError, ["seed", str(2**64)]),
        (lambda: im.MLP([4, 1], loss="mse", seed=1.0), TypeError, ["seed", "1.0"]),
        (lambda: im.MLP([4, 1], loss="mse", n_threads=0), ValueError, ["n_threads", "0"]),
        (lambda: im.Sequential([], loss="mse"), ValueError, ["layers", "no Linear"]),
        (lambda: im.Sequential([im.ReLU()], loss="mse"), ValueError, ["layers", "no Linear"]),
        (lambda: im.Sequential([im.ReLU], loss="mse"), TypeError, ["layers[0]", "ReLU()"]),
        (lambda: im.Sequential(im.Linear(1, 1), loss="mse"), TypeError, ["layers", "sequence"]),
        (
            lambda: im.Sequential([im.Linear(4, 32), im.Tanh(), im.Linear(64, 1)], loss="mse"),
            ValueError,
            ["layer 2: Linear takes 64 features, gets 32"],
        ),
        (lambda: im.MLP([4, 1], loss="cross_entropy"), ValueError, ["1 output", "Binary"]),
        (
            lambda: im.MLP([4, 3], loss=im.CrossEntropy(class_weight=[1, 2])),
            ValueError,
            ["class_weight has 2", "3 outputs"],
        ),
        (
            lambda: im.MLP([4, 3], loss=im.BinaryCrossEntropy(pos_weight=[1, 2])),
            ValueError,
            ["pos_weight has 2", "3 outputs"],
        ),
    ],
)
def test_refused_models(make: Callable[[], Any], error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value


# Heads


@pytest.mark.parametrize("tail", [[], [im.Identity()], [im.Dropout(0.1)]])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
def test_sigmoid_before_a_loss_on_logits_is_refused(loss: str, tail: list[Any]) -> None:
    with pytest.raises(ValueError, match="drop the last layer"):
        im.Sequential([im.Linear(4, 2), im.Sigmoid(), *tail], loss=loss)


def test_the_refusal_names_from_logits() -> None:
    with pytest.raises(ValueError, match="from_logits=False"):
        im.Sequential([im.Linear(4, 1), im.Sigmoid()], loss="binary_cross_entropy")


def test_mlp_adds_the_sigmoid_for_probabilities() -> None:
    model = im.MLP([4, 3, 1], loss=im.BinaryCrossEntropy(from_logits=False), seed=0)
    assert model.layers[-1] == im.Sigmoid()
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    outputs = model(X)
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1:], outputs)


def test_probabilities_need_a_sigmoid() -> None:
    with pytest.raises(ValueError, match=r"add Sigmoid\(\)"):
        im.Sequential([im.Linear(4, 1)], loss=im.BinaryCrossEntropy(from_logits=False))


# Outputs


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_gives_the_models_dtype(dtype: Any) -> None:
    outputs = classifier(dtype=dtype).forward(X)
    assert outputs.shape == (20, 3)
    assert outputs.dtype == dtype


def test_calling_is_forward() -> None:
    model = classifier()
    assert np.array_equal(model(X), model.forward(X))


def test_forward_writes_into_out() -> None:
    model = classifier()
    out = np.empty((20, 3), dtype=np.float32)
    assert model.forward(X, out=out) is out
    assert np.array_equal(out, model(X))


def test_forward_uses_dropout_only_when_training() -> None:
    model = im.Sequential([im.Linear(4, 50), im.Dropout(0.5)], loss="mse", seed=0)
    without = im.Sequential([im.Linear(4, 50)], loss="mse", seed=0)
    assert np.array_equal(model(X), without(X))
    assert model(X).all()
    dropped = model.forward(X, training=True) == 0.0
    assert 0.4 < dropped.mean() < 0.6


@pytest.mark.parametrize(
    "given",
    [
        X.tolist(),
        X.astype(np.float32),
        np.asfortranarray(X),
        X[::-1][::-1],
        X.astype(">f8"),
        X.astype(np.longdouble),
    ],
    ids=["list", "float32", "fortran", "strided", "big-endian", "longdouble"],
)
def test_x_of_any_kind(given: Any) -> None:
    model = classifier()
    np.testing.assert_allclose(model(given), model(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16"])
def test_x_of_small_dtypes(dtype: str) -> None:
    model = classifier()
    given = (np.abs(X) * 2).astype(dtype)
    np.testing.assert_allclose(model(given), model(given.astype(np.float64)), rtol=1e-6)


def test_a_read_only_x() -> None:
    given = X.copy()
    given.setflags(write=False)
    assert np.array_equal(classifier()(given), classifier()(X))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (X[0], ValueError, ["X has 1 dimension", "reshape(1, -1)"]),
        (X[np.newaxis], ValueError, ["X has 3 dimensions", "2"]),
        (X[:, :3], ValueError, ["X has 3 columns, the network takes 4"]),
        (X[:0], ValueError, ["X has 0 rows"]),
        (X.astype(object), TypeError, ["X has dtype object"]),
        (X.astype(complex), TypeError, ["X has dtype complex128"]),
        (X.astype(str), TypeError, ["X has dtype", "strings"]),
        ([[1.0, 2.0], [1.0]], ValueError, ["X is not an array of one shape"]),
        (np.ma.masked_array(X), TypeError, ["X is a masked array"]),
    ],
)
@pytest.mark.parametrize("method", ["forward", "predict", "predict_proba"])
def test_refused_x(method: str, given: Any, error: type[Exception], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        getattr(classifier(), method)(given)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_nan_row_gives_a_nan_row() -> None:
    model = classifier()
    given = X.copy()
    given[3] = np.nan
    outputs = model(given)
    assert np.isnan(outputs[3]).all()
    assert np.array_equal(np.delete(outputs, 3, axis=0), model(np.delete(X, 3, axis=0)))


def test_predictor_gives_forwards_rows() -> None:
    model = classifier()
    predict = model.predictor()
    assert np.array_equal(predict(X[2]), model(X)[2])
    assert np.array_equal(predict(X[2:3]), model(X)[2:3])
    out = np.empty(3, dtype=np.float32)
    assert predict(X[2], out=out) is out
    assert np.array_equal(out, model(X)[2])


def test_predictor_follows_training() -> None:
    model = classifier()
    predict = model.predictor(max_rows=20)
    before = predict(X).copy()
    model.fit(X, LABELS, epochs=3)
    assert np.array_equal(predict(X), model(X))
    assert not np.array_equal(predict(X), before)


def test_predictor_needs_a_row() -> None:
    with pytest.raises(ValueError, match="max_rows is 0"):
        classifier().predictor(0)


# Gradients and steps


def test_gradients_are_keyed_like_state_dict() -> None:
    model = classifier()
    loss, grads = model.loss_and_grad(X, LABELS)
    assert isinstance(loss, float)
    state = model.state_dict()
    assert list(grads) == list(state)
    assert all(grads[key].shape == state[key].shape for key in state)


def test_input_grad_is_the_last_of_the_tuple() -> None:
    model = classifier(dtype="float64")
    loss, grads, dX = model.loss_and_grad(X, LABELS, input_grad=True)
    assert dX.shape == X.shape
    assert loss == model.loss_and_grad(X, LABELS)[0]
    outputs = model(X)
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    again, dX_again = model.backward(X, (p - np.eye(3)[LABELS]) / len(X), input_grad=True)
    np.testing.assert_allclose(dX_again, dX, atol=1e-15)
    for key, grad in grads.items():
        np.testing.assert_allclose(again[key], grad, atol=1e-15)


def test_train_on_batch_is_its_two_halves() -> None:
    weights = np.linspace(0.0, 2.0, len(X))
    whole = im.Sequential(
        [im.Linear(4, 30), im.Dropout(0.5), im.Linear(30, 3)], loss="cross_entropy", seed=0
    )
    halves = whole.copy()
    for _ in range(3):
        loss = whole.train_on_batch(X, LABELS, sample_weight=weights)
        by_halves, grads = halves.loss_and_grad(X, LABELS, sample_weight=weights, training=True)
        halves.apply_gradients(grads)
        assert loss == by_halves
        assert same(whole.state_dict(), halves.state_dict())
    assert whole.epoch == 0


def test_apply_gradients_takes_any_order() -> None:
    first, second = classifier(), classifier()
    _, grads = first.loss_and_grad(X, LABELS)
    first.apply_gradients(grads)
    second.apply_gradients({key: grads[key] for key in reversed(grads)})
    assert same(first.state_dict(), second.state_dict())


def test_apply_gradients_checks_its_keys_and_shapes() -> None:
    model = classifier()
    before = model.state_dict()
    _, grads = model.loss_and_grad(X, LABELS)
    short = {key: grad for key, grad in grads.items() if key != "2.bias"}
    with pytest.raises(ValueError, match=r"grads lacks '2\.bias'"):
        model.apply_gradients(short)
    with pytest.raises(ValueError, match=r"grads has the unexpected '9\.bias'"):
        model.apply_gradients({**grads, "9.bias": np.zeros(3)})
    with pytest.raises(ValueError, match=r"grads\['2\.bias'\] has shape \(1, 3\).*\(3,\)"):
        model.apply_gradients({**grads, "2.bias": np.zeros((1, 3))})
    assert same(model.state_dict(), before)


def test_backward_checks_the_shape() -> None:
    model = im.MLP([4, 1], loss="mse")
    with pytest.raises(ValueError, match=r"grad_output has shape \(20,\), .*\(20, 1\)"):
        model.backward(X, np.zeros(20))


def test_reductions_and_evaluate() -> None:
    mean = classifier()
    total = classifier(loss=im.CrossEntropy(reduction="sum"))
    assert mean.evaluate(X, LABELS)["loss"] == total.evaluate(X, LABELS)["loss"]
    ratio = total.loss_and_grad(X, LABELS)[0] / mean.loss_and_grad(X, LABELS)[0]
    assert ratio == pytest.approx(20, rel=1e-6)
    assert mean.loss_and_grad(X, LABELS)[0] == pytest.approx(mean.evaluate(X, LABELS)["loss"])


def test_trace_names_every_tensor_in_order() -> None:
    model = classifier()
    trace = model.trace(X, LABELS)
    assert list(trace) == [
        "0.output",
        "1.output",
        "2.output",
        "loss",
        "2.grad_output",
        "2.weight.grad",
        "2.bias.grad",
        "1.grad_output",
        "0.grad_output",
        "0.weight.grad",
        "0.bias.grad",
    ]
    loss, grads = model.loss_and_grad(X, LABELS)
    assert trace["loss"] == loss
    assert all(np.array_equal(trace[f"{key}.grad"], grad) for key, grad in grads.items())
    assert np.array_equal(trace["2.output"], model(X))


def test_learning_rate() -> None:
    model = classifier(optimizer=im.SGD(lr=0.5))
    before = model.state_dict()
    model.learning_rate = 0
    assert model.learning_rate == 0.0
    model.train_on_batch(X, LABELS)
    assert same(model.state_dict(), before)
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="learning_rate"):
            model.learning_rate = wrong
    with pytest.raises(TypeError, match="learning_rate"):
        model.learning_rate = "fast"  # type: ignore[assignment]


# State


def test_state_dict_holds_copies() -> None:
    model = classifier()
    outputs = model(X)
    for value in model.state_dict().values():
        value[...] = 0.0
    assert np.array_equal(model(X), outputs)


def test_load_state_dict_round_trip() -> None:
    model, other = classifier(), classifier(seed=2)
    other.load_state_dict(model.state_dict())
    assert same(other.state_dict(), model.state_dict())
    assert other.seed == 2


def test_load_state_dict_takes_other_dtypes_and_lists() -> None:
    model = im.MLP([2, 1], loss="mse")
    model.load_state_dict({"0.weight": [[1, 2]], "0.bias": np.array([0.5], dtype=np.float16)})
    assert model(np.array([[1.0, 1.0]])).tolist() == [[3.5]]


class Tensor:
    """What torch's tensors offer: an array only after `detach().cpu()`."""

    def __init__(self, values: Any, ready: bool = False) -> None:
        self.values = values
        self.ready = ready

    def detach(self) -> "Tensor":
        return Tensor(self.values, self.ready)

    def cpu(self) -> "Tensor":
        return Tensor(self.values, True)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if not self.ready:
            raise RuntimeError("a tensor that needs gradients is no array")
        return np.asarray(self.values, dtype=dtype)


def test_load_state_dict_takes_tensors() -> None:
    model, other = classifier(), classifier(seed=2)
    other.load_state_dict({key: Tensor(value) for key, value in model.state_dict().items()})
    assert same(other.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"2.bias": None}, ValueError, ["lacks '2.bias'"]),
        ({"3.bias": np.zeros(3)}, ValueError, ["unexpected '3.bias'", "'2.bias'"]),
        ({"2.bias": np.zeros(4)}, ValueError, ["'2.bias'", "(4,)", "(3,)"]),
        ({"2.weight": np.zeros((5, 3))}, ValueError, ["'2.weight'", "(5, 3)", "(3, 5)"]),
        ({"2.bias": np.array([0.0, np.nan, 0.0])}, ValueError, []),
        ({"2.bias": np.array([0.0, np.inf, 0.0])}, ValueError, []),
        ({"2.bias": np.array(["a", "b", "c"])}, TypeError, ["'2.bias'"]),
    ],
)
def test_refused_state(change: dict[str, Any], error: type[Exception], words: list[str]) -> None:
    model = classifier()
    before = model.state_dict()
    state = {**{key: value + 1 for key, value in before.items()}, **change}
    state = {key: value for key, value in state.items() if value is not None}
    with pytest.raises(error) as caught:
        model.load_state_dict(state)
    assert all(word in str(caught.value) for word in words), caught.value
    assert same(model.state_dict(), before)


def test_load_state_dict_not_strict() -> None:
    model = classifier()
    before = model.state_dict()
    model.load_state_dict({"0.bias": np.ones(5), "7.bias": np.ones(2)}, strict=False)
    after = model.state_dict()
    assert (after.pop("0.bias") == 1).all()
    before.pop("0.bias")
    assert same(after, before)
    with pytest.raises(ValueError, match=r"'0\.bias'.*\(4,\)"):
        model.load_state_dict({"0.bias": np.ones(4)}, strict=False)


def trained(**settings: Any) -> im.MLP:
    model = classifier(**settings)
    model.fit(X, np.array(["a", "b", "c"])[LABELS], epochs=3, batch_size=8)
    return model


def test_reset_starts_anew() -> None:
    model, fresh = trained(), classifier()
    model.learning_rate = 0.5
    model.reset()
    assert same(model.state_dict(), fresh.state_dict())
    assert (model.epoch, model.seed, model.learning_rate) == (0, 1, 1e-3)
    assert model.classes_.tolist() == [0, 1, 2]
    model.fit(X, LABELS, epochs=2)
    fresh.fit(X, LABELS, epochs=2)
    assert same(model.state_dict(), fresh.state_dict())
    model.reset(5)
    assert model.seed == 5
    assert same(model.state_dict(), classifier(seed=5).state_dict())


@pytest.mark.parametrize(
    "twin_of",
    [lambda model: model.copy(), copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],
    ids=["copy", "copy.copy", "deepcopy", "pickle"],
)
def test_twins_go_on_alike_and_apart(twin_of: Callable[[im.MLP], im.MLP]) -> None:
    model = trained(optimizer=im.SGD(lr=0.1, momentum=0.9))
    model.learning_rate = 0.05
    twin = twin_of(model)
    assert type(twin) is im.MLP
    assert (twin.epoch, twin.seed, twin.learning_rate) == (3, 1, 0.05)
    assert twin.classes_.tolist() == ["a", "b", "c"]
    assert repr(twin) == repr(model)
    before = model.state_dict()
    names = np.array(["a", "b", "c"])[LABELS]
    twin.fit(X, names, epochs=2, batch_size=8)
    assert same(model.state_dict(), before)
    model.fit(X, names, epochs=2, batch_size=8)
    assert same(model.state_dict(), twin.state_dict())


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_pickle_keeps_moments_and_clock(kind: Any) -> None:
    model = trained(optimizer=kind(lr=0.01))
    twin = pickle.loads(pickle.dumps(model))
    for one in (model, twin):
        one.train_on_batch(X, np.array(["a", "b", "c"])[LABELS])
    assert same(model.state_dict(), twin.state_dict())


def test_the_repr_makes_the_model_again() -> None:
    model = im.MLP([4, 5, 1], activation="gelu", loss="mse", init="he_normal", seed=3)
    again = eval(repr(model), {"float32": np.float32, **vars(im)})
    assert repr(again) == repr(model)
    assert same(again.state_dict(), model.state_dict())
    sequential = im.Sequential([im.Linear(4, 1), im.Tanh()], loss="mse", seed=3)
    assert repr(eval(repr(sequential), vars(im))) == repr(sequential)


LINEAR = im.Linear(80, 80, init="glorot_uniform", lr_scale=0.25)
BLOCK = [im.LayerNorm(80), im.Residual([LINEAR, im.Tanh(), im.Residual([LINEAR])]), im.ReLU()]
LAYERS = [im.Conv2d(1, 2, 3, padding=1), im.AvgPool2d(2), im.Flatten(), im.Linear(8, 3)]


@pytest.mark.parametrize(
    "model",
    [
        im.LeNet5(seed=1),
        im.Sequential(LAYERS, loss=im.CrossEntropy(label_smoothing=0.1), scale=255, seed=1),
        im.Sequential(
            [im.Linear(4, 3, init="he_normal", trainable=False), im.Dropout(0.25)],
            loss="huber",
            optimizer=im.SGD(lr=0.1, momentum=0.5, nesterov=True),
            seed=1,
            dtype="float64",
        ),
        im.MLP([4, 2], loss="mae", optimizer="sgd", init="zeros", activation="elu", seed=2**64 - 1),
        im.MLP([3] * 90, loss="mse", seed=1),
        im.Sequential([im.Residual(BLOCK * 3), im.Residual(BLOCK), LINEAR], loss="mse", seed=1),
    ],
    ids=["lenet", "images", "frozen", "mlp", "deep", "nested"],
)
def test_a_repr_is_a_call_in_lines_that_one_can_read(model: im.Sequential) -> None:
    text = repr(model)
    again = eval(text, vars(im))
    assert type(again) is type(model)
    assert again._arguments() == model._arguments()
    assert repr(again) == text
    assert max(map(len, text.split("\n"))) <= 100 or model.layers[0] == im.Linear(3, 3)


def test_the_repr_of_lenet() -> None:
    expected = """Sequential(
    [
        Conv2d(1, 6, (5, 5), padding=(2, 2)),
        Sigmoid(),
        AvgPool2d((2, 2)),
        Conv2d(6, 16, (5, 5)),
        Sigmoid(),
        AvgPool2d((2, 2)),
        Flatten(),
        Linear(400, 120),
        Sigmoid(),
        Linear(120, 84),
        Sigmoid(),
        Linear(84, 10),
    ],
    loss=CrossEntropy(),
    optimizer=Adam(lr=0.001),
    seed=7,
)"""
    assert repr(im.LeNet5(seed=7)) == expected


def test_the_optimizer_has_the_present_learning_rate() -> None:
    given = im.SGD(lr=0.1, momentum=0.9)
    model = im.MLP([4, 1], loss="mse", optimizer=given, seed=1)
    assert model.optimizer is given
    model.learning_rate = 1e-4
    assert model.optimizer == im.SGD(lr=1e-4, momentum=0.9)
    assert "lr=0.0001" in repr(model)
    assert pickle.loads(pickle.dumps(model)).optimizer == model.optimizer
    model.reset()
    assert model.optimizer is given


def test_config() -> None:
    found = im.config()
    assert set(found) == {"version", "numerics", "isa", "isas", "num_threads"}
    assert found["isa"] in found["isas"]


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    im.show_config()
    shown = capsys.readouterr().out
    assert all(f"{name}: " in shown for name in im.config())


def test_num_threads() -> None:
    before = im.get_num_threads()
    try:
        im.set_num_threads(3)
        assert im.get_num_threads() == im.config()["num_threads"] == 3
        for wrong, error in ((0, ValueError), (2.0, TypeError)):
            with pytest.raises(error, match="n is"):
                im.set_num_threads(wrong)  # type: ignore[arg-type]
        assert im.get_num_threads() == 3
    finally:
        im.set_num_threads(before)
