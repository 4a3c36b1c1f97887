"""Networks of every shape: each way in which a step is made."""

from __future__ import annotations

import ironmlp as im

from .network import Network, dense

NETWORKS = {
    "xor": Network(
        (*dense([2, 3, 2, 1], im.Sigmoid(), init="normal"), im.Sigmoid()),
        im.BinaryCrossEntropy(from_logits=False, reduction="sum"),
        im.SGD(lr=0.1),
        rows=4,
        batch_size=None,
        epochs=50,
    ),
    "line": Network(
        (im.Linear(3, 1, bias=False),), im.MSE(), im.SGD(lr=0.05), rows=40, batch_size=1
    ),
    "tiny": Network(
        dense([13, 16, 8, 1], im.Tanh()),
        im.Huber(0.3),
        im.Adam(lr=0.01, betas=(0.8, 0.99), eps=1e-6),
        rows=100,
        batch_size=32,
    ),
    "odd": Network(
        dense([7, 19, 33, 5], im.ReLU(), init="he_normal", drop=0.3),
        im.CrossEntropy(class_weight=[1.0, 2.0, 0.5, 1.5, 0.0], label_smoothing=0.1),
        im.SGD(lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True),
        rows=91,
        batch_size=17,
        weighted=True,
    ),
    "cancer": Network(
        dense([30, 64, 64, 1], im.Sigmoid()),
        im.BinaryCrossEntropy(pos_weight=2.5),
        im.SGD(lr=0.1),
        rows=150,
        batch_size=32,
        weighted=True,
    ),
    "digits": Network(
        dense([64, 100, 10], im.ReLU()),
        im.CrossEntropy(ignore_index=3),
        im.Adam(),
        rows=450,
        batch_size=200,
    ),
    "flags": Network(
        dense([9, 21, 6], im.SiLU(), init="glorot_uniform"),
        im.BinaryCrossEntropy(pos_weight=[0.5, 1, 2, 3, 4, 5], reduction="sum"),
        im.Adam(lr=0.01, weight_decay=1e-2),
        rows=1000,
        batch_size=300,
        soft=True,
    ),
    "outputs": Network(
        (*dense([12, 40], im.ELU()), im.ELU(), im.Linear(40, 130, init="zeros")),
        im.MSE(),
        im.SGD(lr=0.5, weight_decay=1e-2),
        rows=120,
        batch_size=50,
        weighted=True,
    ),
    "wide": Network(
        dense([784, 300, 10], im.GELU(), drop=0.5),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.5),
        rows=300,
        batch_size=270,
        epochs=1,
        soft=True,
    ),
    "images": Network(
        (
            im.Conv2d(2, 6, 5, padding=2),
            im.ReLU(),
            im.MaxPool2d(2),
            im.Conv2d(6, 20, (3, 2), stride=(1, 2), dilation=(2, 1), groups=2, bias=False),
            im.Tanh(),
            im.AvgPool2d((1, 2), 1),
            im.Dropout(0.2),
            im.Conv2d(20, 7, 1, lr_scale=0.5),
            im.Sigmoid(),
            im.Flatten(),
            im.Linear(112, 24),
            im.ReLU(),
            im.Linear(24, 4),
        ),
        im.CrossEntropy(),
        im.SGD(lr=0.1, momentum=0.9),
        rows=300,
        batch_size=277,
        weighted=True,
        image=(2, 17, 22),
    ),
    "slabs, tiny": Network(
        dense([5, 8, 2], im.Softplus()), im.MSE(), im.SGD(lr=0.1), rows=9001, batch_size=None
    ),
    "slabs": Network(
        dense([20, 40, 3], im.LeakyReLU(), drop=0.25),
        im.CrossEntropy(),
        im.Adam(),
        rows=4500,
        batch_size=4400,
        epochs=1,
    ),
    "subnormal": Network(
        dense([4, 6, 3], im.Sigmoid(), init="normal"),
        im.MSE(),
        im.Adam(),
        rows=20,
        batch_size=8,
        subnormal=True,
    ),
}
