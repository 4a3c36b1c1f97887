"""Every public layer, activation, loss, optimizer and schedule has all that belongs to one:
CONTRIBUTING.md says where each is.

`KINDS` has the kinds of members, and for each what a complete one has: a name, and whether the
member of that name has it. Another kind is another entry.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import gradients
import ironmlp as im
import scheduled
import test_batch_norm
import test_convolution
import test_nodes
import test_optimizers
import test_rounding
from fuzzing import networks as fuzzed
from golden import golden, read
from ironmlp import layers, losses, optimizers, reference, schedules
from ironmlp._commands.selfcheck_networks import NETWORKS
from ironmlp._engine.network import nodes

DOCS = Path(__file__).resolve().parent.parent / "docs"


Parts = Mapping[str, Callable[[str], bool]]


def text(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def source_of(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text("utf-8")


def rounded_options(name: str) -> set[str]:
    """The options of a class that `test_rounding.py` makes too large for float32."""
    keys = re.findall(rf"^(\w+)(?:\[\d+\])? of {name}\b", "\n".join(test_rounding.TOO_LARGE), re.M)
    return {*keys}


def is_rounded_in_a_test(module: ModuleType, **options: str) -> Callable[[str], bool]:
    """Whether all numbers are that the class of a name rounds to the dtype; `options` make one that
    rounds as many as there are."""
    return lambda name: (
        hasattr(module, name)
        and {*gradients.usual(getattr(module, name), **options)._rounded()} <= rounded_options(name)
    )


def has_row(page: str, strings: Mapping[str, type]) -> Callable[[str], bool]:
    """Whether a table of docs has a row for a class, with each string that makes one."""

    def found(name: str) -> bool:
        row = re.search(rf"^\| `{name}\(.*$", text(page), re.MULTILINE)
        wanted = [f'"{string}"' for string, kind in strings.items() if kind.__name__ == name]
        return row is not None and all(string in row[0] for string in wanted)

    return found


def needs_an_argument(name: str) -> bool:
    """Whether a loss cannot be made of its name alone."""
    try:
        getattr(losses, name, list)()
    except TypeError:
        return True
    return False


def members(module: ModuleType, base: type) -> list[str]:
    """The public classes of a module but for their base."""
    return [name for name in module.__all__ if getattr(module, name) is not base]


OPTIMIZER: Parts = {
    "public": lambda name: name in im.__all__,
    "string": lambda name: name in {kind.__name__ for kind in optimizers.OPTIMIZERS.values()},
    "reference": lambda name: (
        name in reference.optimizers.OPTIMIZERS and name in reference.specs.DEFAULTS
    ),
    "selfcheck": lambda name: (
        name in {type(network.optimizer).__name__ for network in NETWORKS.values()}
    ),
    "golden": lambda name: name in {case["name"] for case in golden()["optimizers"]},
    "cases": lambda name: name in test_optimizers.CASES,
    "rounding": is_rounded_in_a_test(optimizers),
    "row in docs/optimizers.md": has_row("optimizers.md", optimizers.OPTIMIZERS),
    "formula in docs/optimizers.md": lambda name: (
        re.search(rf"^{name} +\S", text("optimizers.md"), re.MULTILINE) is not None
    ),
    "docs/numerics.md": lambda name: (
        re.search(rf"^ +{name} +\S", text("numerics.md"), re.MULTILINE) is not None
    ),
}

# The activations without parameters, and the other layers, which do more than a function of each
# element.
ACTIVATIONS = sorted(
    {
        kind.__name__
        for kind in layers.activations.ACTIVATIONS.values()
        if not hasattr(kind, "trainable")
    }
)
LAYERS = [name for name in members(layers, layers.Layer) if name not in ACTIVATIONS]


def has_gradients(name: str) -> bool:
    return name in {type(layer).__name__ for layer in (*gradients.LAYERS, *gradients.IMAGE_LAYERS)}


def is_trained(name: str) -> bool:
    found = (nodes(network.layers) for network in NETWORKS.values())
    return name in {type(layer).__name__ for listed in found for _, layer in listed}


def in_torch(made: Any) -> set[str]:
    """The layers of a golden network, [class, arguments] or [class, layers]."""
    found = {kind for kind, _ in made}
    return found.union(*(in_torch(inner) for _, inner in made if isinstance(inner, list)))


GOLDEN_LAYERS = {
    name
    for case in (*test_convolution.CASES, *test_nodes.CASES, *test_batch_norm.CASES)
    for name in in_torch(case["layers"])
}

LAYER: Parts = {
    "public": lambda name: name in im.__all__,
    "reference": lambda name: name in reference.specs.DEFAULTS,
    "gradients": has_gradients,
    "selfcheck": is_trained,
    # Dropout's numbers are our own; docs/random.md has them.
    "golden": lambda name: name in GOLDEN_LAYERS | {"Dropout"},
    "row in docs/layers.md": lambda name: f"`{name}(" in text("layers.md"),
}

ACTIVATION: Parts = {
    "public": lambda name: name in im.__all__,
    "string": lambda name: name in ACTIVATIONS,
    "reference": lambda name: (
        name in reference.activations.ACTIVATIONS and name in reference.specs.DEFAULTS
    ),
    "gradients": has_gradients,
    "selfcheck": is_trained,
    "golden": lambda name: name in {case["name"] for case in golden()["activations"]},
    "rounding": is_rounded_in_a_test(layers),
    "fuzzer": lambda name: any(source.startswith(f"im.{name}(") for source in fuzzed.ACTIVATIONS),
    "row in docs/layers.md": has_row("layers.md", layers.activations.ACTIVATIONS),
}

LOSS: Parts = {
    "public": lambda name: name in im.__all__,
    "string": lambda name: (
        name in {kind.__name__ for kind in losses.LOSSES.values()} or needs_an_argument(name)
    ),
    "reference": lambda name: name in reference.losses.LOSSES and name in reference.specs.DEFAULTS,
    "gradients": lambda name: name in {kind.__name__ for kind in gradients.LOSSES},
    "selfcheck": lambda name: (
        name in {type(network.loss).__name__ for network in NETWORKS.values()}
    ),
    "golden": lambda name: name in {case["name"] for case in golden()["losses"]},
    "rounding": is_rounded_in_a_test(losses, reduction="sum"),
    "fuzzer": lambda name: name in fuzzed.LOSSES,
    "row in docs/losses.md": has_row("losses.md", losses.LOSSES),
    "row in docs/numerics.md": lambda name: (
        re.search(rf"^\| [^|]*\b{name}\b", text("numerics.md"), re.MULTILINE) is not None
    ),
}

SCHEDULE: Parts = {
    "public": lambda name: name in im.__all__,
    "reference": lambda name: (
        name in reference.schedules.SCHEDULES and name in reference.specs.DEFAULTS
    ),
    "selfcheck": lambda name: any(
        f"{name}(" in repr(network.optimizer.lr) for network in NETWORKS.values()
    ),
    "golden": lambda name: name in {case["name"] for case in read("torch_schedules.json")["cases"]},
    "cases": lambda name: name in scheduled.CASES,
    "fuzzer": lambda name: name in fuzzed.SCHEDULES or f'"im.{name}"' in source_of(fuzzed),
    "row in docs/schedules.md": has_row("schedules.md", {}),
    "docs/numerics.md": lambda name: (
        re.search(rf"^ +{name} +\S", text("numerics.md"), re.MULTILINE) is not None
    ),
}

KINDS: dict[str, tuple[list[str], Parts]] = {
    "layer": (LAYERS, LAYER),
    "activation": (ACTIVATIONS, ACTIVATION),
    "loss": (members(losses, losses.Loss), LOSS),
    "optimizer": (members(optimizers, optimizers.Optimizer), OPTIMIZER),
    "schedule": (members(schedules, schedules.Schedule), SCHEDULE),
}

MEMBERS = [(kind, name) for kind, (names, _) in KINDS.items() for name in names]


def missing(name: str, parts: Parts) -> list[str]:
    """What the member of that name does not have."""
    return [part for part, has in parts.items() if not has(name)]


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_a_member_is_complete(kind: str, name: str) -> None:
    assert missing(name, KINDS[kind][1]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_has_nothing_is_found(kind: str) -> None:
    parts = KINDS[kind][1]
    assert missing("Missing", parts) == [*parts]


def test_a_member_that_lacks_one_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(reference.optimizers.OPTIMIZERS, "Adam")
    monkeypatch.delitem(test_rounding.TOO_LARGE, "eps of Adam")
    assert missing("Adam", OPTIMIZER) == ["reference", "rounding"]
    monkeypatch.delitem(reference.activations.ACTIVATIONS, "ELU")
    monkeypatch.delitem(test_rounding.TOO_LARGE, "alpha of ELU (layer 1)")
    monkeypatch.delitem(test_rounding.TOO_LARGE, "alpha of ELU (layer 1.0)")
    monkeypatch.setattr(fuzzed, "ACTIVATIONS", ("im.ReLU()",))
    monkeypatch.setitem(layers.activations.ACTIVATIONS, "exponential", layers.ELU)
    lacks = ["reference", "rounding", "fuzzer", "row in docs/layers.md"]
    assert missing("ELU", ACTIVATION) == lacks
    monkeypatch.delitem(reference.specs.DEFAULTS, "CrossEntropy")
    monkeypatch.delitem(gradients.LOSSES, losses.CrossEntropy)
    monkeypatch.delitem(test_rounding.TOO_LARGE, "class_weight[1] of CrossEntropy")
    monkeypatch.delitem(fuzzed.LOSSES, "CrossEntropy")
    lacks = ["reference", "gradients", "rounding", "fuzzer"]
    assert missing("CrossEntropy", LOSS) == lacks
    monkeypatch.setitem(golden(), "losses", [])
    assert missing("MSE", LOSS) == ["golden"]
