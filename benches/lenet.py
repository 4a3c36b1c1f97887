"""Times training steps of convolutional networks in ironmlp, PyTorch and JAX.

    python benches/lenet.py [--quick] [--threads 1,2] [--networks lenet-28,channels-48]
                            [--peers torch,jax] [--require jax,torch] [--rounds 5] [--window 0.5]

LeNet-5 at 28 x 28 and 227 x 227, and 24, 48 and 96 channels of 3 x 3. PyTorch runs as people write
it, channels first, and with channels last. comparison.py says how; `report.py FILE --print` makes a
table of the rows.

Exit codes: 0; 1 if a peer failed, disagreed, or is required and not installed.
"""

from __future__ import annotations

import sys

import comparison
from workloads import IMAGES

PROGRAM = comparison.Program(
    doc=__doc__,
    prefix="lenet-",
    networks=IMAGES,
    quick=("lenet-28", "channels-24"),
    peers=("torch", "torch-channels-last", "jax", "ironmlp"),
    rounds=5,
    window=0.5,
)


if __name__ == "__main__":
    sys.exit(comparison.main(PROGRAM))
