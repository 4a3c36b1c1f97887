"""A script as people write it in Keras, and the same rules in NumPy: the same curves."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_wine

import ironmlp as im
import keras_rules
from ironmlp.reference import draws

EPOCHS, BATCH, SHARE, SEED = 120, 16, 0.2, 3

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def wine() -> tuple[Array, Array]:
    X, y = load_wine(return_X_y=True)
    # A tenth of the labels is wrong, so that training longer does harm.
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < 0.1
    return (X - X.mean(axis=0)) / X.std(axis=0), np.where(wrong, rng.integers(3, size=len(y)), y)


def test_the_curves_are_those_of_the_rules_written_out(wine: tuple[Array, Array]) -> None:
    X, y = wine
    model = im.MLP(
        [13, 32, 3],
        loss="cross_entropy",
        optimizer=im.Adam(lr=0.003),
        dtype="float64",
        seed=SEED,
    )
    parameters = model.state_dict()
    stopping = im.EarlyStopping("val_loss", patience=12, restore_best_weights=True)
    history = model.fit(
        X,
        y,
        epochs=EPOCHS,
        batch_size=BATCH,
        validation_split=SHARE,
        class_weight="balanced",
        metrics=["accuracy"],
        callbacks=[
            stopping,
            im.ReduceLROnPlateau("val_loss", factor=0.5, patience=2, threshold=1e-3),
        ],
    )

    held_out = draws.held_out(y, SHARE, SEED)
    training = np.setdiff1d(np.arange(len(y)), held_out)
    by_hand = keras_rules.EarlyStopping(patience=12)
    expected = keras_rules.fit(
        parameters,
        X[training],
        y[training],
        (X[held_out], y[held_out]),
        epochs=EPOCHS,
        batch_size=BATCH,
        lr=0.003,
        order=lambda epoch: draws.shuffled(len(training), SEED, epoch),
        stopping=by_hand,
        plateau=keras_rules.ReduceLROnPlateau(factor=0.5, patience=2, threshold=1e-3),
    )

    # Otherwise nothing would be shown.
    assert by_hand.best_epoch + 12 + 1 == len(expected["loss"]) < EPOCHS
    assert len(set(expected["learning_rate"])) > 2
    assert history.stop_reason == "early_stopping"
    assert stopping.best_epoch == by_hand.best_epoch
    for name in ("loss", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-9, err_msg=name)
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(array, parameters[name], rtol=1e-8, atol=1e-11, err_msg=name)
