"""The losses of scikit-learn's networks: what they report, their gradients, what they refuse."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from gradients import check_gradients
from ironmlp import losses
from ironmlp.losses.rows import (
    ClippedBCEWithLogits,
    ClippedCrossEntropy,
    HalfPoissonDeviance,
    HalfSquaredError,
)
from networks import DTYPES

Array = np.ndarray[Any, Any]

RNG = np.random.default_rng(3)
N = 37
X = RNG.normal(size=(N, 6))
WEIGHT = np.where(np.arange(N) % 5 == 3, 0.0, RNG.uniform(0.5, 2.0, N))
NUMBERS = RNG.normal(size=(N, 3))
CLASSES = RNG.integers(0, 3, N)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


# Each with its outputs, y, scikit-learn's name of the loss, and its activation of the outputs.
CASES: dict[str, tuple[Any, int, Array, str, Any]] = {
    "classes": (ClippedCrossEntropy(), 3, CLASSES, "log_loss", softmax),
    "flag": (ClippedBCEWithLogits(), 1, (NUMBERS[:, :1] > 0) * 1, "binary_log_loss", sigmoid),
    "flags": (ClippedBCEWithLogits(), 3, (NUMBERS > 0) * 1, "binary_log_loss", sigmoid),
    "number": (HalfSquaredError(), 1, NUMBERS[:, :1], "squared_error", lambda x: x),
    "numbers": (HalfSquaredError(), 3, NUMBERS, "squared_error", lambda x: x),
    "count": (HalfPoissonDeviance(), 1, np.floor(np.exp(NUMBERS[:, :1])), "poisson", np.exp),
    "counts": (HalfPoissonDeviance(), 3, np.floor(np.exp(NUMBERS)), "poisson", np.exp),
}
EVERY = pytest.mark.parametrize("name", CASES)
WEIGHTS = pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])


def model(name: str, hidden: int = 20, **options: Any) -> Any:
    loss, outputs, *_ = CASES[name]
    layers = [im.Linear(6, hidden), im.Tanh(), im.Linear(hidden, outputs)]
    options = {"optimizer": im.SGD(0.05), "dtype": "float64", "seed": 4, **options}
    return im.Sequential(layers, loss=loss, **options)


def targets(name: str) -> Array:
    """y as scikit-learn's losses take it."""
    y = CASES[name][2]
    return np.eye(3)[y] if name == "classes" else y


@WEIGHTS
@EVERY
@pytest.mark.parametrize("hidden", [7, 20])  # one that fits into L1, and one that does not
@pytest.mark.parametrize("scale", [1.0, 30.0])  # with logits that reach the limits
def test_what_is_reported_is_scikit_learns(
    name: str, weight: Any, hidden: int, scale: float
) -> None:
    base = pytest.importorskip("sklearn.neural_network._base")
    _, _, y, theirs, activation = CASES[name]
    net = model(name, hidden)
    if "count" not in name:
        net.load_state_dict({key: scale * w for key, w in net.state_dict().items()})
    probabilities = activation(net.forward(X))
    expected = base.LOSS_FUNCTIONS[theirs](targets(name), probabilities, weight)
    # They take 1 - p from p, which rounds: of a p near 1 little is left of its digits.
    lost = np.zeros(N)
    if "flag" in name:
        rest = np.maximum(1.0 - probabilities, 2.0**-53)
        lost = np.where(targets(name) == 0, 2.0**-51 / rest, 0.0).sum(axis=1)
    near = 1e-14 * expected + float(np.average(lost, weights=weight))
    assert abs(net.evaluate(X, y, sample_weight=weight)["loss"] - expected) <= near
    found = net.fit(X, y, batch_size=None, sample_weight=weight, verbose=False)["loss"][0]
    assert abs(found - expected) <= near


@WEIGHTS
@EVERY
def test_gradients_are_divided_by_the_sum_of_the_weights_alone(name: str, weight: Any) -> None:
    net = model(name)
    _, _, y, _, activation = CASES[name]
    delta = activation(net.forward(X)) - targets(name)
    shares = np.ones(N) if weight is None else weight
    expected = (delta * shares[:, np.newaxis]).sum(axis=0) / shares.sum()
    _, grads = net.loss_and_grad(X, y, sample_weight=weight)
    np.testing.assert_allclose(grads["2.bias"], expected, rtol=1e-12, atol=1e-15)


@WEIGHTS
@EVERY
def test_gradients_are_central_differences(name: str, weight: Any) -> None:
    check_gradients(model(name, 5), X, CASES[name][2], weight)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_loss_is_clipped_and_its_gradient_is_not(dtype: Any) -> None:
    eps = float(np.finfo(dtype).eps)
    y = np.array([0, 1])
    net = im.Sequential([im.Linear(1, 2, init="zeros")], loss=ClippedCrossEntropy(), dtype=dtype)
    net.load_state_dict({"0.weight": np.array([[900.0], [0.0]]), "0.bias": np.zeros(2)})
    assert net.evaluate(np.ones((1, 1)), y[1:])["loss"] == pytest.approx(-np.log(eps), rel=1e-6)
    assert net.evaluate(np.ones((1, 1)), y[:1])["loss"] == pytest.approx(eps, rel=1e-6)
    _, grads = net.loss_and_grad(np.ones((1, 1)), y[1:])
    assert grads["0.bias"].tolist() == [1.0, -1.0]
    for outputs in (1, 2):
        flags = im.Sequential([im.Linear(1, outputs)], loss=ClippedBCEWithLogits(), dtype=dtype)
        state = {"0.weight": np.full((outputs, 1), 900.0), "0.bias": np.zeros(outputs)}
        flags.load_state_dict(state)
        for flag, each in ((0.0, -np.log(eps)), (1.0, eps)):
            t = np.full((1, outputs), flag)
            found = flags.evaluate(np.ones((1, 1)), t)["loss"]
            assert found == pytest.approx(outputs * each, rel=1e-6)
            _, grads = flags.loss_and_grad(np.ones((1, 1)), t)
            np.testing.assert_allclose(grads["0.bias"], np.full(outputs, 1.0 - flag))


@EVERY
@pytest.mark.parametrize("hidden", [7, 20])
def test_a_batch_of_zero_weight_is_an_error_before_its_step(name: str, hidden: int) -> None:
    net, y, nothing = model(name, hidden), CASES[name][2], np.zeros(N)
    before = net.state_dict()
    for call in (net.fit, net.train_on_batch, net.loss_and_grad):
        with pytest.raises(ZeroDivisionError, match="sample_weight sums to zero"):
            call(X, y, sample_weight=nothing)
        assert all(np.array_equal(w, before[key]) for key, w in net.state_dict().items())
    # The batches before it have made their steps.
    half = np.where(np.arange(N) < 24, 1.0, 0.0)
    twin = net.copy()
    with pytest.raises(ZeroDivisionError):
        net.fit(X, y, batch_size=24, shuffle=False, sample_weight=half, verbose=False)
    twin.train_on_batch(X[:24], y[:24], sample_weight=half[:24])
    assert net._core.steps == 1
    after = twin.state_dict()
    assert all(np.array_equal(w, after[key]) for key, w in net.state_dict().items())


@EVERY
def test_they_predict_as_their_public_relatives(name: str) -> None:
    relatives: dict[type, Any] = {
        ClippedCrossEntropy: im.CrossEntropy(),
        ClippedBCEWithLogits: im.BinaryCrossEntropy(),
        HalfSquaredError: im.MSE(),
        HalfPoissonDeviance: im.PoissonNLL(),
    }
    loss, _, y, *_ = CASES[name]
    net = model(name)
    twin = im.Sequential(net.layers, loss=relatives[type(loss)], dtype="float64", seed=4)
    net.fit(X, y, epochs=2, verbose=False)
    twin.fit(X, y, epochs=1, verbose=False)
    twin.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(net.predict(X), twin.predict(X))
    if name != "flags":  # of which whole rows are right or wrong here
        found, expected = (each.evaluate(X, y) for each in (net, twin))
        assert found | {"loss": 0.0} == expected | {"loss": 0.0}


def test_they_are_nobodys_but_the_estimators() -> None:
    for loss, *_ in CASES.values():
        assert type(loss).__name__ not in losses.__all__ + dir(losses) + im.__all__
        assert type(loss) not in losses.LOSSES.values()
        assert pickle.loads(pickle.dumps(loss)) == loss
        assert repr(loss) == f"{type(loss).__name__}()"


@WEIGHTS
@EVERY
def test_with_the_penalty_loss_and_gradients_are_those_of_scikit_learns_backprop(
    name: str, weight: Any
) -> None:
    networks = pytest.importorskip("sklearn.neural_network")
    regression = "number" in name or "count" in name
    kind = networks.MLPRegressor if regression else networks.MLPClassifier
    options = {"loss": CASES[name][3]} if regression else {}
    theirs = kind(
        hidden_layer_sizes=(20,),
        activation="tanh",
        alpha=0.3,
        max_iter=1,
        random_state=0,
        **options,
    )
    net, y = model(name, optimizer=im.SGD(0.1, l2=0.3)), CASES[name][2]
    with pytest.warns(UserWarning, match="Maximum iterations"):
        theirs.fit(X, y.ravel() if y.shape[1:] == (1,) else y)
    theirs.coefs_ = [net.state_dict()[key].T for key in ("0.weight", "2.weight")]
    theirs.intercepts_ = [net.state_dict()[key] for key in ("0.bias", "2.bias")]
    shapes = [(N, 6), (N, 20), (N, CASES[name][1])]
    activations = [X, *(np.empty(shape) for shape in shapes[1:])]
    deltas = [np.empty(shape) for shape in shapes[1:]]
    grads = [[np.empty_like(w) for w in ws] for ws in (theirs.coefs_, theirs.intercepts_)]
    loss, coefs, intercepts = theirs._backprop(
        X, targets(name), weight, activations, deltas, *grads
    )
    _, found = net.loss_and_grad(X, y, sample_weight=weight)
    for layer, key in enumerate(("0", "2")):
        np.testing.assert_allclose(found[f"{key}.weight"], coefs[layer].T, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(found[f"{key}.bias"], intercepts[layer], rtol=1e-10, atol=1e-13)
    history = net.fit(X, y, batch_size=None, sample_weight=weight, verbose=False)
    assert history["loss"][0] + history["penalty"][0] == pytest.approx(loss, rel=1e-13)


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "adam": (im.Adam(0.02, l2=0.5, eps_hat=True), {"solver": "adam", "learning_rate_init": 0.02}),
    "nesterov": (
        im.SGD(0.02, 0.9, nesterov=True, l2=0.5, lr_in_velocity=True),
        {"solver": "sgd", "learning_rate_init": 0.02},
    ),
    "plain": (
        im.SGD(0.02, l2=0.5, lr_in_velocity=True),
        {"solver": "sgd", "learning_rate_init": 0.02, "momentum": 0.0},
    ),
}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    ("hidden", "weight"),
    [(7, None), (20, np.where(WEIGHT == 0, 0.25, WEIGHT))],
    ids=["tiny", "weighted"],
)
@pytest.mark.parametrize("solver", OPTIMIZERS)
@EVERY
def test_a_whole_training_is_scikit_learns(
    name: str, solver: str, hidden: int, weight: Any
) -> None:
    networks = pytest.importorskip("sklearn.neural_network")
    regression = "number" in name or "count" in name
    kind = networks.MLPRegressor if regression else networks.MLPClassifier
    optimizer, options = OPTIMIZERS[solver]
    options = {"alpha": 0.5, "activation": "tanh", "batch_size": 12, "shuffle": False} | options
    options |= {"loss": CASES[name][3]} if regression else {}
    y = CASES[name][2]
    labels = y.ravel() if y.shape[1:] == (1,) else y
    size = {"hidden_layer_sizes": (hidden,), "random_state": 0}
    # A rate that moves nothing leaves the initial parameters.
    still = kind(**size, **options | {"learning_rate_init": 1e-300, "max_iter": 1}).fit(X, labels)
    theirs = kind(**size, **options, max_iter=6).fit(X, labels, weight)
    net = model(name, hidden, optimizer=optimizer)
    keys = ("0.weight", "0.bias", "2.weight", "2.bias")

    def tensors(fitted: Any) -> list[Array]:
        pairs = zip(fitted.coefs_, fitted.intercepts_, strict=True)
        return [part for w, b in pairs for part in (w.T, b)]

    net.load_state_dict(dict(zip(keys, tensors(still), strict=True)))
    losses = []
    for _ in range(6):
        history = net.fit(X, y, batch_size=12, shuffle=False, sample_weight=weight, verbose=False)
        losses.append(history["loss"][0] + history["penalty"][0])
    for key, expected in zip(keys, tensors(theirs), strict=True):
        np.testing.assert_allclose(net.state_dict()[key], expected, rtol=0, atol=1e-13)
    if weight is None:  # theirs weighs batches by their rows
        np.testing.assert_allclose(losses, theirs.loss_curve_, rtol=1e-13)
