"""Write python/ironmlp/data/digits.npz from scikit-learn's copy of the UCI digits.

python benches/make_digits.py
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parent.parent / "python" / "ironmlp" / "data" / "digits.npz"

digits = load_digits()
arrays = {"images": digits.data.astype(np.uint8), "labels": digits.target.astype(np.uint8)}
# As np.savez_compressed does, at the highest level: 1 KB of the wheel less.
with zipfile.ZipFile(TARGET, "w") as archive:
    for name, array in arrays.items():
        file = io.BytesIO()
        np.lib.format.write_array(file, array, allow_pickle=False)
        entry = zipfile.ZipInfo(f"{name}.npy")
        archive.writestr(entry, file.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
print(f"{TARGET}: {TARGET.stat().st_size} bytes")
