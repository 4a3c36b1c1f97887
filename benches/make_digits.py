"""Write python/ironmlp/data/digits.npz from scikit-learn's copy of the UCI digits.

python benches/make_digits.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parent.parent / "python" / "ironmlp" / "data" / "digits.npz"

digits = load_digits()
np.savez_compressed(
    TARGET, images=digits.data.astype(np.uint8), labels=digits.target.astype(np.uint8)
)
print(f"{TARGET}: {TARGET.stat().st_size} bytes")
