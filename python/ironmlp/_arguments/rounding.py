"""Settings that a model rounds to its dtype: none may be infinite there, and some not 0.

Training would diverge, or stand still, after a while and without a hint at the cause. Where 0 does
what so small a number would do, as for a weight decay of 1e-50, it may be 0.
"""

from __future__ import annotations

from ironmlp._arguments.spec import Spec

# Above OVERFLOW float32 rounds to infinity, up to UNDERFLOW to 0.
OVERFLOW = 2.0**128 - 2.0**103
UNDERFLOW = 2.0**-150


def check_rounded(spec: Spec, dtype: str, layer: str | None = None) -> None:
    """ValueError for a setting of a layer, loss or optimizer that the dtype cannot hold."""
    for name in (*spec._rounded(), *spec._always_rounded):
        value = getattr(spec, name)
        if isinstance(value, Spec):
            check_rounded(value, dtype)
        if value is None or isinstance(value, Spec) or callable(value):
            continue
        owner = type(spec).__name__ if layer is None else f"{type(spec).__name__} (layer {layer})"
        if isinstance(value, tuple):
            for index, entry in enumerate(value):
                rounded(f"{name}[{index}] of {owner}", entry, dtype)
        else:
            rounded(f"{name} of {owner}", value, dtype, positive=name in spec._positive)


def rounded(name: str, value: float, dtype: str, *, positive: bool = False) -> float:
    """`value` if the dtype holds it, and with `positive` its reciprocal too."""
    if dtype == "float64":
        if positive and value <= 2.0**-1024:
            raise ValueError(f"{name} is {value}, 1 / {value} is infinite: take a larger one")
    elif abs(value) >= OVERFLOW:
        raise refusal(name, value, "infinite", "smaller")
    elif positive and value <= UNDERFLOW:
        raise refusal(name, value, "0", "larger")
    elif positive and 1.0 / value >= OVERFLOW:
        raise refusal(name, value, "so small that 1 / it is infinite", "larger")
    return value


def refusal(name: str, value: float, becomes: str, cure: str) -> ValueError:
    return ValueError(
        f"{name} is {value}, in float32 that is {becomes}: take a {cure} one, or dtype='float64'"
    )
