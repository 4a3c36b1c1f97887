"""What every optimizer takes by keyword, beside its own arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ironmlp._arguments.keywords import explanation
from ironmlp._arguments.values import flag


class Options(TypedDict, total=False):
    """The options; one that is left out has the value in `DEFAULTS`, which changes nothing."""

    decay_bias: bool


DEFAULTS: dict[str, Any] = {"decay_bias": True}


def checked_options(optimizer: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """All options, from those that an optimizer's constructor was given."""
    unknown = [name for name in given if name not in DEFAULTS]
    if unknown:
        constructor = vars(type(optimizer).__init__)["__wrapped__"]
        raise TypeError(explanation(constructor, (optimizer,), unknown, [*DEFAULTS]))
    options = {**DEFAULTS, **given}
    return {"decay_bias": flag("decay_bias", options["decay_bias"])}
