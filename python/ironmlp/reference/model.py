"""The model: a network with its loss, how it reads y, and its training."""
# What shows progress or saves a pass over X is there for the signature alone.
# ruff: noqa: ARG002

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .draws import held_out, shuffled
from .labels import (
    BINARY,
    SOFTMAX,
    class_weights,
    classes_of,
    estimates,
    ignored_rows,
    numbers,
    probabilities,
    read,
)
from .losses import LOSSES, accuracy, mean, r2, reduced, relative, row_weights, wanted
from .network import Network
from .options import batch_weight, penalized
from .silent import silent
from .specs import Array, kind
from .standard import standardized
from .training import Training

CLASSIFYING = (*SOFTMAX, *BINARY)


class Sequential(Network):
    """Layers in a row: `ironmlp.Sequential` has the same arguments and methods.

    X is (n, in), or images: (n, C, H, W), with `channels_last` (n, H, W, C). The network sees
    X / `scale`, if that is given.
    """

    def reset(self, seed: int | None = None) -> None:
        """Start anew, with the same seed unless another is given."""
        super().reset(seed)
        self.classes_: Array | None = None  # found by the first fit
        self.flat = False  # whether fit's y was (n,), so that predict's is too
        self.history: dict[str, Array] | None = None  # of the last fit
        self.stop_training = False  # for callbacks to set

    def _step(self, X: Any, targets: Array, weight: Any, training: bool) -> dict[str, Any]:
        """Every tensor of a step by name: the outputs, the loss, then the gradients."""
        tensors = self._tensors(X, training)
        reduction = getattr(self.loss, "reduction", "mean")
        loss, dy = reduced(tensors[-1], targets, weight, self.loss, reduction)
        outputs = {f"{node[0]}.output": y for node, y in zip(self.nodes, tensors[1:], strict=True)}
        gradients = self._gradients(tensors, dy, training)
        if training and math.isfinite(loss):
            self._track(tensors)
        return {**outputs, "loss": loss, **gradients}

    def _penalized(
        self, found: dict[str, Any], targets: Array, weight: Any
    ) -> tuple[float, dict[str, Array]]:
        """The penalty on weights of a step, and its gradients keyed, with those of the penalty."""
        y = found[f"{len(self.layers) - 1}.output"]
        weight = batch_weight(y, targets, weight, self.loss)
        keyed, keys = self._keyed(found), self._trained_keys()
        return penalized(self.optimizer, self.parameters, keyed, keys, weight)

    def loss_and_grad(
        self, X: Any, y: Any, *, sample_weight: Any = None, training: bool = False,
        input_grad: bool = False,
    ) -> Any:  # fmt: skip
        """The reduced loss with the penalty on weights, and their gradients keyed like
        `state_dict`; if asked, X's too."""
        targets = self._targets(y)
        found = self._step(X, targets, sample_weight, training)
        penalty, grads = self._penalized(found, targets, sample_weight)
        both = found["loss"] + penalty, grads
        return (*both, found["input.grad"]) if input_grad else both

    def trace(self, X: Any, y: Any, *, sample_weight: Any = None) -> dict[str, Any]:
        """Every tensor of a step by name: the outputs, the loss, then backwards the gradients."""
        found = self._step(X, self._targets(y), sample_weight, False)
        return {name: tensor for name, tensor in found.items() if name != "input.grad"}

    def train_on_batch(
        self, X: Any, y: Any, *, sample_weight: Any = None, classes: Any = None
    ) -> float:
        targets = self._targets(y, classes is not None, classes)
        found = self._step(X, targets, sample_weight, True)
        self.apply_gradients(self._penalized(found, targets, sample_weight)[1])
        return float(found["loss"])

    def fit(
        self, X: Any, y: Any, *, epochs: int = 1, batch_size: int | None = 32, shuffle: bool = True,
        sample_weight: Any = None, classes: Any = None, class_weight: Any = None,
        validation_data: Any = None, validation_split: float = 0.0, validation_freq: int = 1,
        metrics: str = "auto", callbacks: Iterable[Any] = (), verbose: Any = "auto",
        log_every: int = 0, check_finite: bool = True,
    ) -> dict[str, Array]:  # fmt: skip
        """Train for `epochs` more; returns the mean loss of each as "loss", (epochs,), those of
        validation, and what callbacks log. `history` is the same, also after an exception.

        A batch's loss is that before its update, and counts as much as its rows' weights.
        `classes` lists all labels in the order of the outputs, for a y that may lack some.
        `metrics` is "auto" alone.
        """
        X, known = np.asarray(X), (self.classes_, self.flat, self.standards, self.steps)
        n = len(X)
        targets = None if self.standardize_y else self._targets(y, True, classes)
        numbered = np.zeros(n, int) if targets is None else classes_of(targets, self.loss)
        held = last = np.arange(n - math.ceil(validation_split * n), n)
        if validation_split and shuffle:
            held = held_out(numbered, validation_split, self.seed)
        trained = np.setdiff1d(np.arange(n), held)
        if not self.standards:
            self._learn(X[trained], np.asarray(y)[trained])
        if targets is None:
            targets = self._targets(y)
        self.flat = np.ndim(y) == 1
        weight = None if sample_weight is None else row_weights(sample_weight, n)
        if last.size:
            validation_data = X[held], np.asarray(y)[held], at(weight, held)
        if class_weight is not None:
            labels = np.arange(2) if self.classes_ is None else self.classes_
            factors = class_weights(class_weight, numbered[trained], labels)
            weight = row_weights(weight, n).copy()
            weight[trained] *= factors
        shares = None if weight is None else relative(weight)
        size = len(trained) if batch_size is None else min(batch_size, len(trained))
        if self.running:  # has the shortest batch a variance? asked before any step
            self._tensors(X[trained[: len(trained) % size or size]], True)

        def epoch() -> dict[str, float]:
            order = trained
            if shuffle and size < len(trained):
                order = trained[shuffled(len(trained), self.seed, self.epoch)]
            total, penalties, weights = 0.0, 0.0, 0.0
            for start in range(0, len(order), size):  # the last batch may be short
                rows = order[start : start + size]
                found = self._step(X[rows], targets[rows], at(weight, rows), True)
                if not math.isfinite(found["loss"]):
                    raise FloatingPointError(f"epoch {self.epoch}, batch {start // size}: diverged")
                y_rows = found[f"{len(self.layers) - 1}.output"]
                loss, counts = mean(y_rows, targets[rows], at(shares, rows), self.loss)
                penalty, grads = self._penalized(found, targets[rows], at(weight, rows))
                total, weights = total + counts * loss, weights + counts
                penalties += counts * penalty
                self.apply_gradients(grads)
            if not self.is_finite():
                raise FloatingPointError(f"epoch {self.epoch}: diverged, not all is finite")
            self.epoch += 1
            logs = {"loss": total / weights if weights else 0.0}
            if self.optimizer.l1 or self.optimizer.l2:
                logs["penalty"] = penalties / weights if weights else 0.0
            if validation_data is None:
                return logs
            seen = self.averaged() if self.average else self
            scores = seen.evaluate(*validation_data[:2], sample_weight=[*validation_data, None][2])
            due = self.epoch % validation_freq == 0
            return logs | {f"val_{k}": value if due else math.nan for k, value in scores.items()}

        self.stop_training = False
        try:
            return Training(self, epochs, epoch, callbacks).train()
        finally:
            if self.steps == known[-1]:  # no step was made, so nothing was learned
                self.classes_, self.flat, self.standards, _ = known

    def _targets(self, y: Any, learn: bool = False, classes: Any = None) -> Any:
        """What the loss takes: class indices, (n,), or an array (n, K), on its standard scale."""
        if self.standardize_y:
            columns = np.asarray(y).reshape(-1, wanted(self.loss, self.n_out))
            y = standardized(columns, self._standard("y"))
        targets, found = read(y, self.loss, self.n_out, self.dtype, self.classes_, learn, classes)
        self.classes_ = found if learn else self.classes_
        return targets

    def predict_proba(self, X: Any) -> Array:
        """(n, K); for binary cross-entropy of one output (n, 2), a column for each class."""
        if kind(self.loss) not in CLASSIFYING:
            raise AttributeError(f"{kind(self.loss)} gives no probabilities")
        return numbers(probabilities(self(X), self.loss))

    def _chosen(self, X: Any) -> Array:
        """Class indices, (n,), of equally probable ones the first; of several flags 0 or 1."""
        p = self.predict_proba(X)
        if kind(self.loss) in BINARY and self.n_out > 1:
            return np.where(p > 0.5, 1, 0)
        return np.asarray(p.argmax(axis=1))

    @silent
    def predict(self, X: Any, *, sort: bool = False, return_std: bool = False) -> Any:
        """Classes, (n,); 0 or 1 for several outputs of binary cross-entropy; else numbers in the
        shape of y, with standard deviations if asked; quantiles, (n, K), sorted if asked."""
        loss = kind(self.loss)
        if (sort and loss != "Quantile") or (return_std and loss != "GaussianNLL"):
            raise ValueError("sort is for Quantile, return_std for GaussianNLL")
        if loss == "Quantile":
            y, places = numbers(self(X)), np.argsort(self.loss.quantiles)
            return np.sort(y, axis=1)[:, np.argsort(places)] if sort else y
        if loss not in CLASSIFYING:
            outputs = numbers(self(X))
            y = estimates(outputs, self.loss)
            deviations = np.exp(0.5 * outputs[:, y.shape[1] :])
            both = [part.ravel() if self.flat else part for part in (y, deviations)]
            return tuple(both) if return_std else both[0]
        chosen = self._chosen(X)
        return chosen if self.classes_ is None else self.classes_[chosen]

    def evaluate(
        self, X: Any, y: Any, *, sample_weight: Any = None, metrics: str = "auto"
    ) -> dict[str, float]:
        """The mean loss, with the accuracy or, for regression, R^2 averaged over the outputs."""
        t, outputs = self._targets(y), numbers(self(X))
        result = {"loss": mean(self._tensors(X, False)[-1], t, sample_weight, self.loss)[0]}
        if kind(self.loss) in SOFTMAX:
            kept = ~ignored_rows(t, self.loss) if t.ndim == 1 else np.full(len(t), True)
            right = self._chosen(X) == (t if t.ndim == 1 else t.argmax(axis=1))
            return result | {"accuracy": accuracy(right[kept], at(sample_weight, kept))}
        if kind(self.loss) in BINARY:
            right = self._chosen(X).reshape(t.shape) == (t > 0.5)
            return result | {"accuracy": accuracy(right, sample_weight)}
        if kind(self.loss) not in LOSSES:
            return result
        predicted = estimates(outputs, self.loss)
        return result | {"r2": r2(predicted, np.asarray(y).reshape(predicted.shape), sample_weight)}


def at(weight: Any, rows: Array) -> Any:
    """The weights of these rows, if there are any."""
    return None if weight is None else np.asarray(weight)[rows]
