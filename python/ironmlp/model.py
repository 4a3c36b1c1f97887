"""`Sequential`: a network that can be trained by `fit`, and saved."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal

from ironmlp._arguments.keywords import explains_keywords
from ironmlp._arguments.values import checked_seed, flag
from ironmlp._engine import Engine
from ironmlp._labels import reading_of
from ironmlp._training.course import BATCH_SIZE, SHUFFLE, checked_course
from ironmlp._training.data import TrainingData, read_data
from ironmlp._training.fitting import Training
from ironmlp._training.past import Past
from ironmlp._training.progress import progress
from ironmlp._training.resume import resumed
from ironmlp._training.standards import learned_standards
from ironmlp._training.streams import (
    Stream,
    read_stream,
    refuse_in_streams,
    refuse_with_arrays,
)
from ironmlp._training.unscaled import warn_of_scales
from ironmlp._training.validation import read_validation
from ironmlp.callbacks import Callback
from ironmlp.callbacks.checks import checked_callbacks
from ironmlp.callbacks.progress_bar import above_bar
from ironmlp.history import History
from ironmlp.layers import Layer
from ironmlp.losses import Loss, LossFunction
from ironmlp.optimizers import Optimizer

__all__ = ["Sequential"]


def __dir__() -> list[str]:
    return __all__


class Sequential(Engine):
    """A network of layers, one after the other, with its loss and optimizer.

    `layers` are values of `ironmlp.layers`. `loss` is one of "binary_cross_entropy",
    "cross_entropy", "mse", "mae", "huber", "log_cosh", "poisson_nll", "gaussian_nll", "focal",
    a value of `ironmlp.losses`, or a function of your own (see `ironmlp.losses`). `optimizer`
    is a value of `ironmlp.optimizers` or its name; None is `Adam()`. `dtype` "float32" or
    "float64" is the type of parameters and outputs. `seed` (0 to 2**64 - 1) decides initial
    parameters, batches and dropout masks; None draws one from the operating system. `n_threads`
    is the most threads this model uses; None takes the number of `get_num_threads`. No result
    depends on it.

    In all methods X is (n, in_features), of real numbers in any dtype and memory order: an array, a
    frame of pandas, polars or pyarrow, a sparse matrix of SciPy, tensors (docs/data.md). With a
    `Conv2d` or a pool among the layers it is (n, C, H, W), or (n, H, W, C) with `channels_last`;
    with `Flatten` as the first layer, samples of any shape. `scale` divides all of X, as 255 does
    for bytes. Only images whose pixels do not follow each other in memory are copied. What y is
    depends on the loss:

    - binary cross-entropy, one output: (n,) or (n, 1), numbers in [0, 1], or two labels of any
      type
    - binary cross-entropy, K outputs: (n, K), numbers in [0, 1]
    - cross-entropy: (n,), class indices 0 to K - 1 or K labels of any type, or (n, K),
      probabilities
    - focal: as binary cross-entropy
    - `Quantile`: (n,) or (n, 1), whatever the outputs
    - gaussian_nll: (n,) for two outputs, or (n, K / 2)
    - the others: (n,) for one output, or (n, K); for poisson_nll none below 0
    - a function of your own: any array of n rows, or a tuple of them

    `standardize` brings each column of X (of images, each channel) to mean 0 and standard deviation
    1, `standardize_y` each column of y, for "mse", "mae", "huber", "log_cosh" and `Quantile`.
    The first `fit` takes mean and population standard deviation (1 of a constant column) of its
    training rows and the model keeps them, in files and copies too; `adapt` takes them of rows
    of your choice. Before either the model cannot be used (RuntimeError). x becomes (x / scale
    - mean) / deviation in float64, rounded once. With `standardize_y` every loss stays on the
    standard scale; outputs, metrics and the `grad_output` of `backward` are in the units of y.

    Labels of other types than indices become known in the first `fit`, or by its `classes`. They
    keep their type and are compared by their values, integers without rounding. A missing one
    (None, NaN, NaT, pandas.NA) is refused.

    Raises ValueError (shapes, labels, values), TypeError (dtypes and kinds), MemoryError (more
    parameters than memory), and RuntimeError when another thread trains the model.
    """

    _saved_as: ClassVar[str] = "Sequential"
    # Of the training that a `Checkpoint`'s file tells of, until a `fit` returns.
    _past: Past | None = None

    @explains_keywords
    def __init__(
        self,
        layers: Iterable[Layer],
        *,
        loss: str | Loss | LossFunction,
        optimizer: str | Optimizer | None = None,
        dtype: Literal["float32", "float64"] = "float32",
        seed: int | None = None,
        n_threads: int | None = None,
        scale: float | None = None,
        channels_last: bool = False,
        standardize: bool = False,
        standardize_y: bool = False,
    ) -> None:
        super().__init__(
            layers,
            loss,
            optimizer,
            dtype,
            scale,
            channels_last,
            standardize,
            standardize_y,
            seed,
            n_threads,
        )
        self.stop_training = False
        self._history: History | None = None

    @property
    def history(self) -> History | None:
        """What the last `fit` returned, or what it had reached when it ended by an exception; None
        before the first. A `Checkpoint`'s file holds that of its training."""
        return self._history

    @explains_keywords
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int | None = BATCH_SIZE,
        shuffle: bool = SHUFFLE,
        sample_weight: Any = None,
        classes: Any = None,
        class_weight: Any = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        validation_freq: int = 1,
        metrics: Any = "auto",
        callbacks: Iterable[Callback | Callable[[Sequential, dict[str, Any]], object]] = (),
        steps_per_epoch: int | None = None,
        resume: bool = False,
        verbose: bool | Literal["auto"] = "auto",
        log_every: int = 0,
        check_finite: bool = True,
    ) -> History:
        """Train for `epochs` more epochs (one unless you say more), from the present parameters and
        optimizer state on; `reset` starts anew.

        Each epoch goes through the rows in batches of `batch_size`, in a new order unless
        `shuffle` is False; the last batch may be shorter. None, or a size of at least n, takes all
        rows as one batch in their own order. `sample_weight` (n,) weighs the rows.

        `classes` lists all labels, in the order of the outputs and of `predict_proba`'s columns,
        where y may lack some, as in a fold or a stream. It goes with labels in y: two for binary
        cross-entropy of one output, K for cross-entropy. Without it a `fit` that meets labels for
        the first time takes the sorted ones of y. ValueError if the model knows others.

        `class_weight` multiplies the weights of the rows by one of their class: a dict {label:
        weight}, in which others are 1, or "balanced", n / (K * count) over the rows and classes
        that are trained on. ValueError beside `CrossEntropy(class_weight=)`, and for y that is no
        classes.

        `validation_data` (X, y) or (X, y, weight) are rows to look at and not to train on, at the
        end of each epoch that is a multiple of `validation_freq`, counted from the model's birth.
        In their place `validation_split`, a share from 0 to below 1, holds rows of X back: ceil(
        share * n) of them, chosen by the seed, of each class as near as can be to its share and at
        most all but one; with `shuffle=False` the last. The history gets what `evaluate` gives of
        them as "val_loss", "val_accuracy" or "val_r2", NaN for other epochs and where outputs are
        NaN. No bit of the training depends on it, and `class_weight` does not weigh it. ValueError
        if nothing, or of a class nothing, is left to train on.

        `metrics` names what is computed of them in place of "auto", accuracy or r2: "accuracy",
        "top5", "balanced_accuracy", "f1", "roc_auc", "average_precision", "log_loss", "r2", "mae",
        "rmse" (docs/quickstart.md says of what each is), a function f(y_true, y_pred), an
        `ironmlp.Metric`, or a list of them. ValueError for one that does not fit the model, and
        where nothing is validated.

        `resume=True` trains up to `epochs` in all, those that the model has included. On a model
        that comes from the file of a `Checkpoint` it goes on with that training as if it had never
        been left: history and callbacks go on too, an early-stopped one returns at once, and other
        rows, settings or callbacks are a ValueError that says which.

        Without y, X is a stream: an iterable of items (X, y) or (X, y, weight), each of them one
        step, as a `DataLoader` of PyTorch is. Labels are indices unless `classes` is given. An
        epoch is one pass through the iterable, which begins anew for each, or `steps_per_epoch`
        items of one pass, which begins anew where it ends. ValueError for an iterator that cannot:
        before training if that can be told, else where it ends, and finished steps stay. Between
        steps the iterable may use the model. The bits are those of a `fit` of arrays that are cut
        alike, with `shuffle=False`.

        `callbacks`: see `ironmlp.callbacks`. `verbose` shows on stderr where the training is:
        "auto" does on a terminal and in a notebook, in one line that is written again and again;
        True elsewhere too, there in lines, fewer as time goes on. A `ProgressBar` takes its place.
        `log_every` n writes a line for the epochs 0, n, 2n, ..., counted from the model's birth.
        `check_finite=False` saves a pass over X that looks for NaN.

        All arguments are checked first, and such an error leaves the model as it was. Raises
        FloatingPointError (attributes `epoch` and `batch`) when a loss is not finite, whose step
        is then not applied, or when steps with finite losses have left parameters or moments that
        are not: the end of each epoch with callbacks, of each 50 ms and of the fit looks for those,
        and the model keeps them until `reset`. Raises KeyboardInterrupt within 100 ms or one step;
        then finished steps stay, and the next `fit` begins the interrupted epoch again. What was
        reached is in `history`. A call that makes no step learns no labels, names of columns,
        mean or deviation. X must not be changed while training.
        """
        resume = flag("resume", resume)
        self._check_rate()
        data: TrainingData | Stream
        validating = (validation_data, validation_split, validation_freq, metrics, shuffle)
        if y is None:
            refuse_in_streams(
                batch_size=batch_size,
                shuffle=shuffle,
                sample_weight=sample_weight,
                validation_split=validation_split or None,
                resume=resume or None,
            )
            course = checked_course(epochs, None, False, 0)
            data = read_stream(self, X, course, steps_per_epoch, classes, class_weight)
            validation, _ = read_validation(self, None, data.labelled, *validating)
        else:
            refuse_with_arrays(steps_per_epoch)
            data = read_data(self, X, y, sample_weight, classes)
            validation, part = read_validation(self, data, data.reading, *validating)
            data = data.weighted(self, class_weight, part)
            course = checked_course(epochs, batch_size, shuffle, data.rows)
        checked = checked_callbacks(callbacks)
        course, resumption = resumed(self, resume, course, data, checked, validation)
        shown = progress(verbose, log_every, course.epochs, above_bar(checked))
        given = None if validation is None else validation.given
        advance, begin = data.way(self, course, flag("check_finite", check_finite), given)
        with learned_standards(self, data), begin() as run:
            known, steps = (self._reading, self._feature_names), self._core.steps
            try:
                warn_of_scales(self, data)
                self._reading, self.stop_training = data.reading, False
                self._feature_names = self._feature_names or data.names
                self._image_shape = data.image_shape
                training = Training(
                    self, run, advance, course, checked, shown, validation, resumption
                )
                history = training.train()
                self._past = None
                return history
            finally:
                if self._core.steps == steps:
                    self._reading, self._feature_names = known

    def reset(self, seed: int | None = None) -> None:
        """Start anew: fresh parameters from `seed` (None: the present one), no optimizer state,
        epoch 0, no known labels and names of columns, no mean and deviation, no history, the
        learning rate that the optimizer was made with."""
        reading = reading_of(self._loss, self._core.out_features)
        self._core.reset(self.seed if seed is None else checked_seed(seed))
        self._tabulate_next()
        self._reading = reading
        self._history = self._past = None
        self._image_shape = self._feature_names = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, which `ironmlp.load` makes the same model of: parameters,
        optimizer state, counters, seed and known labels; training goes on with the same bits.

        The file is in the safetensors format (docs/files.md). It appears complete or not at all,
        and a file of that name is replaced. TypeError for a loss function or labels that a file
        cannot hold, ValueError for a parameter or moment that is not finite (pickle holds those),
        OSError if it cannot be written.
        """
        from ironmlp._files.saving import save  # with it comes json, which few programs need

        past = self._past
        save(self, path, past.value() if past and past.steps == self._core.steps else None)
