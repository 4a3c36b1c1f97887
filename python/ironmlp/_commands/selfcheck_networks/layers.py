"""Networks of all kinds of layers."""

from __future__ import annotations

import ironmlp as im

from .network import Network, dense

NETWORKS = {
    "mish": Network(
        (
            im.Conv2d(1, 5, 3),
            im.Mish(),
            im.MaxPool2d(2),
            im.Flatten(),
            *dense([60, 34, 3], im.Mish(), drop=0.1),
        ),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.5),
        rows=150,
        batch_size=64,
        weighted=True,
        image=(1, 8, 10),
    ),
    "selu": Network(
        (
            im.Conv2d(1, 4, 3),
            im.SELU(),
            im.AvgPool2d(2),
            im.Conv2d(4, 5, 2),
            im.Hardswish(),
            im.Flatten(),
            *(im.Linear(30, 21), im.SELU(), im.Linear(21, 4), im.Hardswish()),
        ),
        im.MSE(),
        im.Adam(lr=0.01),
        rows=150,
        batch_size=64,
        image=(1, 8, 10),
    ),
    "prelu": Network(
        (
            *(im.Linear(13, 37), im.PReLU(), im.Linear(37, 40), im.PReLU(40, 0.5), im.Dropout(0.1)),
            im.Residual([im.PReLU(lr_scale=0.5), im.Linear(40, 40)]),
            *(im.Linear(40, 5), im.PReLU(5, 2.0, trainable=False)),
        ),
        im.CrossEntropy(),
        im.Adam(lr=0.01),
        rows=600,
        batch_size=530,
        weighted=True,
    ),
    "prelu, images": Network(
        (
            *(im.PReLU(2, -0.5), im.Conv2d(2, 5, 3), im.PReLU(5), im.MaxPool2d(2)),
            *(im.Conv2d(5, 18, 2), im.PReLU(18), im.PReLU(), im.AvgPool2d(2, 1), im.Flatten()),
            *(im.PReLU(), im.Linear(54, 3)),
        ),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.9),
        rows=300,
        batch_size=277,
        image=(2, 8, 12),
    ),
    "deep": Network(
        (
            *dense([6, 12, 12, 12], im.ELU(0.7)),
            im.LeakyReLU(0.2),
            im.Linear(12, 18, init="glorot_uniform", lr_scale=0.5),
            im.GELU(approximate="tanh"),
            im.Linear(18, 18, trainable=False),
            im.Softplus(2.0, 3.0),
            im.Dropout(0.1),
            im.Linear(18, 12, bias=False),
            im.Identity(),
            *dense([12, 9, 4], im.Tanh(), init="normal"),
        ),
        im.MAE(reduction="sum"),
        im.SGD(lr=1e-3, momentum=0.9),
        rows=70,
        batch_size=16,
    ),
    "norms": Network(
        (
            *(im.Linear(13, 37), im.LayerNorm(37), im.ReLU(), im.Dropout(0.1)),
            *(im.Linear(37, 20, bias=False), im.LayerNorm(20, 1e-3, affine=False), im.Tanh()),
            *(im.Linear(20, 5), im.LayerNorm(5, lr_scale=0.5)),
        ),
        im.CrossEntropy(),
        im.Adam(lr=0.01),
        rows=600,
        batch_size=530,
        weighted=True,
    ),
    "batch norms": Network(
        (
            *(im.Linear(13, 37), im.BatchNorm1d(37), im.ReLU(), im.Dropout(0.1)),
            im.Residual([im.BatchNorm1d(37, 1e-3, None, affine=False), im.GELU()]),
            *(im.Linear(37, 20, bias=False), im.BatchNorm1d(20, momentum=0.3), im.Tanh()),
            *(im.Linear(20, 5), im.BatchNorm1d(5, lr_scale=0.5)),
        ),
        im.CrossEntropy(),
        im.Adam(lr=0.01),
        rows=600,
        batch_size=530,
        weighted=True,
    ),
    "batch norms of images": Network(
        (
            *(im.BatchNorm2d(2, 1e-3, None), im.Conv2d(2, 18, 3), im.BatchNorm2d(18), im.ReLU()),
            *(im.MaxPool2d(2), im.Conv2d(18, 5, 2), im.Tanh(), im.Dropout(0.1)),
            *(im.BatchNorm2d(5, momentum=0.3, affine=False, lr_scale=0.5), im.Flatten()),
            *(im.Linear(20, 20), im.BatchNorm1d(20), im.GELU(), im.Linear(20, 4)),
        ),
        im.CrossEntropy(),
        im.Adam(lr=0.01),
        rows=300,
        batch_size=270,
        weighted=True,
        image=(2, 8, 8),
    ),
    "residual": Network(
        (
            im.Linear(11, 24),
            im.Residual(
                [im.LayerNorm(24), im.Linear(24, 40), im.GELU(), im.Dropout(0.2), im.Linear(40, 24)]
            ),
            im.Residual([im.Tanh(), im.Residual([im.Linear(24, 24, trainable=False), im.SiLU()])]),
            im.LayerNorm(24, trainable=False),
            im.Linear(24, 3),
        ),
        im.MSE(),
        im.SGD(lr=0.1, momentum=0.9),
        rows=150,
        batch_size=48,
    ),
}
