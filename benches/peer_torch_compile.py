"""PyTorch with the network and the loss, and their backward pass, through `torch.compile`."""

from __future__ import annotations

import peer_torch
from peer_torch import versions

__all__ = ["PACKAGE", "Trainer", "versions"]

PACKAGE = peer_torch.PACKAGE


class Trainer(peer_torch.Trainer):
    compiled = True
