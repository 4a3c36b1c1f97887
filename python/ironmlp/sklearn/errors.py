"""Errors that are scikit-learn's."""

from __future__ import annotations


class ZeroWeightError(ValueError, ZeroDivisionError):
    """All rows of a batch have a sample weight of zero."""


def diverged() -> str:
    """What is said of parameters that are not finite."""
    return (
        "Solver produced non-finite parameter weights. The input data may contain large values and "
        "need to be preprocessed."
    )
