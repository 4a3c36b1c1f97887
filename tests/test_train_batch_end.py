"""The hook after each batch: what it is told, what it may change, and how it ends a training."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from hostile import N, X, Y
from states import everything, squares

Batches = list[tuple[int, int, float]]
SIZE = 8
LOSSES: list[Any] = ["mse", squares]


def net(**settings: Any) -> im.MLP:
    return im.MLP([4, 5, 1], **{"loss": "mse", "seed": 1, **settings})


class Noting(im.Callback):
    """Notes all batches, and acts after some."""

    def __init__(self, act: Callable[[Any, Any], object] = lambda model, logs: None) -> None:
        self.batches: Batches = []
        self.endings: list[Any] = []
        self.epochs: list[int] = []
        self.act = act

    def on_train_batch_end(self, model: Any, logs: Any) -> None:
        self.batches.append((logs["epoch"], logs["batch"], logs["loss"]))
        assert logs.keys() == {"epoch", "batch", "loss"}
        self.act(model, logs)

    def on_epoch_end(self, model: Any, logs: Any) -> None:
        self.epochs.append(logs["epoch"])

    def on_train_end(self, model: Any, logs: Any) -> None:
        self.endings.append((logs["stop_reason"], logs["stop_message"], model.epoch))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [SIZE, N])
def test_each_batch_is_told_with_its_mean_loss_and_no_bit_changes(
    loss: Any, batch_size: int
) -> None:
    noting = Noting()
    model, plain, twin = net(loss=loss), net(loss=loss), net(loss=loss)
    history = model.fit(
        X, Y, epochs=3, batch_size=batch_size, shuffle=False, callbacks=[noting], verbose=True
    )
    plain.fit(X, Y, epochs=3, batch_size=batch_size, shuffle=False)
    assert everything(model) == everything(plain)
    starts = range(0, N, batch_size)
    by_hand = [
        (epoch, batch, twin.train_on_batch(X[row : row + batch_size], Y[row : row + batch_size]))
        for epoch in range(3)
        for batch, row in enumerate(starts)
    ]
    assert noting.batches == by_hand
    rows = [min(batch_size, N - row) for row in starts] * 3
    losses = np.array([loss for *_, loss in by_hand]) * rows
    np.testing.assert_allclose(history["loss"], losses.reshape(3, -1).sum(1) / N, rtol=1e-14)
    # Epochs count from the model's birth.
    model.fit(X, Y, callbacks=[noting])
    assert noting.batches[-1][0] == 3


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_a_sum_is_its_mean(loss: Any) -> None:
    noting = Noting()
    model = net(loss=im.MSE(reduction="sum"))
    model.fit(X, Y, batch_size=None, callbacks=[noting])
    assert noting.batches[0][2] == net().loss_and_grad(X, Y)[0]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("how", ["raise", "set"])
@pytest.mark.parametrize(("at", "finished"), [((0, 1), 0), ((1, 0), 1), ((1, 2), 2)])
def test_a_training_ends_with_a_batch(
    loss: Any, how: str, at: tuple[int, int], finished: int
) -> None:
    def stop(model: Any, logs: Any) -> None:
        if (logs["epoch"], logs["batch"]) == at:
            if how == "raise":
                raise im.StopTraining("enough")
            model.stop_training = True

    stopping, after = Noting(stop), Noting()
    model, plain = net(loss=loss), net(loss=loss)
    history = model.fit(X, Y, epochs=5, batch_size=SIZE, callbacks=[stopping, after])
    message = "enough" if how == "raise" else ""
    assert (history.stop_reason, history.stop_message) == ("stopped", message)
    assert len(history) == model.epoch == finished
    assert history.epochs.tolist() == stopping.epochs == list(range(finished))
    assert stopping.endings == [("stopped", message, finished)]
    # The others are called too, and the steps stay.
    assert after.batches == stopping.batches
    assert after.batches[-1][:2] == at
    assert model._core.steps == len(after.batches)
    # The unfinished epoch begins again.
    model.fit(X, Y, batch_size=SIZE)
    assert model.epoch == finished + 1
    if at == (1, 2):
        plain.fit(X, Y, epochs=3, batch_size=SIZE)
        assert everything(model) == everything(plain)


def test_an_exception_comes_out_and_training_has_ended() -> None:
    def fail(model: Any, logs: Any) -> None:
        if logs["batch"] == 1:
            raise LookupError("the second batch")

    noting, late = Noting(fail), Noting()
    model = net()
    with pytest.raises(LookupError, match="the second batch"):
        model.fit(X, Y, batch_size=SIZE, callbacks=[noting, late])
    assert noting.endings == late.endings == [("error", "", 0)]
    assert model._core.steps == 2
    assert model.history is not None
    assert len(model.history) == 0


def test_a_learning_rate_holds_from_the_next_batch_on() -> None:
    def halve(model: Any, logs: Any) -> None:
        model.learning_rate *= 0.5

    model, twin = net(optimizer="sgd"), net(optimizer="sgd")
    model.fit(X, Y, batch_size=SIZE, shuffle=False, callbacks=[Noting(halve)])
    for row in range(0, N, SIZE):
        twin.train_on_batch(X[row : row + SIZE], Y[row : row + SIZE])
        twin.learning_rate *= 0.5
    assert model.learning_rate == twin.learning_rate == 0.001 / 8
    for name, value in model.state_dict().items():
        assert np.array_equal(value, twin.state_dict()[name])


def test_the_model_may_be_used_within() -> None:
    def use(model: Any, logs: Any) -> None:
        model.evaluate(X, Y)
        model.load_state_dict(model.state_dict())
        model.train_on_batch(X, Y)

    model = net(loss=squares)
    model.fit(X, Y, batch_size=SIZE, callbacks=[Noting(use)])
    assert model._core.steps == 6


@pytest.mark.parametrize("loss", LOSSES)
def test_parameters_that_are_not_finite_are_found_before_fit_returns(loss: Any) -> None:
    """A finite loss leaves them at the first batch, at which the training is stopped."""

    def stop(model: Any, logs: Any) -> None:
        raise im.StopTraining

    noting = Noting(stop)
    model = net(loss=loss, optimizer=im.SGD(lr=1e38))
    with pytest.raises(FloatingPointError) as caught:
        model.fit(1e10 * X, Y, batch_size=SIZE, callbacks=[noting])
    assert (caught.value.epoch, caught.value.batch) == (0, 0)  # type: ignore[attr-defined]
    assert noting.endings[0][0] == "diverged"


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_that_is_not_finite_names_its_batch(loss: Any) -> None:
    def spoil(model: Any, logs: Any) -> None:
        if logs["batch"] == 1:
            huge = {name: np.full_like(w, 3e38) for name, w in model.state_dict().items()}
            model.load_state_dict(huge)

    model = net(loss=loss)
    with np.errstate(all="ignore"), pytest.raises((FloatingPointError, ValueError)) as caught:
        model.fit(X, Y, batch_size=SIZE, callbacks=[Noting(spoil)])
    if isinstance(caught.value, FloatingPointError):
        assert (caught.value.epoch, caught.value.batch) == (0, 2)  # type: ignore[attr-defined]
    assert model._core.steps == 2


def test_it_is_a_hook_of_a_lambda_callback_and_is_asked_for_its_arguments() -> None:
    batches: list[int] = []
    callback = im.LambdaCallback(
        on_train_batch_end=lambda model, logs: batches.append(logs["batch"])
    )
    net().fit(X, Y, batch_size=SIZE, callbacks=[callback])
    assert batches == [0, 1, 2]
    with pytest.raises(TypeError, match=r"on_train_batch_end .*\(model, logs\).*logs\[\"batch\"\]"):
        net().fit(X, Y, callbacks=[im.LambdaCallback(on_train_batch_end=lambda batch, logs: None)])


def test_a_fit_without_it_does_not_come_back_for_each_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ironmlp._training.advance import ByCore

    def never(self: Any, run: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(ByCore, "step", never)
    model = net()
    model.fit(X, Y, batch_size=SIZE, callbacks=[im.Callback(), lambda model, logs: None])
    assert model.epoch == 1
