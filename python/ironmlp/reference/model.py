"""The model: a network with its loss, how it reads y, and its training."""
# What shows progress or saves a pass over X is there for the signature alone.
# ruff: noqa: ARG002

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .activations import sigmoid
from .draws import shuffled
from .losses import reduced, softmax
from .network import Network
from .specs import Array, kind


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

    def _step(self, X: Any, targets: Array, weight: Any, training: bool) -> dict[str, Any]:
        """Every tensor of a step by name: the outputs, the loss, then the gradients."""
        tensors = self._tensors(X, training)
        reduction = getattr(self.loss, "reduction", "mean")
        loss, dy = reduced(tensors[-1], targets, weight, self.loss, reduction)
        outputs = {f"{k}.output": y for k, y in enumerate(tensors[1:])}
        return {**outputs, "loss": loss, **self._gradients(tensors, dy, training)}

    def loss_and_grad(
        self, X: Any, y: Any, *, sample_weight: Any = None, training: bool = False,
        input_grad: bool = False,
    ) -> Any:  # fmt: skip
        """The reduced loss, and its gradients keyed like `state_dict`; if asked, X's too."""
        found = self._step(X, self._targets(y), sample_weight, training)
        both = found["loss"], self._keyed(found)
        return (*both, found["input.grad"]) if input_grad else both

    def trace(self, X: Any, y: Any, *, sample_weight: Any = None) -> dict[str, Any]:
        """Every tensor of a step by name: the outputs, the loss, then backwards the gradients."""
        found = self._step(X, self._targets(y), sample_weight, False)
        return {name: tensor for name, tensor in found.items() if name != "input.grad"}

    def train_on_batch(self, X: Any, y: Any, *, sample_weight: Any = None) -> float:
        loss, grads = self.loss_and_grad(X, y, sample_weight=sample_weight, training=True)
        self.apply_gradients(grads)
        return float(loss)

    def fit(
        self, X: Any, y: Any, *, epochs: int = 1, batch_size: int | None = 32, shuffle: bool = True,
        sample_weight: Any = None, callbacks: Sequence[Any] = (), verbose: Any = "auto",
        check_finite: bool = True,
    ) -> dict[str, Array]:  # fmt: skip
        """Train for `epochs` more; returns the mean loss of each as "loss", (epochs,)."""
        X, targets, history = np.asarray(X), self._targets(y, learn=True), []
        self.flat = np.ndim(y) == 1
        n = len(X)
        weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, float)
        size = n if batch_size is None else min(batch_size, n)
        for _ in range(epochs):
            order = shuffled(n, self.seed, self.epoch) if shuffle and size < n else np.arange(n)
            total = 0.0
            for start in range(0, n, size):  # the last batch may be short
                rows = order[start : start + size]
                found = self._step(X[rows], targets[rows], weight[rows], True)
                if not math.isfinite(found["loss"]):
                    raise FloatingPointError(f"epoch {self.epoch}, batch {start // size}: diverged")
                y_rows = found[f"{len(self.layers) - 1}.output"]
                total += len(rows) * self._mean_loss(y_rows, targets[rows], weight[rows])
                self.apply_gradients(self._keyed(found))
            self.epoch += 1
            history.append(total / n)
            for callback in callbacks:
                callback.on_epoch_end(self, {"epoch": self.epoch - 1, "loss": history[-1]})
        return {"loss": np.array(history)}

    def _mean_loss(self, y: Array, targets: Array, weight: Any = None) -> float:
        return reduced(y, targets, weight, self.loss, "mean")[0]

    def _targets(self, y: Any, learn: bool = False) -> Any:
        """What the loss takes: class indices, (n,), or an array (n, K)."""
        y, k, loss = np.asarray(y), self.n_out, kind(self.loss)
        indices = loss == "CrossEntropy" and y.ndim == 1
        if y.shape[1:] != (k,) and not (y.ndim == 1 and (indices or k == 1)):
            raise ValueError(f"y has shape {y.shape}, the network gives (n, {k})")
        if not (indices or (loss == "BinaryCrossEntropy" and k == 1)):
            return y.reshape(-1, k).astype(self.dtype)
        plain, y = np.arange(k if indices else 2), y.ravel()
        classes, number = plain if self.classes_ is None else self.classes_, False
        if y.dtype.kind in "iufb" and np.array_equal(classes, plain):
            # Class indices, or numbers in [0, 1].
            fits = (y >= 0) & (y <= plain[-1]) & (not indices or np.equal(np.floor(1.0 * y), y))
            number = bool(np.all(fits | (indices and np.equal(y, self.loss.ignore_index))))
            if y.dtype.kind == "b" and len(plain) == 2 and self.classes_ is None:
                classes = np.array([False, True])
        if not number:  # labels: their positions in the sorted classes
            classes = np.unique(y) if learn and self.classes_ is None else classes
            if len(classes) != len(plain) or not np.isin(y, classes).all():
                raise ValueError(f"y holds {np.unique(y)}, not {len(plain)} classes or {plain}")
            y = np.searchsorted(classes, y)
        self.classes_ = classes if learn else self.classes_
        return y.astype(np.int64) if indices else y.reshape(-1, 1).astype(self.dtype)

    def predict_proba(self, X: Any) -> Array:
        """(n, K); for binary cross-entropy of one output (n, 2), a column for each class."""
        y = self(X)
        if kind(self.loss) == "CrossEntropy":
            return softmax(y)
        if kind(self.loss) != "BinaryCrossEntropy":
            raise AttributeError(f"{kind(self.loss)} gives no probabilities")
        p, q = (sigmoid(y), sigmoid(-y)) if self.loss.from_logits else (y, 1.0 - y)
        return (np.hstack([q, p]) if self.n_out == 1 else p).astype(self.dtype)

    def predict(self, X: Any) -> Any:
        """Classes, (n,); 0 or 1 for several outputs of binary cross-entropy; else the outputs."""
        if kind(self.loss) not in ("BinaryCrossEntropy", "CrossEntropy"):
            y = self(X)
            return y.ravel() if self.flat else y
        p = self.predict_proba(X)
        if kind(self.loss) == "BinaryCrossEntropy" and self.n_out > 1:
            return np.where(p > 0.5, 1, 0)
        index = p.argmax(axis=1)
        return index if self.classes_ is None else self.classes_[index]

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """The mean loss, with the accuracy or, for regression, R^2 averaged over the outputs."""
        t, outputs = self._targets(y), self(X)
        result = {"loss": self._mean_loss(outputs, t)}
        if kind(self.loss) == "CrossEntropy":
            kept = np.not_equal(t, self.loss.ignore_index) if t.ndim == 1 else np.full(len(t), True)
            right = outputs.argmax(axis=1) == (t if t.ndim == 1 else t.argmax(axis=1))
            return result | {"accuracy": float(right[kept].mean())}
        if kind(self.loss) == "BinaryCrossEntropy":
            right = (outputs > (0.0 if self.loss.from_logits else 0.5)) == (t > 0.5)
            return result | {"accuracy": float(right.mean())}
        spread = ((t - t.mean(axis=0)) ** 2).sum(axis=0)  # (K,)
        return result | {"r2": float(np.mean(1.0 - ((t - outputs) ** 2).sum(axis=0) / spread))}
