"""LeNet-5 tells cracked surfaces from sound ones: a line an epoch, a confusion matrix, a picture.

    python cracks.py [picture] [--epochs 5] [--size 227] [--images 1344]

`picture`, cracks.png if it is not given, shows some test images (the cracked ones first), the loss,
and what is taken for what; it needs matplotlib. `--size 64` draws smaller images, for a short run.
"""

import argparse

import numpy as np
from _images import Progress, confusion_matrix, draw

import ironmlp as im
from ironmlp import datasets

parser = argparse.ArgumentParser(description="LeNet-5 on cracked and sound surfaces.")
parser.add_argument("picture", nargs="?", default="cracks.png", help="the file to draw")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--size", type=int, default=227, help="pixels a side")
parser.add_argument("--images", type=int, default=1344)
arguments = parser.parse_args()

X, y = datasets.cracks(arguments.images, arguments.size)  # (1344, 227, 227, 1), bytes
X_train, X_test, y_train, y_test = datasets.stratified_split(X, y, test_size=0.2)

model = im.LeNet5(
    X.shape[1:],
    2,
    activation="relu",
    optimizer=im.Adam(lr=1e-3),
    scale=255,
    channels_last=True,
    seed=0,
)
print(model.summary())

progress = Progress(X_test, y_test)
history = model.fit(X_train, y_train, epochs=arguments.epochs, batch_size=32, callbacks=[progress])

names = ["sound", "cracked"]
confusion = confusion_matrix(y_test, model.predict(X_test), 2)
for name, row in zip(names, confusion, strict=True):
    print(f"{name:>8}: {row[0]:4d} taken for sound, {row[1]:4d} for cracked")

shown = np.concatenate([X_test[y_test == 1][:8], X_test[y_test == 0][:8]])
draw(arguments.picture, shown[..., 0], history, confusion, names)
