"""A network: its parameters, forward pass, gradients and updates."""
# n_threads is there for the signature alone.
# ruff: noqa: ARG002

import copy
import math
import secrets
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Self

import numpy as np

from .activations import ACTIVATIONS
from .draws import BIAS, INITIALIZERS, WEIGHT, dropout_mask
from .layers import (
    SHAPING,
    WEIGHTED,
    by_channel,
    nodes,
    slopes_backward,
    weight_shape,
)
from .losses import wanted
from .normalization import (
    NORMS,
    OVER_BATCHES,
    axes,
    fresh,
    moved,
    normalized,
    normalized_backward,
)
from .optimizers import updated
from .options import clipped, moved_average
from .schedules import rate
from .silent import silent
from .specs import Array, kind, spec
from .standard import Standard, learned, restored, spread, standardized

# Losses of a difference, which mean the same on another scale of y.
STANDARDIZED = ("MSE", "MAE", "Huber", "LogCosh", "Quantile")


class Network:
    """Layers in a row, what training changes of them, and a step without its loss."""

    def __init__(
        self, layers: Iterable[Any], *, loss: Any, optimizer: Any = None, dtype: str = "float32",
        seed: int | None = None, n_threads: int | None = None, scale: float | None = None,
        channels_last: bool = False, standardize: bool = False, standardize_y: bool = False,
    ) -> None:  # fmt: skip
        self.scale, self.channels_last = scale, channels_last
        self.standardize, self.standardize_y = standardize, standardize_y
        self.layers, self.loss = [spec(layer) for layer in layers], spec(loss)
        self.nodes = nodes(self.layers)  # in the order in which they are computed
        # Samples that are flattened at once have no channels.
        self.swaps = channels_last and any("2d" in kind(layer) for layer in self.layers)
        self.optimizer, self.dtype = spec(optimizer or "Adam"), np.dtype(dtype)
        if standardize_y and kind(self.loss) not in STANDARDIZED:
            raise ValueError(f"{kind(self.loss)} has no y to standardize")
        weighted = [layer for _, layer, _ in self.nodes if kind(layer) in WEIGHTED]
        for a, b in pairwise(weighted):
            gives, takes = weight_shape(a)[0], getattr(b, "in_features", 0) or b.in_channels
            if kind(a) == kind(b) and gives != takes:
                raise ValueError(f"a layer gives {gives}, the next takes {takes}")
        # Linear takes rows, all else of these images; of what size, the first X says.
        taking = {*WEIGHTED, *SHAPING, *NORMS}
        first = next(layer for _, layer, _ in self.nodes if kind(layer) in taking)
        self.n_in: Any = getattr(weighted[0], "in_channels", None)
        if kind(first) == "BatchNorm2d":
            self.n_in = first.n
        self.takes = f"(n, {self.n_in or 'C'}, H, W)"
        if kind(first) in ("Linear", "LayerNorm", "BatchNorm1d"):
            self.n_in = weight_shape(first)[-1]
            self.takes = f"(n, {self.n_in})"
        self.n_axes = self.takes.count(",") + 1
        self.n_out = weight_shape(weighted[-1])[0]
        logits = kind(self.loss) == "CrossEntropy" or getattr(self.loss, "from_logits", False)
        if logits and kind(self.layers[-1]) == "Sigmoid":
            raise ValueError("the loss takes logits: drop the last Sigmoid, or from_logits=False")
        self.reset(secrets.randbits(64) if seed is None else seed)

    @silent
    def reset(self, seed: int | None = None) -> None:
        """Start anew, with the same seed unless another is given."""
        self.seed: int = self.seed if seed is None else seed
        self.epoch = self.steps = 0
        self.factor = 1.0  # on the rates of a schedule
        self._lr = self.optimizer.lr
        self._last_rate = self.learning_rate  # of the last update
        self.standards: dict[str, Standard] = {}  # of "X" and "y", once they are known
        self.parameters: dict[str, Array] = {}
        for k, (name, layer, _) in enumerate(self.nodes):
            if kind(layer) in NORMS and layer.affine:
                self.parameters[f"{name}.weight"] = np.ones(weight_shape(layer))
                self.parameters[f"{name}.bias"] = np.zeros(weight_shape(layer))
            if kind(layer) == "PReLU":
                self.parameters[f"{name}.weight"] = np.full(weight_shape(layer), layer.init)
            if kind(layer) in WEIGHTED:
                shape = weight_shape(layer)
                # Each output has i inputs; each input is part of o outputs, groups not counted.
                i, o = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
                draw, spread, draw_bias = INITIALIZERS[layer.init or "torch_linear"]
                weight = draw(shape, spread(i, o), self.seed, WEIGHT, k)
                self.parameters[f"{name}.weight"] = weight
                if layer.bias:
                    bias = draw_bias(shape[:1], spread(i, o), self.seed, BIAS, k)
                    self.parameters[f"{name}.bias"] = bias
        self.parameters = {key: w.astype(self.dtype) for key, w in self.parameters.items()}
        # Of the batches that trained, by the layer's name.
        norms = [(name, layer) for name, layer, _ in self.nodes if kind(layer) in OVER_BATCHES]
        self.running = {name: fresh(layer, self.dtype) for name, layer in norms}
        self.memory = {key: (0 * w, 0 * w, 0 * w) for key, w in self.parameters.items()}
        self._begin_average()

    def _begin_average(self) -> None:
        """An average starts as the parameters are."""
        averages = self.optimizer.ema is not None
        self.average: dict[str, Array] = dict(self.parameters) if averages else {}

    def averaged(self) -> Self:
        """A copy whose parameters are their average."""
        if not self.average:
            raise ValueError("the optimizer has no ema")
        twin = copy.copy(self)
        twin.parameters, twin.average = dict(self.average), dict(self.average)
        twin.memory = dict(self.memory)
        return twin

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return rate(self._lr, self.epoch, self.steps) * self.factor

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        if isinstance(self._lr, float | int):
            self._lr = self._last_rate = value
        elif (plain := rate(self._lr, self.epoch, self.steps)) == 0.0:
            raise ValueError(f"the schedule's rate is 0, which no factor makes {value}")
        else:
            self.factor = value / plain

    def __repr__(self) -> str:
        layers = "".join(f"    {layer!r},\n" for layer in self.layers)
        others = ("loss", "optimizer", "learning_rate", "dtype", "seed", "scale", "channels_last")
        named = ", ".join(f"{name}={getattr(self, name)!r}" for name in others)
        return f"reference.Sequential([\n{layers}], {named})"

    def state_dict(self) -> dict[str, Array]:
        """Copies of the parameters: "0.weight" is (out, in) of a Linear, (out, in / groups, kh, kw)
        of a Conv2d, else (n,); "0.bias" is (out,). "1.0.weight" is in a Residual. After those
        of a norm over batches come its running values."""
        running = {
            f"{name}.{key}": w for name, own in self.running.items() for key, w in own.items()
        }
        places = {name: place for place, (name, _, _) in enumerate(self.nodes)}
        tensors = sorted(
            (self.parameters | running).items(), key=lambda item: places[item[0].rpartition(".")[0]]
        )
        return {key: w.copy() for key, w in tensors}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over what `state_dict` gave; unless `strict`, only what the model has."""
        have, new = self.state_dict(), {key: np.asarray(w) for key, w in state.items()}
        if not strict:
            new = have | {key: w for key, w in new.items() if key in have}
        old, got = ({key: w.shape for key, w in tensors.items()} for tensors in (have, new))
        if old != got:
            raise ValueError(f"the model has {old}, the state has {got}")
        new = {key: np.array(w, have[key].dtype) for key, w in new.items()}
        self.parameters = {key: new[key] for key in self.parameters}
        self.running = {
            name: {key: new[f"{name}.{key}"] for key in own} for name, own in self.running.items()
        }
        self._begin_average()

    def _snapshot(self) -> dict[str, Any]:
        """All that training changes; no array is ever changed in place, so these stay the same."""
        names = ("epoch", "steps", "factor", "_lr", "_last_rate")
        counters = {name: getattr(self, name) for name in names}
        arrays = ("parameters", "running", "memory", "average")
        return counters | {name: dict(vars(self)[name]) for name in arrays}

    def _set_trained(self, trained: Mapping[str, Any]) -> None:
        vars(self).update(trained)

    def _samples(self, X: Any) -> Array:
        """X as rows, or as images with the channels first."""
        X = np.asarray(X)
        if self.swaps and X.ndim == 4:
            X = X.transpose(0, 3, 1, 2)
        if X.ndim != self.n_axes or self.n_in not in (None, X.shape[1]):
            raise ValueError(f"X has shape {X.shape}, the network takes {self.takes}")
        return np.asarray(X)

    def _standard(self, name: str) -> Standard:
        if name not in self.standards:
            raise RuntimeError(f"the model does not know the mean of {name} yet: fit, or adapt")
        return self.standards[name]

    @silent
    def _learn(self, X: Any, y: Any) -> None:
        """The mean and standard deviation of these rows."""
        found = {}
        if self.standardize:
            found["X"] = learned(self._samples(X).astype(np.float64) / (self.scale or 1.0))
        if self.standardize_y:
            found["y"] = learned(np.asarray(y).reshape(-1, wanted(self.loss, self.n_out)))
        self.standards = found

    def adapt(self, X: Any, y: Any = None) -> None:
        """Learn mean and standard deviation of these rows, which the first fit does by itself."""
        if not (self.standardize or self.standardize_y) or (self.standardize_y and y is None):
            raise ValueError("there is nothing to learn")
        self._learn(X, y)

    @silent
    def _tensors(self, X: Any, training: bool) -> list[Array]:
        """X, then the output of each layer: tensor k is what node k takes."""
        X = self._samples(X)
        if self.standardize:
            scaled = X.astype(np.float64) / (self.scale or 1.0)
            tensors = [standardized(scaled, self._standard("X")).astype(self.dtype)]
        else:
            X = X.astype(self.dtype)
            tensors = [X if self.scale is None else X / self.dtype.type(self.scale)]
        for k, (name, layer, start) in enumerate(self.nodes):
            x = tensors[-1]  # (n, in), or (n, C, H, W)
            if training and kind(layer) in OVER_BATCHES and x.size < 2 * layer.n:
                raise ValueError(f"layer {name}: a channel has one value, which has no variance")
            if kind(layer) in WEIGHTED:
                y = WEIGHTED[kind(layer)][0](x, self.parameters[f"{name}.weight"], layer)
                if layer.bias:
                    y = y + by_channel(self.parameters[f"{name}.bias"], y.ndim)
            elif kind(layer) in NORMS:
                y = normalized(x, layer, self._past(name, training))[0]
                if layer.affine:
                    w, b = (self.parameters[f"{name}.{key}"] for key in ("weight", "bias"))
                    y = y * by_channel(w, y.ndim) + by_channel(b, y.ndim)
            elif kind(layer) == "Residual":
                y = x + tensors[start]  # what its layers gave, and what they took
            elif kind(layer) in SHAPING:
                y = SHAPING[kind(layer)][0](x, layer)
            elif kind(layer) == "Dropout":
                y = x * self._mask(k, x) if training else x
            else:
                y = ACTIVATIONS[kind(layer)][0](x, self.present(k, x.ndim))
            tensors.append(y.astype(self.dtype))
        return tensors

    def present(self, k: int, ndim: int) -> Any:
        """Activation k, of a PReLU with the slopes that it has now."""
        name, layer, _ = self.nodes[k]
        if kind(layer) != "PReLU":
            return layer
        return spec("PReLU", init=by_channel(self.parameters[f"{name}.weight"], ndim))

    def _past(self, name: str, training: bool) -> tuple[Array, Array] | None:
        """Mean and variance of past batches, for a layer that takes them in place of x's own."""
        if training or name not in self.running:
            return None
        return self.running[name]["running_mean"], self.running[name]["running_var"]

    @silent
    def _track(self, tensors: list[Array]) -> None:
        """Running values move towards those of a batch that trained."""
        for x, (name, layer, _) in zip(tensors, self.nodes, strict=False):
            if name in self.running:
                self.running[name] = moved(self.running[name], x, layer)

    def _mask(self, k: int, x: Array) -> Array:
        rows = (len(x), math.prod(x.shape[1:]))  # images count unit by unit, as Flatten has them
        mask = dropout_mask(rows, self.nodes[k][1].p, self.seed, k, self.steps)
        return mask.reshape(x.shape)

    @silent
    def _gradients(self, tensors: list[Array], dy: Array, training: bool) -> dict[str, Array]:
        """Every gradient by name, from the last layer to the first; then X's, as "input.grad"."""
        found: dict[str, Array] = {}
        # What goes around a Residual's layers is added at the input of their first.
        around: dict[int, list[Array]] = {}
        for k, (name, layer, start) in reversed([*enumerate(self.nodes)]):
            x, y = tensors[k], tensors[k + 1]
            found[f"{name}.grad_output"] = dy = dy.astype(self.dtype)  # y's shape
            if kind(layer) in WEIGHTED:
                W = self.parameters[f"{name}.weight"]
                dW, dx = WEIGHTED[kind(layer)][1](x, W, dy, layer)
                found[f"{name}.weight.grad"] = dW
                if layer.bias:  # over rows and places, (out,)
                    found[f"{name}.bias.grad"] = dy.sum(axis=(0, *range(2, dy.ndim)))
                dy = dx
            elif kind(layer) in NORMS:
                past = self._past(name, training)
                xhat, deviation = normalized(x, layer, past)
                if layer.affine:
                    places = (0, *range(2, dy.ndim))
                    found[f"{name}.weight.grad"] = (dy * xhat).sum(axis=places)
                    found[f"{name}.bias.grad"] = dy.sum(axis=places)
                    dy = dy * by_channel(self.parameters[f"{name}.weight"], dy.ndim)
                over = axes(layer, x) if past is None else None
                dy = normalized_backward(xhat, deviation, dy, over)
            elif kind(layer) == "Residual":
                around.setdefault(start, []).append(dy)
            elif kind(layer) in SHAPING:
                dy = SHAPING[kind(layer)][1](x, y, dy, layer)
            elif kind(layer) == "Dropout":
                dy = dy * self._mask(k, x) if training else dy  # the mask that forward drew
            else:
                if kind(layer) == "PReLU":
                    slopes = self.parameters[f"{name}.weight"]
                    found[f"{name}.weight.grad"] = slopes_backward(x, slopes, dy)
                dy = dy * ACTIVATIONS[kind(layer)][1](x, y, self.present(k, x.ndim))
            dy = sum(around.pop(k, []), dy)
        if self.standardize:
            deviation = spread(self._standard("X").deviation, dy)
            dy = dy.astype(np.float64) / deviation / (self.scale or 1.0)
        elif self.scale is not None:
            dy = dy / self.dtype.type(self.scale)
        if self.swaps and dy.ndim == 4:  # X's own order again
            dy = dy.transpose(0, 2, 3, 1)
        return found | {"input.grad": dy.astype(self.dtype)}

    def _keyed(self, found: dict[str, Any]) -> dict[str, Array]:
        return {key: found[f"{key}.grad"] for key in self.parameters}

    def forward(self, X: Any, *, training: bool = False, out: Array | None = None) -> Any:
        """The last layer's output, (n, K)."""
        y = self._tensors(X, training)[-1]
        if self.standardize_y:
            y = restored(y, self._standard("y")).astype(self.dtype)
        return y if out is None else np.positive(y, out=out)

    __call__ = forward

    def backward(
        self, X: Any, grad_output: Any, *, training: bool = False, input_grad: bool = False
    ) -> Any:
        """The gradients of a loss whose derivative by the output is `grad_output`, (n, K)."""
        grad_output = np.asarray(grad_output)
        if self.standardize_y:  # y grows by a deviation where the last layer's output grows by 1
            deviation = self._standard("y").deviation
            grad_output = (grad_output.astype(self.dtype) * deviation).astype(self.dtype)
        tensors = self._tensors(X, training)
        found = self._gradients(tensors, grad_output, training)
        if training:
            self._track(tensors)
        return (self._keyed(found), found["input.grad"]) if input_grad else self._keyed(found)

    @silent
    def apply_gradients(self, grads: Mapping[str, Any]) -> None:
        self._last_rate = self.learning_rate
        self.steps += 1
        scales, o = self._trained_keys(), self.optimizer
        for key, g in clipped(o, {k: np.asarray(grads[k], self.dtype) for k in scales}).items():
            w, lr = self.parameters[key], self._last_rate * scales[key]
            decays = o.decay_bias or w.ndim > 1  # no bias, no normalization's
            new = updated(o, lr, w, g, self.memory[key], self.steps, decays)
            self.parameters[key], self.memory[key] = new
        self.average = moved_average(o, self.average, self.parameters)

    def _trained_keys(self) -> dict[str, float]:
        """The parameters that updates change, each with its factor on the learning rate."""
        layers = {name: layer for name, layer, _ in self.nodes}
        of = {key: layers[key.rpartition(".")[0]] for key in self.parameters}
        return {key: layer.lr_scale for key, layer in of.items() if layer.trainable}

    def is_finite(self) -> bool:
        """Whether parameters, running values and the optimizer's memory are."""
        tensors = [*self.parameters.values(), *(m for kept in self.memory.values() for m in kept)]
        tensors += [w for own in self.running.values() for w in own.values()]
        return all(bool(np.isfinite(tensor).all()) for tensor in tensors)
