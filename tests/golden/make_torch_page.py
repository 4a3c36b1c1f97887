"""Writes torch_page.json, beside this file: what PyTorch's half of docs/from-pytorch.md gives.

Run it with PyTorch, NumPy and this tree's package installed:
`python tests/golden/make_torch_page.py`. Of the section on one curve it runs the first block, which
makes the model, and then PyTorch's, which takes its weights over. Results:

- "code": PyTorch's block, so that a test sees whether the page still shows what was run
- "curve": the loss of each epoch; "final": digests of the tensors of `state_dict` after the last
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from drawn import digest
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

import ironmlp as im

PAGE = Path(__file__).resolve().parents[2] / "docs" / "from-pytorch.md"
SECTION = "## The same curve\n"


def blocks(kind: str) -> list[str]:
    """The blocks of code of the section."""
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index(SECTION) + len(SECTION) :].partition("\n## ")[0]
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def main() -> None:
    torch.set_num_threads(1)
    X, y = im.datasets.digits()
    names: dict[str, Any] = {"im": im, "np": np, "X": X.astype(np.float64), "y": y}
    exec(blocks("python")[0], names)
    names |= {"torch": torch, "nn": nn, "OneCycleLR": OneCycleLR}
    names |= {"DataLoader": DataLoader, "TensorDataset": TensorDataset}
    (code,) = blocks("text")
    exec(code, names)
    final = {key: digest(w) for key, w in names["net"].state_dict().items()}
    found = {"torch": torch.__version__, "code": code, "curve": names["curve"], "final": final}
    text = json.dumps(found, indent=1) + "\n"
    Path(__file__).with_name("torch_page.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
