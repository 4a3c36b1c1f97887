"""Multilayer perceptrons and small convolutional networks in plain NumPy: to read, and to compare
the fast ones with.

This file needs NumPy alone and may be copied into a notebook. It has the constructors and methods
of `ironmlp.MLP` and `ironmlp.Sequential`, takes ironmlp's layers, losses and optimizers as they are
(it reads their class names and attributes), and draws the same random numbers: a seed gives the
same initial parameters, batches and dropout masks. Without ironmlp, `spec` makes the rest:

    model = MLP([2, 3, 2, 1], activation="tanh", loss="mse", optimizer=spec("SGD", lr=0.1), seed=7)

In the comments n is the number of rows of a batch, K the number of outputs of the network, and dy
stands for dloss/dy, an array of y's shape. Images are (n, C, H, W): channels, height, width.
"""
# Functions of one table share one signature, whether they use all of it or not.
# ruff: noqa: ARG001, ARG002, ARG005

import math
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DEFAULTS: dict[str, dict[str, Any]] = {
    "Linear": {"bias": True, "init": None, "trainable": True, "lr_scale": 1.0},
    "Conv2d": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    | {"bias": True, "init": None, "trainable": True, "lr_scale": 1.0},
    "AvgPool2d": {"stride": None},
    "MaxPool2d": {"stride": None},
    "Flatten": {},
    "Dropout": {"p": 0.5},
    **{name: {} for name in ("Identity", "Sigmoid", "Tanh", "ReLU", "SiLU")},
    "LeakyReLU": {"negative_slope": 0.01},
    "ELU": {"alpha": 1.0},
    "GELU": {"approximate": "none"},
    "Softplus": {"beta": 1.0, "threshold": 20.0},
    "BinaryCrossEntropy": {"from_logits": True, "pos_weight": None, "reduction": "mean"},
    "CrossEntropy": {"class_weight": None, "label_smoothing": 0.0, "ignore_index": None}
    | {"reduction": "mean"},
    "MSE": {"reduction": "mean"},
    "MAE": {"reduction": "mean"},
    "Huber": {"delta": 1.0, "reduction": "mean"},
    "SGD": {"lr": 1e-3, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
}


def spec(what: Any, **values: Any) -> Any:
    """An object with the attributes `values`, its class named by the string `what`.

    "leaky_relu" names LeakyReLU. Anything but a string is returned as it is.
    """
    if not isinstance(what, str):
        return what
    plain = what.replace("_", "").lower().replace("logistic", "sigmoid")
    for name, defaults in DEFAULTS.items():
        if name.lower() == plain:
            return type(name, (), defaults | values)()
    raise ValueError(f"{what!r} is unknown, known: {', '.join(DEFAULTS)}")


def kind(item: Any) -> str:
    return type(item).__name__


# Random numbers: Philox4x64-10, as docs/random.md has it. Each purpose has streams of its own.
WEIGHT, BIAS, SHUFFLE, DROPOUT = 1, 2, 3, 4


def words(count: int, seed: int, purpose: int, layer: int = 0, row: int = 0, step: int = 0) -> Any:
    """The first `count` 64-bit words of a stream, (count,)."""
    key = np.array([seed, purpose << 32 | layer], np.uint64)
    counter = np.array([0, row, step, 0], np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def uniform(shape: tuple[int, ...], bound: float, *stream: int) -> Array:
    """Numbers in [-bound, bound), in the order of the array's elements."""
    u = (words(math.prod(shape), *stream) >> 11) * 2.0**-53  # 53 random bits in [0, 1)
    return np.reshape((2.0 * u - 1.0) * bound, shape)


def normal(shape: tuple[int, ...], std: float, *stream: int) -> Array:
    """Normal numbers by Box and Muller's method, two words for each."""
    bits = words(2 * math.prod(shape), *stream) >> 11
    u1 = (bits[0::2] + 1) * 2.0**-53  # in (0, 1], so that its logarithm is finite
    u2 = bits[1::2] * 2.0**-53
    return np.reshape(std * (np.sqrt(-2.0 * np.log(u1)) * np.cos(2.0 * np.pi * u2)), shape)


def zeros(shape: tuple[int, ...], scale: float, *stream: int) -> Array:
    return np.zeros(shape)


# How to draw the weight, its scale for i inputs of one output and o outputs of one input, how to
# draw the bias.
INITIALIZERS: dict[str, tuple[Any, Callable[[int, int], float], Any]] = {
    "torch_linear": (uniform, lambda i, o: 1.0 / math.sqrt(i), uniform),
    "glorot_uniform": (uniform, lambda i, o: math.sqrt(6.0 / (i + o)), zeros),
    "he_normal": (normal, lambda i, o: math.sqrt(2.0 / i), zeros),
    "zeros": (zeros, lambda i, o: 0.0, zeros),
    "normal": (normal, lambda i, o: 1.0, normal),
}


def shuffled(n: int, seed: int, epoch: int) -> Array:
    """The order of the rows in an epoch, (n,): Fisher and Yates, one word for each swap."""
    order, swaps = np.arange(n), words(n - 1, seed, SHUFFLE, step=epoch).tolist()
    for i, word in zip(range(n - 1, 0, -1), swaps, strict=True):
        j = word * (i + 1) >> 64  # in 0..i
        order[i], order[j] = order[j], order[i]
    return order


def dropout_mask(shape: tuple[int, int], p: float, seed: int, layer: int, step: int) -> Array:
    """0 with probability p, else 1 / (1 - p), (n, units): 16 bits a unit, a stream a row."""
    n, units = shape
    drop = round(p * 65536)
    rows = [words(-(-units // 4), seed, DROPOUT, layer, row, step) for row in range(n)]
    fields = np.array(rows).astype("<u8").view("<u2")[:, :units]  # a word holds four fields
    return np.where(fields >= drop, 65536 / (65536 - drop), 0.0)


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))  # at most 1, so nothing overflows
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))"""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def phi(x: Array, approximate: str) -> tuple[Array, Array]:
    """GELU's normal distribution function, exact or in its tanh form, and its derivative."""
    if approximate == "tanh":
        c = math.sqrt(2.0 / math.pi)
        y = 0.5 * (1.0 + np.tanh(c * (x + 0.044715 * x * x * x)))
        return y, 2.0 * y * (1.0 - y) * c * (1.0 + 3.0 * 0.044715 * x * x)
    y = np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2.0)), otypes=[float])(x)
    return y.astype(x.dtype), np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


# y from x, and dy/dx from x and y, element by element; a is the layer, which has the constants.
ACTIVATIONS: dict[str, tuple[Callable[[Array, Any], Any], Callable[[Array, Array, Any], Any]]] = {
    "Identity": (lambda x, a: x, lambda x, y, a: np.ones_like(x)),
    "Sigmoid": (lambda x, a: sigmoid(x), lambda x, y, a: y * (1.0 - y)),
    "Tanh": (lambda x, a: np.tanh(x), lambda x, y, a: 1.0 - y * y),
    "ReLU": (lambda x, a: np.maximum(x, 0.0), lambda x, y, a: np.where(x > 0, 1.0, 0.0)),
    "LeakyReLU": (
        lambda x, a: np.where(x > 0, x, a.negative_slope * x),
        lambda x, y, a: np.where(x > 0, 1.0, a.negative_slope),
    ),
    "ELU": (
        lambda x, a: np.where(x > 0, x, a.alpha * np.expm1(np.minimum(x, 0.0))),
        lambda x, y, a: np.where(x > 0, 1.0, a.alpha * np.exp(np.minimum(x, 0.0))),
    ),
    "GELU": (
        lambda x, a: x * phi(x, a.approximate)[0],
        lambda x, y, a: phi(x, a.approximate)[0] + x * phi(x, a.approximate)[1],
    ),
    "SiLU": (
        lambda x, a: x * sigmoid(x),
        lambda x, y, a: sigmoid(x) * (1.0 + x * sigmoid(-x)),
    ),
    "Softplus": (
        lambda x, a: np.where(a.beta * x > a.threshold, x, softplus(a.beta * x) / a.beta),
        lambda x, y, a: np.where(a.beta * x > a.threshold, 1.0, sigmoid(a.beta * x)),
    ),
}


def linear(x: Array, W: Array, layer: Any) -> Any:
    return x @ W.T  # (n, in) @ (in, out)


def linear_backward(x: Array, W: Array, dy: Array, layer: Any) -> tuple[Any, Any]:
    return dy.T @ x, dy @ W  # dW: (out, n) @ (n, in), and dx: (n, out) @ (out, in)


def pair(value: Any) -> tuple[int, int]:
    """A size for rows and one for columns; a single number is both."""
    rows, columns = value if isinstance(value, tuple | list) else (value, value)
    return rows, columns


class Windows:
    """Where the windows of a convolution or pool lie on images (n, C, H, W), padded already.

    Output (i, j) sees the elements (i * stride + u * dilation, j * stride + v * dilation), for each
    offset (u, v) in the kernel. So the elements that one offset meets, for all outputs at once, are
    a slice of the images with steps of `stride`: a loop over the few offsets does for all places.
    """

    def __init__(self, layer: Any, height: int, width: int) -> None:
        self.kernel = pair(layer.kernel_size)
        self.stride = pair(layer.stride or layer.kernel_size)  # pools: None is the kernel's size
        self.dilation = pair(getattr(layer, "dilation", 1))
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        room = (height - reach[0], width - reach[1])
        if min(room) < 0:
            raise ValueError(f"{kind(layer)}: windows of {reach} on images of {height, width}")
        self.places = [r // s + 1 for r, s in zip(room, self.stride, strict=True)]  # H', W'

    def offsets(self) -> list[tuple[int, int]]:
        return [(u, v) for u in range(self.kernel[0]) for v in range(self.kernel[1])]

    def at(self, x: Array, u: int, v: int) -> Array:
        """What offset (u, v) meets, (n, C, H', W'): a view, so that += writes into x."""
        rows, columns = (
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, n, s in zip((u, v), self.dilation, self.places, self.stride, strict=True)
        )
        return x[:, :, rows, columns]


def padded(x: Array, layer: Any) -> Array:
    """Images with a border of zeros."""
    rows, columns = pair(layer.padding)
    return np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))


def channel_groups(layer: Any) -> list[tuple[slice, slice]]:
    """The output channels and the input channels of each group."""
    o, i = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    return [(slice(g * o, g * o + o), slice(g * i, g * i + i)) for g in range(layer.groups)]


def conv2d(x: Array, W: Array, layer: Any) -> Any:
    """x (n, in, H, W) and kernels (out, in / groups, kh, kw) to (n, out, H', W')."""
    x = padded(x, layer)
    windows = Windows(layer, *x.shape[2:])
    y = np.zeros((len(x), len(W), *windows.places), x.dtype)
    for u, v in windows.offsets():
        seen = windows.at(x, u, v)
        for o, i in channel_groups(layer):
            y[:, o] += np.einsum("nihw,oi->nohw", seen[:, i], W[o, :, u, v], optimize=True)
    return y


def conv2d_backward(x: Array, W: Array, dy: Array, layer: Any) -> tuple[Any, Any]:
    """dW and dx: the products of `conv2d`, each with dy in the place of the sought factor."""
    x = padded(x, layer)
    windows = Windows(layer, *x.shape[2:])
    dW, dx = np.zeros_like(W), np.zeros_like(x)
    for u, v in windows.offsets():
        seen, dseen = windows.at(x, u, v), windows.at(dx, u, v)
        for o, i in channel_groups(layer):
            dW[o, :, u, v] = np.einsum("nohw,nihw->oi", dy[:, o], seen[:, i], optimize=True)
            dseen[:, i] += np.einsum("nohw,oi->nihw", dy[:, o], W[o, :, u, v], optimize=True)
    rows, columns = pair(layer.padding)
    return dW, dx[:, :, rows : x.shape[2] - rows, columns : x.shape[3] - columns]


def average_pool(x: Array, layer: Any) -> Any:
    windows = Windows(layer, *x.shape[2:])
    return sum(windows.at(x, u, v) for u, v in windows.offsets()) / math.prod(windows.kernel)


def average_pool_backward(x: Array, y: Array, dy: Array, layer: Any) -> Any:
    windows, dx = Windows(layer, *x.shape[2:]), np.zeros_like(x)
    for u, v in windows.offsets():
        windows.at(dx, u, v)[...] += dy / math.prod(windows.kernel)
    return dx


def max_pool(x: Array, layer: Any) -> Any:
    windows = Windows(layer, *x.shape[2:])
    y = windows.at(x, 0, 0)
    for u, v in windows.offsets():
        y = np.maximum(y, windows.at(x, u, v))
    return y


def max_pool_backward(x: Array, y: Array, dy: Array, layer: Any) -> Any:
    """dy goes to the first element of the window that has the largest value."""
    windows, dx = Windows(layer, *x.shape[2:]), np.zeros_like(x)
    open_places = np.ones(y.shape, bool)  # whose largest element has not been met yet
    for u, v in windows.offsets():
        met = open_places & (windows.at(x, u, v) == y)
        windows.at(dx, u, v)[...] += dy * met
        open_places &= ~met
    return dx


# Layers with a weight: y without the bias from x and W, then dW and dx from x, W and dy.
WEIGHTED: dict[str, tuple[Callable[[Array, Array, Any], Any], Any]] = {
    "Linear": (linear, linear_backward),
    "Conv2d": (conv2d, conv2d_backward),
}

# Layers of images without parameters: y from x, then dx from x, y and dy.
SHAPING: dict[str, tuple[Callable[[Array, Any], Any], Any]] = {
    "AvgPool2d": (average_pool, average_pool_backward),
    "MaxPool2d": (max_pool, max_pool_backward),
    "Flatten": (
        lambda x, layer: x.reshape(len(x), -1),
        lambda x, y, dy, layer: dy.reshape(x.shape),
    ),
}


def weight_shape(layer: Any) -> tuple[int, ...]:
    """(out, in) of a Linear, (out, in / groups, kh, kw) of a Conv2d."""
    if kind(layer) == "Linear":
        return layer.out_features, layer.in_features
    kernel = pair(layer.kernel_size)
    return (layer.out_channels, layer.in_channels // layer.groups, *kernel)


def by_channel(values: Array, ndim: int) -> Array:
    """One value for each feature or channel, to be added to (n, out, ...)."""
    return values.reshape(-1, *[1] * (ndim - 2))


# What a loss makes of outputs, (n, K), and targets: its value, (n, K), its derivative by the
# outputs, (n, K), and what each row adds to the divisor of the mean, (n,).
Parts = tuple[Array, Array, Array]


def elements(value: Array, grad: Array) -> Parts:
    return value, grad, np.full(len(value), float(value.shape[1]))


def binary_cross_entropy(x: Array, t: Array, loss: Any) -> Parts:
    if not loss.from_logits:  # x is the probability itself
        with np.errstate(divide="ignore"):  # log 0 counts as -100
            log_p, log_q = np.maximum(np.log(x), -100.0), np.maximum(np.log1p(-x), -100.0)
        grad = -(t / np.maximum(x, 1e-12) - (1.0 - t) / np.maximum(1.0 - x, 1e-12))
        return elements(-(t * log_p + (1.0 - t) * log_q), grad)
    # log p = -softplus(-x) and log(1 - p) = -softplus(x), without a 1 - p that rounds to 0.
    q = np.asarray(1.0 if loss.pos_weight is None else loss.pos_weight, x.dtype)  # () or (K,)
    value = (1.0 - t) * softplus(x) + q * t * softplus(-x)
    return elements(value, (1.0 - t) * sigmoid(x) - q * t * sigmoid(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))  # the largest is exp(0)
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def cross_entropy(x: Array, targets: Array, loss: Any) -> Parts:
    n, k = x.shape
    c = np.ones(k) if loss.class_weight is None else np.array(loss.class_weight, float)  # (K,)
    t, divisor, kept = targets, np.ones(n), np.ones(n, bool)
    if targets.ndim == 1:  # indices become rows with a single 1
        kept = np.not_equal(targets, loss.ignore_index)
        t = np.zeros((n, k))
        t[kept, targets[kept]] = 1.0
        divisor = t @ c
    s = loss.label_smoothing
    t = (((1.0 - s) * t + s / k) * c * kept[:, None]).astype(x.dtype)  # weighted, (n, K)
    z = x - x.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -t * log_p, softmax(x) * t.sum(axis=1, keepdims=True) - t, divisor


def huber(y: Array, t: Array, loss: Any) -> Parts:
    d, size = y - t, np.abs(y - t)
    value = np.where(size <= loss.delta, 0.5 * d * d, loss.delta * (size - 0.5 * loss.delta))
    return elements(value, np.clip(d, -loss.delta, loss.delta))


LOSSES: dict[str, Callable[[Array, Array, Any], Parts]] = {
    "BinaryCrossEntropy": binary_cross_entropy,
    "CrossEntropy": cross_entropy,
    "MSE": lambda y, t, loss: elements((y - t) ** 2, 2.0 * (y - t)),
    "MAE": lambda y, t, loss: elements(np.abs(y - t), np.sign(y - t)),
    "Huber": huber,
}


def reduced(y: Array, t: Array, weight: Any, loss: Any, reduction: str) -> tuple[float, Array]:
    """The loss of a batch, and its derivative by the outputs y, (n, K)."""
    if kind(loss) not in LOSSES:  # the user's own function
        value, grad = loss(y, t)
        return float(value), np.asarray(grad, y.dtype)
    value, grad, divisors = LOSSES[kind(loss)](y, t, loss)
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, float)  # (n,)
    divisor = float(np.sum(weight * divisors)) if reduction == "mean" else 1.0
    scale = (weight / divisor if divisor > 0 else np.zeros(len(y)))[:, None]  # (n, 1)
    return float(np.sum(scale * value)), scale.astype(y.dtype) * grad.astype(y.dtype)


def updated(o: Any, lr: float, w: Array, g: Array, memory: Any, t: int) -> tuple[Array, Any]:
    """Update t = 1, 2, ... of a parameter w by its gradient g: the new w, and the new memory.

    o is the optimizer; the memory of w holds two arrays of its shape, zero at first.
    """
    m, v = memory
    g = g + o.weight_decay * w
    if kind(o) == "SGD":
        m = o.momentum * m + g
        return w - lr * (g + o.momentum * m if o.nesterov else m), (m, v)
    b1, b2 = o.betas  # Adam
    m = b1 * m + (1.0 - b1) * g
    v = b2 * v + (1.0 - b2) * g * g
    root = np.sqrt(v) / math.sqrt(1.0 - b2**t) + o.eps
    return w - lr / (1.0 - b1**t) * (m / root), (m, v)


class Sequential:
    """Layers in a row: `ironmlp.Sequential` has the same arguments and methods.

    X is (n, in), or images: (n, C, H, W), with `channels_last` (n, H, W, C). The network sees
    X / `scale`, if that is given.
    """

    def __init__(
        self, layers: Iterable[Any], *, loss: Any, optimizer: Any = None, dtype: str = "float32",
        seed: int | None = None, n_threads: int | None = None, scale: float | None = None,
        channels_last: bool = False,
    ) -> None:  # fmt: skip
        self.scale, self.channels_last = scale, channels_last
        self.layers, self.loss = [spec(layer) for layer in layers], spec(loss)
        self.optimizer, self.dtype = spec(optimizer or "Adam"), np.dtype(dtype)
        weighted = [layer for layer in self.layers if kind(layer) in WEIGHTED]
        for a, b in pairwise(weighted):
            gives, takes = weight_shape(a)[0], getattr(b, "in_features", 0) or b.in_channels
            if kind(a) == kind(b) and gives != takes:
                raise ValueError(f"a layer gives {gives}, the next takes {takes}")
        # Linear takes rows, all else of these images; of what size, the first X says.
        first = next(x for x in self.layers if kind(x) in WEIGHTED or kind(x) in SHAPING)
        self.n_in: Any = getattr(weighted[0], "in_channels", None)
        self.takes = f"(n, {self.n_in or 'C'}, H, W)"
        if kind(first) == "Linear":
            self.n_in, self.takes = first.in_features, f"(n, {first.in_features})"
        self.n_axes = self.takes.count(",") + 1
        self.n_out = weight_shape(weighted[-1])[0]
        logits = kind(self.loss) == "CrossEntropy" or getattr(self.loss, "from_logits", False)
        if logits and kind(self.layers[-1]) == "Sigmoid":
            raise ValueError("the loss takes logits: drop the last Sigmoid, or from_logits=False")
        self.reset(secrets.randbits(64) if seed is None else seed)

    def reset(self, seed: int | None = None) -> None:
        """Start anew, with the same seed unless another is given."""
        self.seed: int = self.seed if seed is None else seed
        self.learning_rate: float = self.optimizer.lr
        self.epoch = self.steps = 0
        self.classes_: Array | None = None  # found by the first fit
        self.flat = False  # whether fit's y was (n,), so that predict's is too
        self.parameters: dict[str, Array] = {}
        for k, layer in enumerate(self.layers):
            if kind(layer) in WEIGHTED:
                shape = weight_shape(layer)
                # Each output has i inputs; each input is part of o outputs, groups not counted.
                i, o = math.prod(shape[1:]), shape[0] * math.prod(shape[2:])
                draw, spread, draw_bias = INITIALIZERS[layer.init or "torch_linear"]
                self.parameters[f"{k}.weight"] = draw(shape, spread(i, o), self.seed, WEIGHT, k)
                if layer.bias:
                    bias = draw_bias(shape[:1], spread(i, o), self.seed, BIAS, k)
                    self.parameters[f"{k}.bias"] = bias
        self.parameters = {key: w.astype(self.dtype) for key, w in self.parameters.items()}
        self.memory = {key: (0 * w, 0 * w) for key, w in self.parameters.items()}

    def _tensors(self, X: Any, training: bool) -> list[Array]:
        """X, then the output of each layer: tensor k is what layer k takes."""
        X = np.asarray(X)
        if self.channels_last and X.ndim == 4:
            X = X.transpose(0, 3, 1, 2)
        if X.ndim != self.n_axes or self.n_in not in (None, X.shape[1]):
            raise ValueError(f"X has shape {X.shape}, the network takes {self.takes}")
        X = X.astype(self.dtype)
        tensors = [X if self.scale is None else X / self.dtype.type(self.scale)]
        for k, layer in enumerate(self.layers):
            x = tensors[-1]  # (n, in), or (n, C, H, W)
            if kind(layer) in WEIGHTED:
                y = WEIGHTED[kind(layer)][0](x, self.parameters[f"{k}.weight"], layer)
                if layer.bias:
                    y = y + by_channel(self.parameters[f"{k}.bias"], y.ndim)
            elif kind(layer) in SHAPING:
                y = SHAPING[kind(layer)][0](x, layer)
            elif kind(layer) == "Dropout":
                y = x * self._mask(k, x) if training else x
            else:
                y = ACTIVATIONS[kind(layer)][0](x, layer)
            tensors.append(y.astype(self.dtype))
        return tensors

    def _mask(self, k: int, x: Array) -> Array:
        rows = (len(x), math.prod(x.shape[1:]))  # images count unit by unit, as Flatten has them
        mask = dropout_mask(rows, self.layers[k].p, self.seed, k, self.steps)
        return mask.reshape(x.shape)

    def _gradients(self, tensors: list[Array], dy: Array, training: bool) -> dict[str, Array]:
        """Every gradient by name, from the last layer to the first; then X's, as "input.grad"."""
        found: dict[str, Array] = {}
        for k in reversed(range(len(self.layers))):
            layer, x, y = self.layers[k], tensors[k], tensors[k + 1]
            found[f"{k}.grad_output"] = dy = dy.astype(self.dtype)  # y's shape
            if kind(layer) in WEIGHTED:
                W = self.parameters[f"{k}.weight"]
                dW, dx = WEIGHTED[kind(layer)][1](x, W, dy, layer)
                found[f"{k}.weight.grad"] = dW
                if layer.bias:  # over rows and places, (out,)
                    found[f"{k}.bias.grad"] = dy.sum(axis=(0, *range(2, dy.ndim)))
                dy = dx
            elif kind(layer) in SHAPING:
                dy = SHAPING[kind(layer)][1](x, y, dy, layer)
            elif kind(layer) == "Dropout":
                dy = dy * self._mask(k, x) if training else dy  # the mask that forward drew
            else:
                dy = dy * ACTIVATIONS[kind(layer)][1](x, y, layer)
        if self.scale is not None:
            dy = dy / self.dtype.type(self.scale)
        if self.channels_last and dy.ndim == 4:  # X's own order again
            dy = dy.transpose(0, 2, 3, 1)
        return found | {"input.grad": dy.astype(self.dtype)}

    def _step(self, X: Any, targets: Array, weight: Any, training: bool) -> dict[str, Any]:
        """Every tensor of a step by name: the outputs, the loss, then the gradients."""
        tensors = self._tensors(X, training)
        reduction = getattr(self.loss, "reduction", "mean")
        loss, dy = reduced(tensors[-1], targets, weight, self.loss, reduction)
        outputs = {f"{k}.output": y for k, y in enumerate(tensors[1:])}
        return {**outputs, "loss": loss, **self._gradients(tensors, dy, training)}

    def _keyed(self, found: dict[str, Any]) -> dict[str, Array]:
        return {key: found[f"{key}.grad"] for key in self.parameters}

    def forward(self, X: Any, *, training: bool = False, out: Array | None = None) -> Any:
        """The last layer's output, (n, K)."""
        y = self._tensors(X, training)[-1]
        return y if out is None else np.positive(y, out=out)

    __call__ = forward

    def backward(
        self, X: Any, grad_output: Any, *, training: bool = False, input_grad: bool = False
    ) -> Any:
        """The gradients of a loss whose derivative by the output is `grad_output`, (n, K)."""
        found = self._gradients(self._tensors(X, training), np.asarray(grad_output), training)
        return (self._keyed(found), found["input.grad"]) if input_grad else self._keyed(found)

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

    def apply_gradients(self, grads: Mapping[str, Any]) -> None:
        self.steps += 1
        for key, w in self.parameters.items():
            layer = self.layers[int(key.split(".")[0])]
            if layer.trainable:
                lr, g = self.learning_rate * layer.lr_scale, np.asarray(grads[key], self.dtype)
                new = updated(self.optimizer, lr, w, g, self.memory[key], self.steps)
                self.parameters[key], self.memory[key] = new

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

    def state_dict(self) -> dict[str, Array]:
        """Copies of the parameters: "0.weight" is (out, in) of a Linear, (out, in / groups, kh, kw)
        of a Conv2d; "0.bias" is (out,)."""
        return {key: w.copy() for key, w in self.parameters.items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take parameters over; unless `strict`, only those that the model has."""
        have, new = self.parameters, {key: np.array(w, self.dtype) for key, w in state.items()}
        if not strict:
            new = have | {key: w for key, w in new.items() if key in have}
        old, got = ({key: w.shape for key, w in tensors.items()} for tensors in (have, new))
        if old != got:
            raise ValueError(f"the model has {old}, the state has {got}")
        self.parameters = {key: new[key] for key in have}


class MLP(Sequential):
    """Linear layers of the given sizes with an activation between each two.

    With probabilities as outputs (`BinaryCrossEntropy(from_logits=False)`) a Sigmoid follows. The
    other arguments are those of `Sequential`.
    """

    def __init__(
        self, layer_sizes: Sequence[int], *, activation: Any = "relu", loss: Any,
        init: str = "torch_linear", **others: Any,
    ) -> None:  # fmt: skip
        layers: list[Any] = []
        for i, o in pairwise(layer_sizes):
            layers += [spec("Linear", in_features=i, out_features=o, init=init), spec(activation)]
        last = [] if getattr(spec(loss), "from_logits", True) else [spec("Sigmoid")]
        super().__init__([*layers[:-1], *last], loss=loss, **others)
