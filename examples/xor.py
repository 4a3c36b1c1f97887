"""XOR by a 2-3-2-1 network of sigmoids, in full batches, and once more in plain NumPy.

Both networks start from the same parameters and take the same steps, so they end with the same
parameters but for rounding.
"""

import numpy as np

import ironmlp as im
from ironmlp import reference

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0.0, 1.0, 1.0, 0.0])
EPOCHS = 10_000

SETTINGS = {
    "activation": "sigmoid",
    # Gradients are summed over the four rows; the loss that fit reports is their mean.
    "loss": im.BinaryCrossEntropy(reduction="sum"),
    "optimizer": im.SGD(lr=0.1),
    "init": "normal",
    "dtype": "float64",
    "seed": 0,
}

model = im.MLP([2, 3, 2, 1], **SETTINGS)
twin = reference.MLP([2, 3, 2, 1], **SETTINGS)
# Normal starting values agree to a few units in the last place only, so they are copied.
twin.load_state_dict(model.state_dict())

history = model.fit(X, y, epochs=EPOCHS, batch_size=None)
twin.fit(X, y, epochs=EPOCHS, batch_size=None)

for epoch in range(0, EPOCHS, 1000):
    print(f"epoch {epoch:5d}  loss {history['loss'][epoch]:.6f}")

outputs = model.predict_proba(X)[:, 1]
print("outputs ", *(f"{output:.4f}" for output in outputs))

ours, numpys = model.state_dict(), twin.state_dict()
difference = max(float(np.abs(ours[key] - numpys[key]).max()) for key in ours)
print(f"largest difference to NumPy {difference:.1e}")

assert np.all(np.abs(outputs - y) < 0.1)
assert difference < 1e-10
