"""Streams: batches that the user brings, one by one, each an item (X, y) or (X, y, weight)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from ironmlp._arguments.arrays import plural, row_weights
from ironmlp._arguments.values import Default, size
from ironmlp._core import Run
from ironmlp._engine import Engine
from ironmlp._engine.inputs import Names
from ironmlp._labels import Choice, Reading
from ironmlp._training.advance import Advance, ByStep
from ironmlp._training.course import Course
from ironmlp._training.weights import checked_class_weight, classes_of, weighted
from ironmlp.losses import Loss

# What arrays, tensors, frames and sparse matrices have, and streams have not.
OF_ARRAYS = (
    *("__array__", "__array_interface__", "__dlpack__", "__dataframe__"),
    *("__arrow_c_stream__", "__arrow_c_array__", "tocsr", "dtype"),
)

FORM = "(X, y) or (X, y, weight)"

# What goes with arrays alone, and what to do in a stream.
CURES = {
    "resume": "no file can tell where in it the training was, train on without resume",
    "batch_size": "the items are the batches",
    "shuffle": "the items come in their own order: shuffle where they are made, as "
    "DataLoader(shuffle=True) does",
    "validation_split": "hold rows back where the items are made, for validation_data=(X, y)",
    "sample_weight": f"weights come in the items, {FORM}",
}

END = object()


class Stream(ByStep):
    """The items of a `fit`, each a step."""

    # Of X's columns: no item tells them.
    names: Names = None

    def __init__(
        self,
        model: Engine,
        items: Iterable[Any],
        course: Course,
        steps: int | None,
        classes: Any,
        class_weight: Any,
    ) -> None:
        self._model, self._items, self._course = model, items, course
        self._steps, self._classes = steps, classes
        self._class_weight = checked_class_weight(class_weight, model._loss, self.labelled)
        if isinstance(self._class_weight, str):
            raise ValueError(
                "class_weight 'balanced' goes with arrays, X without y is a stream, whose classes "
                "are not counted before: give a dict {label: weight}"
            )
        self._iterator: Iterator[Any] | None = None
        # Items that the iterator has given.
        self._given = 0
        self._begun = False
        # Whether the last step ended an epoch, which the next call is to say.
        self._ended = False

    @property
    def reading(self) -> Reading:
        """How the model reads y until the first item comes."""
        return self._model._reading

    @property
    def labelled(self) -> Reading:
        """How the model reads y once the first item has come, as far as labels go."""
        if self._classes is None:
            return self._model._reading
        return self._model._reading.fit(self._classes, len(self._classes), self._classes)[1]

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        """The shape of one image, as far as it is known before the first item."""
        return self._model._image_shape

    def way(
        self, model: Engine, course: Course, check_finite: bool, validation: Any
    ) -> tuple[Advance, Callable[[], Run]]:
        """How a run over these items goes on, and what begins it."""
        batches = self._steps or length(self._items)
        begin = partial(
            model._core.stream, course.epochs, self._steps, batches, check_finite, validation
        )
        return self, begin

    def prepare(self, tabulate: Callable[[int], None], run: Run) -> None:
        """Nobody may know how many steps there are: each asks for its own rate."""

    def step(self, run: Run) -> float | None:
        if self._ended or run.done:
            self._ended = False
            return None
        item = self._next(run)
        if item is END:
            run.end_epoch()
            return None
        index = self._given - 1
        rows = parts(item, index)
        try:
            loss = self._train(run, *rows)
        except (TypeError, ValueError) as error:
            error.add_note(f"It was item {index} of X.")
            raise
        self._ended = not run.batches_done
        return loss

    def _next(self, run: Run) -> Any:
        """The next item of the present epoch, or `END`."""
        if self._iterator is None:
            self._restart()
        item = self._take()
        if item is not END:
            return item
        if self._steps is None:
            if not run.batches_done:
                raise ValueError(self._nothing(run.epochs_done))
            self._iterator = None
            return END
        if isinstance(self._items, Iterator):
            epochs, steps = self._course.epochs, self._steps
            raise ValueError(
                f"X ended after {plural(self._given, 'item')}, {plural(epochs, 'epoch')} of "
                f"steps_per_epoch={steps} take {steps * epochs}: give something that can be "
                "iterated again, as a list or a DataLoader"
            )
        self._restart()
        item = self._take()
        if item is END:
            raise ValueError(self._nothing(run.epochs_done))
        return item

    def _restart(self) -> None:
        self._iterator, self._given = iter(self._items), 0

    def _take(self) -> Any:
        item = next(self._iterator, END)  # type: ignore[arg-type]
        self._given += item is not END
        return item

    def _nothing(self, epoch: int) -> str:
        if not epoch:
            return f"X ({type(self._items).__name__}) has no items to train on"
        return (
            f"X ({type(self._items).__name__}) gave no items in epoch {epoch} of this fit, it can "
            "be iterated once: steps_per_epoch=n divides its items into epochs of n"
        )

    def _train(self, run: Run, X: Any, y: Any, weight: Any) -> float | None:
        """One step on these rows; its mean loss."""
        model = self._model
        model._tabulate_next()
        X = model._samples(X)
        rows, reading = len(X), model._reading
        if self._begun or (self._classes is None and isinstance(reading, Choice)):
            targets = reading.encode(y, rows)
        else:
            # As `fit` reads all of y, but for labels, of which the first item may lack some.
            targets, model._reading = reading.fit(y, rows, self._classes)
        if not self._begun:
            model._image_shape = X.shape[1:] if X.ndim > 2 else None
            self._begun = True
        weights = None if weight is None else row_weights("weight", weight, rows)
        if self._class_weight is not None:
            classes = classes_of(model._reading, targets)
            weights = weighted(self._class_weight, classes, weights, None)
        if isinstance(model._loss, Loss):
            run.take(X, targets, weights)
            return run.step()
        run.take(X, None, weights)
        return run.step_with(model._loss_of_rows(targets, weights))


def read_stream(
    model: Engine,
    items: Any,
    course: Course,
    steps_per_epoch: Any,
    classes: Any,
    class_weight: Any,
) -> Stream:
    """The argument X of a `fit` without y; the model stays as it is, and nothing is iterated."""
    steps = None if steps_per_epoch is None else size("steps_per_epoch", steps_per_epoch)
    name = type(items).__name__
    no_stream = isinstance(items, str | bytes | bytearray | memoryview | Mapping)
    if no_stream or is_array(items):
        raise TypeError(
            f"y is missing: X is of type {name}, and y must be given with it; X alone is a stream, "
            f"which gives {FORM} for each step"
        )
    if not isinstance(items, Iterable):
        raise TypeError(
            f"X is of type {name} and y is missing: X alone is a stream, which must be iterable "
            f"and give {FORM} for each step, as a DataLoader does"
        )
    if isinstance(items, Iterator) and course.epochs > 1 and steps is None:
        raise ValueError(
            f"X is of type {name}, which gives its items once, and epochs is {course.epochs}: "
            "steps_per_epoch=n takes n items an epoch, or give something that can be iterated "
            "again, as a list or a DataLoader"
        )
    return Stream(model, items, course, steps, classes, class_weight)


def refuse_in_streams(**arguments: Any) -> None:
    """ValueError for an argument that was given and goes with arrays alone."""
    for name, value in arguments.items():
        if value is not None and not isinstance(value, Default):
            raise ValueError(f"{name} goes with arrays, X without y is a stream: {CURES[name]}")


def is_array(X: Any) -> bool:
    return any(hasattr(X, attribute) for attribute in OF_ARRAYS)


def refuse_stream(X: Any) -> None:
    """TypeError for an X that is a stream, where y was given."""
    # Most X are arrays, and the look at an abstract class takes longer than all else here.
    if isinstance(X, np.ndarray):
        return
    if isinstance(X, Iterable) and not (hasattr(X, "__getitem__") or is_array(X)):
        raise TypeError(
            f"X is of type {type(X).__name__}, a stream, and y was given: its items hold both, "
            f"{FORM} for each step"
        )


def refuse_with_arrays(steps_per_epoch: Any) -> None:
    if steps_per_epoch is not None:
        raise ValueError(
            f"steps_per_epoch is {steps_per_epoch!r}, it goes with a stream, X without y: an epoch "
            "of arrays is all rows, in batches of batch_size"
        )


def parts(item: Any, index: int) -> tuple[Any, Any, Any]:
    """X, y and weight of an item; lists are tuples here, as a DataLoader gives them."""
    if not isinstance(item, tuple | list):
        got = f"of type {type(item).__name__}"
    elif len(item) not in (2, 3):
        got = f"a {type(item).__name__} of {len(item)}"
    elif item[0] is None or isinstance(item[0], str | bytes | int | float):
        got = f"a {type(item).__name__} that begins with {item[0]!r:.40}"
    else:
        X, y, *weight = item
        if isinstance(y, list) and any(getattr(entry, "shape", ()) != () for entry in y):
            y = tuple(y)
        return X, y, weight[0] if weight else None
    raise TypeError(
        f"item {index} of X is {got}, a stream must give {FORM} for each step; an array X needs y"
    )


def length(items: Any) -> int:
    """How many items there are; 0 if they do not say."""
    try:
        return len(items)
    except Exception:
        # Some loaders have a length that raises.
        return 0
