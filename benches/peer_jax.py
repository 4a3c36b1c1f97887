"""JAX: `jit(lax.scan)` over all steps of several epochs, parameters donated, data resident.

Images have their channels last, and kernels are (kh, kw, in, out): what XLA's convolutions take.
They are trained by a `jit` of one step, called for each: in the loop of a `lax.scan` XLA takes
other convolutions, and a step of LeNet-5 took ten times as long.

Updates are written out here, those that Optax has too (AdamW, clipping by norm, an average of the
parameters): XLA sees the same operations, and fuses them. Batch normalization keeps no running
statistics here, which is in JAX's favour.
"""

from __future__ import annotations

import functools
import math
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from workloads import BETAS, NORM_EPS, Workload, data, initial, orders

PACKAGE = "jax"

# A call costs tens of microseconds: as many epochs in one as make it last this long, in seconds.
CALL = 0.01

ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


class Trainer:
    def __init__(self, workload: Workload, threads: int) -> None:
        del threads  # the cores that this process may use
        # float64 exists only with this switch; without it integers stay 32 bits wide as well.
        jax.config.update("jax_enable_x64", workload.dtype == "float64")
        self.workload = workload
        X, y = data(workload)
        X = X.transpose(0, 2, 3, 1).copy() if workload.image else X
        y = y.astype(np.int32) if workload.loss == "softmax" else y
        self.X, self.y = jax.device_put(X), jax.device_put(y)
        self.random = np.random.default_rng(3)
        self.start = [
            (weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight, bias)
            for weight, bias in initial(workload)
        ]
        if workload.norm:
            widths = workload.sizes[1:-1]
            self.start += [(np.ones(n, X.dtype), np.zeros(n, X.dtype)) for n in widths]
        self.run = jax.jit(
            functools.partial(train, workload), static_argnames="steps", donate_argnames="state"
        )
        self.reset()
        self.grain = 1

    def prepare(self) -> None:
        """Choose how many epochs a call trains; `train` then takes multiples of `grain`."""
        self.train(1, shuffle=True)
        begin = time.perf_counter()
        self.train(1, shuffle=True)
        self.grain = max(1, math.ceil(CALL / (time.perf_counter() - begin)))
        if self.grain == 1:
            return
        self.train(self.grain, shuffle=True)
        begin = time.perf_counter()
        self.train(self.grain, shuffle=True)
        # The first estimate holds the cost of a call, which is most of a tiny epoch.
        self.grain = max(1, math.ceil(self.grain * CALL / (time.perf_counter() - begin)))
        self.train(self.grain, shuffle=True)

    def reset(self) -> None:
        """Back to the initial parameters."""
        parameters = jax.tree.map(jnp.array, self.start)
        moments = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
        count = jnp.zeros((), self.workload.dtype)
        average = jax.tree.map(jnp.array, self.start) if self.workload.ema else None
        self.state = jax.block_until_ready((parameters, *moments, count, average))

    def train(self, epochs: int, *, shuffle: bool) -> list[float]:
        """The mean loss of each epoch, each batch before its update."""
        random, grain = self.random if shuffle else None, min(self.grain, epochs)
        losses = []
        for _ in range(epochs // grain):
            rows = None
            if self.workload.steps > 1:
                listed = [orders(self.workload, random) for _ in range(grain)]
                rows = np.concatenate(listed).astype(np.int32)
            losses += self.trained(rows, grain)
        return np.concatenate(losses).reshape(epochs, -1).mean(axis=1).tolist()

    def averaged_loss(self) -> float:
        """The loss of the averaged parameters for the first batch."""
        batch = self.workload.batch
        return float(loss_of(self.workload, self.state[-1], self.X[:batch], self.y[:batch]))

    def trained(self, rows: Any, epochs: int) -> list[Any]:
        """Arrays of the losses of all steps."""
        parts = np.split(rows, len(rows)) if self.workload.image else [rows]
        losses = []
        for part in parts:
            self.state, found = self.run(
                self.state, self.X, self.y, part, steps=epochs * self.workload.steps // len(parts)
            )
            losses.append(found)
        return losses


def features(workload: Workload, parameters: Any, x: jax.Array) -> jax.Array:
    """What the convolutions make of images (n, H, W, C), flat and in the order of (C, H, W)."""
    for (c, _, _), (weight, bias) in zip(workload.stages, parameters, strict=True):
        padding = [(c.padding, c.padding)] * 2
        layout = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, weight, (1, 1), padding, dimension_numbers=layout)
        x = ACTIVATIONS[workload.activation](x + bias)
        if c.pool > 1:
            window = (1, c.pool, c.pool, 1)
            x = lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / c.pool**2
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def loss_of(workload: Workload, parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    if workload.image:
        count = len(workload.stages)
        x, parameters = features(workload, parameters[:count], x), parameters[count:]
    hidden = len(workload.sizes) - 2
    for layer, (weight, bias) in enumerate(parameters[:hidden]):
        z = x @ weight + bias
        if workload.norm:
            z = normalized(z, *parameters[hidden + 1 + layer])
        x = ACTIVATIONS[workload.activation](z)
    z = x @ parameters[hidden][0] + parameters[hidden][1]
    if workload.loss == "softmax":
        chosen = jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(z, axis=1) - chosen)
    if workload.loss == "binary":
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
    return jnp.mean((z - y) ** 2)


def normalized(z: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
    centred = z - jnp.mean(z, axis=0)
    scale = lax.rsqrt(jnp.mean(centred * centred, axis=0) + NORM_EPS)
    return centred * scale * weight + bias


def update(workload: Workload, state: Any, gradients: Any) -> Any:
    parameters, first, second, count, average = state
    lr, tree = workload.lr, jax.tree.map
    if workload.clip_norm:
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradients)))
        factor = jnp.minimum(1, workload.clip_norm / (norm + 1e-6))
        gradients = tree(lambda g: factor * g, gradients)
    if workload.optimizer in ("adam", "adamw"):
        (b1, b2), eps = BETAS, workload.eps
        count = count + 1
        first = tree(lambda m, g: b1 * m + (1 - b1) * g, first, gradients)
        second = tree(lambda v, g: b2 * v + (1 - b2) * g * g, second, gradients)
        # 1 - beta^t; as a difference it would lose four of seven digits for beta = 0.999.
        rest1, rest2 = (-jnp.expm1(count * math.log(beta)) for beta in (b1, b2))
        size, root = lr / rest1, jnp.sqrt(rest2)
        kept = 1 - lr * workload.weight_decay
        parameters = tree(
            lambda w, m, v: kept * w - size * m / (jnp.sqrt(v) / root + eps),
            *(parameters, first, second),
        )
    elif workload.momentum:
        first = tree(lambda m, g: workload.momentum * m + g, first, gradients)
        parameters = tree(lambda w, m: w - lr * m, parameters, first)
    else:
        parameters = tree(lambda w, g: w - lr * g, parameters, gradients)
    if workload.ema:
        average = tree(lambda a, w: a + (1 - workload.ema) * (w - a), average, parameters)
    return parameters, first, second, count, average


def train(
    workload: Workload, state: Any, X: jax.Array, y: jax.Array, rows: Any, *, steps: int
) -> tuple[Any, jax.Array]:
    """The state after `steps`, and their losses; `rows` (steps, batch) or None for all."""

    def step(state: Any, rows: Any) -> tuple[Any, jax.Array]:
        bx, by = X, y
        if rows is not None:
            bx, by = (array.at[rows].get(mode="promise_in_bounds") for array in (X, y))
        loss, gradients = jax.value_and_grad(functools.partial(loss_of, workload))(state[0], bx, by)
        return update(workload, state, gradients), loss

    if steps == 1:
        state, loss = step(state, None if rows is None else rows[0])
        return state, loss[None]
    return lax.scan(step, state, rows, length=steps)


def versions() -> dict[str, str]:
    import jaxlib

    return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}
