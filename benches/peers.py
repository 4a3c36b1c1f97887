"""Times training steps of ironmlp beside NumPy, scikit-learn, PyTorch and JAX.

    python benches/peers.py [--quick] [--threads 1,2] [--networks xor,odd] [--peers numpy,jax]
                            [--require numpy,sklearn,jax,torch] [--rounds 7] [--window 0.15]

comparison.py says how; report.py makes the README's table and the chart of the rows.

Exit codes: 0; 1 if a peer failed, disagreed, or is required and not installed.
"""

from __future__ import annotations

import sys

import comparison
from workloads import QUICK, WORKLOADS

PROGRAM = comparison.Program(
    doc=__doc__,
    prefix="",
    networks=WORKLOADS,
    quick=QUICK,
    peers=("numpy", "sklearn", "torch", "torch-compile", "jax", "ironmlp"),
    rounds=7,
    window=0.15,
)


if __name__ == "__main__":
    sys.exit(comparison.main(PROGRAM))
