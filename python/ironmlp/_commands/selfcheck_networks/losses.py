"""Networks of further losses."""

from __future__ import annotations

import ironmlp as im
from ironmlp.losses.rows import (
    ClippedBCEWithLogits,
    ClippedCrossEntropy,
    HalfPoissonDeviance,
    HalfSquaredError,
)

from .network import Network, dense

NETWORKS = {
    "log_cosh": Network(
        dense([6, 11, 2], im.Mish()),
        im.LogCosh(),
        im.SGD(lr=0.1),
        rows=90,
        batch_size=25,
        weighted=True,
    ),
    "quantile": Network(
        dense([7, 20, 3], im.Tanh()),
        im.Quantile((0.1, 0.75, 0.5)),
        im.SGD(lr=0.2),
        rows=300,
        batch_size=70,
        weighted=True,
    ),
    "poisson": Network(
        dense([5, 13, 1], im.Tanh()),
        im.PoissonNLL(full=True),
        im.Adam(lr=0.02),
        rows=60,
        batch_size=9,
        weighted=True,
    ),
    "rates": Network(
        (*dense([9, 18, 17], im.ReLU()), im.Softplus()),
        im.PoissonNLL(log_input=False, full=True, eps=2.0**-10),
        im.SGD(lr=0.1),
        rows=40,
        batch_size=16,
    ),
    "gaussian": Network(
        dense([6, 30, 38], im.Tanh()),
        im.GaussianNLL(),
        im.SGD(lr=0.05),
        rows=300,
        batch_size=280,
        weighted=True,
    ),
    "gaussian, tiny": Network(
        dense([3, 6, 2], im.Tanh()), im.GaussianNLL(), im.Adam(lr=0.02), rows=50, batch_size=None
    ),
    "focal": Network(
        dense([4, 9, 1], im.Tanh()),
        im.Focal(1.5, 0.25),
        im.SGD(lr=0.5),
        rows=70,
        batch_size=17,
        weighted=True,
    ),
    "focal flags": Network(
        dense([4, 20, 5], im.ReLU()),
        im.Focal(reduction="sum"),
        im.SGD(lr=0.05),
        rows=70,
        batch_size=33,
        soft=True,
    ),
    "clipped classes": Network(
        dense([9, 18, 5], im.ReLU()),
        ClippedCrossEntropy(),
        im.Adam(lr=0.02, l2=0.1, eps_hat=True),
        rows=70,
        batch_size=33,
        weighted=True,
    ),
    "clipped flags": Network(
        dense([5, 20, 18], im.Tanh()),
        ClippedBCEWithLogits(),
        im.SGD(lr=0.05, momentum=0.9, l2=0.1, lr_in_velocity=True),
        rows=70,
        batch_size=33,
        weighted=True,
    ),
    "clipped, tiny": Network(
        dense([4, 9, 1], im.Sigmoid()), ClippedBCEWithLogits(), im.SGD(lr=0.5), 70, 17
    ),
    "half squares": Network(
        dense([6, 17, 3], im.ReLU()),
        HalfSquaredError(),
        im.SGD(lr=0.1, l2=0.1),
        rows=600,
        batch_size=300,
        weighted=True,
    ),
    "half deviance": Network(
        dense([5, 13, 2], im.Tanh()),
        HalfPoissonDeviance(),
        im.Adam(lr=0.02, l2=0.1),
        rows=60,
        batch_size=9,
        weighted=True,
    ),
}
