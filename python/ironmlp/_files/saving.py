"""A model as a file: parameters and running values under the keys of `state_dict`, the optimizer's
moments beside them, and the rest as strings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._configuration import config
from ironmlp._engine import Engine
from ironmlp._engine.network import parameter_shapes, running_shapes
from ironmlp._environment import computed
from ironmlp._files.atomic import write
from ironmlp._files.classes import classes_to_json
from ironmlp._files.nested import taken_apart
from ironmlp._files.safetensors import chunks
from ironmlp._files.specs import to_json

# Raised when older versions could not read the file, or would make another model of it. In format 1
# the scalars were two, under the name "beta_powers". Models of format 2 do not standardize, those
# of format 3 have no running values, and their optimizers no options; each model is written in the
# first format that has it.
FORMAT_VERSION = 4

# What the tensors that belong to no model begin with.
TRAINING = "training"


@computed
def save(
    model: Engine, path: str | os.PathLike[str], training: Mapping[str, Any] | None = None
) -> None:
    """`Sequential.save`; `training` is what a `Checkpoint` keeps beside the model."""
    found = strings(model)
    trained = model._trained()
    state = trained["optimizer_state"]
    keys = parameter_shapes(model.layers)
    tensors = standard_tensors(trained["standards"])
    tensors |= zip(model._tensor_names(), trained["parameters"], strict=True)
    for number, moment in enumerate(state.pop("moments")):
        tensors |= zip(moment_keys(number, keys), moment, strict=True)
    if "average" in state:
        tensors |= zip(average_keys(keys), state.pop("average"), strict=True)
    check_finite(tensors)
    found |= state
    if training is not None:
        found[TRAINING], beside = taken_apart(training, TRAINING)
        tensors |= beside
    # What has 8 bytes comes first, and so begins at a multiple of them.
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    metadata = {key: json.dumps(value, allow_nan=False) for key, value in found.items()}
    write(path, chunks(tensors, metadata))


def strings(model: Engine) -> dict[str, Any]:
    """What a file says of a model but for what each step changes; TypeError if none can hold it."""
    # A subclass of the user's own does not inherit the name: a file could not say what it is.
    name = vars(type(model)).get("_saved_as")
    if name is None:
        raise TypeError(
            f"a file holds a Sequential or an MLP, this is a {type(model).__name__}: use pickle"
        )
    arguments = model._arguments()
    seed = arguments.pop("seed")
    found = {
        "format_version": format_version(model),
        "version": config()["version"],
        "numerics": config()["numerics"],
        "model": {name: to_json(arguments)},
        "seed": seed,
        "learned": classes_to_json(model._reading.learned),
    }
    if model._feature_names is not None:
        found["feature_names"] = list(model._feature_names)
    return found


def format_version(model: Engine) -> int:
    """The first format that has all that this model has."""
    if running_shapes(model.layers) or model._optimizer._options():
        return FORMAT_VERSION
    return 3 if model.standardize or model.standardize_y else 2


def check_finite(tensors: Mapping[str, Array]) -> None:
    """Refuse what `load` would: the file of that name stays as it is."""
    for name, values in tensors.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"{name!r} has NaN or infinite values, a file holds finite ones alone: training "
                "has diverged (pickle keeps such a model, reset() mends it)"
            )


def standard_tensors(standards: Mapping[str, tuple[Array, Array]] | None) -> dict[str, Array]:
    """What data are standardized by, in float64: "standardize/X/mean", "standardize/X/std", and the
    same of y."""
    return {
        f"standardize/{name}/{what}": values
        for name, pair in (standards or {}).items()
        for what, values in zip(("mean", "std"), pair, strict=True)
    }


def moment_keys(number: int, keys: Mapping[str, Any]) -> Iterator[str]:
    """The names of a moment's tensors; the optimizers' docstrings have the moments in order."""
    return (f"optimizer/{number}/{key}" for key in keys)


def average_keys(keys: Mapping[str, Any]) -> Iterator[str]:
    """The names of the average's tensors, where an optimizer keeps one."""
    return (f"average/{key}" for key in keys)
