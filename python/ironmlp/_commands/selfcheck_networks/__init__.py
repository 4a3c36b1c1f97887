"""The networks whose trained bits are kept: what they are made of, their data, and their hashes.

`network.py` says what one is. `data/hashes.json` has what training makes of them, and
`python -m ironmlp selfcheck` compares.
"""

from .cases import CASES, NETWORKS
from .network import DTYPES, Array, Data, Dtype, Network, dense, digest, forced_threads, kept, unit

__all__ = [
    "CASES",
    "DTYPES",
    "NETWORKS",
    "Array",
    "Data",
    "Dtype",
    "Network",
    "dense",
    "digest",
    "forced_threads",
    "kept",
    "unit",
]
