"""Networks with learning rate schedules: each of them, by epochs and by steps, in each kind of
plan."""

from __future__ import annotations

import ironmlp as im

from .network import Network, dense

NETWORKS = {
    "StepLR": Network(
        dense([2, 3, 1], im.Tanh()),
        im.MSE(),
        im.SGD(lr=im.StepLR(0.2, 7, 0.7)),
        rows=14,
        batch_size=None,
        epochs=60,
    ),
    "MultiStepLR": Network(
        dense([9, 40, 3], im.ReLU()),
        im.CrossEntropy(),
        im.SGD(lr=im.MultiStepLR(0.1, [3, 5, 5, 9], 0.5, by="step"), momentum=0.9),
        rows=60,
        batch_size=17,
        epochs=3,
    ),
    "ExponentialLR": Network(
        (
            im.Conv2d(1, 4, 3),
            im.ReLU(),
            im.MaxPool2d(2),
            im.Flatten(),
            im.Linear(36, 5),
        ),
        im.CrossEntropy(),
        im.Adam(lr=im.ExponentialLR(0.02, 0.9)),
        rows=40,
        batch_size=16,
        epochs=3,
        image=(1, 8, 8),
    ),
    "CosineAnnealingLR": Network(
        dense([5, 8, 2], im.SiLU()),
        im.MSE(),
        im.AdamW(lr=im.CosineAnnealingLR(0.05, 30, 0.001, by="step")),
        rows=16,
        batch_size=None,
        epochs=40,
        weighted=True,
    ),
    "CosineAnnealingWarmRestarts": Network(
        dense([12, 30, 30, 2], im.GELU(), drop=0.2),
        im.Huber(0.5),
        im.Lion(lr=im.CosineAnnealingWarmRestarts(0.003, 2, 3, 1e-4, by="step")),
        rows=90,
        batch_size=11,
    ),
    "OneCycleLR": Network(
        dense([6, 16, 1], im.Sigmoid()),
        im.BinaryCrossEntropy(),
        im.SGD(lr=im.OneCycleLR(0.4, 40), momentum=0.8),
        rows=70,
        batch_size=9,
        epochs=6,
    ),
    "PolynomialLR": Network(
        dense([18, 20, 4], im.Softplus()),
        im.MSE(),
        im.SGD(lr=im.PolynomialLR(0.1, 4, 0.9)),
        rows=50,
        batch_size=20,
        epochs=5,
    ),
    "LinearWarmup": Network(
        dense([3, 5, 1], im.Tanh()),
        im.MSE(),
        im.SGD(lr=im.LinearWarmup(im.CosineAnnealingLR(0.3, 25), 15, 0.1), momentum=0.5),
        rows=40,
        batch_size=None,
        epochs=50,
    ),
}
