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
    "lion": Network(
        dense([15, 40, 6], im.GELU()),
        im.MSE(),
        im.Lion(lr=1e-3, betas=(0.8, 0.95), weight_decay=0.1),
        rows=120,
        batch_size=50,
        weighted=True,
    ),
}
