"""LeNet-5 on handwritten digits: a line an epoch, a confusion matrix, with matplotlib a picture.

    python lenet.py [epochs]

Writes lenet.safetensors, and lenet.png: some digits, the loss, and what is taken for what.
"""

import sys

from _images import Progress, confusion_matrix, draw

import ironmlp as im
from ironmlp import datasets

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10

X, y = datasets.digit_images(size=28)  # (1797, 1, 28, 28), bytes
X_train, X_test, y_train, y_test = datasets.stratified_split(X, y, test_size=0.2)

# LeNet5() alone is the common form with sigmoids, which take some hundred epochs to begin to learn.
model = im.LeNet5(activation="relu", optimizer=im.SGD(lr=0.05, momentum=0.9), scale=255, seed=0)
print(model.summary())

progress = Progress(X_test, y_test)
history = model.fit(X_train, y_train, epochs=epochs, batch_size=32, callbacks=[progress])
model.save("lenet.safetensors")

confusion = confusion_matrix(y_test, model.predict(X_test), 10)
print(confusion)
draw("lenet.png", X_test[:36, 0], history, confusion, range(10))
