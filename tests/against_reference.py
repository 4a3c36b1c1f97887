"""How far rounding may part a model from exact arithmetic, tensor by tensor.

The bounds are running error analysis of first order: each layer turns the error of what it takes
into an error of what it gives, and adds its own roundings. So a sum that cancels is allowed what
its terms have, and one that does not is held to a few eps. A unit so near a kink that rounding may
push it to the other side would be allowed both derivatives; the inputs of gradients.py are further
from all kinks, or central differences would show it.
"""

from typing import Any

import numpy as np

import tolerances
from ironmlp import reference
from ironmlp.reference.normalization import NORMS

Array = np.ndarray[Any, Any]


def change(f: Any, x: Array, error: Array) -> Array:
    """The largest change of f(x) where each element of x moves by its error."""
    here = f(x)
    largest: Array = np.maximum(abs(f(x + error) - here), abs(f(x - error) - here))
    return largest


def window(layer: Any) -> int:
    """The pixels of a pool's window; 1 for Flatten."""
    return int(np.prod(getattr(layer, "kernel_size", 1)))


def poisson_terms(x: Array, t: Array, loss: Any, value: Array, grad: Array) -> Any:
    """The sizes of the terms of value and gradient."""
    rate = np.exp(x) if loss.log_input else x + loss.eps
    logs = 1.0 + abs(np.log(rate)) + loss.full * abs(np.log(np.maximum(t, 1.0)))
    return rate + t * logs, rate + t if loss.log_input else abs(grad)


def gaussian_terms(y: Array, t: Array, loss: Any, value: Array, grad: Array) -> Any:
    log_variance, by_mean = y[:, t.shape[1] :], abs(grad[:, : t.shape[1]])
    squares = abs(2.0 * value - log_variance)
    return abs(log_variance) + squares, np.hstack([by_mean, 1.0 + squares])


def focal_terms(x: Array, t: Array, loss: Any, value: Array, grad: Array) -> Any:
    """The gradient's at a soft target are those at 0 and 1 and that of the power."""
    p = reference.activations.sigmoid(x)
    terms = (1.0 - t) * p + t * (1.0 - p)
    return abs(value), abs(grad) + 2.0 * terms ** (loss.gamma + 1.0)


TERMS = {"PoissonNLL": poisson_terms, "GaussianNLL": gaussian_terms, "Focal": focal_terms}


class Bounds:
    """The bounds of one step of a reference model in float64, for arithmetic with `eps`."""

    def __init__(self, model: reference.Sequential, eps: float, training: bool) -> None:
        self.model, self.eps, self.training = model, eps, training

    def of_step(self, X: Array, targets: Array, weight: Any, exact: dict[str, Any]) -> Any:
        """A bound for each tensor of the step, `exact`, under its name; X has no error."""
        nodes = self.model.nodes
        tensors = [X, *(exact[f"{name}.output"] for name, _, _ in nodes)]
        errors = [np.zeros_like(X)]
        found: dict[str, Any] = {}
        for k, (name, layer, start) in enumerate(nodes):
            error = self.forward(k, tensors[k], tensors[k + 1], errors[k])
            if reference.specs.kind(layer) == "Residual":
                error = errors[k] + errors[start] + self.eps / 2 * abs(tensors[k + 1])
            errors.append(error)
            found[f"{name}.output"] = error
        last = f"{nodes[-1][0]}.grad_output"
        found["loss"], error = self.loss(
            tensors[-1], targets, weight, errors[-1], exact["loss"], exact[last]
        )
        around: dict[int, Array] = {}
        for k, (name, layer, start) in reversed([*enumerate(nodes)]):
            found[f"{name}.grad_output"] = error
            dy = exact[f"{name}.grad_output"]
            if f"{name}.weight" in self.model.parameters:
                found |= self.parameters(k, tensors[k], errors[k], dy, error)
            if reference.specs.kind(layer) == "Residual":
                # Each sum of two gradients is rounded; their own errors add up.
                around[start] = around.get(start, 0.0) + error + self.eps / 2 * abs(dy)
            else:
                error = self.backward(k, tensors[k], errors[k], dy, error)
            if k in around:
                below = exact[f"{nodes[k - 1][0]}.grad_output" if k else "input.grad"]
                error = error + around.pop(k) + self.eps * abs(below)
        return {**found, "input.grad": error}

    def forward(self, k: int, x: Array, y: Array, error: Array) -> Array:
        """The error of y = layer k of x, by x's."""
        name, layer, _ = self.model.nodes[k]
        if reference.specs.kind(layer) == "Residual":
            return error
        if reference.specs.kind(layer) in NORMS:
            by_xhat: Array = abs(self.scale(k, x)) * self.normalized(k, x, error)[1]
            return by_xhat + self.eps * np.maximum(abs(y), abs(y - self.shift(k, x)))
        if reference.specs.kind(layer) in reference.layers.WEIGHTED:
            product = reference.layers.WEIGHTED[reference.specs.kind(layer)][0]
            W = abs(self.model.parameters[f"{name}.weight"])  # (out, in), or (out, in, kh, kw)
            bias = abs(self.model.parameters.get(f"{name}.bias", np.zeros(len(W))))
            terms = product(abs(x), W, layer) + bias.reshape(-1, *(1,) * (W.ndim - 2))
            found: Array = product(error, W, layer) + self.sum_of(W[0].size + 1) * terms
            return found
        if reference.specs.kind(layer) in reference.layers.SHAPING:
            pool = reference.layers.SHAPING[reference.specs.kind(layer)][0]
            own: Array = self.sum_of(window(layer)) * pool(abs(x), layer)
            return pool(error, layer) + own
        if reference.specs.kind(layer) == "Dropout":  # a product with a rounded constant, if any
            return error * self.mask(k, x) + self.eps * abs(y)
        f = reference.activations.ACTIVATIONS[reference.specs.kind(layer)][0]
        present = self.model.present(k, x.ndim)
        own = tolerances.ACTIVATION_EPS * self.eps * np.maximum(abs(x), abs(y))
        return change(lambda z: f(z, present), x, error) + own

    def loss(
        self, y: Array, targets: Array, weight: Any, error: Array, value: float, dy: Array
    ) -> tuple[float, Array]:
        """The errors of the loss and of its gradient dy, by that of the outputs y."""
        loss, kind = self.model.loss, reference.specs.kind(self.model.loss)
        times = tolerances.SOFTMAX_EPS if kind == "CrossEntropy" else tolerances.BINARY_EPS
        # What a row's loss and gradient are multiplied by, (n, 1).
        values, grad, divisors = reference.losses.LOSSES[kind](y, targets, loss)
        scale = np.ones(len(y)) if weight is None else weight
        if loss.reduction == "mean":
            scale = scale / np.sum(scale * divisors)
        scale = scale[:, None]

        def at(outputs: Array, t: Array = targets) -> Array:
            return reference.losses.reduced(outputs, t, weight, loss, loss.reduction)[1]

        size, least = abs(grad), 0.0
        if kind == "CrossEntropy":  # absolute or relative, whichever is larger
            size, least = np.maximum(size, 1.0), float(np.sum(scale))
        elif kind == "BinaryCrossEntropy":  # relative to the terms of a soft target
            one, zero = (
                reference.losses.LOSSES[kind](y, 0 * targets + t, loss)[1] for t in (1.0, 0.0)
            )
            size = targets * abs(one) + (1.0 - targets) * abs(zero)
        elif kind in TERMS:  # relative to the sizes of the terms
            of_value, size = TERMS[kind](y, targets, loss, values, grad)
            value = float(np.sum(scale * of_value))
        by_outputs = sum(
            change(at, y, error * (np.arange(y.shape[1]) == column)) for column in range(y.shape[1])
        )
        products = tolerances.PRODUCT_EPS * self.eps * abs(dy)
        own = times * self.eps * max(value, least)
        own_grad = times * self.eps * scale * size + products
        return float(np.sum(abs(dy) * error)) + own, by_outputs + own_grad

    def parameters(
        self, k: int, x: Array, error: Array, dy: Array, dy_error: Array
    ) -> dict[str, Array]:
        """The errors of layer k's gradients, by those of its input x and of dy."""
        name, layer, _ = self.model.nodes[k]
        W = self.model.parameters[f"{name}.weight"]
        own = self.sum_of(dy.size // dy.shape[1])  # a term for each row and place
        if reference.specs.kind(layer) in NORMS:
            xhat, xhat_error = self.normalized(k, x, error)
            weight = dy_error * abs(xhat) + abs(dy) * (xhat_error + own * abs(xhat))
            weight = weight.sum(axis=(0, *range(2, dy.ndim)))
        elif reference.specs.kind(layer) == "PReLU":
            own = self.sum_of(dy.size // len(W))
            terms = -(dy_error * abs(x) + abs(dy) * (error + own * abs(x)))
            weight = reference.layers.slopes_backward(terms, W, np.ones_like(dy))
            weight = abs(weight)
        else:
            backward = reference.layers.WEIGHTED[reference.specs.kind(layer)][1]
            weight = backward(abs(x), W, dy_error, layer)[0]
            weight = weight + backward(error + own * abs(x), W, abs(dy), layer)[0]
        found = {f"{name}.weight.grad": weight}
        if f"{name}.bias" in self.model.parameters:
            places = (0, *range(2, dy.ndim))
            found[f"{name}.bias.grad"] = (dy_error + own * abs(dy)).sum(axis=places)
        return found

    def backward(self, k: int, x: Array, error: Array, dy: Array, dy_error: Array) -> Array:
        """The error of dloss/dx, by those of layer k's input x and of dy."""
        name, layer, _ = self.model.nodes[k]
        if reference.specs.kind(layer) in NORMS:
            return self.denormalized(k, x, error, dy, dy_error)
        if reference.specs.kind(layer) in reference.layers.WEIGHTED:
            product = reference.layers.WEIGHTED[reference.specs.kind(layer)][1]
            W = abs(self.model.parameters[f"{name}.weight"])
            own = self.sum_of(W[:, 0].size)
            found: Array = product(x, W, dy_error + own * abs(dy), layer)[1]
            return found
        if reference.specs.kind(layer) in reference.layers.SHAPING:
            pool, back = reference.layers.SHAPING[reference.specs.kind(layer)]
            dy_error = dy_error + self.sum_of(window(layer)) * abs(dy)
            return np.asarray(back(x, pool(x, layer), dy_error, layer))
        if reference.specs.kind(layer) == "Dropout":
            return dy_error * self.mask(k, x) + self.eps * abs(dy * self.mask(k, x))
        f, derivative = reference.activations.ACTIVATIONS[reference.specs.kind(layer)]

        present = self.model.present(k, x.ndim)

        def slope(z: Array) -> Array:
            return derivative(z, f(z, present), present)

        own = tolerances.DERIVATIVE_EPS * self.eps
        return dy_error * abs(slope(x)) + abs(dy) * (change(slope, x, error) + own)

    def norm(self, k: int, x: Array) -> tuple[Array, Array, tuple[int, ...] | None]:
        """xhat of norm k, what it was divided by, and the axes of its means, if x has any."""
        name, layer, _ = self.model.nodes[k]
        past = self.model._past(name, self.training)
        over = reference.normalization.axes(layer, x) if past is None else None
        return *reference.normalization.normalized(x, layer, past), over

    def normalized(self, k: int, x: Array, error: Array) -> tuple[Array, Array]:
        """xhat of norm k and its error: x's, that of the mean, and that of the variance, to
        which each element adds as much as it differs from the mean; and the own roundings."""
        xhat, deviation, over = self.norm(k, x)
        relative, largest = error / deviation, abs(x)
        if over is not None:
            mean, spread = (
                (relative * factor).mean(axis=over, keepdims=True) for factor in (1.0, abs(xhat))
            )
            relative = relative + mean + abs(xhat) * spread
            largest = largest.max(axis=over, keepdims=True)
        own = self.eps * (3.0 * abs(xhat) + largest / deviation)
        return xhat, relative + own

    def denormalized(self, k: int, x: Array, error: Array, dy: Array, dy_error: Array) -> Array:
        """The error of dloss/dx of norm k: of the way back, which is linear in dy, that of dy;
        then those of xhat and of the deviation that it is made with; and the own roundings."""
        xhat, deviation, over = self.norm(k, x)
        xhat_error, size = self.normalized(k, x, error)[1], abs(xhat)
        g, g_error = dy * self.scale(k, x), dy_error * abs(self.scale(k, x))
        g_error = g_error + self.eps * abs(g)
        if over is None:  # a constant factor
            constant: Array = (g_error + 3.0 * self.eps * abs(g)) / deviation
            return constant

        def mean(values: Array) -> Array:
            found: Array = values.mean(axis=over, keepdims=True)
            return found

        exact = abs(reference.normalization.normalized_backward(xhat, deviation, g, over))
        linear = g_error + mean(g_error) + size * mean(g_error * size)
        by_xhat = xhat_error * abs(mean(g * xhat)) + size * mean(abs(g) * xhat_error)
        terms = abs(g) + mean(abs(g)) + size * mean(abs(g) * size)
        changed = mean(error / deviation * size) + self.eps  # of the deviation, relatively
        found: Array = (linear + by_xhat + 3.0 * self.eps * terms) / deviation + exact * changed
        return found

    def scale(self, k: int, x: Array) -> Array:
        """The weight of norm k, or ones."""
        weight = self.model.parameters.get(f"{self.model.nodes[k][0]}.weight", np.ones(x.shape[1]))
        return reference.layers.by_channel(weight, x.ndim)

    def shift(self, k: int, x: Array) -> Array:
        """The bias of norm k, or zeros."""
        bias = self.model.parameters.get(f"{self.model.nodes[k][0]}.bias", np.zeros(x.shape[1]))
        return reference.layers.by_channel(bias, x.ndim)

    def mask(self, k: int, x: Array) -> Array:
        """What dropout layer k multiplies by."""
        return self.model._mask(k, x) if self.training else np.ones_like(x)

    def sum_of(self, terms: int) -> float:
        """What a sum of products loses, relative to the sum of their magnitudes: eps / 2 for each
        addition or fused multiply-add, and once for the products where the two are apart."""
        return (terms + 1) * self.eps / 2


def check_agreement(found: dict[str, Any], exact: dict[str, Any], bounds: dict[str, Any]) -> None:
    """AssertionError unless every tensor that was found is exact but for its bound."""
    assert found
    for name, tensor in found.items():
        wrong = abs(tensor - exact[name]) > bounds[name]
        assert not np.any(wrong), f"{name}: {tensor}, exactly {exact[name]} +- {bounds[name]}"
