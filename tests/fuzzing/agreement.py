"""Results of a call beside `ironmlp.reference`, which computes them in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

import tolerances
from against_reference import Bounds
from fuzzing.failure import Failure
from ironmlp import reference
from ironmlp.losses import MSE, Loss

# X is rounded to the dtype before `scale` divides it, and the quotient once more: the bounds, which
# take X for exact, are widened by this factor. A sum in float32 comes to half of its bound at most.
SLACK = 4.0
# Below this the bounds are not looked at: most calls are that near, and bounds take 1 ms.
NEAR_EPS = 8.0
# Results of this size, or beyond, may have overflowed on the way, as squares; below SMALL nothing
# is sure to be kept, for numbers below 2**-100 may be 0 (docs/numerics.md).
LARGE = {"float32": 1e18, "float64": 1e150}
# Weights that leave gradients of a sum so small.
FLUSHED_WEIGHT = 1e-20
# A probability so many eps from 0 or 1 has a logarithm that rounding changes by more than a bound
# of first order knows.
SATURATED_EPS = 1e3
# A loss that is no longer the way down: float32 ends at the square of this.
HUGE_LOSS = 1e15
SMALL = {"float32": 1e-24, "float64": 1e-200}


class Peer:
    """The model in plain NumPy, with the parameters and counters that the model has at a call."""

    def __init__(self, model: Any) -> None:
        self.dtype, self.scale, self.last = model.dtype, model._scale, model._channels_last
        # The user's own loss of these programs is the mean squared error.
        loss = model._loss if isinstance(model._loss, Loss) else MSE()
        self.model = reference.Sequential(
            model._layers, loss=loss, optimizer=model._optimizer, dtype="float64", seed=model.seed
        )

    def take(self, model: Any) -> None:
        """The state of the model as it is now."""
        self.model.load_state_dict(model.state_dict())
        self.model.seed, self.model.epoch = model.seed, model.epoch
        self.model.steps = model._core.optimizer_state()["steps"]
        factor = model._core.rates.factor
        if factor is None:
            self.model.learning_rate = model.learning_rate
        else:
            self.model.factor = factor

    def samples(self, X: Any) -> Any:
        """X as the network meets it, (n, in) or (n, C, H, W)."""
        X = self.channels_first(np.asarray(X)).astype(self.dtype)
        X = X if self.scale is None else X / self.dtype.type(self.scale)
        return X.astype(np.float64)

    def channels_first(self, images: Any) -> Any:
        return images.transpose(0, 3, 1, 2) if self.last else images

    def targets(self, y: Any) -> Any:
        """What the loss takes; numbers as the dtype has them."""
        y = np.asarray(y)
        targets = self.model._targets(y.astype("i8") if y.dtype.kind in "ub" else y)
        return targets if targets.dtype.kind == "i" else targets.astype(self.dtype).astype("f8")

    def check_step(self, found: dict[str, Any], given: dict[str, Any], training: bool) -> None:
        """Failure unless every tensor that was found, by `trace`'s names, is right."""
        X, targets = self.samples(given["X"]), self.targets(given["y"])
        weight = given.get("sample_weight")
        weight = None if weight is None else np.asarray(weight, float)
        with np.errstate(all="ignore"):
            exact = self.model._step(X, targets, weight, training)
            if "input.grad" in found:
                by_input = self.channels_first(found["input.grad"]) * (self.scale or 1.0)
                found = {**found, "input.grad": by_input}
            if self.beyond(exact) or self.is_saturated(exact) or self.near(found, exact):
                return
            eps = tolerances.eps(self.dtype) + tolerances.eps("float64")
            bounds = Bounds(self.model, eps, training).of_step(X, targets, weight, exact)
        # Gradients at outputs below 2**-100 are stored as 0, and X may be large. A mean divides by
        # the weights first.
        summed = weight is not None and getattr(self.model.loss, "reduction", "mean") == "sum"
        flushed = summed and 0.0 < weight.max(initial=0.0) < FLUSHED_WEIGHT
        for name, tensor in found.items():
            if self.has_ties(name) or (flushed and "grad" in name):
                continue
            allowed = SLACK * bounds[name] + SMALL[self.dtype.name]
            # Where nothing counts a bound is 0 / 0.
            right = (abs(tensor - exact[name]) <= allowed) | np.equal(tensor, exact[name])
            if not np.all(right):
                raise Failure(f"{name} is {tensor}, exactly {exact[name]} +- {allowed}")

    def check_outputs(self, found: Any, X: Any) -> None:
        """Failure unless the outputs are right."""
        X = self.samples(X)
        with np.errstate(all="ignore"):
            tensors = self.model._tensors(X, False)
            exact = {f"{k}.output": y for k, y in enumerate(tensors[1:])}
            last = f"{len(tensors) - 2}.output"
            if not np.isfinite(X).all() or self.beyond(exact) or self.near({last: found}, exact):
                return
            eps = tolerances.eps(self.dtype) + tolerances.eps("float64")
            bounds, error = Bounds(self.model, eps, False), np.zeros_like(X)
            for k in range(len(tensors) - 1):
                error = bounds.forward(k, tensors[k], tensors[k + 1], error)
        allowed = SLACK * error + SMALL[self.dtype.name]
        if not np.all(abs(found - exact[last]) <= allowed):
            raise Failure(f"the output is {found}, exactly {exact[last]} +- {allowed}")

    def diverges(self, given: dict[str, Any]) -> bool:
        """Whether a `fit` with these arguments comes to enormous losses in float64 too."""
        given = {**given, "X": self.samples(given["X"]), "verbose": False, "callbacks": ()}
        try:
            with np.errstate(all="ignore"):
                losses = self.model.fit(**given)["loss"]
        except FloatingPointError:
            return True
        return bool(losses.max(initial=0.0) > HUGE_LOSS)

    def overflows(self, X: Any) -> bool:
        """Whether outputs for these rows may be beyond the dtype."""
        with np.errstate(all="ignore"):
            tensors = self.model._tensors(self.samples(X), False)
        return self.beyond({str(k): tensor for k, tensor in enumerate(tensors)})

    def has_ties(self, name: str) -> bool:
        """Whether a gradient comes through a pool of which rounding may choose another pixel of a
        window than exact arithmetic."""
        if self.dtype.name != "float32" or "grad" not in name:
            return False
        names = [node[0] for node in self.model.nodes]
        below = [k for k, node in enumerate(names) if name.startswith(f"{node}.")]
        above = self.model.nodes[max(below, default=-1) + 1 :]
        return any(reference.specs.kind(layer) == "MaxPool2d" for _, layer, _ in above)

    def beyond(self, exact: dict[str, Any]) -> bool:
        """Whether some tensor may have overflowed."""
        return not all(
            np.abs(tensor).max(initial=0.0) < LARGE[self.dtype.name] for tensor in exact.values()
        )

    def is_saturated(self, exact: dict[str, Any]) -> bool:
        """Whether the loss takes logarithms of rates or probabilities that are nearly 0, or 1."""
        loss = self.model.loss
        if getattr(loss, "from_logits", True) and getattr(loss, "log_input", True):
            return False
        p = exact[f"{len(self.model.layers) - 1}.output"]
        nearest = np.minimum(p, 1.0 - p).min(initial=1.0)
        return bool(nearest < SATURATED_EPS * tolerances.eps(self.dtype))

    def near(self, found: dict[str, Any], exact: dict[str, Any]) -> bool:
        """Whether all are so near that no bound must be asked."""
        eps = NEAR_EPS * tolerances.eps(self.dtype)
        return all(
            np.all(abs(tensor - exact[name]) <= eps * np.abs(exact[name]).max(initial=0.0))
            for name, tensor in found.items()
        )
