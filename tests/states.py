"""All that a model's methods may change, to compare before and after."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import ironmlp as im


def everything(model: im.Sequential) -> dict[str, Any]:
    """Parameters, moments, averages, counters, learning rate, seed and known labels; equal if the
    same."""
    kept: dict[str, Any] = dict(model._core.optimizer_state())
    moments = kept.pop("moments")
    kept |= {f"moments {i}": [m.tobytes() for m in moment] for i, moment in enumerate(moments)}
    kept |= {"average": [a.tobytes() for a in kept["average"]]} if "average" in kept else {}
    kept |= {key: value.tobytes() for key, value in model.state_dict().items()}
    kept["seed"] = model.seed
    with contextlib.suppress(AttributeError):
        kept["classes_"] = model.classes_.tolist()
    return kept


def parameters(state: dict[str, Any]) -> dict[str, Any]:
    """What updates change of a state_dict: all but running values."""
    return {key: w for key, w in state.items() if key.endswith((".weight", ".bias"))}


@contextlib.contextmanager
def unchanged(model: im.Sequential) -> Iterator[None]:
    """Fail unless the model is the same after the block as before it."""
    before = everything(model)
    yield
    after = everything(model)
    differ = [name for name in before if after.get(name) != before[name]]
    assert before.keys() == after.keys()
    assert not differ, differ


def squares(outputs: Any, targets: Any) -> tuple[float, Any]:
    """The mean squared error as a loss function of the user's own."""
    return float(np.mean((outputs - targets) ** 2)), 2 * (outputs - targets) / outputs.size
