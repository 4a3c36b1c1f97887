"""Loss functions of one's own: what they get, one forward a step, and the model within them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from hostile import N, X, Y, refused
from states import everything, squares, unchanged

RNG = np.random.default_rng(3)
ACTIONS = RNG.integers(3, size=N)
ADVANTAGES = RNG.normal(size=N)
WEIGHTS = RNG.random(N)
PIXELS = RNG.integers(0, 256, size=(N, 1, 8, 8))


def net(outputs: int = 1, **settings: Any) -> im.MLP:
    return im.MLP([4, 5, outputs], **{"loss": squares, "seed": 1, **settings})


def policy_gradient(outputs: Any, chosen: Any) -> tuple[float, Any]:
    """-mean(advantage * log softmax(outputs)[action])."""
    actions, advantages = chosen
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(outputs))
    gradient = np.exp(log)
    gradient[rows, actions] -= 1.0
    gradient *= advantages[:, np.newaxis] / len(outputs)
    return float(-np.mean(advantages * log[rows, actions])), gradient


def weighted_squares(outputs: Any, targets: Any, weights: Any) -> tuple[float, Any]:
    share = weights[:, np.newaxis] / weights.sum() / outputs.shape[1]
    return float(np.sum(share * (outputs - targets) ** 2)), 2 * share * (outputs - targets)


class Watched:
    """A loss that notes what it got."""

    def __init__(self, loss: Callable[..., Any] = lambda y, *_: (0.5, np.zeros_like(y))) -> None:
        self.loss = loss
        self.seen: list[Any] = []

    def __call__(self, outputs: Any, *arguments: Any) -> Any:
        self.seen.append(arguments)
        return self.loss(outputs, *arguments)


# What it gets


def test_y_is_any_array_of_n_rows_and_comes_as_it_is() -> None:
    records = np.zeros(N, dtype=[("action", int), ("advantage", float)])
    kinds: list[Any] = [
        np.array([{"row": row} for row in range(N)]),
        records,
        np.array([f"text {row}" for row in range(N)]),
        np.arange(N) * 1j,
        np.datetime64("2026-01-01") + np.arange(N),
        RNG.normal(size=(N, 3, 2)),
        np.array([None] * N),
    ]
    for y in kinds:
        loss = Watched()
        net(2, loss=loss).fit(X, y, batch_size=8, shuffle=False)
        assert [len(targets) for (targets,) in loss.seen] == [8, 8, 4]
        assert np.array_equal(np.concatenate([targets for (targets,) in loss.seen]), y)
        assert loss.seen[0][0].dtype == y.dtype


def test_numbers_for_the_outputs_come_in_the_models_dtype() -> None:
    for y, outputs in ((list(range(N)), 1), (np.arange(N)[:, None], 1), (np.ones((N, 2), int), 2)):
        loss = Watched()
        model = net(outputs, loss=loss)
        model.fit(X, y)
        ((targets,),) = loss.seen
        assert (targets.dtype, targets.shape) == (np.float32, (N, outputs))
    # Other numbers are not for the outputs.
    loss = Watched()
    net(2, loss=loss).fit(X, ACTIONS)
    assert loss.seen[0][0].dtype == ACTIONS.dtype


def test_a_tuple_is_several_arrays_and_comes_as_one() -> None:
    loss = Watched()
    model = net(3, loss=loss)
    model.fit(X, (ACTIONS, list(ADVANTAGES)), batch_size=N)
    ((chosen,),) = loss.seen
    assert isinstance(chosen, tuple)
    assert np.array_equal(chosen[0], ACTIONS)
    assert np.array_equal(chosen[1], ADVANTAGES)
    refused(model, lambda: model.fit(X, (ACTIONS, ADVANTAGES[:-1])), ValueError, "y[1]", "20 rows")
    # A list and a tuple of numbers are one array.
    one = net(loss=Watched())
    one.fit(X, tuple(Y))
    assert one.predict(X).shape == (N,)
    refused(model, lambda: model.fit(X, [ACTIONS, ADVANTAGES]), ValueError, "y has 2 rows")


def test_weights_come_third_if_they_were_given() -> None:
    loss = Watched()
    model = net(loss=loss)
    model.fit(X, Y, sample_weight=WEIGHTS.astype(np.float32), batch_size=8, shuffle=False)
    weights = np.concatenate([given for _, given in loss.seen])
    assert weights.dtype == np.float64
    assert np.array_equal(weights, WEIGHTS.astype(np.float32))
    for call in (model.fit, model.train_on_batch, model.loss_and_grad):
        loss.seen.clear()
        call(X, Y)
        call(X, Y, sample_weight=np.ones(N))
        assert [len(arguments) for arguments in loss.seen] == [1, 2]
    refused(model, lambda: model.fit(X, Y, sample_weight=-WEIGHTS), ValueError, "sample_weight[0]")


def test_what_y_cannot_be() -> None:
    model = net()
    refused(model, lambda: model.fit(X, Y[:-1]), ValueError, "y has 19 rows", "20 rows")
    refused(model, lambda: model.fit(X, 1.0), ValueError, "y has shape ()")
    refused(
        model, lambda: model.fit(X, np.where(np.arange(N) == 3, np.nan, Y)), ValueError, "row 3"
    )
    refused(model, lambda: model.fit(X, Y, classes=[0, 1]), ValueError, "classes")


# What it trains


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("route", ["auto", "general", "unfused", "columns", "slabs:256"])
def test_mean_squares_in_numpy_train_as_the_builtin_ones(optimizer: str, route: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 4)), rng.normal(size=(600, 2))
    models = [net(2, loss=loss, optimizer=optimizer, dtype="float64") for loss in (squares, "mse")]
    for model in models:
        model._core._set_route(route)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 500}
    first, second = (model.fit(x, y, **settings)["loss"] for model in models)
    np.testing.assert_allclose(first, second, rtol=1e-12)
    for name, value in models[0].state_dict().items():
        np.testing.assert_allclose(value, models[1].state_dict()[name], rtol=1e-9, atol=1e-12)


def test_weighted_squares_train_as_the_builtin_ones_and_make_the_same_epoch_loss() -> None:
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 6, "sample_weight": WEIGHTS * 1e200}
    models = [net(loss=loss, dtype="float64") for loss in (weighted_squares, "mse")]
    first, second = (model.fit(X, Y, **settings)["loss"] for model in models)
    np.testing.assert_allclose(first, second, rtol=1e-12)


def images(**settings: Any) -> im.Sequential:
    layers = [
        *(im.Conv2d(1, 3, 3), im.ReLU(), im.MaxPool2d(2), im.Dropout(0.2), im.Flatten()),
        *(im.Linear(27, 8), im.Sigmoid(), im.Linear(8, 2)),
    ]
    return im.Sequential(layers, **{"loss": squares, "seed": 2, "scale": 255, **settings})


def rows(**settings: Any) -> im.Sequential:
    layers = [im.Linear(64, 20), im.Tanh(), im.Dropout(0.3), im.LayerNorm(20), im.Linear(20, 2)]
    return im.Sequential([im.Flatten(), *layers], **{"loss": squares, "seed": 2, **settings})


@pytest.mark.parametrize("make", [images, rows])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_activations_that_are_kept_give_the_bits_of_those_made_again(
    make: Callable[..., im.Sequential], n_threads: int, optimizer: str
) -> None:
    y = RNG.normal(size=(N, 2)).astype(np.float32)
    model, again = (make(n_threads=n_threads, optimizer=optimizer) for _ in range(2))
    model.fit(PIXELS, y, epochs=2, batch_size=N)
    for _ in range(2):
        outputs = again.forward(PIXELS, training=True)
        _, gradient = squares(outputs, y)
        again.apply_gradients(again.backward(PIXELS, gradient, training=True))
    for name, value in again.state_dict().items():
        assert np.array_equal(value, model.state_dict()[name]), name


@pytest.mark.parametrize("make", [images, rows])
@pytest.mark.parametrize("training", [False, True])
def test_loss_and_grad_and_train_on_batch_give_the_bits_of_backward(
    make: Callable[..., im.Sequential], training: bool
) -> None:
    y = RNG.normal(size=(N, 2)).astype(np.float32)
    model = make()
    loss, grads, by_input = model.loss_and_grad(PIXELS, y, training=training, input_grad=True)
    value, gradient = squares(model.forward(PIXELS, training=training), y)
    expected, by_x = model.backward(PIXELS, gradient, training=training, input_grad=True)
    assert loss == value
    assert np.array_equal(by_input, by_x)
    assert all(np.array_equal(grads[name], expected[name]) for name in expected)
    if training:
        twin = model.copy()
        assert model.train_on_batch(PIXELS, y) == loss
        twin.apply_gradients(grads)
        assert everything(twin) == everything(model)


def test_a_policy_gradient_learns_which_action_pays() -> None:
    rng = np.random.default_rng(0)
    best = (X[:, 0] > 0).astype(int) + 1
    model = im.MLP([4, 16, 3], loss=policy_gradient, optimizer=im.Adam(lr=0.02), seed=1)
    for _ in range(150):
        logits = model(X).astype(np.float64)
        actions = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
        model.fit(X, (actions, (actions == best) - 1 / 3))
    assert np.mean(np.argmax(model(X), axis=1) == best) > 0.9


# The model within it

READS: dict[str, Callable[[Any], Any]] = {
    "forward": lambda model: model(X, training=True),
    "predict": lambda model: model.predict(X),
    "state_dict": lambda model: model.state_dict(),
    "backward": lambda model: model.backward(X, np.ones((N, 1))),
    "copy": lambda model: model.copy().fit(X, Y),
    "predictor": lambda model: model.predictor(N)(X),
    "learning_rate": lambda model: (model.learning_rate, model.epoch, model.seed),
}
CHANGES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda model: model.fit(X, Y),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "apply_gradients": lambda model: model.apply_gradients(model.backward(X, np.ones((N, 1)))),
    "load_state_dict": lambda model: model.load_state_dict(model.state_dict()),
    "learning_rate": lambda model: setattr(model, "learning_rate", 0.5),
    "reset": lambda model: model.reset(),
}
ENTRIES: dict[str, Callable[[Any], Any]] = {
    "fit": lambda model: model.fit(X, Y, batch_size=8),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "loss_and_grad": lambda model: model.loss_and_grad(X, Y),
    "evaluate": lambda model: model.evaluate(X, Y),
    "validation": lambda model: model.fit(X, Y, validation_data=(X, Y)),
    "stream": lambda model: model.fit([(X, Y), (X, Y)], validation_data=(X, Y)),
}


class Within:
    """A loss that uses its model, but not when that calls it again."""

    def __init__(self, use: Callable[[Any], Any]) -> None:
        self.use = use
        self.model: Any = None
        self.busy = False

    def __call__(self, outputs: Any, targets: Any) -> Any:
        if self.model is not None and not self.busy:
            self.busy = True
            try:
                self.use(self.model)
            finally:
                self.busy = False
        return squares(outputs, targets)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("read", READS)
def test_the_model_may_be_read_within(entry: str, read: str) -> None:
    loss = Within(READS[read])
    model, plain = net(loss=loss), net()
    loss.model = model
    ENTRIES[entry](model)
    ENTRIES[entry](plain)
    assert everything(model) == everything(plain)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_the_model_within_are_refused(entry: str, change: str) -> None:
    caught: list[str] = []

    def attempt(model: Any) -> None:
        with unchanged(model), pytest.raises(RuntimeError) as error:
            CHANGES[change](model)
        caught.append(str(error.value))

    loss = Within(attempt)
    model, plain = net(loss=loss), net()
    loss.model = model
    ENTRIES[entry](model)
    ENTRIES[entry](plain)
    assert caught
    assert all("loss function" in text or "in training already" in text for text in caught)
    assert everything(model) == everything(plain)
    # It is free again.
    loss.model = None
    CHANGES[change](model)


def test_an_exception_within_leaves_the_model_free_and_as_it_was() -> None:
    ends: list[Any] = []

    def note(model: Any, logs: Any) -> None:
        model.learning_rate = 0.25
        ends.append((logs["stop_reason"], model.epoch))

    def failing(outputs: Any, targets: Any) -> Any:
        raise LookupError("why not")

    model = net(loss=failing)
    for call in ENTRIES.values():
        with unchanged(model), pytest.raises(LookupError, match="why not"):
            call(model)
    with pytest.raises(LookupError):
        model.fit(X, Y, callbacks=[im.LambdaCallback(on_train_end=note)])
    assert ends == [("error", 0)]
    assert model.learning_rate == 0.25


def test_a_step_makes_one_forward_pass() -> None:
    """A second one would read the X that the loss has changed."""
    x = X.copy()

    def spoiling(outputs: Any, targets: Any) -> Any:
        x[:] = 7.0
        return squares(outputs, targets)

    model, plain = net(loss=spoiling), net()
    model.fit(x, Y, batch_size=N)
    plain.fit(X, Y, batch_size=N)
    assert everything(model) == everything(plain)
