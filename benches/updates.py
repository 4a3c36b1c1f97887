"""Times what a step does besides: AdamW, clipping by norm, an average of the parameters, norms.

    python benches/updates.py [--quick] [--threads 1,2] [--networks cancer,cancer-clipped]
                              [--peers torch,jax] [--require jax,torch] [--rounds 7] [--window 0.15]

Three networks as they are in peers.py, and each with one of these (batch normalization before each
activation). Of an average the loss of the
averaged parameters is compared too. comparison.py says how; `report.py FILE --print` makes a table
of the rows.

Exit codes: 0; 1 if a peer failed, disagreed, or is required and not installed.
"""

from __future__ import annotations

import sys

import comparison
from workloads import UPDATES

PROGRAM = comparison.Program(
    doc=__doc__,
    prefix="updates-",
    networks=UPDATES,
    quick=("digits-adamw", "digits-clipped", "digits-averaged"),
    peers=("numpy", "torch", "torch-compile", "jax", "ironmlp"),
    rounds=7,
    window=0.15,
)


if __name__ == "__main__":
    sys.exit(comparison.main(PROGRAM))
