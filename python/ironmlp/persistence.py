"""Models out of files: `load` makes the model again that `Sequential.save` wrote.

A file is in the safetensors format: parameters and running values under the keys of `state_dict`,
the optimizer's moments beside them, and the rest as strings. It is data alone; nothing of it is
ever executed.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ironmlp._arguments.arrays import Array
from ironmlp._arguments.values import checked_seed, integer, real, size
from ironmlp._configuration import config
from ironmlp._engine.network import Shapes, checked_layers, parameter_shapes, running_shapes
from ironmlp._engine.trained import scalars_of_powers
from ironmlp._environment import computed
from ironmlp._files.classes import classes_from_json
from ironmlp._files.nested import put_together
from ironmlp._files.ordinary import open_ordinary
from ironmlp._files.safetensors import Header, parsed, read_header, read_tensor
from ironmlp._files.saving import FORMAT_VERSION, TRAINING, average_keys, moment_keys
from ironmlp._files.specs import from_json, one_item
from ironmlp._labels import Reading, distinct, reading_of
from ironmlp._training.past import past_of
from ironmlp.mlp import MLP, checked_sizes, dense_layers
from ironmlp.model import Sequential

__all__ = ["load"]


def __dir__() -> list[str]:
    return __all__


MODELS: dict[str, type[Sequential]] = {"MLP": MLP, "Sequential": Sequential}

# The strings of a file that a model is made of. Each is JSON.
METADATA = (
    "numerics",
    "model",
    "seed",
    "epoch",
    "steps",
    "learning_rate",
    "scalars",
    "learned",
)

# Epochs and steps are counted in 64 bits; half of them leaves room to go on.
COUNTER_LIMIT = 2**63


@computed
def load(path: str | os.PathLike[str], *, n_threads: int | None = None) -> Sequential:
    """The model that `Sequential.save` wrote to `path`, in the state that it had.

    `n_threads` is the most threads that it uses here; no result depends on it. ValueError for a
    file that is damaged, made by hand and wrong, or of a newer format; OSError if it cannot be
    read, or is a folder, a pipe, a socket or a device. A file of other `numerics` gives the same
    parameters and a warning: more training may give other bits than it would there.
    """
    path = os.fspath(path)
    threads = None if n_threads is None else size("n_threads", n_threads)
    with open_ordinary(path) as file:
        try:
            return read_model(file, threads)
        except RecursionError:
            raise ValueError(
                f"{path!r} holds no model of ironmlp: it is nested too deeply"
            ) from None
        except (TypeError, ValueError) as error:
            # What a constructor calls a wrong type is a wrong value of this file.
            raise ValueError(f"{path!r} holds no model of ironmlp: {error}") from error


def read_model(file: BinaryIO, n_threads: int | None) -> Sequential:
    header = read_header(file)
    found = read_metadata(header)
    beside = {name: t for name, t in header.tensors.items() if name.startswith(f"{TRAINING}/")}
    header = Header(header.metadata, {k: t for k, t in header.tensors.items() if k not in beside})
    name, arguments = read_arguments(found["model"])
    standards = read_standards(file, header)
    # Before a model is made, for its parameters must not take more memory than the file has bytes.
    layers = read_layers(name, arguments, len(header.tensors))
    keys, running = parameter_shapes(layers), running_shapes(layers)
    averages = any(name.startswith("average/") for name in header.tensors)
    moments = check_tensors(header, keys, running, arguments.get("dtype"), averages)
    model = MODELS[name](**arguments, seed=checked_seed(found["seed"]), n_threads=n_threads)

    def arrays(names: Any) -> list[Any]:
        return [read_tensor(file, header.tensors[name]) for name in names]

    trained = {"parameters": arrays([*keys, *running]), "standards": standards}
    counted = ("epoch", "steps", "learning_rate", "factor", "scalars")
    state = {name: found[name] for name in counted if name in found}
    state["moments"] = [arrays(moment_keys(number, keys)) for number in range(moments)]
    if averages:
        state["average"] = arrays(average_keys(keys))
    elif getattr(arguments.get("optimizer"), "ema", None) is not None:
        raise ValueError("its optimizer has an average, and there is none")
    model._set_trained({**trained, "optimizer_state": state})
    model._reading = read_reading(found["learned"], model)
    model._feature_names = read_names(header, model._core.in_features)
    if beside or TRAINING in header.metadata:
        value = parsed(header.metadata.get(TRAINING, "null"))
        value = put_together(value, TRAINING, beside, lambda tensor: read_tensor(file, tensor))
        model._past = past_of(value, model.epoch, model._core.steps)
        model._history = model._past.history
    return model


def read_metadata(header: Header) -> dict[str, Any]:
    """The values of a file's strings, those that are numbers checked."""
    text = header.metadata
    if "format_version" not in text:
        raise ValueError(
            "it is a safetensors file of another program; load_state_dict takes its tensors, "
            "which the package safetensors reads"
        )
    version = integer("format_version", parsed(text["format_version"]))
    if version > FORMAT_VERSION:
        raise ValueError(
            f"its format_version is {version}, ironmlp {config()['version']} reads up to "
            f"{FORMAT_VERSION}: a newer ironmlp wrote it"
        )
    names = {key: "beta_powers" if key == "scalars" and version == 1 else key for key in METADATA}
    missing = [name for name in names.values() if name not in text]
    if version < 1 or missing:
        raise ValueError(f"its format_version is {version}, and it lacks {', '.join(missing)}")
    found = {key: parsed(text[name]) for key, name in names.items()}
    for key in ("epoch", "steps"):
        if not 0 <= integer(key, found[key]) < COUNTER_LIMIT:
            raise ValueError(f"{key} is {found[key]}, it must be at least 0 and below 2**63")
    found["scalars"] = read_scalars(names["scalars"], found["scalars"])
    found["learning_rate"] = real("learning_rate", found["learning_rate"])
    if "factor" in text:  # of a schedule's rates
        found["factor"] = real("factor", parsed(text["factor"]))
    if integer("numerics", found["numerics"]) != config()["numerics"]:
        warnings.warn(
            f"the file was written with numerics {found['numerics']}, this ironmlp computes with "
            f"{config()['numerics']}: more training may give other bits than it would there",
            stacklevel=5,
        )
    return found


def read_standards(file: BinaryIO, header: Header) -> dict[str, tuple[Array, Array]] | None:
    """What data are standardized by, taken out of the header's tensors; the core checks values."""
    found: dict[str, Array] = {}
    for name in [name for name in header.tensors if name.startswith("standardize/")]:
        tensor = header.tensors.pop(name)
        if tensor.dtype.name != "float64" or len(tensor.shape) != 1:
            raise ValueError(f"{name!r} is {tensor.dtype.name} of shape {tensor.shape}")
        found[name] = read_tensor(file, tensor)
    pairs: dict[str, tuple[Array, Array]] = {}
    for data in ("X", "y"):
        names = [f"standardize/{data}/{what}" for what in ("mean", "std")]
        given = [found.pop(name) for name in names if name in found]
        if len(given) == 1:
            raise ValueError(f"it has one of {' and '.join(names)}")
        if given:
            pairs[data] = given[0], given[1]
    if found:
        raise ValueError(f"{next(iter(found))!r} belongs to no model")
    return pairs or None


def read_scalars(name: str, value: Any) -> tuple[float, ...]:
    """The optimizer's running numbers, three."""
    expected = 2 if name == "beta_powers" else 3
    if not isinstance(value, list) or len(value) != expected:
        raise ValueError(f"{name} must be a list of {expected} numbers")
    numbers = [real(name, number) for number in value]
    return scalars_of_powers(*numbers) if expected == 2 else tuple(numbers)


def read_arguments(model: Any) -> tuple[str, dict[str, Any]]:
    """The model's class and the arguments that make it, from {class: {argument: value}}."""
    name, arguments = one_item("model", model)
    if name not in MODELS:
        raise ValueError(f"its model is a {name!r}, known are {', '.join(MODELS)}")
    return name, {key: from_json(value) for key, value in arguments.items()}


def read_layers(name: str, arguments: Mapping[str, Any], tensors: int) -> tuple[Any, ...]:
    """The layers that the model will have, of which no more have parameters than there are
    tensors."""
    if name == "Sequential":
        return checked_layers(arguments.get("layers"), "torch_linear")
    sizes = arguments.get("layer_sizes", ())
    if isinstance(sizes, list) and len(sizes) > tensors + 1:
        raise ValueError(f"it has {len(sizes)} layer_sizes and only {tensors} tensors")
    given = {key: arguments.get(key) for key in ("activation", "init", "loss")}
    return checked_layers(dense_layers(checked_sizes(sizes), **given), "torch_linear")


def check_tensors(header: Header, keys: Shapes, running: Shapes, dtype: Any, averages: bool) -> int:
    """The number of moments, if the tensors are exactly the model's, with an average or without."""
    moments = (len(header.tensors) - len(running)) // len(keys) - 1 - averages
    expected = keys | running
    if averages:
        expected |= zip(average_keys(keys), keys.values(), strict=True)
    for number in range(moments):
        expected |= zip(moment_keys(number, keys), keys.values(), strict=True)
    for name in {**expected, **header.tensors}:
        tensor = header.tensors.get(name)
        kind = "int64" if name in running and not running[name] else dtype
        if tensor is None or expected.get(name) != tensor.shape or tensor.dtype.name != kind:
            got = "nothing" if tensor is None else f"{tensor.dtype.name} of shape {tensor.shape}"
            must = f"{kind} of shape {expected[name]}" if name in expected else "nothing"
            raise ValueError(f"{name!r} is {got}, for the model it must be {must}")
    return moments


def read_names(header: Header, columns: int | None) -> tuple[str, ...] | None:
    """The names of X's columns, which older files and those of models without have not."""
    if "feature_names" not in header.metadata:
        return None
    names = parsed(header.metadata["feature_names"])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("feature_names must be a list of strings")
    if len(names) != columns:
        raise ValueError(f"it has {len(names)} feature_names, the network takes {columns} columns")
    return tuple(names)


def read_reading(value: Any, model: Sequential) -> Reading:
    """How the model reads y, with what it had learned."""
    learned, fresh = classes_from_json(value), model._reading
    if isinstance(learned, np.ndarray):
        expected = len(fresh.classes) if hasattr(fresh, "known") else 0
        if len(learned) != expected or len(distinct(learned, "the file")) != expected:
            raise ValueError(f"its {len(learned)} classes must be {expected} different ones")
    elif isinstance(learned, bool) != isinstance(fresh.learned, bool):
        raise ValueError(f"learned is {learned}, which does not go with {model.loss!r}")
    return reading_of(model.loss, fresh.outputs, learned)
