"""What every optimizer takes by keyword, beside its own arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ironmlp._arguments.keywords import explanation
from ironmlp._arguments.values import flag, real


class Options(TypedDict, total=False):
    """The options; one that is left out has the value in `DEFAULTS`, which changes nothing."""

    clip_norm: float | None
    clip_value: float | None
    l1: float
    l2: float
    decay_bias: bool
    ema: float | None


DEFAULTS: dict[str, Any] = {
    "clip_norm": None,
    "clip_value": None,
    "l1": 0.0,
    "l2": 0.0,
    "decay_bias": True,
    "ema": None,
}


def checked_options(optimizer: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options, from those that an optimizer's constructor was given."""
    unknown = [name for name in given if name not in DEFAULTS]
    if unknown:
        constructor = vars(type(optimizer).__init__)["__wrapped__"]
        raise TypeError(explanation(constructor, (optimizer,), unknown, [*DEFAULTS]))
    options = {**DEFAULTS, **given}
    return {
        "clip_norm": maybe("clip_norm", options["clip_norm"], above=0.0),
        "clip_value": maybe("clip_value", options["clip_value"], above=0.0),
        "l1": real("l1", options["l1"], at_least=0.0),
        "l2": real("l2", options["l2"], at_least=0.0),
        "decay_bias": flag("decay_bias", options["decay_bias"]),
        "ema": maybe("ema", options["ema"], above=0.0, below=1.0),
    }


def maybe(name: str, value: Any, **limits: float) -> float | None:
    """`value` as a float within the limits, or None."""
    return None if value is None else real(name, value, **limits)
