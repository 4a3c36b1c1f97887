"""Checks of `fit`'s callbacks before the first step, and the order in which they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ironmlp.callbacks.base import Callback, LambdaCallback

HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_end",
    "on_epoch_end",
    "on_train_end",
)

# What Keras passes first, where a hook of ironmlp gets the model.
KERAS_FIRST = ("epoch", "batch", "logs")


def checked_callbacks(callbacks: Any) -> list[Callback]:
    """The callbacks in the order of their calls; plain functions are called at epoch ends."""
    if isinstance(callbacks, str | Callback) or not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks is {callbacks!r} ({type(callbacks).__name__}), it must be a list of them"
        )
    checked: list[Callback] = []
    for index, callback in enumerate(callbacks):
        name = f"callbacks[{index}]"
        if isinstance(callback, Callback):
            check_hooks(name, callback)
            checked.append(callback)
        elif callable(callback) and not isinstance(callback, type):
            check_arguments(name, callback)
            checked.append(LambdaCallback(callback))
        else:
            hint = ""
            if any(hasattr(callback, hook) for hook in HOOKS):
                hint = ": make it from a subclass of ironmlp.Callback"
            got = f"{callback!r} ({type(callback).__name__})"
            raise TypeError(f"{name} is {got}, it must be a Callback or a function{hint}")
    # Stable: those of one rank keep their order.
    return sorted(checked, key=lambda callback: callback._rank)


def check_hooks(name: str, callback: Callback) -> None:
    """TypeError for a method `on_...` that nothing would ever call, or not with its arguments."""
    for hook in dir(callback):
        if not hook.startswith("on_"):
            continue
        method = getattr(callback, hook)
        if not callable(method):
            continue
        if hook not in HOOKS:
            raise TypeError(unknown_hook(f"{name} ({type(callback).__name__})", hook))
        if callback._overrides(hook):
            check_arguments(f"{name}.{hook}", method)


def unknown_hook(name: str, hook: str) -> str:
    import difflib  # for a message that few programs ever need

    close = difflib.get_close_matches(hook, HOOKS, 1)
    meant = f"did you mean {close[0]}? " if close else ""
    return (
        f"{name} has the method {hook}, which would never be called: {meant}"
        f"The hooks are {', '.join(HOOKS)}; begin other names with an underscore"
    )


def check_arguments(name: str, function: Callable[..., Any]) -> None:
    """TypeError for a function that does not take (model, logs)."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some functions written in C have none.
        return
    try:
        signature.bind(None, None)
        fits = True
    except TypeError:
        fits = False
    first = next(iter(signature.parameters), None)
    what = "batch" if name.endswith("batch_end") else "epoch"
    if not fits or first in KERAS_FIRST:
        raise TypeError(
            f"{name} takes {signature}, it must take (model, logs): "
            f'the {what} is logs["{what}"], the loss logs["loss"]'
        )
