"""All networks of the self-check."""

from __future__ import annotations

from . import layers, losses, optimizers, options, routes, schedules
from .network import DTYPES

NETWORKS = {
    **routes.NETWORKS,
    **layers.NETWORKS,
    **losses.NETWORKS,
    **optimizers.NETWORKS,
    **options.NETWORKS,
    **schedules.NETWORKS,
}

# Every network in both dtypes, by the name that its hash is kept under.
CASES = {
    f"{name}, {dtype}": (network, dtype) for name, network in NETWORKS.items() for dtype in DTYPES
}
