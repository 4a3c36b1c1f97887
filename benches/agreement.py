"""Whether a peer trains what the others train: its losses against those of NumPy in float64.

All start from one set of parameters and see the same batches in the same order. A loss is a mean of
hundreds of terms, each right to a few units of rounding (eps of the dtype), and the few steps that
are compared hardly amplify them: implementations that agree differ by up to about 15 eps. The
tolerance leaves room for other orders of summation. What it lets through is far less than any
mistake makes, as long as the losses move: a learning rate wrong by 1 % changes the losses by about
1 % of what they move, so they must move by 1000 tolerances for that to show as 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

TOLERANCE = 64.0  # in eps
MOVEMENT = 1000.0  # in tolerances


class DisagreementError(Exception):
    """A peer's losses are not those of the reference."""


def tolerance(dtype: str) -> float:
    """The largest relative difference of two losses that passes."""
    return TOLERANCE * float(np.finfo(dtype).eps)


def difference(losses: Sequence[float], reference: Sequence[float], dtype: str) -> float:
    """The largest relative difference; DisagreementError if it is above the tolerance."""
    got, wanted = np.asarray(losses, np.float64), np.asarray(reference, np.float64)
    if got.shape != wanted.shape:
        raise DisagreementError(f"{len(got)} losses, the reference has {len(wanted)}")
    relative = np.abs(got - wanted) / np.abs(wanted)
    worst = int(relative.argmax())
    # Not "is above": a comparison with NaN is false, and NaN must not pass.
    if not relative.max() <= tolerance(dtype):
        raise DisagreementError(
            f"the loss of epoch {worst} is {got[worst]}, the reference's {wanted[worst]}: "
            f"a relative difference of {relative[worst]:.1e}, at most {tolerance(dtype):.1e} passes"
        )
    return float(relative.max())


def with_average(trainer: Any, losses: list[float]) -> list[float]:
    """The losses, and that of the averaged parameters, of which training's losses do not know."""
    return [*losses, trainer.averaged_loss()] if trainer.workload.ema else losses


def check_movement(reference: Sequence[float], dtype: str) -> None:
    """DisagreementError if the losses move too little for a mistake to show."""
    moved = abs(reference[-1] - reference[0]) / abs(reference[0])
    if not moved >= MOVEMENT * tolerance(dtype):
        raise DisagreementError(
            f"the reference's losses move by {moved:.1e}, a mistake shows from "
            f"{MOVEMENT * tolerance(dtype):.1e} on"
        )
