"""summary: its shapes, parameters and multiply-adds, against formulas and the core, and its table.

How a model shows itself in a notebook is here too, for it shows the same table.
"""

import copy
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from pages import Page


def cells(model: im.Sequential, *shape: Any) -> dict[str, list[str]]:
    """The rows of the table by the layer's name, cut at the columns of the head."""
    head, *lines = model.summary(*shape).splitlines()
    starts = [match.start() for match in re.finditer(r"(?<=  )\S|^", head)]
    # Words of the columns that are set to the right may begin before the head does.
    layer, output = starts[1], starts[2]
    return {
        line[:layer].strip(): [line[layer:output].rstrip(), *re.split(r"  +", line[output:])]
        for line in lines[:-2]
    }


def test_lenet() -> None:
    """By hand: 1 x 28 x 28 with 2 pixels around is 6 x 28 x 28 after 5 x 5, 14 x 14 after the pool,
    10 x 10 after 5 x 5 without a border, 5 x 5 after the pool; 16 * 5 * 5 = 400."""
    assert str(im.LeNet5().summary((1, 28, 28))).split("\n") == [
        "    layer                                 output        parameters  multiply-adds",
        "0   Conv2d(1, 6, (5, 5), padding=(2, 2))  6 x 28 x 28          156        117,600",
        "1   Sigmoid()                             6 x 28 x 28            0              0",
        "2   AvgPool2d((2, 2))                     6 x 14 x 14            0              0",
        "3   Conv2d(6, 16, (5, 5))                 16 x 10 x 10       2,416        240,000",
        "4   Sigmoid()                             16 x 10 x 10           0              0",
        "5   AvgPool2d((2, 2))                     16 x 5 x 5             0              0",
        "6   Flatten()                             400                    0              0",
        "7   Linear(400, 120)                      120               48,120         48,000",
        "8   Sigmoid()                             120                    0              0",
        "9   Linear(120, 84)                       84                10,164         10,080",
        "10  Sigmoid()                             84                     0              0",
        "11  Linear(84, 10)                        10                   850            840",
        "61,706 parameters in float32",
        "416,520 multiply-adds for an image of 1 x 28 x 28",
    ]


def test_layers_within_a_residual_stand_below_it_and_further_in() -> None:
    within = [im.LayerNorm(6), im.Residual([im.Linear(6, 6)]), im.ReLU()]
    model = im.Sequential([im.Linear(4, 6), im.Residual(within), im.Linear(6, 1)], loss="mse")
    assert [line.split("  ", 1)[0] for line in model.summary().splitlines()[1:-2]] == [
        *("0", "1", "1.0", "1.1", "1.1.0", "1.2", "2"),
    ]
    found = cells(model)
    assert found["1"] == ["Residual", "6", "0", "0"]
    assert found["1.0"] == ["  LayerNorm(6)", "6", "12", "0"]
    assert found["1.1"] == ["  Residual", "6", "0", "0"]
    assert found["1.1.0"] == ["    Linear(6, 6)", "6", "42", "36"]
    assert model.summary().splitlines()[-2:] == [
        "91 parameters in float32",
        "66 multiply-adds for a row of 4",
    ]


def test_frozen_layers_are_marked() -> None:
    layers = [im.Linear(784, 100, trainable=False), im.ReLU(), im.Linear(100, 10, lr_scale=0.1)]
    model = im.Sequential(layers, loss="mse", dtype="float64")
    found = cells(model)
    assert found["0"] == ["Linear(784, 100, trainable=False)", "100", "78,500", "78,400", "frozen"]
    assert found["2"] == ["Linear(100, 10, lr_scale=0.1)", "10", "1,010", "1,000"]
    line = model.summary().splitlines()[-2]
    assert line == "79,510 parameters in float64: 1,010 trainable, 78,500 frozen"


def test_channels_last_and_no_bias() -> None:
    conv = im.Conv2d(4, 6, (3, 2), stride=(2, 1), dilation=(1, 2), groups=2, bias=False)
    model = im.Sequential(
        [conv, im.MaxPool2d(2), im.Flatten(), im.Linear(60, 2)], loss="mse", channels_last=True
    )
    found = cells(model, (9, 12, 4))
    # (9 - 3) // 2 + 1 = 4 rows, 12 - 2 * 1 = 10 columns; 2 channels of 3 x 2 for each number.
    assert found["0"][-3:] == ["4 x 10 x 6", "72", "2,880"]
    assert found["1"][-3:] == ["2 x 5 x 6", "0", "0"]
    assert model.summary([9, 12, 4]).splitlines()[-1] == (
        "3,000 multiply-adds for an image of 9 x 12 x 4"
    )


def test_without_the_images_size_it_shows_channels_until_fit_knows_it() -> None:
    model = im.LeNet5(seed=1)
    found = cells(model)
    assert found["0"][1:] == ["6 x ? x ?", "156", "?"]
    assert found["6"] == ["Flatten()", "400", "0", "0"]
    last = "multiply-adds depend on the images' size: summary(input_shape=(C, H, W))"
    assert model.summary().splitlines()[-1] == last
    model.fit(np.zeros((2, 1, 29, 28)), [0, 1])
    assert cells(model)["0"][1] == "6 x 29 x 28"
    assert cells(model, (1, 28, 28))["0"][1] == "6 x 28 x 28"
    for twin in (model.copy(), copy.deepcopy(model)):
        assert twin.summary() == model.summary()
    model.reset()
    assert model.summary().splitlines()[-1] == last
    pools = im.Sequential([im.MaxPool2d(2), im.Flatten(), im.Linear(8, 1)], loss="mse")
    assert cells(pools)["0"][1:] == ["? x ? x ?", "0", "0"]


def test_flatten_takes_samples_of_any_shape() -> None:
    model = im.Sequential([im.Flatten(), im.Linear(12, 3)], loss="mse")
    assert model.summary((3, 4)) == model.summary() == model.summary((2, 2, 3)) == model.summary(12)
    assert cells(model)["0"] == ["Flatten()", "12", "0", "0"]


@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ((28, 28), ValueError, ["input_shape is (28, 28)", "(C, H, W)"]),
        ((2, 1, 28, 28), ValueError, ["input_shape is (2, 1, 28, 28)", "(C, H, W)"]),
        ((3, 28, 28), ValueError, ["layer 0 takes 1 channel, gets 3"]),
        ((1, 32, 32), ValueError, ["layer 7 takes 400 features, gets 576"]),
        ((1, 6, 6), ValueError, ["the kernel of layer 3", "3 x 3"]),
        ((1, 0, 28), ValueError, ["input_shape is 0"]),
        ((1, 28.0, 28), TypeError, ["input_shape is 28.0"]),
        ("big", TypeError, ["input_shape is 'big'"]),
    ],
)
def test_an_input_shape_that_does_not_fit(shape: Any, error: Any, words: list[str]) -> None:
    model = im.LeNet5(seed=1)
    before = pickle.dumps(model)
    with pytest.raises(error) as caught:
        model.summary(shape)
    assert all(word in str(caught.value) for word in words), caught.value
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match=r"input_shape is \(5,\), the network takes rows of 4"):
        im.MLP([4, 1], loss="mse").summary(5)


def random_layers(rng: np.random.Generator) -> tuple[list[im.Layer], tuple[int, ...]]:
    """Layers of images and of rows, and the shape (C, H, W) or (n,) that they take."""
    pick = lambda *choices: choices[int(rng.integers(len(choices)))]  # noqa: E731
    layers: list[im.Layer] = []
    shape: tuple[int, ...] = (int(rng.integers(1, 9)),)
    width = shape[0]
    if rng.integers(3):
        channels, height, width = (int(n) for n in rng.integers((1, 9, 9), (5, 15, 15)))
        shape = (channels, height, width)
        for _ in range(int(rng.integers(1, 4))):
            groups = pick(1, channels)
            out = groups * int(rng.integers(1, 4))
            kernel = tuple(int(n) for n in rng.integers(1, 4, 2))
            settings = {name: pick(1, 2, (1, 2)) for name in ("stride", "dilation")}
            layer = im.Conv2d(
                channels, out, kernel, padding=pick(0, 1, (2, 0)), groups=groups, **settings
            )
            layers += [layer, pick(im.ReLU(), im.Dropout(0.5), im.AvgPool2d(1, pick(1, (2, 1))))]
            channels = out
        layers.append(im.Flatten())
        # Its width is what the core makes of such an image.
        probe = im.Sequential([*layers, im.Linear(1, 1)], loss="mse", seed=0)
        with pytest.raises(ValueError, match=r"gets|is larger") as caught:
            probe.forward(np.zeros((1, *shape)))
        if "larger" in str(caught.value):
            return random_layers(rng)
        width = int(re.findall(r"gets (\d+)", str(caught.value))[0])
    for _ in range(int(rng.integers(1, 4))):
        out = int(rng.integers(1, 9))
        layers += [im.Linear(width, out, bias=bool(rng.integers(2))), im.Tanh()]
        within = [im.LayerNorm(out, affine=bool(rng.integers(2))), im.Linear(out, out)]
        layers += [im.Residual(within)] if rng.integers(2) else []
        width = out
    return layers, shape


def multiply_adds(kind: im.Layer, weight: Any, output: Any) -> int:
    """Those of a layer by its weight and its output for one sample."""
    if isinstance(kind, im.Conv2d):
        return int(output.size * math.prod(weight.shape[1:]))
    return int(weight.size) if isinstance(kind, im.Linear) else 0


def test_shapes_and_numbers_of_random_networks_are_those_of_its_tensors() -> None:
    rng = np.random.default_rng(5)
    images = 0
    for _ in range(150):
        layers, shape = random_layers(rng)
        model = im.Sequential(layers, loss="mse", seed=1)
        X = rng.normal(size=(1, *shape))
        images += len(shape) == 3
        tensors = model.state_dict()
        trace = model.trace(X, model.predict(X))
        kinds = dict(named(model.layers))
        found = cells(model, shape)
        assert set(found) == set(kinds)
        sums = [0, 0]
        for name, kind in kinds.items():
            output = trace[f"{name}.output"]
            own = [tensors[k] for k in (f"{name}.weight", f"{name}.bias") if k in tensors]
            numbers = sum(t.size for t in own), multiply_adds(kind, own[0] if own else 0, output)
            written = " x ".join(map(str, output.shape[1:]))
            assert found[name][1:] == [written, *(f"{n:,}" for n in numbers)], (name, layers, shape)
            sums = [a + b for a, b in zip(sums, numbers, strict=True)]
        parameters, work = (line.split()[0] for line in model.summary(shape).splitlines()[-2:])
        assert [parameters, work] == [f"{n:,}" for n in sums]
    assert 50 < images < 150


def named(layers: Any, before: str = "") -> Any:
    for index, layer in enumerate(layers):
        yield f"{before}{index}", layer
        yield from named(getattr(layer, "layers", ()), f"{before}{index}.")


def test_a_summary_is_a_string_that_shows_itself() -> None:
    table = im.MLP([4, 30, 3], loss="mse").summary()
    assert isinstance(table, str)
    assert repr(table) == str(table)
    for twin in (copy.copy(table), copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert twin == table
        assert twin._repr_html_() == table._repr_html_()


# In a notebook


def test_the_table_of_a_notebook_is_that_of_the_text() -> None:
    layers = [im.Linear(4, 6, trainable=False), im.Residual([im.Linear(6, 6)]), im.Linear(6, 1)]
    model = im.Sequential(layers, loss="mse")
    page = Page(model.summary()._repr_html_())
    head, *rows = page.rows
    assert head == ["", "layer", "output", "parameters", "multiply-adds", ""]
    text = cells(model)
    for name, *others in rows:
        assert [entry.replace("\xa0", " ") for entry in others if entry] == text[name]
    assert page.words.split("\n")[:-1] == model.summary().splitlines()[-2:]


def test_a_model_shows_itself_in_a_notebook() -> None:
    model = im.MLP([4, 6, 1], loss="mse", optimizer=im.SGD(lr=0.5), seed=3)
    model.fit(np.zeros((5, 4)), np.zeros(5), epochs=7)
    model.learning_rate = 0.25
    page = Page(model._repr_html_())
    assert set(page.tags) <= {"div", "b", "code", "table", "thead", "tbody", "tr", "th", "td"}
    assert page.words.startswith("MLP\n, 7 epochs trained\n")
    for line in ("MSE()", "SGD(lr=0.25)", "seed = \n3", "37 parameters in float32"):
        assert line in page.words
    assert len(page.rows) == 4


def test_all_text_is_escaped() -> None:
    def loss(outputs: Any, targets: Any) -> Any:
        return 0.0, outputs

    class Odd(im.Sequential):
        pass

    Odd.__name__ = "<script>alert(1)</script>"
    model = Odd([im.Linear(2, 1)], loss=loss)
    html = model._repr_html_()
    assert "<function" in repr(model)
    assert "&lt;function" in html
    assert "<script" not in html
    assert "script" not in Page(html).tags
