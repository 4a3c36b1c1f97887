"""Convolutions, pools and Flatten against PyTorch's values; the reference against differences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradients
import ironmlp as im
import tolerances
from golden import drawn
from ironmlp import layers, reference
from ironmlp.layers import AvgPool2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Tanh
from ironmlp.optimizers import SGD

FILE = Path(__file__).parent / "golden" / "torch_conv.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["networks"]


# The library under test and its dtype.
LIBRARIES = [
    pytest.param((reference, "float64"), id="reference"),
    pytest.param((im, "float64"), id="ironmlp, float64"),
    pytest.param((im, "float32"), id="ironmlp, float32"),
]


def model_of(library: Any, case: dict[str, Any], dtype: str) -> Any:
    """The untrained model of a case."""
    made = [getattr(layers, kind)(**options) for kind, options in case["layers"]]
    loss = {"CrossEntropy": "cross_entropy", "MSE": "mse"}[case["loss"]]
    model = library.Sequential(made, loss=loss, optimizer=SGD(lr=case["lr"]), dtype=dtype, seed=0)
    shapes = {key: w.shape for key, w in model.state_dict().items()}
    model.load_state_dict(drawn.parameters(shapes))
    return model


def given(case: dict[str, Any], dtype: str) -> tuple[Any, Any]:
    X, y = drawn.batch(case)
    return X.astype(dtype), y


def check(name: str, tensor: Any, expected: dict[str, Any], tolerance: float) -> None:
    """AssertionError unless the tensor has this digest, relative to its magnitude."""
    found = drawn.digest(tensor)
    assert found["shape"] == expected["shape"], name
    assert found["some"] == pytest.approx(
        expected["some"], rel=tolerance, abs=tolerance * float(np.abs(tensor).max())
    ), name
    assert found["sum"] == pytest.approx(expected["sum"], abs=tolerance * expected["size"]), name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_outputs_and_gradients_are_torchs(library: Any, case: dict[str, Any]) -> None:
    tolerance = tolerances.CONVOLUTION[library[1]]
    model, (X, y) = model_of(library[0], case, library[1]), given(case, library[1])
    trace = model.trace(X, y)
    for k, expected in enumerate(case["forward"]):
        check(f"{k}.output", trace[f"{k}.output"], expected, tolerance)
    check("forward", model.forward(X), case["forward"][-1], tolerance)
    loss, grads, input_grad = model.loss_and_grad(X, y, input_grad=True)
    assert loss == pytest.approx(case["loss_before"], rel=tolerance)
    assert trace["loss"] == loss
    assert list(grads) == list(case["grads"]) == list(model.state_dict())
    for key, expected in case["grads"].items():
        check(key, grads[key], expected, tolerance)
        np.testing.assert_array_equal(trace[f"{key}.grad"], grads[key])
    check("X", input_grad, case["input_grad"], tolerance)
    assert input_grad.shape == X.shape


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_ten_steps_are_torchs(library: Any, case: dict[str, Any]) -> None:
    tolerance = 10 * tolerances.CONVOLUTION[library[1]]
    model, (X, y) = model_of(library[0], case, library[1]), given(case, library[1])
    before = model.state_dict()
    for step, expected in enumerate(case["losses"]):
        loss = model.train_on_batch(X, y)
        assert loss == pytest.approx(expected, rel=tolerance), f"step {step}"
    after = model.state_dict()
    for key, expected in case["final"].items():
        check(key, after[key], expected, tolerance)
        # A wrong gradient would not be seen in parameters that hardly move. The cases move enough
        # for float64; float32 takes the same steps.
        movement = np.abs(after[key] - before[key]).max()
        least = 100 * tolerances.CONVOLUTION["float64"] * np.abs(after[key]).max()
        assert movement > least


@pytest.mark.parametrize("wrong", ["forward", "backward", "input"])
def test_a_wrong_convolution_is_caught(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, backward = reference.layers.WEIGHTED["Conv2d"]

    def planted(x: Any, W: Any, dy: Any, layer: Any) -> Any:
        dW, dx = backward(x, W, dy, layer)
        tensor = dW if wrong == "backward" else dx
        tensor.flat[np.abs(tensor).argmax()] *= 1.01
        return dW, dx

    def shifted(x: Any, W: Any, layer: Any) -> Any:
        return forward(x, np.flip(W, axis=3), layer)

    changed = (shifted, backward) if wrong == "forward" else (forward, planted)
    monkeypatch.setitem(reference.layers.WEIGHTED, "Conv2d", changed)
    with pytest.raises(AssertionError):
        test_outputs_and_gradients_are_torchs((reference, "float64"), CASES[0])


def test_the_cases_have_every_member_and_option() -> None:
    made = [getattr(layers, kind)(**options) for case in CASES for kind, options in case["layers"]]
    for kind in (Conv2d, AvgPool2d, MaxPool2d):
        values = {
            option: {getattr(layer, option) for layer in made if type(layer) is kind}
            for option in kind.__slots__
        }
        options = {"in_channels", "out_channels", "kernel_size"}
        for option in {*values} - options - gradients.OTHERS - {"trainable", "lr_scale"}:
            assert len(values[option]) > 1, f"{kind.__name__}({option})"
    rows = {case["rows"] for case in CASES}
    assert {1, 3, 17, 33} <= rows


# The reference alone


def small(*first: Any, features: int, **settings: Any) -> reference.Sequential:
    return reference.Sequential(
        [*first, Flatten(), Linear(features, 3)],
        loss="cross_entropy",
        **{"dtype": "float64", "seed": 5, **settings},
    )


X = drawn.drawn((4, 2, 5, 4), 3)
Y = np.array([0, 2, 1, 1])

DIFFERENCES = {
    "conv": (Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2), 24),
    "no bias": (Conv2d(2, 3, 3, bias=False), 18),
    "average": (AvgPool2d(3, 1), 12),
    "largest": (MaxPool2d((2, 3), (3, 1)), 8),
    "dropout": (Dropout(0.4), 40),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_gradients_are_central_differences(name: str) -> None:
    layer, features = DIFFERENCES[name]
    model = small(layer, Tanh(), features=features)
    assert gradients.check_gradients(model, X, Y, None) > 100


def test_gradients_of_scaled_images_are_by_x_itself() -> None:
    model = small(Conv2d(2, 3, 2), Tanh(), features=36, scale=7.0, channels_last=True)
    gradients.check_gradients(model, X.transpose(0, 2, 3, 1), Y, None)


def test_scale_and_order_of_the_axes_change_nothing_else() -> None:
    plain = small(Conv2d(2, 3, 2), ReLU(), features=60)
    other = small(Conv2d(2, 3, 2), ReLU(), features=60, scale=255, channels_last=True)
    pixels = np.arange(240).reshape(4, 6, 5, 2).astype(np.uint8)
    images = pixels.transpose(0, 3, 1, 2) / 255
    np.testing.assert_array_equal(plain.forward(images), other.forward(pixels))
    plain.fit(images, Y, epochs=3, batch_size=3)
    other.fit(pixels, Y, epochs=3, batch_size=3)
    for key, w in plain.state_dict().items():
        np.testing.assert_array_equal(w, other.state_dict()[key])


def test_a_convolution_by_hand() -> None:
    """Cross-correlation: the kernel is not turned around."""
    model = reference.Sequential([Conv2d(1, 1, 2), Flatten(), Linear(2, 1)], loss="mse", seed=0)
    model.load_state_dict(model.state_dict() | {"0.weight": [[[[1, 2], [3, 4]]]], "0.bias": [0.5]})
    trace = model.trace(np.array([[[[1, 0, 2], [0, 1, 3]]]]), np.zeros((1, 1)))
    assert trace["0.output"].tolist() == [[[[5.5, 19.5]]]]


def test_the_first_of_equal_values_gets_the_gradient() -> None:
    model = reference.Sequential([MaxPool2d(2), Flatten(), Linear(1, 1)], loss="mse", seed=0)
    _, grad = model.backward(np.ones((1, 1, 2, 2)), np.ones((1, 1)), input_grad=True)
    assert np.count_nonzero(grad) == 1
    assert grad[0, 0, 0, 0] != 0.0


def test_initial_parameters_follow_the_stream() -> None:
    net = [Conv2d(4, 6, (3, 2), groups=2), ReLU(), Flatten(), Linear(6, 2)]
    state = reference.Sequential(net, loss="mse", seed=7, dtype="float64").state_dict()
    assert {key: w.shape for key, w in state.items()} == {
        "0.weight": (6, 2, 3, 2),
        "0.bias": (6,),
        "3.weight": (2, 6),
        "3.bias": (2,),
    }
    bound = 1 / (2 * 3 * 2) ** 0.5
    for key, purpose in (("0.weight", reference.draws.WEIGHT), ("0.bias", reference.draws.BIAS)):
        u = (reference.draws.words(state[key].size, 7, purpose, 0) >> 11) * 2.0**-53
        np.testing.assert_array_equal(state[key].ravel(), (2 * u - 1) * bound)
    u = (reference.draws.words(12, 7, reference.draws.WEIGHT, 3) >> 11) * 2.0**-53
    np.testing.assert_array_equal(state["3.weight"].ravel(), (2 * u - 1) * (1 / 6**0.5))


@pytest.mark.parametrize(
    ("init", "spread"),
    [("he_normal", (2 / 400) ** 0.5), ("glorot_uniform", (6 / (400 + 40 * 25) / 3) ** 0.5)],
)
def test_initial_spread(init: Any, spread: float) -> None:
    """Inputs of an output: 16 channels of a group, 25 places; outputs of an input: 40, 25."""
    net = [Conv2d(32, 40, 5, groups=2, init=init), Flatten(), Linear(40, 2)]
    state = reference.Sequential(net, loss="mse", seed=1, dtype="float64").state_dict()
    assert state["0.weight"].std() == pytest.approx(spread, rel=0.02)
    assert not state["0.bias"].any()


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        ((4, 10), "(n, 2, H, W)"),
        ((4, 3, 6, 5), "(n, 2, H, W)"),
        ((4, 2, 2, 5), "windows of [3, 3]"),
    ],
)
def test_the_reference_refuses_other_images(shape: tuple[int, ...], word: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        small(Conv2d(2, 3, 3), features=36).forward(np.zeros(shape))
    assert word in str(caught.value)


def test_the_reference_refuses_other_channels() -> None:
    with pytest.raises(ValueError, match="gives 3, the next takes 4"):
        small(Conv2d(2, 3, 3), Conv2d(4, 2, 1), features=24)


def test_strings_make_the_same_layers() -> None:
    spec = reference.spec
    made = [spec("Conv2d", in_channels=2, out_channels=3, kernel_size=2), "relu"]
    plain = small(*made, spec("max_pool2d", kernel_size=2), features=6)
    other = small(Conv2d(2, 3, 2), ReLU(), MaxPool2d(2), features=6)
    np.testing.assert_array_equal(plain.forward(X), other.forward(X))
