"""Metrics of `evaluate` and `fit` against scikit-learn's, and what may be asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(11)
ROWS = 90
X = RNG.normal(size=(ROWS, 4))
WEIGHTS: dict[str, Any] = {
    "none": None,
    "some": np.where(RNG.random(ROWS) < 0.2, 0.0, RNG.uniform(0.0, 4.0, ROWS)),
    "huge": RNG.uniform(0.5, 4.0, ROWS) * 1e300,
    "small": RNG.uniform(0.5, 4.0, ROWS) * 1e-300,
}


class Fixed:
    """A model whose outputs are what one wishes: the identity of X."""

    def __new__(cls, outputs: Any, loss: Any, dtype: Any = "float64") -> Any:
        width = outputs.shape[1]
        model = im.Sequential([im.Linear(width, width)], loss=loss, seed=0, dtype=dtype)
        model.load_state_dict({"0.weight": np.eye(width), "0.bias": np.zeros(width)})
        return model


def logits(width: int, ties: bool) -> Any:
    values = RNG.normal(size=(ROWS, width)) * 2.0
    return np.round(values) if ties else values


def sklearn_of(name: str, y: Any, labels: Any, p: Any, weights: Any) -> float:
    from sklearn import metrics as sk

    w = {"sample_weight": None if weights is None else weights / weights.max()}
    classes = p.shape[1] if p.ndim == 2 else 2
    macro = {} if p.ndim == 1 else {"average": "macro"}
    functions: dict[str, Any] = {
        "accuracy": lambda: sk.accuracy_score(y.ravel(), labels.ravel(), **ravelled(w, y)),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(y, labels, **w),
        "f1": lambda: sk.f1_score(y, labels, **macro, zero_division=0, **w),
        "roc_auc": lambda: sk.roc_auc_score(
            y, p, **({"multi_class": "ovr"} if y.ndim == 1 and p.ndim == 2 else {}), **w
        ),
        "average_precision": lambda: sk.average_precision_score(y, p, **w),
        "log_loss": lambda: sk.log_loss(y, p, **w),
        "top5": lambda: sk.top_k_accuracy_score(y, p, k=5, labels=range(classes), **w),
        "r2": lambda: sk.r2_score(y, labels, **w),
        "mae": lambda: sk.mean_absolute_error(y, labels, **w),
        "rmse": lambda: sk.root_mean_squared_error(y, labels, **w),
    }
    return float(functions[name]())


def ravelled(w: Any, y: Any) -> Any:
    if y.ndim == 1 or w["sample_weight"] is None:
        return w
    return {"sample_weight": np.repeat(w["sample_weight"], y.shape[1])}


CHOSEN = ("accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "log_loss")


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_two_classes(ties: bool, weights: str, dtype: Any) -> None:
    x, y = logits(1, ties), np.array(["no", "yes"])[RNG.integers(0, 2, ROWS)]
    model, w = Fixed(x, "binary_cross_entropy", dtype), WEIGHTS[weights]
    model.fit(x, y, epochs=1, classes=["no", "yes"])
    model.load_state_dict({"0.weight": np.eye(1), "0.bias": np.zeros(1)})
    found = model.evaluate(x, y, sample_weight=w, metrics=CHOSEN)
    assert list(found) == ["loss", *CHOSEN]
    p = model.predict_proba(x)[:, 1]
    for name in CHOSEN:
        truth = y if name in ("accuracy", "balanced_accuracy") else (y == "yes").astype(int)
        labels = model.predict(x)
        if truth.dtype.kind == "i":
            labels = (labels == "yes").astype(int)
        expected = sklearn_of(name, truth, labels, p, w)
        np.testing.assert_allclose(
            found[name], expected, rtol=1e-6 if dtype == "float32" else 1e-12
        )


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("classes", [3, 8])
def test_of_several_classes(ties: bool, weights: str, classes: int) -> None:
    x, y = logits(classes, ties), RNG.integers(0, classes, ROWS)
    model, w = Fixed(x, "cross_entropy"), WEIGHTS[weights]
    names = [*CHOSEN, *(["top5"] if classes > 5 else [])]
    found = model.evaluate(x, y, sample_weight=w, metrics=names)
    labels, p = model.predict(x), model.predict_proba(x)
    for name in names:
        expected = sklearn_of(name, y, labels, p, w)
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_of_flags(ties: bool, weights: str) -> None:
    x, y = logits(4, ties), RNG.integers(0, 2, (ROWS, 4))
    model, w = Fixed(x, "binary_cross_entropy"), WEIGHTS[weights]
    names = ("accuracy", "f1", "roc_auc", "average_precision")
    found = model.evaluate(x, y, sample_weight=w, metrics=names)
    for name in names:
        expected = sklearn_of(name, y, model.predict(x), model.predict_proba(x), w)
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("own", [False, True])
def test_of_numbers(weights: str, width: int, own: bool) -> None:
    x = logits(width, ties=False)
    y = x * 0.7 + RNG.normal(size=x.shape)
    y = y[:, 0] if width == 1 else y
    w = WEIGHTS[weights]

    def loss(outputs: Any, targets: Any, *_weights: Any) -> Any:
        return float(np.mean((outputs - targets) ** 2)), outputs - targets

    model = Fixed(x, loss if own else "mse")
    found = model.evaluate(x, y, sample_weight=w, metrics=["r2", "mae", "rmse"])
    outputs = model.forward(x).reshape(y.shape)
    for name in ("r2", "mae", "rmse"):
        expected = sklearn_of(name, y, outputs, outputs, w)
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, err_msg=name)


def test_r2_of_constant_targets() -> None:
    x = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0]])
    model = Fixed(x, "mse")
    assert model.evaluate(x, x)["r2"] == 1.0
    assert model.evaluate(x, np.column_stack([[2.0] * 3, x[:, 1]]))["r2"] == 0.5


def test_numbers_of_a_standardized_y_are_in_its_units() -> None:
    y = X[:, 0] * 300.0 + 5000.0 + RNG.normal(size=ROWS)
    model = im.MLP([4, 8, 1], loss="mse", standardize=True, standardize_y=True, seed=1)
    history = model.fit(X, y, epochs=5, validation_data=(X, y), metrics=["r2", "mae", "rmse"])
    predicted = model.predict(X)
    found = {name: history[f"val_{name}"][-1] for name in ("r2", "mae", "rmse")}
    for name, value in found.items():
        expected = sklearn_of(name, y, predicted, predicted, None)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert found == {
        k: v for k, v in model.evaluate(X, y, metrics=list(found)).items() if k != "loss"
    }


@pytest.mark.parametrize("shift", [0.0, 1e-17, 1e-9, 1e-4])
def test_accuracy_is_what_predict_meets_also_of_close_outputs(shift: float) -> None:
    for dtype in ("float32", "float64"):
        close = RNG.integers(0, 2, (50, 3)) * shift + np.round(RNG.normal(size=(50, 1)))
        y = RNG.integers(0, 3, 50)
        model = Fixed(close, "cross_entropy", dtype)
        assert model.evaluate(close, y)["accuracy"] == np.mean(model.predict(close) == y)
        flat = (RNG.integers(-1, 2, (50, 1)) * shift).astype(float)
        two = Fixed(flat, "binary_cross_entropy", dtype)
        assert two.evaluate(flat, y % 2)["accuracy"] == np.mean(two.predict(flat) == y % 2)
        wide = RNG.integers(-1, 2, (50, 2)) * shift
        flags, truth = Fixed(wide, "binary_cross_entropy", dtype), RNG.integers(0, 2, (50, 2))
        assert flags.evaluate(wide, truth)["accuracy"] == np.mean(flags.predict(wide) == truth)


def test_accuracy_of_probabilities() -> None:
    p = RNG.dirichlet(np.ones(3), size=50)
    model = Fixed(p, "cross_entropy")
    expected = np.mean(model.predict(p) == RNG.permutation(p).argmax(axis=1))
    assert 0.0 <= expected <= 1.0
    y = p[::-1]
    assert model.evaluate(p, y)["accuracy"] == np.mean(model.predict(p) == y.argmax(axis=1))
    layers = [im.Linear(1, 1), im.Sigmoid()]
    loss = im.BinaryCrossEntropy(from_logits=False)
    two = im.Sequential(layers, loss=loss, seed=0)
    x, wanted = RNG.normal(size=(50, 1)), RNG.integers(0, 2, 50)
    assert two.evaluate(x, wanted)["accuracy"] == np.mean(two.predict(x) == wanted)


def test_ignored_rows_are_left_out() -> None:
    x, y = logits(3, ties=False), RNG.integers(0, 3, ROWS)
    ignored = np.where(np.arange(ROWS) % 4 == 0, -100, y)
    kept = ignored >= 0
    model = Fixed(x, im.CrossEntropy(ignore_index=-100))
    seen: list[Any] = []

    def mine(truth: Any, predicted: Any, sample_weight: Any) -> float:
        seen.append((truth, predicted, sample_weight))
        return 0.0

    w = WEIGHTS["some"]
    found = model.evaluate(x, ignored, sample_weight=w, metrics=[*CHOSEN, mine])
    plain = Fixed(x, "cross_entropy")
    expected = plain.evaluate(x[kept], y[kept], sample_weight=w[kept], metrics=[*CHOSEN, mine])
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name
    for one, other in zip(*seen, strict=True):
        assert one.tolist() == other.tolist()


def test_classes_without_rows_do_not_count() -> None:
    x, y = logits(4, ties=False), RNG.integers(0, 2, ROWS)
    model = Fixed(x, "cross_entropy")
    found = model.evaluate(x, y, metrics=["roc_auc", "average_precision", "balanced_accuracy"])
    assert all(0.0 < found[name] < 1.0 for name in list(found)[1:])
    alone = model.evaluate(x, np.zeros(ROWS, int), metrics=["roc_auc", "f1"])
    assert np.isnan(alone["roc_auc"])


def test_what_a_function_gets() -> None:
    labels = np.array(["a", "b", "c"])[RNG.integers(0, 3, ROWS)]
    cases: list[tuple[Any, Any, int, dict[str, Any]]] = [
        ("cross_entropy", labels, 3, {"labels": (ROWS,), "probabilities": (ROWS, 3)}),
        ("binary_cross_entropy", labels == "a", 1, {"labels": (ROWS,), "probabilities": (ROWS,)}),
        (
            "binary_cross_entropy",
            RNG.integers(0, 2, (ROWS, 2)),
            2,
            {"labels": (ROWS, 2), "probabilities": (ROWS, 2)},
        ),
        ("mse", X[:, 0], 1, {"labels": (ROWS,)}),
        ("mse", X[:, :2], 2, {"labels": (ROWS, 2)}),
    ]
    for loss, y, outputs, shapes in cases:
        model = im.MLP([4, 3, outputs], loss=loss, seed=0)
        model.fit(X, y)
        seen: list[Any] = []

        def watch(truth: Any, predicted: Any, seen: Any = seen) -> float:
            seen.append((truth, predicted))
            return 1.0

        for takes, shape in {**shapes, "outputs": (ROWS, outputs)}.items():
            seen.clear()
            metric: Any = im.Metric(watch, "mine", takes=takes)
            assert model.evaluate(X, y, metrics=metric)["mine"] == 1.0
            truth, predicted = seen[0]
            np.testing.assert_array_equal(truth, y)
            assert predicted.shape == shape
            if takes == "labels":
                np.testing.assert_array_equal(predicted, model.predict(X))
            elif takes == "outputs":
                np.testing.assert_array_equal(predicted, model.forward(X))


def test_functions_get_weights_if_they_take_them() -> None:
    from sklearn.metrics import accuracy_score, median_absolute_error

    y = RNG.integers(0, 3, ROWS)
    model = im.MLP([4, 3, 3], loss="cross_entropy", seed=0)
    w = WEIGHTS["some"]
    found = model.evaluate(X, y, sample_weight=w, metrics=["accuracy", accuracy_score])
    assert found["accuracy_score"] == pytest.approx(found["accuracy"], rel=1e-12)

    def plain(truth: Any, predicted: Any) -> float:
        return float(np.mean(truth == predicted))

    found = model.evaluate(X, y, sample_weight=w, metrics=plain)
    assert found["plain"] == np.mean(model.predict(X) == y)
    numbers = im.MLP([4, 3, 1], loss="mse", seed=0)
    numbers.fit(X, X[:, 0])
    found = numbers.evaluate(X, X[:, 0], metrics=median_absolute_error)
    expected = np.median(np.abs(numbers.predict(X) - X[:, 0]))
    assert found["median_absolute_error"] == pytest.approx(expected)


def test_a_metrics_mode_reaches_callbacks() -> None:
    y = RNG.integers(0, 3, ROWS)
    values = iter([3.0, 5.0, 4.0, 4.5, 4.6])
    metric = im.Metric(lambda _t, _p: next(values), "gain", mode="max")
    stop = im.EarlyStopping("val_gain", patience=3)
    model = im.MLP([4, 3, 3], loss="cross_entropy", seed=0)
    history = model.fit(X, y, epochs=9, validation_split=0.2, metrics=metric, callbacks=[stop])
    assert (stop.best, stop.best_epoch, len(history)) == (5.0, 1, 5)
    without = im.Metric(lambda _t, _p: 0.0, "gain")
    with pytest.raises(ValueError, match="'val_gain', and mode='auto' does not know"):
        model.fit(X, y, validation_split=0.2, metrics=without, callbacks=[stop])
    # A training without it does not know it.
    with pytest.raises(ValueError, match="'val_gain', and mode='auto' does not know"):
        model.fit(X, y, callbacks=[stop])


FITTING = {
    "cross_entropy": (3, RNG.integers(0, 3, ROWS), CHOSEN),
    "binary_cross_entropy": (1, RNG.integers(0, 2, ROWS), CHOSEN),
    "mse": (2, X[:, :2], ("r2", "mae", "rmse")),
}


@pytest.mark.parametrize("loss", FITTING)
def test_a_metric_that_does_not_fit_is_an_error_before_the_first_step(loss: str) -> None:
    from ironmlp._metrics.choice import NAMED

    outputs, y, fitting = FITTING[loss]
    model = im.MLP([4, 3, outputs], loss=loss, seed=0)
    for name in NAMED:
        if name in fitting:
            assert name in model.evaluate(X, y, metrics=name)
            continue
        for call in (
            lambda name=name: model.evaluate(X, y, metrics=[name]),
            lambda name=name: model.fit(X, y, validation_split=0.2, metrics=name),
        ):
            with pytest.raises(ValueError, match=f"metric '{name}' is for"):
                call()
    assert model._core.steps == 0


def test_soft_targets_have_accuracy_alone() -> None:
    soft = RNG.dirichlet(np.ones(3), size=ROWS)
    model = im.MLP([4, 3, 3], loss="cross_entropy", seed=0)
    assert set(model.evaluate(X, soft, metrics="accuracy")) == {"loss", "accuracy"}
    with pytest.raises(ValueError, match="has probabilities as targets: 'accuracy' fit"):
        model.evaluate(X, soft, metrics="f1")


@pytest.mark.parametrize(
    ("metrics", "error", "words"),
    [
        (3, TypeError, "metrics is 3"),
        ([3], TypeError, "metrics has 3"),
        ("acc", ValueError, "metrics has 'acc', known are 'accuracy'"),
        (["f1", "f1"], ValueError, "'f1' twice"),
        ([lambda _t, _p: 0.0], ValueError, "has no name of its own"),
        ([float], TypeError, "must have names, functions"),
        ([im.Metric(lambda _t, _p: "x", "m")], TypeError, "metric 'm' returned 'x'"),
    ],
)
def test_metrics_are_checked(metrics: Any, error: type[Exception], words: str) -> None:
    model = im.MLP([4, 3, 3], loss="cross_entropy", seed=0)
    with pytest.raises(error, match=words):
        model.evaluate(X, RNG.integers(0, 3, ROWS), metrics=metrics)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((3,), TypeError),
        ((max, ""), ValueError),
        ((max, "loss"), ValueError),
        ((max, 3), TypeError),
        ((lambda: 0,), ValueError),
    ],
)
def test_a_metric_checks_its_arguments(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        im.Metric(*arguments)
    for options in ({"mode": "best"}, {"takes": "logits"}):
        with pytest.raises(ValueError, match="must be one of"):
            im.Metric(max, **options)  # type: ignore[arg-type]


def test_a_metric_says_what_it_is() -> None:
    assert "'mine', mode='max', takes='outputs'" in repr(
        im.Metric(max, "mine", mode="max", takes="outputs")
    )
