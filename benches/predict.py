"""Latency of a prediction: one row through 20-64-64-1 (relu, float32), on one thread.

    python benches/predict.py

Every way is asked in turn for short windows; the medians are of one call from Python. Before, all
must give the same logit.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workers import run_pinned
from workloads import Parameters, Workload, initial

WORKLOAD = Workload("row", (20, 64, 64, 1), "relu", 1, 1, "binary", 0.1)
ROUNDS, WINDOW = 15, 0.01

Ways = dict[str, Callable[[], Any]]


def ironmlp_ways(parameters: Parameters, x: np.ndarray) -> Ways:
    import ironmlp as im

    model = im.MLP(WORKLOAD.sizes, loss="binary_cross_entropy", seed=0)
    state = {}
    for layer, (weight, bias) in enumerate(parameters):
        state[f"{2 * layer}.weight"], state[f"{2 * layer}.bias"] = weight.T, bias
    model.load_state_dict(state)
    predictor, out = model.predictor(), np.empty((1, 1), np.float32)
    return {
        "ironmlp predictor(x, out=out)": lambda: predictor(x, out=out),
        "ironmlp predictor(x)": lambda: predictor(x),
        "ironmlp model.forward(x, out=out)": lambda: model.forward(x, out=out),
        "ironmlp model.forward(x)": lambda: model.forward(x),
        "ironmlp model.predict(x)": lambda: model.predict(x),
    }


def numpy_ways(parameters: Parameters, x: np.ndarray) -> Ways:
    (w1, b1), (w2, b2), (w3, b3) = parameters
    z1, z2, z3 = (np.empty((1, bias.size), np.float32) for _, bias in parameters)

    def in_place() -> np.ndarray:
        np.matmul(x, w1, out=z1)
        np.add(z1, b1, out=z1)
        np.maximum(z1, 0, out=z1)
        np.matmul(z1, w2, out=z2)
        np.add(z2, b2, out=z2)
        np.maximum(z2, 0, out=z2)
        np.matmul(z2, w3, out=z3)
        return np.add(z3, b3, out=z3)

    def plain() -> np.ndarray:
        return np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0) @ w3 + b3

    return {"NumPy, in place": in_place, "NumPy": plain}


def sklearn_ways(parameters: Parameters, x: np.ndarray) -> Ways:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((64, 64), max_iter=1, batch_size=2, solver="sgd")
    model.partial_fit(np.repeat(x, 2, axis=0), [0, 1], classes=[0, 1])
    model.coefs_ = [weight for weight, _ in parameters]
    model.intercepts_ = [bias for _, bias in parameters]
    return {
        "scikit-learn predict_proba(x)": lambda: model.predict_proba(x),
        "scikit-learn predict(x)": lambda: model.predict(x),
    }


def torch_ways(parameters: Parameters, x: np.ndarray) -> Ways:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    layers: list[nn.Module] = []
    for weight, bias in parameters:
        layer = nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = torch.tensor(weight.T.copy()), torch.tensor(bias)
        layers += [layer, nn.ReLU()]
    model, tensor = nn.Sequential(*layers[:-1]).eval(), torch.from_numpy(x)
    compiled = torch.compile(model)

    def of(function: Callable[[Any], Any]) -> Callable[[], Any]:
        def call() -> Any:
            with torch.inference_mode():
                return function(tensor)

        return call

    return {"PyTorch model(x)": of(model), "torch.compile(model)(x)": of(compiled)}


def jax_ways(parameters: Parameters, x: np.ndarray) -> Ways:
    import jax
    import jax.numpy as jnp

    @jax.jit
    def model(parameters: Any, x: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = jnp.maximum(x @ weight + bias, 0)
        return x @ parameters[-1][0] + parameters[-1][1]

    there = jax.device_put(parameters)
    return {"JAX jit, to a NumPy array": lambda: np.asarray(model(there, x))}


def logit(answer: Any) -> float | None:
    """The logit in an answer; None for a label, which does not hold it."""
    answer = np.asarray(answer)
    if answer.shape == (1, 2):  # probabilities
        return float(np.log(answer[0, 1]) - np.log(answer[0, 0]))
    return float(answer[0, 0]) if answer.shape == (1, 1) else None


def main() -> int:
    run_pinned(1)
    parameters = initial(WORKLOAD)
    x = np.random.default_rng(5).standard_normal((1, 20), dtype=np.float32)
    ways: Ways = {}
    for make in (ironmlp_ways, numpy_ways, sklearn_ways, torch_ways, jax_ways):
        try:
            ways.update(make(parameters, x))
        except ModuleNotFoundError as error:
            print(f"not installed: {error.name}")
    a = x.astype(np.float64)
    for weight, bias in parameters[:-1]:
        a = np.maximum(a @ weight + bias, 0)
    wanted = float((a @ parameters[-1][0] + parameters[-1][1])[0, 0])
    for name, call in ways.items():
        got = logit(call())
        # Sums of 64 terms below 1 in float32.
        if got is not None and not abs(got - wanted) <= 1e-5:
            print(f"ERROR: {name} gives the logit {got}, it is {wanted}", file=sys.stderr)
            return 1
    calls = {}
    for name, call in ways.items():
        begin = time.perf_counter()
        for _ in range(100):
            call()
        calls[name] = max(1, round(WINDOW / (time.perf_counter() - begin) * 100))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, call in ways.items():
            begin = time.perf_counter()
            for _ in range(calls[name]):
                call()
            times[name].append((time.perf_counter() - begin) / calls[name] * 1e6)
    for name, values in times.items():
        print(f"{name:36} {statistics.median(values):8.2f} us, least {min(values):8.2f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
