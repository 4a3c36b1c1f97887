"""A network with its loss and optimizer: what it gives for X, its gradients, and single steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from ironmlp import _core
from ironmlp._arguments.arrays import Array, check_counted, real_array, row_weights
from ironmlp._arguments.keywords import explains_keywords
from ironmlp._arguments.values import flag, is_auto, size
from ironmlp._engine.inputs import Inputs
from ironmlp._engine.named import named_arrays
from ironmlp._engine.network import parameter_shapes
from ironmlp._engine.own_loss import LossOfRows, loss_of_rows, not_applied
from ironmlp._labels import Classification, reading_of
from ironmlp.layers import Layer
from ironmlp.losses import Loss, LossFunction
from ironmlp.optimizers import Optimizer

if TYPE_CHECKING:
    from ironmlp._engine.summary import Summary


class Engine(Inputs):
    """The base of the models: all of them but `fit` and what belongs to it, and their files."""

    # What the last `fit` took, if it took images: one image's shape, in the order of X's axes.
    _image_shape: tuple[int, ...] | None = None

    def __init__(
        self,
        layers: Iterable[Layer],
        loss: str | Loss | LossFunction,
        optimizer: str | Optimizer | None,
        dtype: Any,
        scale: float | None,
        channels_last: bool,
        standardize: bool,
        standardize_y: bool,
        seed: int | None,
        n_threads: int | None,
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
        self._reading = reading_of(self._loss, self._core.out_features)

    @property
    def classes_(self) -> Array:
        """The classes in the order of the outputs: before any fit 0, 1, ..., then those of y,
        or of `fit`'s `classes`.

        AttributeError for a model that does not choose between classes.
        """
        return self._reading.classes.copy()

    def adapt(self, X: Any, y: Any = None) -> None:
        """Learn what `standardize` and `standardize_y` need from these rows: the mean and standard
        deviation of each column of X (of images, each channel) and of each output of y.

        The first `fit` does this by itself. It is for streams and loops of your own, which see a
        few rows at a time, and takes the place of what was known before. y is looked at only with
        `standardize_y`, which needs it. ValueError for a model with neither, RuntimeError while the
        model is in training.
        """
        if not (self._standardize or self._standardize_y):
            raise ValueError(
                "adapt is for models that standardize, this one has neither standardize=True nor "
                "standardize_y=True"
            )
        X = self._samples(X)
        targets = None
        if self._standardize_y:
            if y is None:
                raise ValueError("y is None, standardize_y=True needs it: adapt(X, y)")
            targets = self._reading.encode(y, len(X))
        self._core.adapt(X, targets, None)

    def forward(
        self, X: Any, *, training: bool = False, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """The last layer's output, (n, K) in the model's dtype; `model(X)` is the same. With
        `standardize_y` it is in the units of y.

        `training` turns dropout on. `out` is an array to write into: C-contiguous, that shape and
        dtype. Rows with NaN or infinite values are computed as they are.
        """
        X = self._samples(X)
        return self._core.forward(X, flag("training", training), out)

    __call__ = forward

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities of the `classes_`, (n, 2) or (n, K), or of each output's flag, (n, K).

        No row of them over K classes sums to more than 1, also in float64, so that samplers take
        them. AttributeError for a model without a cross-entropy loss or `Focal`; ValueError, here
        and in `predict` and `evaluate`, for a row of X whose outputs are NaN.
        """
        if not isinstance(self._reading, Classification):
            raise AttributeError(
                f"predict_proba needs a cross-entropy or Focal, this model has {self._loss!r}"
            )
        return self._reading.probabilities(self.forward(X))

    @overload
    def predict(
        self, X: Any, *, sort: bool = ..., return_std: Literal[False] = ...
    ) -> NDArray[Any]: ...
    @overload
    def predict(
        self, X: Any, *, sort: bool = ..., return_std: Literal[True]
    ) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def predict(self, X: Any, *, sort: bool = False, return_std: bool = False) -> Any:
        """The class of each row that `predict_proba` gives the largest probability (n,), of equal
        ones the first; for flags, where it is above 1/2 (n, K); for other losses numbers in the
        shape of y: the outputs, the rates of `PoissonNLL`, the means of `GaussianNLL`.

        With `return_std` the predictions and their standard deviations, in the same shape, of a
        model with `GaussianNLL`. A model with `Quantile` predicts all quantiles, (n, K); `sort`
        sorts each row of them. ValueError for either with another loss.
        """
        if sort is False and return_std is False:
            return self._reading.labels(self.forward(X))
        answer = self._reading.answer(flag("sort", sort), flag("return_std", return_std))
        return answer(self.forward(X))

    @explains_keywords
    def evaluate(
        self, X: Any, y: Any, *, sample_weight: Any = None, metrics: Any = "auto"
    ) -> dict[str, float]:
        """The mean "loss" and metrics of these rows, from one forward pass; `sample_weight` (n,)
        weighs the rows in all of them.

        The loss is sum(weight * loss) / sum(weight), whatever the loss's reduction, and with
        `standardize_y` on the standard scale, as all losses. `metrics` are
        a name, a function, an `ironmlp.Metric`, or a list of them, as in `fit`. "auto" is
        "accuracy", the share of labels that `predict` meets, or "r2", the coefficient of
        determination, its mean over the outputs, for models without classes; for a loss function
        of your own it is none. ValueError for a metric that does not fit the model.
        """
        X = self._samples(X)
        targets, weights = self._reading.encode(y, len(X)), self._weights(sample_weight, len(X))
        check_counted("sample_weight", weights)
        asked = None
        if not is_auto(metrics):
            from ironmlp._metrics.choice import asked_for  # which few programs need

            has_loss = isinstance(self._loss, Loss)
            asked = asked_for(metrics, self._reading, targets, weights, has_loss)
        if isinstance(self._loss, Loss):
            found, outputs = self._core.evaluate(X, targets, weights)
        else:
            outputs = self._core.forward(X, False, None)
            self._reading.labels(outputs)  # which refuses NaN
            own_loss = self._loss_of_rows(targets, weights)
            loss, _ = self._core.call_reading(own_loss, outputs, None)
            found = {"loss": loss}
        if asked is None:
            # A score is NaN where outputs are, or have no probabilities.
            if math.isnan(found.get("accuracy", found.get("r2", 0.0))):
                self._reading.labels(outputs)
            return found
        numbers = asked.compute(outputs)
        if numbers is None:
            self._reading.labels(outputs)  # which says in which row
        found |= numbers or {}
        return {name: found[name] for name in ("loss", *asked.names)}

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
        """The loss under its reduction and the optimizer's penalty on weights (`l1`, `l2`), and
        their gradients in a dict with the keys of `state_dict`.

        With `input_grad` the gradient by X, in its shape, is the third of the tuple.
        `training` turns dropout on. Nothing is updated.
        """
        shape, X = self._shaped_samples(X)
        training, input_grad = flag("training", training), flag("input_grad", input_grad)
        targets, weights = self._reading.encode(y, len(X)), self._weights(sample_weight, len(X))
        if not isinstance(self._loss, Loss):
            found = self._core.loss_and_grad_with(
                X, weights, self._loss_of_rows(targets, weights), training, input_grad
            )
        else:
            found = self._core.loss_and_grad(X, targets, weights, training, input_grad)
        loss, listed, by_input = found
        named = self._named(listed)
        return (loss, named) if by_input is None else (loss, named, by_input.reshape(shape))

    def backward(
        self, X: Any, grad_output: Any, *, training: bool = False, input_grad: bool = False
    ) -> Any:
        """The gradients for a loss of yours, whose gradient by the output is `grad_output` (n, K).

        A dict with the keys of `state_dict`; with `input_grad` a tuple of it and the gradient by X,
        in its shape.
        """
        shape, X = self._shaped_samples(X)
        gradient = real_array("grad_output", grad_output)
        must = (len(X), self._core.out_features)
        if gradient.shape != must:
            raise ValueError(f"grad_output has shape {gradient.shape}, the output has {must}")
        listed, by_input = self._core.backward(
            X, gradient, flag("training", training), flag("input_grad", input_grad)
        )
        named = self._named(listed)
        return named if by_input is None else (named, by_input.reshape(shape))

    def apply_gradients(self, grads: Mapping[str, Any]) -> None:
        """One update of the optimizer with gradients under the keys of `state_dict`.

        ValueError, and an unchanged model, for gradients that are not finite. FloatingPointError if
        parameters or moments are not finite after the update, which the model then keeps.
        """
        named = named_arrays("grads", grads, parameter_shapes(self._layers))
        self._tabulate_next()
        self._core.apply_gradients(list(named.values()))

    @explains_keywords
    def train_on_batch(
        self, X: Any, y: Any, *, sample_weight: Any = None, classes: Any = None
    ) -> float:
        """One step on these rows; the loss under its reduction, before the update and without a
        penalty on weights.

        `classes` lists all labels, as in `fit`; without it, and before any `fit`, y holds indices.
        The same bits as `loss_and_grad(training=True)` and `apply_gradients`. A loss that is not
        finite raises FloatingPointError, and nothing is updated. So do parameters or moments that
        are not finite after the update, which the model then keeps.
        """
        X, reading = self._samples(X), self._reading
        self._tabulate_next()
        if classes is None:
            targets = reading.encode(y, len(X))
        else:
            targets, reading = reading.fit(y, len(X), classes)
        weights = self._weights(sample_weight, len(X))
        if isinstance(self._loss, Loss):
            steps = self._core.steps
            try:
                return self._core.train_on_batch(X, targets, weights)
            finally:
                if self._core.steps != steps:
                    self._reading = reading
        of_rows = self._loss_of_rows(targets, weights)

        loss = math.nan

        def finite(outputs: Array, rows: Any) -> tuple[float, Array]:
            nonlocal loss
            loss, gradient = of_rows(outputs, rows)
            if not np.isfinite(loss):
                raise not_applied(f"the loss is {loss}", self.epoch)
            return loss, gradient

        _, listed, _ = self._core.loss_and_grad_with(X, weights, finite, True, False)
        for name, tensor in self._named(listed).items():
            if not np.isfinite(tensor).all():
                raise not_applied(f"the gradient of '{name}' is not finite", self.epoch)
        self._core.apply_gradients(listed)
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
        takes the model's present parameters. Whatever `forward` takes, it takes; NumPy arrays go
        straight in.
        """
        return self._core.predictor(size("max_rows", max_rows), self._few_rows())

    def summary(self, input_shape: tuple[int, ...] | None = None) -> Summary:
        """A table of the layers: what each gives for one sample, its parameters (those of layers
        with `trainable=False` are marked), and its multiply-adds for one sample; a string to print.

        For images `input_shape` is that of one, (C, H, W), or (H, W, C) with `channels_last`. None
        takes that of the last `fit`; without one, what depends on it is "?". A multiply-add is a
        product of a weight and an input that is added to a sum, those with padding included: a
        `Linear` has in_features * out_features, a `Conv2d` in_channels / groups * the kernel's size
        for each number that it gives, all others none. Biases are not counted.

        ValueError for an `input_shape` that the network does not take.
        """
        from ironmlp._engine.shapes import input_shape as checked  # which few programs need
        from ironmlp._engine.summary import summary  # as the next

        columns = self._core.in_features
        given = self._image_shape if input_shape is None else input_shape
        shape = checked(self._layers, columns, given, self._channels_last)
        return summary(self._layers, self.dtype, shape, self._channels_last)

    def _loss_of_rows(self, targets: Any, weights: NDArray[Any] | None) -> LossOfRows:
        """The user's own loss of rows with these targets and weights."""
        function: Any = self._loss
        return loss_of_rows(function, targets, weights, self._dtype, self._core.out_features)

    def _weights(self, sample_weight: Any, rows: int) -> NDArray[np.float64] | None:
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
        """Those that say how X and y are read, where they are not the defaults."""
        given = {
            "scale": self._scale,
            "channels_last": self._channels_last,
            "standardize": self._standardize,
            "standardize_y": self._standardize_y,
        }
        return {name: value for name, value in given.items() if value}

    def __repr__(self) -> str:
        from ironmlp._engine.repr import call

        return call(type(self), self._present())

    def _repr_html_(self) -> str:
        from ironmlp._engine.notebook import card

        return card(type(self), self._present(), self.epoch, self.summary())

    def _present(self) -> dict[str, Any]:
        """The arguments that make this model anew, with the present learning rate."""
        return self._arguments() | {"optimizer": self.optimizer}
