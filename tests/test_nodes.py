"""LayerNorm and Residual: against PyTorch's values, among all kinds of layers, at their limits."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import tolerances
from golden import drawn
from ironmlp import layers, reference
from ironmlp.layers import (
    Conv2d,
    Dropout,
    Flatten,
    LayerNorm,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
    Tanh,
)
from ironmlp.layers.residual import DEEPEST

Array = np.ndarray[Any, Any]

FILE = Path(__file__).parent / "golden" / "torch_layers.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["networks"]

# The library under test and its dtype, with what it may differ from PyTorch's float64.
LIBRARIES = [
    pytest.param((reference, "float64", 1e-12), id="reference"),
    pytest.param((im, "float64", 1e-12), id="ironmlp, float64"),
    pytest.param((im, "float32", 2e-5), id="ironmlp, float32"),
]
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
EVERY_LIBRARY = pytest.mark.parametrize("library", LIBRARIES)


def made(layer: list[Any]) -> layers.Layer:
    kind, options = layer
    if kind == "Residual":
        return Residual(map(made, options))
    built: layers.Layer = getattr(layers, kind)(**options)
    return built


def model_of(library: Any, case: dict[str, Any], dtype: str) -> Any:
    """The untrained model of a case."""
    loss = {"CrossEntropy": "cross_entropy", "MSE": "mse"}[case["loss"]]
    model = library.Sequential(
        map(made, case["layers"]), loss=loss, optimizer=im.SGD(lr=case["lr"]), dtype=dtype, seed=0
    )
    shapes = {key: w.shape for key, w in model.state_dict().items()}
    model.load_state_dict(drawn.parameters(shapes))
    return model


def given(case: dict[str, Any], dtype: str) -> tuple[Array, Array]:
    X, y = drawn.batch(case)
    return X.astype(dtype), y


def check(name: str, tensor: Any, expected: dict[str, Any], tolerance: float) -> None:
    """AssertionError unless the tensor has this digest, relative to its magnitude."""
    found, largest = drawn.digest(tensor), float(np.abs(tensor).max())
    assert found["shape"] == expected["shape"], name
    some = pytest.approx(expected["some"], rel=tolerance, abs=tolerance * largest)
    assert found["some"] == some, name
    assert found["sum"] == pytest.approx(expected["sum"], abs=tolerance * expected["size"]), name


@EVERY_CASE
@EVERY_LIBRARY
def test_outputs_and_gradients_are_torchs(library: Any, case: dict[str, Any]) -> None:
    built, dtype, tolerance = library
    model, (X, y) = model_of(built, case, dtype), given(case, dtype)
    trace = model.trace(X, y)
    assert [key[: -len(".output")] for key in trace if key.endswith(".output")] == [
        *case["forward"]
    ]
    for name, expected in case["forward"].items():
        check(name, trace[f"{name}.output"], expected, tolerance)
    loss, grads, input_grad = model.loss_and_grad(X, y, input_grad=True)
    assert loss == pytest.approx(case["loss_before"], rel=tolerance)
    assert list(grads) == list(case["grads"]) == list(model.state_dict())
    for key, expected in case["grads"].items():
        check(key, grads[key], expected, tolerance)
        np.testing.assert_array_equal(trace[f"{key}.grad"], grads[key])
    check("X", input_grad, case["input_grad"], tolerance)


@EVERY_CASE
@EVERY_LIBRARY
def test_two_hundred_steps_are_torchs(library: Any, case: dict[str, Any]) -> None:
    built, dtype, tolerance = library
    model, (X, y) = model_of(built, case, dtype), given(case, dtype)
    losses = [model.train_on_batch(X, y) for _ in range(200)]
    assert losses[::20] == pytest.approx(case["losses"], rel=100 * tolerance)
    for key, w in model.state_dict().items():
        check(key, w, case["final"][key], 100 * tolerance)


def network(dtype: str = "float32", **options: Any) -> im.Sequential:
    """Norms and residual connections, in one another, with what may be within."""
    within = [LayerNorm(19), Linear(19, 40), Tanh(), Dropout(0.25), Linear(40, 19, bias=False)]
    return im.Sequential(
        [
            LayerNorm(6, affine=False),
            Linear(6, 19),
            Residual(within),
            ReLU(),
            Residual([Residual([Tanh()]), Linear(19, 19, trainable=False)]),
            LayerNorm(19, 0.01, lr_scale=0.5),
            Linear(19, 3),
        ],
        **{"loss": "cross_entropy", "optimizer": im.AdamW(lr=0.01), "dtype": dtype, "seed": 3}
        | options,
    )


def data(rows: int, features: int = 6, outputs: int = 3) -> tuple[Array, Array]:
    return drawn.drawn((rows, features), 1), drawn.drawn((rows, outputs), 2).argmax(axis=1)


def same(first: Any, second: Any) -> bool:
    """Whether two models have the same parameters, bit for bit."""
    states = first.state_dict(), second.state_dict()
    pairs = zip(*states, strict=True)
    return all(a == b and np.array_equal(states[0][a], states[1][b]) for a, b in pairs)


def test_names_are_those_of_nested_modules() -> None:
    assert list(network().state_dict()) == [
        *("1.weight", "1.bias"),
        *("2.0.weight", "2.0.bias", "2.1.weight", "2.1.bias", "2.4.weight"),
        *("4.1.weight", "4.1.bias"),
        *("5.weight", "5.bias", "6.weight", "6.bias"),
    ]
    model = network()
    assert model.state_dict()["2.0.weight"].tolist() == [1.0] * 19
    assert model.state_dict()["2.0.bias"].tolist() == [0.0] * 19
    lines = model.summary().splitlines()
    assert [line.split()[0] for line in lines[1:-2]] == [
        *("0", "1", "2", "2.0", "2.1", "2.2", "2.3", "2.4", "3"),
        *("4", "4.0", "4.0.0", "4.1", "5", "6"),
    ]
    assert "frozen" in lines[-2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_is_the_references(dtype: str) -> None:
    X, y = data(70)
    ours = network(dtype)
    theirs = reference.Sequential(
        ours.layers, loss=ours.loss, optimizer=ours.optimizer, dtype="float64", seed=3
    )
    theirs.load_state_dict(ours.state_dict())
    for model in (ours, theirs):
        model.fit(X, y, epochs=3, batch_size=32, verbose=False)  # type: ignore[attr-defined]
    for key, w in theirs.state_dict().items():
        apart = np.abs(ours.state_dict()[key] - w).max() / max(np.abs(w).max(), 1e-3)
        assert apart < 1e5 * tolerances.eps(dtype), key


@pytest.mark.parametrize("route", ["general", "unfused", "columns", "slabs:256"])
@pytest.mark.parametrize("threads", [1, 3])
def test_every_route_gives_the_same_bits(route: str, threads: int) -> None:
    X, y = data(600)
    models = [network(n_threads=n) for n in (1, threads)]
    models[1]._core._set_route(route)
    for model in models:
        model.fit(X, y, epochs=2, batch_size=600, verbose=False)
    assert same(*models)
    grads = [model.loss_and_grad(X, y, input_grad=True) for model in models]
    assert grads[0][0] == grads[1][0]
    assert np.array_equal(grads[0][2], grads[1][2])


def test_rows_do_not_depend_on_each_other() -> None:
    model, (X, _) = network(), data(40)
    whole, one = model.forward(X), model.predictor()
    for i in range(40):
        assert np.array_equal(whole[i], model.forward(X[i : i + 1])[0])
        assert np.array_equal(whole[i], one(X[i].astype("float32")))


def test_copies_and_files_go_on_with_the_same_bits(tmp_path: Path) -> None:
    X, y = data(50)
    model = network()
    model.fit(X, y, epochs=2, verbose=False)
    model.save(tmp_path / "model.safetensors")
    others = [
        im.load(tmp_path / "model.safetensors"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        model.copy(),
    ]
    model.fit(X, y, epochs=2, verbose=False)
    for other in others:
        assert other.layers == model.layers
        other.fit(X, y, epochs=2, verbose=False)
        assert same(model, other)
    assert eval(repr(model), vars(im)).layers == model.layers


def test_frozen_norms_stay_and_gradients_pass_them() -> None:
    X, y = data(30)
    norm = LayerNorm(8, trainable=False)
    model = im.Sequential(
        [Linear(6, 8), Residual([norm, Tanh()]), norm, Linear(8, 3)], loss="cross_entropy", seed=0
    )
    before = model.state_dict()
    model.fit(X, y, epochs=1, verbose=False)
    moved = {key for key, w in model.state_dict().items() if not np.array_equal(w, before[key])}
    assert moved == {"0.weight", "0.bias", "3.weight", "3.bias"}


def test_behind_flatten_they_work_on_the_features_of_images() -> None:
    X, y = drawn.drawn((40, 1, 12, 12), 1), data(40)[1]
    for around in ([LayerNorm(72)], [Residual([Linear(72, 72), ReLU()])], [Residual([Tanh()])]):
        made = [Conv2d(1, 2, 1), MaxPool2d(2), Flatten(), *around, Linear(72, 3)]
        ours, theirs = (
            library.Sequential(made, loss="cross_entropy", dtype="float64", seed=5)
            for library in (im, reference)
        )
        found, exact = (model.loss_and_grad(X, y, input_grad=True) for model in (ours, theirs))
        for key, grad in exact[1].items():
            np.testing.assert_allclose(found[1][key], grad, rtol=1e-9, atol=1e-12, err_msg=key)
        np.testing.assert_allclose(found[2], exact[2], rtol=1e-9, atol=1e-12)
        ours.fit(X, y, epochs=2, verbose=False)


@pytest.mark.parametrize("layer", [LayerNorm(2), Residual([ReLU()]), Residual([Conv2d(2, 2, 1)])])
@pytest.mark.parametrize("place", [0, 1])
def test_images_are_refused(layer: layers.Layer, place: int) -> None:
    made: list[Any] = [Conv2d(2, 2, 1), Flatten(), Linear(18, 1)]
    made.insert(place, layer)
    with pytest.raises(ValueError, match=r"takes rows, gets images|takes images, gets rows"):
        im.Sequential(made, loss="mse")


@pytest.mark.parametrize(
    ("around", "message"),
    [
        ([LayerNorm(7)], "layer 1: LayerNorm takes 7 features, gets 8"),
        ([Residual([Linear(8, 7)])], "layer 1: Residual takes 8 features, its layers give 7"),
        ([Residual([LayerNorm(7)])], r"layer 1\.0: LayerNorm takes 7 features, gets 8"),
        (
            [ReLU(), Residual([ReLU(), Residual([Linear(8, 9)])])],
            r"layer 2\.1: Residual takes 8 features, its layers give 9",
        ),
        ([Residual([Linear(8, 8), Linear(9, 8)])], r"layer 1\.1: Linear takes 9 features, gets 8"),
    ],
)
def test_widths_must_fit(around: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        im.Sequential([Linear(3, 8), *around, Linear(8, 1)], loss="mse")


def test_the_first_layer_says_what_x_has() -> None:
    with pytest.raises(ValueError, match="Residual takes 3 features, its layers give 8"):
        im.Sequential([Residual([Tanh(), Linear(3, 8)]), Linear(8, 1)], loss="mse")
    with pytest.raises(ValueError, match="layer 1: Linear takes 5 features, gets 4"):
        im.Sequential([LayerNorm(4), Linear(5, 1)], loss="mse")
    model = im.Sequential([Residual([LayerNorm(4)]), Linear(4, 1)], loss="mse")
    with pytest.raises(ValueError, match="X has 5 columns, the network takes 4"):
        model.predict(np.zeros((2, 5)))


def test_a_residual_takes_a_list_of_layers() -> None:
    with pytest.raises(TypeError, match=r"layers\[0\] is 'relu', .* write im\.ReLU\(\)"):
        Residual(["relu"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"layers\[1\] is the class ReLU"):
        Residual([Tanh(), ReLU])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="it must be a sequence of layers"):
        Residual(ReLU())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a Residual needs at least one"):
        Residual([])
    deep: layers.Layer = ReLU()
    for _ in range(DEEPEST):
        deep = Residual([deep])
    model = im.Sequential([Linear(2, 2), deep, Linear(2, 1)], loss="mse", seed=0)
    model.fit(np.ones((4, 2)), np.ones(4), verbose=False)
    with pytest.raises(ValueError, match=f"nest deeper than {DEEPEST}"):
        Residual([deep])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant_rows_become_the_bias(dtype: str) -> None:
    model = im.Sequential(
        [LayerNorm(5), Linear(5, 2)], loss="mse", dtype=dtype, seed=0, optimizer=im.SGD(lr=0.1)
    )
    largest = float(np.finfo(dtype).max) / 8
    X = np.array([[0.0], [1.0], [-3.25], [largest]]) * np.ones((4, 5))
    assert np.array_equal(model.forward(X), model.forward(0 * X))
    model.fit(X, np.zeros((4, 2)), epochs=2, verbose=False)
    assert np.isfinite(model.forward(X)).all()


def test_large_numbers_are_normalized_as_small_ones() -> None:
    model = im.Sequential([LayerNorm(33, 0.0, affine=False), Linear(33, 1)], loss="mse", seed=0)
    X = drawn.drawn((9, 33), 1)
    small = model.trace(X, np.zeros(9))["0.output"]
    for exponent in (-60, 100, 126):
        scaled = model.trace(np.ldexp(X, exponent), np.zeros(9))["0.output"]
        np.testing.assert_allclose(scaled, small, rtol=1e-6, atol=1e-6)


def test_without_eps_a_constant_row_has_no_number() -> None:
    model = im.Sequential([LayerNorm(4, 0.0), Linear(4, 1)], loss="mse", seed=0)
    X = np.ones((3, 4))
    with pytest.raises(ValueError, match="row 0"):
        model.predict(X)
    with pytest.raises(FloatingPointError):
        model.fit(X, np.zeros(3), verbose=False)
