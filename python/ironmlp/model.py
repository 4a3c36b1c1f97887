"""`Sequential`: a network with its loss and optimizer, a thin layer over `_core.Model`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ironmlp import _core
from ironmlp._architecture import Architecture
from ironmlp._arrays import Array, real_array, row_weights, samples
from ironmlp._fitting import Advance, by_core, by_function, call_loss, checked_callbacks, train
from ironmlp._keywords import explains_keywords
from ironmlp._labels import Classification, in_dtype, reading_of
from ironmlp._network import out_features, parameter_shapes
from ironmlp._progress import progress
from ironmlp._rounding import rounded
from ironmlp._spec import SIZE_LIMIT, checked_seed, flag, integer, real, size
from ironmlp._state import Summary, named_arrays, summary
from ironmlp.callbacks import Callback
from ironmlp.history import History
from ironmlp.layers import Flatten, Layer
from ironmlp.losses import Loss, LossFunction
from ironmlp.optimizers import Optimizer

__all__ = ["Sequential"]


class Sequential(Architecture):
    """A network of layers, one after the other, with its loss and optimizer.

    `layers` are values of `ironmlp.layers`. `loss` is one of "binary_cross_entropy",
    "cross_entropy", "mse", "mae", "huber", a value of `ironmlp.losses`, or a function
    f(outputs, targets) -> (loss, dloss/doutputs) on arrays (n, K). `optimizer` is a value of
    `ironmlp.optimizers` or its name; None is `Adam()`. `dtype` "float32" or "float64" is the type
    of parameters and outputs. `seed` (0 to 2**64 - 1) decides initial parameters, batches and
    dropout masks; None draws one from the operating system. `n_threads` is the most threads this
    model uses; None takes the number of `get_num_threads`. No result depends on it.

    In all methods X is (n, in_features), of real numbers in any dtype and memory order. With a
    `Conv2d` or a pool among the layers it is (n, C, H, W), or (n, H, W, C) with `channels_last`;
    with `Flatten` as the first layer, samples of any shape. `scale` divides all of X, as 255 does
    for bytes. Only images whose pixels do not follow each other in memory are copied. What y is
    depends on the loss:

    - binary cross-entropy, one output: (n,) or (n, 1), numbers in [0, 1], or two labels of any
      type
    - binary cross-entropy, K outputs: (n, K), numbers in [0, 1]
    - cross-entropy: (n,), class indices 0 to K - 1 or K labels of any type, or (n, K),
      probabilities
    - the others: (n,) for one output, or (n, K)

    Labels of other types than indices become known in the first `fit`.

    Raises ValueError (shapes, labels, values), TypeError (dtypes and kinds), MemoryError (more
    parameters than memory), and RuntimeError when another thread trains the model.
    """

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
    ) -> None:
        super().__init__(layers, loss, optimizer, dtype, scale, channels_last)
        self._reading = reading_of(self._loss, out_features(self._layers))
        self._core = self._make_core(
            int.from_bytes(os.urandom(8), "little") if seed is None else checked_seed(seed),
            None if n_threads is None else size("n_threads", n_threads),
        )
        self.stop_training = False

    def _make_core(self, seed: int, n_threads: int | None) -> _core.Model:
        loss = self._loss if isinstance(self._loss, Loss) else None
        return _core.Model(
            self._layers,
            loss,
            self._optimizer,
            dtype=self._dtype,
            seed=seed,
            n_threads=n_threads,
            scale=self._scale,
            channels_last=self._channels_last,
        )

    @property
    def n_threads(self) -> int | None:
        """The argument of this name."""
        return self._core.n_threads

    @property
    def seed(self) -> int:
        """The seed, also if it was drawn."""
        return self._core.seed

    @property
    def epoch(self) -> int:
        """The number of finished epochs, of all calls of `fit`."""
        return self._core.epoch

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate; assign to change it, in callbacks too."""
        return self._core.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        rate = real("learning_rate", value, at_least=0.0)
        self._core.set_learning_rate(rounded("learning_rate", rate, self._dtype))

    @property
    def classes_(self) -> Array:
        """The classes in the order of the outputs: before any fit 0, 1, ..., then those of y.

        AttributeError for a model that does not choose between classes.
        """
        return self._reading.classes.copy()

    @explains_keywords
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 1,
        batch_size: int | None = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        callbacks: Iterable[Callback | Callable[[Sequential, dict[str, Any]], object]] = (),
        verbose: bool | int | Literal["auto"] = "auto",
        check_finite: bool = True,
    ) -> History:
        """Train for `epochs` more epochs (one unless you say more), from the present parameters and
        optimizer state on; `reset` starts anew.

        Each epoch goes through the rows in batches of `batch_size`, in a new order unless
        `shuffle` is False; the last batch may be shorter. None, or a size of at least n, takes all
        rows as one batch in their own order. `sample_weight` (n,) weighs the rows.

        `callbacks`: see `ironmlp.callbacks`. `verbose` True shows a progress line on stderr,
        "auto" does if that is a terminal, a number n writes a line for epochs 0, n, 2n, ...;
        False or 0 show nothing. `check_finite=False` saves a pass over X that looks for NaN.

        All arguments are checked first, and such an error leaves the model as it was. Raises
        FloatingPointError when the loss is no longer finite (attributes `epoch` and `batch`), and
        KeyboardInterrupt within 100 ms or one step; then finished steps stay, and the next `fit`
        begins the interrupted epoch again. X must not be changed while training.
        """
        X = self._samples(X)
        targets, reading = self._reading.fit(y, len(X))
        weights = self._weights(sample_weight, len(X))
        epochs = integer("epochs", epochs)
        if not 0 <= epochs < SIZE_LIMIT:
            raise ValueError(f"epochs is {epochs}, it must be at least 0 and below 2**63")
        if batch_size is not None:
            batch_size = integer("batch_size", batch_size)
            if batch_size < 1:
                raise ValueError(f"batch_size is {batch_size}, it must be at least 1")
            if batch_size >= len(X):
                batch_size = None
        shuffle = flag("shuffle", shuffle)
        checked = checked_callbacks(callbacks)
        shown = progress(verbose, epochs)
        check_finite = flag("check_finite", check_finite)
        advance: Advance = by_core
        passed: Array | None = targets
        if not isinstance(self._loss, Loss):
            advance, passed = by_function(self._loss, in_dtype(targets, self._dtype)), None
        with self._core.fit(X, passed, weights, epochs, batch_size, shuffle, check_finite) as run:
            self._reading = reading
            self.stop_training = False
            try:
                return train(self, run, advance, epochs, checked, shown)
            finally:
                shown.close(run)

    def forward(
        self, X: Any, *, training: bool = False, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """The last layer's output, (n, K) in the model's dtype; `model(X)` is the same.

        `training` turns dropout on. `out` is an array to write into: C-contiguous, that shape and
        dtype. Rows with NaN or infinite values are computed as they are.
        """
        X = self._samples(X)
        return self._core.forward(X, flag("training", training), out)

    __call__ = forward

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities of the `classes_`, (n, 2) or (n, K), or of each output's flag, (n, K).

        AttributeError for a model without a cross-entropy loss.
        """
        if not isinstance(self._reading, Classification):
            raise AttributeError(
                f"predict_proba needs a cross-entropy loss, this model has {self._loss!r}"
            )
        return self._reading.probabilities(self.forward(X))

    def predict(self, X: Any) -> Array:
        """The more probable class of each row (n,), 0 or 1 for each output (n, K), or for other
        losses the output in the shape of y."""
        return self._reading.labels(self.forward(X))

    @explains_keywords
    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """The mean "loss", and the "accuracy" (share of labels that `predict` meets), or "r2" (the
        coefficient of determination, its mean over the outputs) for models without classes."""
        X = self._samples(X)
        targets = self._reading.encode(y, len(X))
        outputs = self._core.forward(X, False, None)
        if isinstance(self._loss, Loss):
            loss = self._core.loss(X, targets, None)
        else:
            loss, _ = call_loss(self._loss, outputs, in_dtype(targets, self._dtype))
        return {"loss": loss, **self._reading.score(outputs, targets)}

    @explains_keywords
    def loss_and_grad(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        training: bool = False,
        input_grad: bool = False,
    ) -> Any:
        """The loss under its reduction, and its gradients in a dict with the keys of `state_dict`.

        With `input_grad` the gradient by X, in its shape, is the third of the tuple.
        `training` turns dropout on. Nothing is updated.
        """
        X = self._samples(X)
        training = flag("training", training)
        targets, weights = self._reading.encode(y, len(X)), self._weights(sample_weight, len(X))
        if not isinstance(self._loss, Loss):
            loss, gradient = self._call_loss(self._loss, X, targets, training)
            gradients = self.backward(X, gradient, training=training, input_grad=input_grad)
            return (loss, *gradients) if input_grad else (loss, gradients)
        loss, listed, by_input = self._core.loss_and_grad(
            X, targets, weights, training, flag("input_grad", input_grad)
        )
        named = self._named(listed)
        return (loss, named, by_input) if input_grad else (loss, named)

    def backward(
        self, X: Any, grad_output: Any, *, training: bool = False, input_grad: bool = False
    ) -> Any:
        """The gradients for a loss of yours, whose gradient by the output is `grad_output` (n, K).

        A dict with the keys of `state_dict`; with `input_grad` a tuple of it and the gradient by X.
        """
        X = self._samples(X)
        gradient = real_array("grad_output", grad_output)
        must = (len(X), self._core.out_features)
        if gradient.shape != must:
            raise ValueError(f"grad_output has shape {gradient.shape}, the output has {must}")
        listed, by_input = self._core.backward(
            X, gradient, flag("training", training), flag("input_grad", input_grad)
        )
        return (self._named(listed), by_input) if input_grad else self._named(listed)

    def apply_gradients(self, grads: Mapping[str, Any]) -> None:
        """One update of the optimizer with gradients under the keys of `state_dict`."""
        named = named_arrays("grads", grads, parameter_shapes(self._layers))
        self._core.apply_gradients(list(named.values()))

    @explains_keywords
    def train_on_batch(self, X: Any, y: Any, *, sample_weight: Any = None) -> float:
        """One step on these rows; the loss under its reduction, before the update.

        The same bits as `loss_and_grad(training=True)` and `apply_gradients`. A loss that is not
        finite raises FloatingPointError, and nothing is updated.
        """
        X = self._samples(X)
        targets, weights = self._reading.encode(y, len(X)), self._weights(sample_weight, len(X))
        if isinstance(self._loss, Loss):
            return self._core.train_on_batch(X, targets, weights)
        loss, gradient = self._call_loss(self._loss, X, targets, training=True)
        if not np.isfinite(loss):
            error = FloatingPointError(f"the loss is {loss}, the step was not applied")
            error.epoch, error.batch = self.epoch, 0  # type: ignore[attr-defined]
            raise error
        self.apply_gradients(self.backward(X, gradient, training=True))
        return loss

    def trace(self, X: Any, y: Any, *, sample_weight: Any = None) -> dict[str, Any]:
        """Every tensor of one step by name, in the order of computation; nothing is updated.

        "0.output", "1.output", ..., "loss" (under its reduction), then from the last layer to the
        first "k.grad_output", the gradient by the output of layer k, and for a `Linear`
        "k.weight.grad" and "k.bias.grad". Not for a loss function of your own (TypeError).
        """
        if not isinstance(self._loss, Loss):
            raise TypeError(f"trace needs a loss of ironmlp, this model's is {self._loss!r}")
        X = self._samples(X)
        targets, weights = self._reading.encode(y, len(X)), self._weights(sample_weight, len(X))
        return self._core.trace(X, targets, weights)

    def predictor(self, max_rows: int = 1) -> _core.Predictor:
        """A function p(x, out=None) with the output of `forward` for at most `max_rows` rows.

        x is (n, in_features) or (in_features,), then the output is (n, K) or (K,). It is the
        fastest way to few rows: it makes its buffers once, keeps the GIL for small work, and always
        takes the model's present parameters.
        """
        return self._core.predictor(size("max_rows", max_rows))

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of the parameters, weights as (out, in), under the keys that the equal
        `torch.nn.Sequential` has: "0.weight", "0.bias", "2.weight", ..."""
        return self._named(self._core.parameters())

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Take parameters from arrays or tensors; the optimizer's state stays as it is.

        ValueError, and an unchanged model, for missing or unexpected keys (unless `strict` is
        False), for another shape, and for values that are not finite.
        """
        shapes = parameter_shapes(self._layers)
        given = named_arrays("state_dict", state_dict, shapes, flag("strict", strict))
        self._core.set_parameters(list({**self.state_dict(), **given}.values()))

    def reset(self, seed: int | None = None) -> None:
        """Start anew: fresh parameters from `seed` (None: the present one), no optimizer state,
        epoch 0, no known labels, the optimizer's own learning rate."""
        self._core.reset(self.seed if seed is None else checked_seed(seed))
        self._reading = reading_of(self._loss, self._core.out_features)

    def copy(self) -> Self:
        """An independent model in the same state."""
        return self._with_core(self._core.copy())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file, which `ironmlp.load` makes the same model of: parameters,
        optimizer state, counters, seed and known labels; training goes on with the same bits.

        The file is in the safetensors format (docs/files.md). It appears complete or not at all,
        and a file of that name is replaced. TypeError for a loss function or labels that a file
        cannot hold, OSError if it cannot be written.
        """
        from ironmlp.persistence import save  # with it comes json, which few programs need

        save(self, path)

    def summary(self) -> Summary:
        """A table of the layers, their outputs and parameters; a string to print."""
        return summary(self)

    def _with_core(self, core: _core.Model) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._core = core
        return twin

    def _samples(self, X: Any) -> Array:
        """X as the core takes it."""
        return samples("X", X, self._core.in_features, isinstance(self._layers[0], Flatten))

    def _named(self, listed: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(parameter_shapes(self._layers), listed, strict=True))

    def _call_loss(
        self, function: LossFunction, X: Array, targets: Array, training: bool
    ) -> tuple[float, Array]:
        """The user's own loss of these rows and its gradient by the outputs."""
        targets = in_dtype(targets, self._dtype)
        self._core.check_finite(X)
        return call_loss(function, self._core.forward(X, training, None), targets)

    def _weights(self, sample_weight: Any, rows: int) -> NDArray[np.float64] | None:
        if sample_weight is not None and not isinstance(self._loss, Loss):
            raise ValueError(
                "sample_weight must be None with a loss function of your own, "
                "which does its own weighting"
            )
        return row_weights("sample_weight", sample_weight, rows)

    def _arguments(self) -> dict[str, Any]:
        """The constructor's arguments, in its order, which make this model anew; `n_threads` is
        left out, for it belongs to the machine. `repr` and files are made of these."""
        arguments = {
            "layers": list(self._layers),
            "loss": self._loss,
            "optimizer": self._optimizer,
            "dtype": self._dtype,
            "seed": self.seed,
        }
        return arguments | self._input_arguments()

    def _input_arguments(self) -> dict[str, Any]:
        """Those that say how X is read, where they are not the defaults."""
        given = {"scale": self._scale, "channels_last": self._channels_last}
        return {name: value for name, value in given.items() if value}

    def _trained(self) -> dict[str, Any]:
        """What training changes, but for the labels: the part that files and pickles share.

        It is taken from a copy, so that no other thread trains between its halves.
        """
        core = self._core.copy()
        return {"parameters": core.parameters(), "optimizer_state": core.optimizer_state()}

    def _set_trained(self, trained: Mapping[str, Any]) -> None:
        self._core.set_parameters(trained["parameters"])
        self._core.set_optimizer_state(trained["optimizer_state"])

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        core = state.pop("_core")
        made = {"seed": core.seed, "n_threads": core.n_threads}
        return {"attributes": state, "made": made, **self._trained()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state["attributes"])
        self._core = self._make_core(**state["made"])
        self._set_trained(state)

    def __repr__(self) -> str:
        (_, first), *named = self._arguments().items()
        words = [repr(first), *(f"{name}={value!r}" for name, value in named)]
        return f"{type(self).__name__}({', '.join(words)})"
