"""Settings that float32 turns into 0 or infinity are refused when the model is made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from hostile import X, Y, refused, regressor


def model(layer: Any = None, dtype: Any = "float32", **settings: Any) -> im.Sequential:
    middle = [] if layer is None else [layer]
    loss = settings.pop("loss", "mse")
    outputs = 2 if isinstance(loss, im.CrossEntropy) else 1
    layers = [im.Linear(4, 3), *middle, im.Linear(3, outputs)]
    return im.Sequential(layers, loss=loss, dtype=dtype, seed=0, **settings)


TOO_LARGE: dict[str, Any] = {
    "negative_slope of LeakyReLU (layer 1)": lambda v: {"layer": im.LeakyReLU(v)},
    "alpha of ELU (layer 1)": lambda v: {"layer": im.ELU(v)},
    "init of PReLU (layer 1)": lambda v: {"layer": im.PReLU(1, v)},
    "lr_scale of PReLU (layer 1)": lambda v: {"layer": im.PReLU(lr_scale=v)},
    "beta of Softplus (layer 1)": lambda v: {"layer": im.Softplus(v)},
    "threshold of Softplus (layer 1)": lambda v: {"layer": im.Softplus(1.0, v)},
    "lr_scale of Linear (layer 1)": lambda v: {"layer": im.Linear(3, 3, lr_scale=v)},
    "lr_scale of LayerNorm (layer 1)": lambda v: {"layer": im.LayerNorm(3, lr_scale=v)},
    "lr_scale of BatchNorm1d (layer 1)": lambda v: {"layer": im.BatchNorm1d(3, lr_scale=v)},
    "alpha of ELU (layer 1.0)": lambda v: {"layer": im.Residual([im.ELU(v)])},
    "pos_weight of BinaryCrossEntropy": lambda v: {"loss": im.BinaryCrossEntropy(pos_weight=v)},
    "pos_weight[0] of BinaryCrossEntropy": lambda v: {
        "loss": im.BinaryCrossEntropy(pos_weight=[v])
    },
    "class_weight[1] of CrossEntropy": lambda v: {
        "loss": im.CrossEntropy(class_weight=[1, v], reduction="sum")
    },
    "delta of Huber": lambda v: {"loss": im.Huber(v)},
    "eps of PoissonNLL": lambda v: {"loss": im.PoissonNLL(eps=v)},
    "gamma of Focal": lambda v: {"loss": im.Focal(v)},
    "lr of SGD": lambda v: {"optimizer": im.SGD(v)},
    "momentum of SGD": lambda v: {"optimizer": im.SGD(momentum=v)},
    "weight_decay of SGD": lambda v: {"optimizer": im.SGD(weight_decay=v)},
    "lr of Adam": lambda v: {"optimizer": im.Adam(v)},
    "eps of Adam": lambda v: {"optimizer": im.Adam(eps=v)},
    "weight_decay of Adam": lambda v: {"optimizer": im.Adam(weight_decay=v)},
    "lr of AdamW": lambda v: {"optimizer": im.AdamW(v)},
    "eps of AdamW": lambda v: {"optimizer": im.AdamW(eps=v)},
    "weight_decay of AdamW": lambda v: {"optimizer": im.AdamW(weight_decay=v)},
    "lr of NAdam": lambda v: {"optimizer": im.NAdam(v)},
    "eps of NAdam": lambda v: {"optimizer": im.NAdam(eps=v)},
    "weight_decay of NAdam": lambda v: {"optimizer": im.NAdam(weight_decay=v)},
    "lr of RAdam": lambda v: {"optimizer": im.RAdam(v)},
    "eps of RAdam": lambda v: {"optimizer": im.RAdam(eps=v)},
    "weight_decay of RAdam": lambda v: {"optimizer": im.RAdam(weight_decay=v)},
    "lr of RMSprop": lambda v: {"optimizer": im.RMSprop(v)},
    "eps of RMSprop": lambda v: {"optimizer": im.RMSprop(eps=v)},
    "weight_decay of RMSprop": lambda v: {"optimizer": im.RMSprop(weight_decay=v)},
    "momentum of RMSprop": lambda v: {"optimizer": im.RMSprop(momentum=v)},
    "lr of Adagrad": lambda v: {"optimizer": im.Adagrad(v)},
    "eps of Adagrad": lambda v: {"optimizer": im.Adagrad(eps=v)},
    "weight_decay of Adagrad": lambda v: {"optimizer": im.Adagrad(weight_decay=v)},
    "lr of Lion": lambda v: {"optimizer": im.Lion(v)},
    "weight_decay of Lion": lambda v: {"optimizer": im.Lion(weight_decay=v)},
    "scale": lambda v: {"scale": v},
}
# These do for a number that rounds to 0 what it would do itself, or nearly.
MAY_BE_0 = [name for name in TOO_LARGE if name.split()[0] not in ("beta", "delta", "scale")]
MAY_NOT = [name for name in TOO_LARGE if name not in MAY_BE_0]


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_large_for_float32(name: str) -> None:
    for value in (1e39, 2.0**128, float(np.nextafter(2.0**128 - 2.0**103, np.inf))):
        with pytest.raises(ValueError, match="in float32 that is infinite") as caught:
            model(**TOO_LARGE[name](value))
        assert str(caught.value).startswith(f"{name} is {value}, ")
        assert "take a smaller one, or dtype='float64'" in str(caught.value)
        model(dtype="float64", **TOO_LARGE[name](value))
    model(**TOO_LARGE[name](float(np.finfo(np.float32).max)))


@pytest.mark.parametrize("name", MAY_NOT)
def test_too_small_for_float32(name: str) -> None:
    for value, words in ((1e-46, "0: "), (1e-40, "so small that 1 / it is infinite: ")):
        with pytest.raises(ValueError, match=rf"in float32 that is {words}") as caught:
            model(**TOO_LARGE[name](value))
        assert str(caught.value).startswith(f"{name} is {value}, ")
        assert "take a larger one, or dtype='float64'" in str(caught.value)
        model(dtype="float64", **TOO_LARGE[name](value))
    model(**TOO_LARGE[name](1e-38))
    with pytest.raises(ValueError, match=r"is 5e-324, 1 / 5e-324 is infinite"):
        model(dtype="float64", **TOO_LARGE[name](5e-324))


@pytest.mark.parametrize("name", MAY_BE_0)
def test_a_harmless_0_is_taken_and_trains(name: str) -> None:
    made = model(**TOO_LARGE[name](1e-50))
    y = (Y > 0) * 1 if hasattr(made, "classes_") else np.abs(Y)
    made.fit(X, y, epochs=2)
    assert all(np.isfinite(value).all() for value in made.state_dict().values())


def test_what_is_divided_by_its_sum_may_have_any_range() -> None:
    weighted = model(loss=im.CrossEntropy(class_weight=[1e39, 1e39]))
    X, y = np.ones((2, weighted.layers[0].in_features)), [0, 1]
    plain = model(loss=im.CrossEntropy())
    plain.load_state_dict(weighted.state_dict())
    assert weighted.evaluate(X, y)["loss"] == pytest.approx(plain.evaluate(X, y)["loss"])


def test_an_mlp_and_its_activation() -> None:
    with pytest.raises(ValueError, match="negative_slope of LeakyReLU"):
        im.MLP([4, 3, 1], activation=im.LeakyReLU(1e39), loss="mse")


def test_an_assigned_learning_rate() -> None:
    made = regressor()
    refused(
        made, lambda: setattr(made, "learning_rate", 1e39), ValueError, "learning_rate is 1e+39"
    )
    made.learning_rate = 1e-50
    assert made.learning_rate == 1e-50


def test_a_loaded_model_is_held_to_it_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    model(im.ELU(1.5)).save(path)
    path.write_bytes(path.read_bytes().replace(rb"\"alpha\": 1.5", rb"\"alpha\": 9e9"))
    assert isinstance(im.load(path).layers[1], im.ELU)
    model(im.ELU(1.55)).save(path)
    path.write_bytes(path.read_bytes().replace(rb"\"alpha\": 1.55", rb"\"alpha\": 9e99"))
    with pytest.raises(ValueError, match=r"alpha of ELU \(layer 1\) is 9e\+99"):
        im.load(path)
