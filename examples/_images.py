"""What the examples of images show of a trained network: a line an epoch, a table, a picture."""

import importlib.util
import math

import numpy as np


class Progress:
    """A callback: a line an epoch with the accuracy on test images, which the history keeps too."""

    def __init__(self, X_test, y_test):
        self.test = X_test, y_test

    def __call__(self, model, logs):
        logs["accuracy"] = model.evaluate(*self.test)["accuracy"]
        print(f"epoch {logs['epoch']:3d}  loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}")


def confusion_matrix(y, predicted, n_classes):
    """Counts (n_classes, n_classes): row, what they are; column, what they are taken for."""
    counts = np.zeros((n_classes, n_classes), int)
    np.add.at(counts, (y, predicted), 1)
    return counts


def mosaic(images):
    """The first images (n, H, W) side by side, as many as make a square, with gaps of NaN."""
    side = math.isqrt(len(images))
    gap = max(3, images.shape[1] // 16)
    framed = np.pad(images * 1.0, [(0, 0), (0, gap), (0, gap)], constant_values=np.nan)
    tiles = framed[: side * side].reshape(side, side, *framed.shape[1:])
    rows = tiles.swapaxes(1, 2).reshape(side * framed.shape[1], side * framed.shape[2])
    return rows[:-gap, :-gap]


def draw(path, images, history, confusion, names):
    """Write a picture to `path`: images (n, H, W), the loss, and the confusion matrix with the
    classes' names. Without matplotlib it writes nothing and says so."""
    if not importlib.util.find_spec("matplotlib"):
        print(f"{path} is not drawn: that needs matplotlib")
        return
    import matplotlib

    matplotlib.use("Agg")  # a file, no window
    from matplotlib import pyplot

    figure, (samples, loss, matrix) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    samples.imshow(mosaic(images), "gray")
    samples.axis("off")
    history.plot(loss)
    shades = np.log1p(confusion)
    matrix.imshow(shades, "Blues", vmin=0, vmax=2 * shades.max())  # pale enough for black numbers
    for (row, column), count in np.ndenumerate(confusion):
        matrix.text(column, row, count or "", ha="center", va="center")
    ticks = range(len(names))
    matrix.set_xticks(ticks, names)
    matrix.set_yticks(ticks, names)
    matrix.set(xlabel="taken for", ylabel="is")
    figure.savefig(path)
