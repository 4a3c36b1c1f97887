"""Threads, callbacks and finalizers that use one model, its data, or several models at once."""

import pickle
import tempfile
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
import networks
import processes
from hostile import N, X, Y, regressor
from states import everything, squares

# Seconds after which a thread counts as hanging; all take far less.
LIMIT = 60.0


def aside(call: Callable[[], Any]) -> Future[Any]:
    """Call it in a thread that cannot keep the tests from ending."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """The results of calls in as many threads, which begin together."""
    gate = threading.Barrier(len(calls))
    futures = [aside(lambda call=call: (gate.wait(LIMIT), call())[1]) for call in calls]
    return [future.result(LIMIT) for future in futures]


def large(**settings: Any) -> im.MLP:
    """A model that takes about a millisecond for 1000 rows."""
    return im.MLP([40, 64, 64, 3], **{"loss": "mse", "seed": 1, **settings})


ROWS = np.random.default_rng(1).normal(size=(3000, 40))
GOALS = ROWS[:, :3] ** 2


def save(model: im.Sequential) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")


GRADS = regressor().loss_and_grad(X, Y)[1]
# All that one can do with a model but train it by `fit`.
METHODS: dict[str, Callable[[Any], Any]] = {
    "forward": lambda model: model(X),
    "predict": lambda model: model.predict(X),
    "evaluate": lambda model: model.evaluate(X, Y),
    "loss_and_grad": lambda model: model.loss_and_grad(X, Y),
    "backward": lambda model: model.backward(X, np.ones((N, 1))),
    "trace": lambda model: model.trace(X, Y),
    "predictor": lambda model: model.predictor(N)(X),
    "state_dict": lambda model: model.state_dict(),
    "copy": lambda model: model.copy(),
    "pickle": lambda model: pickle.dumps(model),
    "save": save,
    "epoch": lambda model: model.epoch,
    "seed": lambda model: model.seed,
    "learning_rate": lambda model: model.learning_rate,
    "repr": lambda model: repr(model),
    "set learning_rate": lambda model: setattr(model, "learning_rate", 0.01),
    "load_state_dict": lambda model: model.load_state_dict(GRADS),
    "apply_gradients": lambda model: model.apply_gradients(GRADS),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "reset": lambda model: model.reset(),
}


def test_the_table_of_methods_is_complete() -> None:
    public = {name for name in dir(im.Sequential) if not name.startswith("_")}
    of_the_constructor = {
        *("layers", "loss", "optimizer", "dtype", "n_threads", "scale", "channels_last"),
        *("standardize", "standardize_y", "summary", "history"),
    }
    by_predict = {"predict_proba", "classes_", "feature_names_in_"}
    # Models that standardize alone have the one, those with an average the other.
    by_option = {"adapt", "averaged"}
    assert public - of_the_constructor - by_predict - by_option - {"fit"} <= set(METHODS)


# One model


def test_any_use_from_another_thread_is_refused_while_training() -> None:
    model = regressor()
    before = everything(model)
    refusals = {}

    def elsewhere(one: im.Sequential, logs: Any) -> None:
        for name, method in (METHODS | {"fit": lambda model: model.fit(X, Y)}).items():
            error = aside(lambda method=method: method(model)).exception(LIMIT)
            refusals[name] = type(error), str(error)
        assert everything(one) == before

    model.fit(X, Y, callbacks=[im.LambdaCallback(on_train_begin=elsewhere)])
    words = "the model is in training in another thread; copy() it first"
    assert refusals == dict.fromkeys([*METHODS, "fit"], (RuntimeError, words))
    for name, method in METHODS.items():
        assert aside(lambda method=method: method(model)).exception(LIMIT) is None, name


def test_adapt_from_another_thread_is_refused_while_training() -> None:
    model = regressor(standardize=True)
    model.adapt(X)
    refused: list[BaseException | None] = []

    def elsewhere(one: im.Sequential, logs: Any) -> None:
        refused.append(aside(lambda: one.adapt(100.0 * X)).exception(LIMIT))

    model.fit(X, Y, callbacks=[elsewhere])
    assert [type(error) for error in refused] == [RuntimeError]
    before = model.predict(X)
    model.adapt(100.0 * X)
    assert not np.allclose(model.predict(X), before)


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
def test_a_model_that_trains_all_the_time_is_refused_to_others(loss: Any) -> None:
    model = large(loss=loss)
    began, enough = threading.Event(), threading.Event()

    def stop(one: im.Sequential, logs: Any) -> None:
        began.set()
        one.stop_training = enough.is_set()

    training = aside(lambda: model.fit(ROWS, GOALS, epochs=10**9, callbacks=[stop]))
    assert began.wait(LIMIT)
    for _ in range(200):
        for call in (lambda: model(ROWS[:2]), lambda: model.fit(ROWS, GOALS), model.copy):
            with pytest.raises(RuntimeError, match="in training in another thread"):
                call()
    enough.set()
    assert training.result(LIMIT).stop_reason == "stopped"
    assert model(ROWS[:2]).shape == (2, 3)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_works_in_a_callback(method: str) -> None:
    def use(model: im.Sequential, logs: Any) -> None:
        METHODS[method](model)
        with pytest.raises(RuntimeError, match="in training already"):
            model.fit(X, Y)

    model = regressor()
    history = model.fit(X, Y, epochs=3, callbacks=[use])
    assert len(history) == 3
    # After the first reset each of the other two epochs counts, and is reset again.
    assert model.epoch == (0 if method == "reset" else 5)
    model.fit(X, Y)


def test_fit_in_callbacks_of_callbacks() -> None:
    refusals = []

    def again(model: im.Sequential, logs: Any) -> None:
        try:
            model.fit(X, Y, callbacks=[again])
        except RuntimeError as error:
            refusals.append(str(error))

    model, plain = regressor(), regressor()
    model.fit(X, Y, epochs=50, callbacks=[again])
    plain.fit(X, Y, epochs=50)
    assert everything(model) == everything(plain)
    assert refusals == ["the model is in training already; end that fit first, or copy() it"] * 50


def test_fit_of_other_models_in_callbacks() -> None:
    models = [regressor() for _ in range(30)]

    def train(depth: int) -> None:
        if depth == len(models):
            with pytest.raises(RuntimeError, match="in training already"):
                models[0].fit(X, Y)
        else:
            models[depth].fit(X, Y, callbacks=[lambda model, logs: train(depth + 1)])

    train(0)
    plain = regressor()
    plain.fit(X, Y)
    assert all(everything(model) == everything(plain) for model in models)


def test_threads_predict_with_one_model_at_once() -> None:
    model = large()
    predict = model.predictor(len(ROWS))
    expected = model(ROWS)
    calls = [model, predict, model.predict, lambda x: model.trace(x, GOALS)["4.output"]] * 2
    for found in at_once([lambda call=call: [call(ROWS) for _ in range(5)] for call in calls]):
        assert all(np.array_equal(one, expected) for one in found)


def test_a_fit_waits_for_predictions() -> None:
    model, plain = large(), large()
    done = threading.Event()

    def predict() -> set[str]:
        refusals = set()
        while not done.is_set():
            try:
                model(ROWS)
            except RuntimeError as error:
                refusals.add(str(error))
        return refusals

    predicting = [aside(predict) for _ in range(3)]
    for _ in range(20):
        model.fit(ROWS[:200], GOALS[:200])
        plain.fit(ROWS[:200], GOALS[:200])
    done.set()
    refusals = set.union(*(one.result(LIMIT) for one in predicting))
    assert refusals <= {"the model is in training in another thread; copy() it first"}
    assert everything(model) == everything(plain)


def test_steps_of_many_threads_all_count() -> None:
    model = im.MLP([4, 5, 1], loss=im.MSE(), optimizer=im.SGD(lr=0.0), seed=1)
    at_once([lambda: [model.train_on_batch(X, Y) for _ in range(200)]] * 4)
    assert model._core.steps == 800


# Several models


NAMES = ["tiny", "odd", "cancer", "flags", "deep", "slabs"]


def test_models_that_train_at_once_get_the_bits_of_alone() -> None:
    alone = [networks.trained(name, "float32") for name in NAMES]
    for _ in range(3):
        calls = [lambda name=name: networks.trained(name, "float32") for name in NAMES]
        assert at_once(calls) == alone


def test_copies_that_train_at_once_get_the_bits_of_alone() -> None:
    # Copies share their plans and the memory of steps.
    first = large()
    copies = [first.copy() for _ in range(6)]
    at_once([lambda one=one: one.fit(ROWS, GOALS, epochs=3) for one in copies])
    first.fit(ROWS, GOALS, epochs=3)
    assert all(everything(one) == everything(first) for one in copies)


# The data


@pytest.mark.filterwarnings("ignore:the widest column")  # of what is written there
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int16"])
def test_x_that_changes_while_training_does_no_harm(dtype: str) -> None:
    given = (8 * ROWS).astype(dtype)
    done, changed = threading.Event(), threading.Event()

    def change() -> None:
        values = np.random.default_rng(2).integers(0, 2**16, given.size, np.uint16)
        while not done.is_set():
            given.view(np.uint16)[:, :40] = values.reshape(given.shape)  # NaNs among them
            changed.set()
            given[::2] = 0

    changing = aside(change)
    model = large()
    for _ in range(5):
        try:
            model.fit(given, GOALS, epochs=3, check_finite=False)
        except FloatingPointError:
            model.reset()
    done.set()
    changing.result(LIMIT)
    assert changed.is_set()
    model.reset()
    model.fit(ROWS, GOALS)
    plain = large()
    plain.fit(ROWS, GOALS)
    assert everything(model) == everything(plain)


def test_targets_and_weights_are_copies() -> None:
    y, weights = Y.copy(), np.ones(N)

    def change(model: im.Sequential, logs: Any) -> None:
        y[:], weights[:] = np.nan, -1.0

    model, plain = regressor(), regressor()
    model.fit(X, y, sample_weight=weights, epochs=3, callbacks=[change])
    plain.fit(X, Y, sample_weight=np.ones(N), epochs=3)
    assert np.isnan(y).all()
    assert everything(model) == everything(plain)


def test_a_run_holds_its_data_until_its_end() -> None:
    model = regressor()
    given = X.copy()
    alive = weakref.ref(given)
    run = model._core.fit(given, Y[:, np.newaxis], None, 5, 8, True, True)
    with pytest.raises(ValueError, match="cannot resize"):
        given.resize((1, 4))
    del given
    assert alive() is not None
    assert run.advance(0.0, True)
    run.close()
    assert alive() is None
    given = X.copy()
    given.resize((1, 4))
    assert given.shape == (1, 4)


def test_a_run_outlives_its_model() -> None:
    model, plain = regressor(), regressor()
    run = model._core.fit(X, Y[:, np.newaxis], None, 2, None, True, True)
    gone = weakref.ref(model)
    del model
    assert gone() is None
    while not run.done:
        run.advance(1.0, False)
    assert run.losses(0).tolist() == plain.fit(X, Y, epochs=2, batch_size=None)["loss"].tolist()


@pytest.mark.parametrize("end", ["close", "drop"])
def test_another_thread_may_end_a_run(end: str) -> None:
    model = regressor()
    runs = [model._core.fit(X, Y[:, np.newaxis], None, 2, 8, True, True)]
    with pytest.raises(RuntimeError, match="in training already"):
        model.fit(X, Y)
    aside(runs[0].close if end == "close" else runs.clear).result(LIMIT)
    model.fit(X, Y)


def test_a_run_serves_one_thread_at_a_time() -> None:
    model = large()
    began, enough = threading.Event(), threading.Event()
    runs = []

    def train() -> None:
        runs.append(model._core.fit(ROWS, GOALS, None, 10**9, 32, True, True))
        began.set()
        while not enough.is_set():
            runs[0].advance(0.05, False)

    training = aside(train)
    assert began.wait(LIMIT)
    calls = [lambda: runs[0].batches_done, lambda: runs[0].advance(0.0, False)]
    refusals = []
    for _ in range(10**6):
        try:
            calls[len(refusals)]()
        except RuntimeError as error:
            refusals.append(str(error))
        if len(refusals) == 2:
            break
    enough.set()
    training.result(LIMIT)
    in_use = "the run is in use in another thread"
    elsewhere = "the model is in training in another thread; copy() it first"
    assert refusals[0] == in_use
    assert refusals[1] in (in_use, elsewhere)
    runs[0].close()
    with pytest.raises(RuntimeError, match="the run is closed"):
        runs[0].advance(0.0, False)
    model.fit(ROWS[:10], GOALS[:10])


# Finalizers, which run wherever Python allocates


def test_a_finalizer_may_use_the_model_that_makes_arrays() -> None:
    calls = processes.run("""
        import gc, json
        from hostile import N, X, Y, np, regressor

        model, calls = regressor(), []

        class Cycle:
            def __init__(self):
                self.itself = self

            def __del__(self):
                calls.append(1)
                model.learning_rate = 0.5

        gc.disable()
        for call in (
            model.state_dict,
            model._core.optimizer_state,
            lambda: model.loss_and_grad(X, Y, input_grad=True),
            lambda: model.backward(X, np.ones((N, 1)), input_grad=True),
            lambda: model.trace(X, Y),
            lambda: model.fit(X, Y),
        ):
            for threshold in range(1, 30):
                Cycle()
                gc.set_threshold(threshold, 1, 1)
                gc.enable()
                call()
                gc.disable()
        print(json.dumps(len(calls)))
    """)
    assert calls[0] > 0


# Divergence


@pytest.mark.parametrize("loss", ["mse", squares], ids=["mse", "function"])
def test_divergence_keeps_the_last_finished_step(loss: Any) -> None:
    def model() -> im.MLP:
        settings = {"loss": loss, "optimizer": im.SGD(lr=1e-3), "activation": "identity"}
        made = im.MLP([4, 5, 1], **settings, seed=1)
        made.fit(X, Y, epochs=3, batch_size=6, shuffle=False)
        made.learning_rate = 3.0
        return made

    diverged, by_hand = model(), model()
    with pytest.raises(FloatingPointError) as caught:
        diverged.fit(X, Y, epochs=100, batch_size=6, shuffle=False)
    epoch, batch = caught.value.epoch, caught.value.batch  # type: ignore[attr-defined]
    assert epoch == diverged.epoch >= 3
    assert f"epoch {epoch}, batch {batch}" in str(caught.value)
    batches = [slice(start, start + 6) for start in range(0, N, 6)]
    by_hand.fit(X, Y, epochs=epoch - 3, batch_size=6, shuffle=False)
    for rows in batches[:batch]:
        by_hand.train_on_batch(X[rows], Y[rows])
    assert everything(diverged) == everything(by_hand)
    for one in (diverged, by_hand):
        with pytest.raises(FloatingPointError) as caught:
            one.train_on_batch(X[batches[batch]], Y[batches[batch]])
        assert caught.value.epoch == epoch  # type: ignore[attr-defined]
        assert caught.value.batch == 0  # type: ignore[attr-defined]
        assert everything(one) == everything(by_hand)
