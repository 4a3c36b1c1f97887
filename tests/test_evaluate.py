"""`evaluate`: one forward pass, weights, and the loss that an epoch at rest has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(8)
ROWS = 37
X = RNG.normal(size=(ROWS, 4))
WEIGHTS = np.where(RNG.random(ROWS) < 0.3, 0.0, RNG.uniform(0.1, 4.0, ROWS))
CLASSES = RNG.integers(0, 3, ROWS)


def own(outputs: Any, targets: Any, weights: Any = None) -> Any:
    w = np.ones(len(outputs)) if weights is None else weights
    part = (w / w.sum() if w.any() else w)[:, np.newaxis]
    return float(np.sum(part * np.abs(outputs - targets))), part * np.sign(outputs - targets)


LOSSES: dict[str, tuple[Any, int, Any]] = {
    "cross_entropy": (im.CrossEntropy(), 3, CLASSES),
    "smooth": (im.CrossEntropy(label_smoothing=0.1), 3, CLASSES),
    "class weights": (im.CrossEntropy(class_weight=[1e-3, 2.0, 1e3]), 3, CLASSES),
    "ignored": (im.CrossEntropy(ignore_index=1), 3, CLASSES),
    "soft": (im.CrossEntropy(), 3, RNG.dirichlet(np.ones(3), size=ROWS)),
    "soft weighted": (
        im.CrossEntropy(class_weight=[1.0, 2.0, 3.0]),
        3,
        RNG.dirichlet(np.ones(3), size=ROWS),
    ),
    "two": (im.BinaryCrossEntropy(pos_weight=3.0), 1, CLASSES == 1),
    "flags": (im.BinaryCrossEntropy(), 2, RNG.integers(0, 2, (ROWS, 2))),
    "mse": (im.MSE(), 2, X[:, :2]),
    "mae": (im.MAE(reduction="sum"), 2, X[:, :2]),
    "huber": (im.Huber(0.4), 1, X[:, 0]),
    "log_cosh": (im.LogCosh(), 1, X[:, 0]),
    "quantile": (im.Quantile([0.9, 0.3]), 2, X[:, 0]),
    "poisson": (im.PoissonNLL(), 2, np.abs(X[:, :2])),
    "gaussian": (im.GaussianNLL(), 4, X[:, :2]),
    "focal": (im.Focal(alpha=0.3), 1, CLASSES == 1),
    "own": (own, 1, X[:, :1]),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("batch_size", [1, 5, 16, None])
@pytest.mark.parametrize("weights", [None, WEIGHTS, WEIGHTS * 1e300, WEIGHTS * 1e-300])
def test_an_epoch_at_rest_has_the_loss_of_evaluate(
    name: str, batch_size: int | None, weights: Any
) -> None:
    loss, outputs, y = LOSSES[name]
    for sizes in ([4, 5, outputs], [4, 30, outputs]):
        model = im.MLP(sizes, loss=loss, seed=3, dtype="float64", optimizer=im.SGD(lr=0.0))
        settings: Any = {"epochs": 2, "batch_size": batch_size, "sample_weight": weights}
        history = model.fit(
            X, y, validation_data=(X, y) if weights is None else (X, y, weights), **settings
        )
        expected = model.evaluate(X, y, sample_weight=weights)["loss"]
        np.testing.assert_allclose(history["loss"], expected, rtol=1e-12)
        assert history["val_loss"].tolist() == [expected] * 2
        # A batch of zero weight makes its step, too.
        assert model._core.steps == 2 * len(range(0, ROWS, batch_size or ROWS))


@pytest.mark.parametrize("name", LOSSES)
def test_weights_are_as_repeated_rows(name: str) -> None:
    loss, outputs, y = LOSSES[name]
    counts = RNG.integers(0, 4, ROWS)
    model = im.MLP([4, 5, outputs], loss=loss, seed=3, dtype="float64")
    repeated = np.repeat(np.arange(ROWS), counts)
    found = model.evaluate(X, y, sample_weight=counts)
    expected = model.evaluate(X[repeated], y[repeated])
    assert found == pytest.approx(expected, rel=1e-12)
    assert model.evaluate(X, y) == pytest.approx(model.evaluate(X, y, sample_weight=[2.5] * ROWS))


def test_it_is_one_forward_pass_of_own_losses() -> None:
    calls: list[Any] = []

    def loss(outputs: Any, targets: Any, *weights: Any) -> Any:
        calls.append(len(weights))
        return own(outputs, targets, *weights)

    model = im.MLP([4, 5, 1], loss=loss, seed=3)
    model.evaluate(X, X[:, :1])
    model.evaluate(X, X[:, :1], sample_weight=WEIGHTS, metrics=["r2", "mae"])
    assert calls == [0, 1]


@pytest.mark.parametrize("rows", [1, 1500, 5000])
def test_of_any_number_of_rows(rows: int) -> None:
    x = RNG.normal(size=(rows, 4)).astype(np.float32)
    y = RNG.integers(0, 3, rows)
    model = im.MLP([4, 33, 3], loss="cross_entropy", seed=3)
    found = model.evaluate(x, y)
    outputs = model.forward(x).astype(np.float64)
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    each = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(rows), y]
    assert found["loss"] == pytest.approx(each.mean(), rel=1e-5)
    assert found["accuracy"] == np.mean(model.predict(x) == y)


def test_of_images() -> None:
    images = RNG.normal(size=(21, 1, 6, 6)).astype(np.float32)
    layers = [im.Conv2d(1, 2, 3), im.Flatten(), im.Linear(32, 3)]
    model = im.Sequential(layers, loss="cross_entropy", seed=1)
    found = model.evaluate(images, CLASSES[:21], sample_weight=WEIGHTS[:21])
    right = model.predict(images) == CLASSES[:21]
    assert found["accuracy"] == pytest.approx(np.average(right, weights=WEIGHTS[:21]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample_weight": np.zeros(ROWS)}, "sample_weight is 0 for all rows"),
        ({"sample_weight": -WEIGHTS - 1.0}, r"sample_weight\[0\] is -"),
        ({"sample_weight": WEIGHTS[:3]}, "sample_weight has shape"),
        ({"metrics": "top5"}, "'top5' is for more than 5 classes"),
    ],
)
def test_its_arguments_are_checked(options: Any, words: str) -> None:
    model = im.MLP([4, 5, 3], loss="cross_entropy", seed=3)
    with pytest.raises(ValueError, match=words):
        model.evaluate(X, CLASSES, **options)
