"""Networks whose optimizers do more than their formula: penalties, clipping, averages."""

from __future__ import annotations

import ironmlp as im

from .network import Network, dense

NETWORKS = {
    "penalties": Network(
        dense([17, 34, 20, 3], im.Tanh(), drop=0.1),
        im.CrossEntropy(class_weight=[1.0, 2.0, 0.5]),
        im.SGD(lr=0.05, l1=0.05, l2=0.3),
        rows=130,
        batch_size=48,
        weighted=True,
    ),
    "clipped": Network(
        (im.Linear(19, 40), im.LayerNorm(40), im.SiLU(), im.Linear(40, 37), im.LayerNorm(37)),
        im.MSE(),
        im.AdamW(lr=0.01, weight_decay=0.2, clip_value=1e-3, clip_norm=0.01, decay_bias=False),
        rows=600,
        batch_size=None,
    ),
    "averaged": Network(
        dense([21, 35, 4], im.GELU()),
        im.MSE(),
        im.SGD(lr=0.1, l2=0.2, clip_norm=0.05, ema=0.8),
        rows=90,
        batch_size=32,
        weighted=True,
    ),
    "averaged, plain": Network(
        dense([33, 48, 5], im.ReLU()),
        im.BinaryCrossEntropy(),
        im.SGD(lr=0.1, ema=0.9),
        rows=70,
        batch_size=16,
    ),
    "options, tiny": Network(
        dense([5, 9, 2], im.Tanh()),
        im.MSE(),
        im.Adam(lr=0.01, l1=0.02, l2=0.1, clip_value=0.05, clip_norm=0.1, ema=0.9),
        rows=300,
        batch_size=None,
        weighted=True,
    ),
    "averaged, tiny": Network(
        dense([2, 3, 1], im.Sigmoid()),
        im.BinaryCrossEntropy(),
        im.SGD(lr=0.5, ema=0.7),
        rows=4,
        batch_size=None,
        epochs=20,
    ),
    "squares": Network(
        dense([18, 40, 35], im.Tanh()),
        im.MSE(),
        im.SGD(lr=0.1, l2=0.3, ema=0.9),
        rows=400,
        batch_size=300,
        weighted=True,
    ),
    "squares, tiny": Network(
        dense([8, 10, 1], im.ReLU()),
        im.MSE(),
        im.Adam(lr=0.01, l2=0.2, eps_hat=True),
        rows=300,
        batch_size=120,
        weighted=True,
    ),
    "squares, blocks": Network(
        (im.Linear(3, 5, lr_scale=0.5), im.Tanh(), im.Linear(5, 3)),
        im.CrossEntropy(class_weight=[1.0, 2.0, 0.5]),
        im.SGD(lr=0.2, l2=0.3, ema=0.8),
        rows=600,
        batch_size=None,
    ),
    "squares, chunk": Network(
        dense([2, 3, 1], im.Sigmoid()),
        im.BinaryCrossEntropy(),
        im.SGD(lr=0.5, l2=0.05),
        rows=4,
        batch_size=None,
        epochs=20,
    ),
    "options, images": Network(
        (
            im.Conv2d(2, 5, 3, padding=1),
            im.Tanh(),
            im.MaxPool2d(2),
            im.Flatten(),
            im.Linear(80, 18),
            im.ReLU(),
            im.Linear(18, 3),
        ),
        im.CrossEntropy(),
        im.SGD(lr=0.05, momentum=0.9, l1=0.01, l2=0.1, clip_norm=0.1, ema=0.9, decay_bias=False),
        rows=40,
        batch_size=20,
        image=(2, 8, 8),
    ),
}
