"""A function of the step as the learning rate: when it is asked, what it may give, and files."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from networks import unit
from states import everything, squares, unchanged

X, Y = unit((24, 4), 1), unit((24, 1), 2)


def halving(step: int) -> float:
    return float(0.5 * 0.9**step)


def model(lr: Any = halving, **settings: Any) -> im.MLP:
    optimizer = im.SGD(lr=lr, momentum=0.5)
    return im.MLP([4, 3, 1], **{"loss": "mse", "optimizer": optimizer, "seed": 1, **settings})


def train(net: im.Sequential, epochs: int = 1, **fit: Any) -> im.History:
    return net.fit(X, Y, **{"epochs": epochs, "batch_size": 8, "verbose": False, **fit})


class Asked:
    """A function that remembers what it was asked."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def __call__(self, step: int) -> float:
        self.steps.append(step)
        return halving(step)


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "own"])
@pytest.mark.parametrize("batch_size", [8, None])
def test_a_function_is_the_schedule_of_the_same_rates(batch_size: Any, loss: Any) -> None:
    nets = [model(lr, loss=loss) for lr in (halving, im.ExponentialLR(0.5, 0.9, by="step"))]
    for net in nets:
        train(net, 5, batch_size=batch_size)
    found, expected = (net.state_dict() for net in nets)
    for key, w in expected.items():
        np.testing.assert_allclose(found[key], w, rtol=1e-5)
    assert nets[0].learning_rate == halving(nets[0]._core.steps)


def test_it_is_tabulated_each_epoch() -> None:
    asked, epochs = Asked(), []

    def begin(net: Any, logs: dict[str, Any]) -> None:
        epochs.append([*asked.steps])

    net = model(asked)
    assert asked.steps == [0]
    asked.steps.clear()
    train(net, 3, callbacks=[im.LambdaCallback(on_epoch_end=begin)])
    assert epochs == [[*range(3)], [*range(6)], [*range(9)]]
    assert asked.steps == [*range(9)]


def test_single_steps_loops_and_streams_ask_for_each() -> None:
    batches = [(X[start : start + 8], Y[start : start + 8]) for start in range(0, 24, 8)]
    nets = {"fit": model(), "batch": model(), "loop": model(), "stream": model()}
    train(nets["fit"], 2, shuffle=False)
    for _ in range(2):
        for x, y in batches:
            nets["batch"].train_on_batch(x, y)
            nets["loop"].apply_gradients(nets["loop"].loss_and_grad(x, y)[1])
    nets["stream"].fit(batches, epochs=2, verbose=False)
    expected = everything(nets["fit"])
    for name in ("batch", "stream", "loop"):
        found = everything(nets[name])
        found["epoch"] = expected["epoch"]
        assert found == expected, name


def test_a_stream_without_an_end_asks_for_the_steps_that_it_makes() -> None:
    asked = Asked()
    net = model(asked)

    class Endless:
        def __len__(self) -> int:
            return 10**15

        def __iter__(self) -> Any:
            while True:
                yield X[:8], Y[:8]

    net.fit(Endless(), epochs=2, steps_per_epoch=4, verbose=False)
    assert {*asked.steps} <= {*range(9)}


def test_assignment_makes_a_factor() -> None:
    net = model()
    train(net)
    net.learning_rate = 0.25
    assert net.learning_rate == pytest.approx(0.25, rel=1e-15)
    train(net)
    assert net.learning_rate == pytest.approx(0.25 * 0.9**3, rel=1e-14)
    net.reset()
    assert net.learning_rate == 0.5
    never = model(lambda step: 0.0)
    with unchanged(never), pytest.raises(ValueError, match="schedule gives 0"):
        never.learning_rate = 0.1


@pytest.mark.parametrize(
    "given", [-1.0, float("nan"), float("inf"), "0.1", b"1", None, True, [0.1, 0.2], 10**400]
)
def test_what_it_gives_must_be_a_rate(given: Any) -> None:
    with pytest.raises(ValueError, match=r"lr gave .* for step 0, it must give a finite number"):
        model(lambda step: given)
    net = model(lambda step: 0.1 if step < 3 else given)
    train(net)
    before = everything(net)
    with pytest.raises(ValueError, match=r"for step 3"):
        train(net)
    assert everything(net) == before
    with unchanged(net), pytest.raises(ValueError, match=r"for step 3"):
        net.train_on_batch(X, Y)
    with unchanged(net), pytest.raises(ValueError, match=r"for step 3"):
        net.apply_gradients(net.state_dict())


def test_a_rate_that_float32_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lr of step 0 is 1e\+39"):
        model(lambda step: 1e39)
    model(lambda step: 1e39, dtype="float64")


def test_numbers_of_numpy_are_numbers() -> None:
    array: Any = np.float32(0.25)
    assert model(lambda step: array).learning_rate == 0.25
    assert model(lambda step: 1).learning_rate == 1.0


def test_what_it_raises_comes_out_and_its_epoch_is_not_begun() -> None:
    def broken(step: int) -> float:
        if step >= 3:
            raise LookupError("no rate")
        return 0.1

    net = model(broken)
    with pytest.raises(LookupError, match="no rate"):
        train(net, 5)
    assert (net.epoch, net._core.steps) == (1, 3)
    assert net.history is not None
    assert len(net.history) == 1


def test_copies_and_pickles_keep_it() -> None:
    once = model()
    train(once, 4)
    for way in (copy.deepcopy, lambda net: net.copy(), lambda net: pickle.loads(pickle.dumps(net))):
        net = model()
        train(net, 2)
        net = way(net)
        train(net, 2)
        assert everything(net) == everything(once)


def test_a_function_that_pickle_cannot_hold_is_its_error() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(model(lambda step: 0.1))


def saved(path: Path) -> im.MLP:
    net = model()
    train(net, 2)
    net.save(path)
    return net


@pytest.mark.parametrize(
    "use",
    [
        train,
        lambda net: net.train_on_batch(X, Y),
        lambda net: net.apply_gradients(net.state_dict()),
        lambda net: net.fit([(X, Y)], verbose=False),
    ],
    ids=["fit", "train_on_batch", "apply_gradients", "stream"],
)
def test_a_loaded_model_keeps_the_last_rate_and_raises_until_one_is_assigned(
    use: Any, tmp_path: Path
) -> None:
    net = saved(tmp_path / "model")
    loaded = im.load(tmp_path / "model")
    # The rate of its last step, or of the next if that had been asked for.
    assert loaded.learning_rate in (halving(5), halving(6))
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    with unchanged(loaded), pytest.raises(RuntimeError, match=r"assign model\.learning_rate"):
        use(loaded)
    again = im.load(saved_again(loaded, tmp_path))
    with pytest.raises(RuntimeError, match="a function of the step"):
        use(again)
    loaded.learning_rate = 0.125
    assert loaded.optimizer.lr == 0.125
    use(loaded)
    assert loaded.learning_rate == 0.125


def saved_again(net: im.Sequential, folder: Path) -> Path:
    net.save(folder / "again")
    return folder / "again"


def test_a_loaded_model_goes_on_with_the_function(tmp_path: Path) -> None:
    net = saved(tmp_path / "model")
    net.learning_rate = 0.1
    net.save(tmp_path / "model")
    loaded = im.load(tmp_path / "model")
    loaded.learning_rate = halving
    assert loaded.learning_rate == net.learning_rate
    train(net, 2)
    train(loaded, 2)
    assert everything(loaded) == everything(net)
    # A schedule is another way to go on, and begins with a factor of its own.
    other = im.load(tmp_path / "model")
    other.learning_rate = im.StepLR(0.5, 100)
    assert other.learning_rate == 0.5


def test_another_function_begins_without_the_factor_of_the_one_before() -> None:
    net = model()
    net.learning_rate = 0.05
    net.learning_rate = lambda step: 0.25
    assert net.learning_rate == 0.25


def test_a_checkpoint_goes_on_when_the_function_is_assigned(tmp_path: Path) -> None:
    def callbacks(name: str) -> list[Any]:
        plateau = im.ReduceLROnPlateau("loss", factor=0.5, patience=0, threshold=0.9)
        return [plateau, im.Checkpoint(tmp_path / name)]

    once, twice = model(), model()
    train(once, 6, callbacks=callbacks("once"))
    train(twice, 2, callbacks=callbacks("twice"))
    loaded = im.load(tmp_path / "twice")
    loaded.learning_rate = halving
    train(loaded, 6, callbacks=callbacks("twice"), resume=True)
    assert everything(loaded) == everything(once)


def test_the_model_may_be_read_where_the_rate_is_asked_for() -> None:
    seen: list[Any] = []

    def reading(step: int) -> float:
        seen.extend(net.predict(X) for net in nets)
        return 0.1

    nets: list[im.MLP] = []
    nets.append(model(reading))
    train(nets[0], 2)
    assert len(seen) == 6


def test_a_warm_up_takes_no_function() -> None:
    with pytest.raises(TypeError, match="schedule is <function"):
        im.LinearWarmup(halving, 5)  # type: ignore[arg-type]
