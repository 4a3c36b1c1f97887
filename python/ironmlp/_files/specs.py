"""What a model is made of, as JSON and back: a layer, loss, optimizer or schedule by its class's
name and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ironmlp import layers, losses, optimizers, schedules
from ironmlp._arguments.spec import Spec

# No model is made of these themselves.
BASES = ("Layer", "Loss", "Optimizer", "Schedule")
SPECS: dict[str, type[Spec]] = {
    name: getattr(module, name)
    for module in (layers, losses, optimizers, schedules)
    for name in module.__all__
    if name not in BASES
}
SPECS["Forgotten"] = schedules.Forgotten


def to_json(value: Any) -> Any:
    """Arguments of a constructor in what JSON has; a layer, loss, optimizer or schedule is {class:
    {argument: value}}. Of a function that is a learning rate it is said that there was one."""
    if isinstance(value, optimizers.Optimizer) and callable(value.lr):
        value = value._with_lr(schedules.Forgotten())
    if isinstance(value, Spec) and SPECS.get(type(value).__name__) is type(value):
        return {type(value).__name__: to_json(value._arguments())}
    if isinstance(value, Mapping):
        return {key: to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"a file cannot hold {value!r}: save the parameters alone, state_dict(), or use a loss of "
        "ironmlp"
    )


def from_json(value: Any) -> Any:
    """What `to_json` got; constructors check the arguments, and take lists for tuples."""
    if isinstance(value, list):
        return [from_json(entry) for entry in value]
    if isinstance(value, dict):
        name, arguments = one_item("a layer, loss or optimizer", value)
        if name not in SPECS:
            raise ValueError(f"{name!r} is no layer, loss or optimizer of this ironmlp")
        return SPECS[name](**{key: from_json(entry) for key, entry in arguments.items()})
    return value


def one_item(what: str, value: Any) -> tuple[str, dict[str, Any]]:
    """The class and the arguments of {class: {argument: value}}."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, arguments),) = value.items()
        if isinstance(arguments, dict):
            return name, arguments
    raise ValueError(f"{what} must be an object with one class and its arguments")
