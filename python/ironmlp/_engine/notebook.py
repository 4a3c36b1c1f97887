"""How a model shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ironmlp._arguments.arrays import plural
from ironmlp._engine.repr import told
from ironmlp._engine.summary import Summary
from ironmlp._html import Markup, element

# The arguments that the table of layers shows.
LAYERS = ("layers", "layer_sizes", "activation", "init")


def card(made: type, arguments: Mapping[str, Any], epochs: int, summary: Summary) -> Markup:
    """The model's class and progress, its layers, and the other arguments that make it."""
    others = [
        element("div", f"{name} = ", element("code", text))
        for name, text in told(made, arguments)
        if name not in LAYERS
    ]
    head = element("div", element("b", made.__name__), f", {plural(epochs, 'epoch')} trained")
    return element("div", head, summary._repr_html_(), *others)
