"""Networks of further losses."""

from __future__ import annotations

import ironmlp as im

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
}
