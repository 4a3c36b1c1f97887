"""LeNet-5 on handwritten digits: a line an epoch, a confusion matrix, with matplotlib a picture.

    python lenet.py [epochs]

Writes lenet.safetensors, and lenet.png: some digits, the loss, and what is taken for what.
"""

import importlib.util
import sys

import numpy as np

import ironmlp as im
from ironmlp import datasets

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10

X, y = datasets.digit_images(size=28)  # (1797, 1, 28, 28), bytes
X_train, X_test, y_train, y_test = datasets.stratified_split(X, y, test_size=0.2)

# LeNet5() alone is the common form with sigmoids, which take some hundred epochs to begin to learn.
model = im.LeNet5(activation="relu", optimizer=im.SGD(lr=0.05, momentum=0.9), scale=255, seed=0)
print(model.summary())


def report(model, logs):
    logs["accuracy"] = model.evaluate(X_test, y_test)["accuracy"]
    print(f"epoch {logs['epoch']:3d}  loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}")


history = model.fit(X_train, y_train, epochs=epochs, batch_size=32, callbacks=[report])
model.save("lenet.safetensors")

confusion = np.zeros((10, 10), int)  # rows: what they are, columns: what they are taken for
np.add.at(confusion, (y_test, model.predict(X_test)), 1)
print(confusion)

if importlib.util.find_spec("matplotlib"):
    import matplotlib

    matplotlib.use("Agg")  # a file, no window
    from matplotlib import pyplot

    figure, (samples, loss, matrix) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    samples.imshow(X_test[:36, 0].reshape(6, 6, 28, 28).swapaxes(1, 2).reshape(168, 168), "gray")
    samples.set_title("digits")
    samples.axis("off")
    history.plot(loss)
    matrix.imshow(np.log1p(confusion))
    for (row, column), count in np.ndenumerate(confusion):
        matrix.text(column, row, count or "", ha="center", va="center", color="white")
    matrix.set(xlabel="taken for", ylabel="digit", xticks=range(10), yticks=range(10))
    figure.savefig("lenet.png")
