"""A short session with a bit of everything, for valgrind, under which it takes some minutes."""

import copy
import pickle
import tempfile
from pathlib import Path

import numpy as np

import ironmlp as im

RNG = np.random.default_rng(0)


def models() -> list[tuple[im.Sequential, np.ndarray, np.ndarray]]:
    """Each plan once: small networks, the general one, images."""
    rows, classes = RNG.normal(size=(37, 18)), RNG.integers(0, 3, size=37)
    images = RNG.integers(0, 256, size=(18, 1, 9, 10), dtype=np.uint8)
    layers = [im.Conv2d(1, 3, 3, padding=1), im.ReLU(), im.MaxPool2d(2), im.Flatten()]
    layers += [im.Dropout(0.5), im.Linear(60, 3)]
    return [
        (im.MLP([4, 5, 1], loss="mse", seed=0), rows[:, :4], rows[:, 5]),
        (im.MLP([18, 40, 3], loss="cross_entropy", seed=0, n_threads=3), rows, classes),
        (im.Sequential(layers, loss="cross_entropy", seed=0), images, classes[:18]),
    ]


def main() -> None:
    for model, X, y in models():
        model.fit(X, y, epochs=2, batch_size=16, sample_weight=np.ones(len(X)), verbose=False)
        model.train_on_batch(X, y)
        loss, grads, by_input = model.loss_and_grad(X, y, training=True, input_grad=True)
        model.apply_gradients(grads)
        model.trace(X[::-1], y[::-1])
        model.evaluate(np.asfortranarray(X), y)
        for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model.copy()):
            assert np.array_equal(twin.predict(X), model.predict(X))
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model.st")
            assert np.array_equal(im.load(Path(folder) / "model.st").forward(X), model.forward(X))
        assert np.isfinite(loss)
        assert by_input.shape == X.shape
        model.reset()


if __name__ == "__main__":
    main()
