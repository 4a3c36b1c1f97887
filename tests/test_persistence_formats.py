"""Files of older formats load, and training goes on with the bits that it had then."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import ironmlp as im
from golden import make_format_1 as format_1
from ironmlp import optimizers
from ironmlp._files import specs

EXPECTED = json.loads((format_1.FOLDER / "expected.json").read_text("utf-8"))


def loaded(name: str) -> im.Sequential:
    return im.load(format_1.FOLDER / f"{name}.safetensors")


def metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    found: dict[str, str] = header["__metadata__"]
    return found


def test_the_files_are_of_format_1_and_of_every_model() -> None:
    files = sorted(format_1.FOLDER.glob("*.safetensors"))
    assert {file.stem for file in files} == set(EXPECTED) == set(format_1.made())
    assert {metadata(file)["format_version"] for file in files} == {"1"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_of_format_1_goes_on_with_the_same_bits(name: str, tmp_path: Path) -> None:
    model, fresh = loaded(name), format_1.made()[name]
    assert repr(model) == repr(fresh)
    assert (model.seed, model.epoch) == (fresh.seed, format_1.EPOCHS)
    assert format_1.loaded_hash(name, model) == EXPECTED[name]["loaded"]
    again = tmp_path / "again.safetensors"
    model.save(again)
    for twin in (model, im.load(again)):
        assert format_1.continued_hash(name, twin) == EXPECTED[name]["continued"]


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_the_training_that_was_not_interrupted(name: str) -> None:
    once, twice = format_1.made()[name], loaded(name)
    format_1.trained(name, once)
    assert format_1.continued_hash(name, once) == format_1.continued_hash(name, twice)


def test_a_file_of_format_1_has_its_labels() -> None:
    model = loaded("labels")
    assert list(model.classes_) == ["bird", "cat", "newt"]
    assert set(np.unique(model.predict(format_1.rows("labels")[0]))) <= set(model.classes_)


def test_an_option_that_came_later_is_in_a_file_only_if_it_is_used() -> None:
    """So files of models without it stay as they were, and older versions read them."""
    plain, used = optimizers.SGD(0.5), optimizers.SGD(0.5, 0.25, dampening=0.5)
    before = {"lr": 0.5, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False}
    assert specs.to_json(plain) == {"SGD": before}
    assert specs.to_json(used) == {"SGD": before | {"momentum": 0.25, "dampening": 0.5}}
    assert {*specs.to_json(optimizers.Adam())["Adam"]} == {"lr", "betas", "eps", "weight_decay"}
    assert specs.to_json(optimizers.Adam(amsgrad=True))["Adam"]["amsgrad"] is True
    assert specs.to_json(optimizers.Adam(eps_hat=True))["Adam"]["eps_hat"] is True
    assert specs.to_json(optimizers.SGD(0.5, lr_in_velocity=True)) == {
        "SGD": before | {"lr_in_velocity": True}
    }
    assert plain.dampening == pickle.loads(pickle.dumps(plain)).dampening == 0.0
