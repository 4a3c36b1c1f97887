"""Networks of further optimizers."""

from __future__ import annotations

import ironmlp as im

from .network import Network, dense

NETWORKS = {
    "adamw": Network(
        dense([17, 34, 20, 3], im.SiLU(), drop=0.1),
        im.CrossEntropy(),
        im.AdamW(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
        rows=130,
        batch_size=48,
    ),
    "dampened": Network(
        dense([9, 14, 2], im.Tanh()),
        im.MSE(),
        im.SGD(lr=0.05, momentum=0.9, weight_decay=1e-3, dampening=0.3),
        rows=100,
        batch_size=20,
        weighted=True,
    ),
    "amsgrad": Network(
        dense([10, 12, 3], im.SiLU()),
        im.CrossEntropy(),
        im.Adam(lr=0.01, betas=(0.8, 0.6), weight_decay=1e-2, amsgrad=True),
        rows=100,
        batch_size=20,
    ),
    "eps_hat": Network(
        dense([12, 20, 3], im.Tanh()),
        im.CrossEntropy(),
        im.Adam(lr=0.01, betas=(0.8, 0.9), eps=0.01, weight_decay=1e-2, eps_hat=True),
        rows=100,
        batch_size=20,
    ),
    "lr_in_velocity": Network(
        dense([9, 18, 2], im.Tanh()),
        im.MSE(),
        im.SGD(im.ExponentialLR(0.05, 0.7, by="step"), 0.9, 1e-3, True, lr_in_velocity=True),
        rows=100,
        batch_size=20,
        weighted=True,
    ),
    "nadam": Network(
        dense([18, 35, 4], im.Tanh()),
        im.CrossEntropy(),
        im.NAdam(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=1e-2, momentum_decay=0.1),
        rows=130,
        batch_size=32,
    ),
    "radam": Network(
        dense([16, 33, 3], im.ReLU()),
        im.MSE(),
        im.RAdam(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=1e-2),
        rows=130,
        batch_size=16,
        weighted=True,
    ),
    "rmsprop": Network(
        dense([8, 16, 3], im.Tanh()),
        im.Huber(0.5),
        im.RMSprop(lr=1e-3, alpha=0.9, eps=1e-6, weight_decay=1e-2, momentum=0.8, centered=True),
        rows=110,
        batch_size=32,
    ),
    "adagrad": Network(
        dense([19, 20, 5], im.ReLU()),
        im.CrossEntropy(),
        im.Adagrad(lr=0.05, lr_decay=0.1, weight_decay=1e-3, eps=1e-6),
        rows=120,
        batch_size=40,
    ),
    "lion": Network(
        dense([15, 40, 6], im.GELU()),
        im.MSE(),
        im.Lion(lr=1e-3, betas=(0.8, 0.95), weight_decay=0.1),
        rows=120,
        batch_size=50,
        weighted=True,
    ),
}
