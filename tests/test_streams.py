"""Streams: a step for each item (X, y) or (X, y, weight) of an iterable."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from hostile import LABELS, N, X, Y, refused
from states import everything, squares, unchanged
from streams import CUTS, SIZE, WEIGHTS, Loader, items, net

TEXT = np.array(["a", "b", "c"])[LABELS]


def losses(history: im.History) -> Any:
    return history["loss"].tolist()


# The bits of arrays


def dropping() -> Any:
    layers = [im.Linear(4, 40), im.ReLU(), im.Dropout(0.3), im.Linear(40, 1)]
    return im.Sequential(layers, loss="mse", seed=4)


LOSSES: dict[str, Callable[[], Any]] = {
    "mse": net,
    "own": lambda: net(loss=squares),
    "sum": lambda: net(loss=im.MSE(reduction="sum")),
    "adam, float64": lambda: net(optimizer="adam", dtype="float64"),
    "dropout": dropping,
}


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("verbose", [False, True])
def test_a_stream_gives_the_bits_of_arrays_cut_alike(kind: str, verbose: bool) -> None:
    model, twin, third = LOSSES[kind](), LOSSES[kind](), LOSSES[kind]()
    loader = Loader(X, Y)
    history = model.fit(loader, epochs=3, verbose=verbose)
    plain = twin.fit(X, Y, epochs=3, batch_size=SIZE, shuffle=False)
    assert losses(history) == losses(plain)
    assert everything(model) == everything(twin)
    assert loader.epochs == model.epoch == 3
    assert (history.stop_reason, history.epochs.tolist()) == ("epochs", [0, 1, 2])
    # The loop of one's own.
    for item in items(X, Y) * 3:
        third.train_on_batch(*item)
    assert model.state_dict().keys() == third.state_dict().keys()
    assert all(np.array_equal(w, third.state_dict()[k]) for k, w in model.state_dict().items())


@pytest.mark.parametrize("loss", ["mse", "own"])
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_weights_come_in_the_items_and_weigh_the_epoch(loss: str, scale: float) -> None:
    def weighted(outputs: Any, targets: Any, weights: Any) -> Any:
        share = weights[:, np.newaxis] / weights.sum()
        return float(np.sum(share * (outputs - targets) ** 2)), 2 * share * (outputs - targets)

    weights = WEIGHTS * scale * 10.0 ** -(np.arange(N) // SIZE)
    model, twin = (net(loss=weighted if loss == "own" else loss) for _ in range(2))
    history = model.fit(items(X, Y, weights), epochs=2)
    plain = twin.fit(X, Y, epochs=2, batch_size=SIZE, shuffle=False, sample_weight=weights)
    assert losses(history) == losses(plain)
    assert everything(model) == everything(twin)


def test_items_of_any_size_and_with_and_without_weights() -> None:
    model, twin = net(), net()
    cuts = [slice(0, 1), slice(1, 18), slice(18, 20)]
    stream = [(X[cut], Y[cut]) for cut in cuts]
    stream[1] = (*stream[1], np.full(17, 2.0))  # type: ignore[assignment]
    history = model.fit(stream)
    means = [twin.train_on_batch(*item[:2]) for item in stream]
    expected = (means[0] + 2 * 17 * means[1] + 2 * means[2]) / 37
    assert history["loss"][0] == pytest.approx(expected, rel=1e-14)
    assert model._core.steps == twin._core.steps == 3


def test_images_in_a_stream() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(N, 1, 6, 6))
    layers = [im.Conv2d(1, 2, 3), im.ReLU(), im.Flatten(), im.Linear(32, 3)]
    model, twin = (im.Sequential(layers, loss="cross_entropy", scale=255, seed=0) for _ in "ab")
    model.fit(items(pixels, LABELS), epochs=2)
    twin.fit(pixels, LABELS, epochs=2, batch_size=SIZE, shuffle=False, classes=[0, 1, 2])
    assert losses(model.history) == losses(twin.history)  # type: ignore[arg-type]
    assert "1 x 6 x 6" in str(model.summary()) or model._image_shape == (1, 6, 6)


# Epochs


def test_an_iterator_is_one_epoch() -> None:
    model, twin = net(), net()
    model.fit(iter(items(X, Y)))
    twin.fit(items(X, Y))
    assert everything(model) == everything(twin)
    for iterator in (iter(items(X, Y)), (item for item in items(X, Y)), map(tuple, items(X, Y))):
        refused(model, lambda it=iterator: model.fit(it, epochs=2), ValueError, "steps_per_epoch")
        assert len(list(iterator)) == 3, "nothing was taken from it"


def test_steps_per_epoch_cut_one_iterator() -> None:
    model, twin = net(), net()
    history = model.fit(itertools.cycle(items(X, Y)), epochs=3, steps_per_epoch=2)
    order = [*items(X, Y), *items(X, Y)]
    expected = [twin.train_on_batch(*item) for item in order]
    assert history["loss"][0] == pytest.approx(np.mean(expected[:2]))
    assert (model.epoch, model._core.steps) == (3, 6)
    assert all(np.array_equal(w, twin.state_dict()[k]) for k, w in model.state_dict().items())
    # It begins anew where it ends, in the middle of an epoch too.
    again, loader = net(), Loader(X, Y)
    again.fit(loader, epochs=3, steps_per_epoch=2)
    assert losses(again.history) == losses(history)  # type: ignore[arg-type]
    assert loader.epochs == 2


def test_an_iterator_that_ends_too_early_is_an_error_and_what_was_done_stays() -> None:
    model = net()
    with pytest.raises(ValueError, match=r"ended after 3 items, 3 epochs of steps_per_epoch=2 tak"):
        model.fit(iter(items(X, Y)), epochs=3, steps_per_epoch=2)
    assert (model.epoch, model._core.steps) == (1, 3)
    assert model.history is not None
    assert (len(model.history), model.history.stop_reason) == (1, "error")
    model.fit(iter(items(X, Y)), epochs=1, steps_per_epoch=3)


class Once:
    """Looks as if it could be iterated again, and cannot."""

    def __init__(self) -> None:
        self.iterator = iter(items(X, Y))

    def __iter__(self) -> Iterator[Any]:
        return self.iterator


def test_an_epoch_without_items_is_an_error() -> None:
    model = net()
    for empty in ([], iter([]), Loader(X[:0], Y[:0]).arrays[0:0]):
        refused(model, lambda empty=empty: model.fit(empty), ValueError, "has no items")
    refused(model, lambda: model.fit([], steps_per_epoch=3), ValueError, "has no items")
    with pytest.raises(ValueError, match=r"no items in epoch 1 .* once"):
        model.fit(Once(), epochs=2)
    assert model.epoch == 1


def test_no_epochs_take_no_items() -> None:
    iterator = iter(items(X, Y))
    model = net()
    with unchanged(model):
        assert len(model.fit(iterator, epochs=0)) == 0
    assert len(list(iterator)) == 3


# Labels


def test_labels_are_indices_unless_classes_are_given() -> None:
    model, twin = (net(3, loss="cross_entropy") for _ in range(2))
    model.fit(items(X, LABELS))
    twin.fit(X, LABELS, batch_size=SIZE, shuffle=False)
    assert all(np.array_equal(w, twin.state_dict()[k]) for k, w in model.state_dict().items())
    text = net(3, loss="cross_entropy")
    with unchanged(text), pytest.raises(ValueError, match="the model's classes are 0, 1, 2"):
        text.fit(items(X, TEXT))
    text.fit(items(X, TEXT), classes=["a", "b", "c"])
    assert text.classes_.tolist() == ["a", "b", "c"]
    assert all(np.array_equal(w, twin.state_dict()[k]) for k, w in text.state_dict().items())
    # Known labels go on.
    text.fit(items(X, TEXT))
    refused(text, lambda: text.fit(items(X, TEXT), classes=["x", "y", "z"]), ValueError, "classes")


def test_labels_stay_unknown_if_no_step_was_made() -> None:
    model = net(3, loss="cross_entropy")
    bad = [(np.where(X > 1.0, np.nan, X), TEXT)]
    with unchanged(model), pytest.raises(ValueError, match="NaN or infinite"):
        model.fit(bad, classes=["a", "b", "c"])


def test_two_labels_and_the_shape_of_numbers() -> None:
    model = net(loss="binary_cross_entropy")
    model.fit(items(X, np.where(Y > 0, "yes", "no")), classes=["no", "yes"])
    assert set(model.predict(X)) <= {"no", "yes"}
    for y, shape in ((Y, (N,)), (Y[:, np.newaxis], (N, 1))):
        numbers = net()
        numbers.fit(items(X, y))
        assert numbers.predict(X).shape == shape


def test_an_own_loss_gets_each_items_y() -> None:
    seen: list[Any] = []

    def loss(outputs: Any, chosen: Any) -> Any:
        seen.append(chosen)
        return 0.5, np.zeros_like(outputs)

    actions, advantages = LABELS, Y
    # As a DataLoader collates (x, (action, advantage)).
    stream = [[X[cut], [actions[cut], advantages[cut]]] for cut in CUTS]
    net(3, loss=loss).fit(stream)
    assert all(isinstance(chosen, tuple) for chosen in seen)
    assert np.array_equal(np.concatenate([chosen[0] for chosen in seen]), actions)
    assert np.array_equal(np.concatenate([chosen[1] for chosen in seen]), advantages)


# Callbacks, stopping, exceptions


def test_callbacks_and_batch_hooks_see_a_stream_as_arrays() -> None:
    def noted(train: Callable[..., Any]) -> list[Any]:
        calls: list[Any] = []

        def hook(name: str) -> Callable[[Any, Any], None]:
            return lambda model, logs: calls.append((name, dict(logs)))

        names = ["train_begin", "epoch_begin", "train_batch_end", "epoch_end", "train_end"]
        train([im.LambdaCallback(**{f"on_{name}": hook(name) for name in names})])
        return calls

    by_stream = noted(lambda given: net().fit(Loader(X, Y), epochs=2, callbacks=given))
    by_arrays = noted(
        lambda given: net().fit(X, Y, epochs=2, batch_size=SIZE, shuffle=False, callbacks=given)
    )
    assert by_stream == by_arrays


@pytest.mark.parametrize(("stop_at", "finished"), [((0, 0), 0), ((1, 1), 1), ((0, 2), 1)])
def test_a_stream_stops_at_a_batch(stop_at: tuple[int, int], finished: int) -> None:
    def stop(model: Any, logs: Any) -> None:
        if (logs["epoch"], logs["batch"]) == stop_at:
            raise im.StopTraining("enough")

    model = net()
    callback = im.LambdaCallback(on_train_batch_end=stop)
    history = model.fit(Loader(X, Y), epochs=4, steps_per_epoch=3, callbacks=[callback])
    assert (history.stop_reason, model.epoch, len(history)) == ("stopped", finished, finished)
    assert model._core.steps == 3 * stop_at[0] + stop_at[1] + 1


@pytest.mark.parametrize("callbacks", [[], [lambda model, logs: None]])
def test_an_exception_of_the_iterable_comes_out(callbacks: Any) -> None:
    def failing() -> Iterator[Any]:
        yield from items(X, Y)[:2]
        raise LookupError("no third")

    model = net()
    with pytest.raises(LookupError, match="no third"):
        model.fit(failing(), callbacks=callbacks)
    assert model._core.steps == 2
    assert model.epoch == 0
    model.fit(X, Y)


def test_ctrl_c_in_the_iterable() -> None:
    def pressing() -> Iterator[Any]:
        yield from items(X, Y)
        raise KeyboardInterrupt

    model = net()
    with pytest.raises(KeyboardInterrupt):
        model.fit(pressing(), epochs=2, steps_per_epoch=2)
    assert model.history is not None
    assert (model.history.stop_reason, model.epoch, model._core.steps) == ("interrupted", 1, 3)


@pytest.mark.parametrize("kind", ["mse", "own"])
@pytest.mark.parametrize("steps", [None, 3])
def test_a_stream_is_validated_at_the_end_of_each_epoch(kind: str, steps: int | None) -> None:
    held = (X[:7], Y[:7])
    model, twin = LOSSES[kind](), LOSSES[kind]()
    history = model.fit(Loader(X, Y), epochs=3, steps_per_epoch=steps, validation_data=held)
    for epoch in range(3):
        twin.fit(Loader(X, Y))
        expected = twin.evaluate(*held)
        assert {name: history[f"val_{name}"][epoch] for name in expected} == expected
    assert everything(model) == everything(twin)


# The model in between


def test_the_iterable_may_use_the_model_between_steps() -> None:
    rng = np.random.default_rng(0)
    best = (X[:, 0] > 0).astype(int)

    def policy_gradient(outputs: Any, chosen: Any) -> Any:
        actions, advantages = chosen
        share = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        rows = np.arange(len(outputs))
        loss = -float(np.mean(advantages * np.log(share[rows, actions])))
        share[rows, actions] -= 1
        return loss, share * advantages[:, np.newaxis] / len(outputs)

    def play(model: Any) -> Iterator[Any]:
        while True:
            logits = model(X)
            actions = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
            yield X, (actions, (actions == best) - 0.5)

    model = im.MLP([4, 16, 2], loss=policy_gradient, optimizer=im.Adam(lr=0.02), seed=1)
    model.fit(play(model), steps_per_epoch=100)
    assert np.mean(np.argmax(model(X), axis=1) == best) > 0.9


def test_other_threads_are_refused_between_steps_and_a_second_fit_here() -> None:
    refusals: list[BaseException] = []

    def attempt(call: Callable[[], Any]) -> None:
        try:
            call()
        except RuntimeError as error:
            refusals.append(error)

    def watching(model: Any) -> Iterator[Any]:
        for item in items(X, Y):
            thread = threading.Thread(target=attempt, args=[lambda: model.predict(X)])
            thread.start()
            thread.join()
            attempt(lambda: model.fit(X, Y))
            yield item

    model = net()
    model.fit(watching(model))
    texts = [str(error) for error in refusals]
    assert texts[0] == "the model is in training in another thread; copy() it first"
    assert texts[1].startswith("the model is in training already")
    assert len(texts) == 6
    model.predict(X)


# Divergence


@pytest.mark.parametrize("loss", ["mse", squares])
def test_divergence_names_epoch_and_batch(loss: Any) -> None:
    stream = items(X, Y)
    stream[2] = (stream[2][0], np.full(4, 1e30))
    model = net(loss=loss, optimizer="sgd")
    with np.errstate(all="ignore"), pytest.raises((FloatingPointError, ValueError)) as caught:
        model.fit(Loader(*map(np.concatenate, zip(*stream, strict=True))), epochs=2)
    if isinstance(caught.value, FloatingPointError):
        assert (caught.value.epoch, caught.value.batch) == (0, 2)  # type: ignore[attr-defined]
    assert model._core.steps == 2
    assert model.history is not None
    assert len(model.history) == 0


@pytest.mark.parametrize("loss", ["mse", squares])
@pytest.mark.parametrize("steps", [None, 1])
def test_parameters_that_are_not_finite_are_found_at_the_end(loss: Any, steps: int | None) -> None:
    model = net(loss=loss, optimizer=im.SGD(lr=1e38))
    with pytest.raises(FloatingPointError) as caught:
        model.fit([(1e10 * X, Y)], steps_per_epoch=steps)
    assert (caught.value.epoch, caught.value.batch) == (0, 0)  # type: ignore[attr-defined]


def test_items_without_weight_beside_others_of_any_size() -> None:
    for scale in (1e-300, 1e300):
        weights = np.full(N, scale)
        weights[:SIZE] = weights[2 * SIZE :] = 0.0
        model, twin = net(), net()
        history = model.fit(items(X, Y, weights))
        plain = twin.fit(X, Y, batch_size=SIZE, shuffle=False, sample_weight=weights)
        assert losses(history) == losses(plain)
        assert np.isfinite(history["loss"]).all()
