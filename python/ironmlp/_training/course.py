"""How a `fit` goes through its rows: for how long, in which batches, in which order."""

from __future__ import annotations

from typing import Any, NamedTuple

from ironmlp._arguments.values import SIZE_LIMIT, Default, flag, given, integer

# The defaults of `fit`.
BATCH_SIZE: Any = Default(32)
SHUFFLE: Any = Default(True)


class Course(NamedTuple):
    """The arguments of these names, checked."""

    epochs: int
    # None if one batch holds all rows.
    batch_size: int | None
    shuffle: bool


def checked_course(epochs: Any, batch_size: Any, shuffle: Any, rows: int) -> Course:
    epochs, batch_size, shuffle = integer("epochs", epochs), given(batch_size), given(shuffle)
    if not 0 <= epochs < SIZE_LIMIT:
        raise ValueError(f"epochs is {epochs}, it must be at least 0 and below 2**63")
    if batch_size is not None:
        batch_size = integer("batch_size", batch_size)
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, it must be at least 1")
    one = batch_size is None or batch_size >= rows
    return Course(epochs, None if one else batch_size, flag("shuffle", shuffle))
