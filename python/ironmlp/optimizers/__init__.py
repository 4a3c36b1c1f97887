"""Optimizers as data: how a gradient g changes a parameter w. The formulas are PyTorch's, Lion's
is its paper's.

`lr` is the learning rate, at least 0. `weight_decay` is for weights and biases. That of SGD and
Adam, c, adds c * w to the gradient (L2); that of AdamW and Lion is decoupled: it moves w alone.

Every optimizer also takes, by keyword:

- `decay_bias` True; False leaves biases, and the weights and biases of normalizations, without
  `weight_decay`.

Constructors raise TypeError for a value of the wrong kind and ValueError for one out of range; the
message names the argument and what it must be.
"""

from ironmlp.optimizers.adam import Adam, AdamW
from ironmlp.optimizers.base import Optimizer
from ironmlp.optimizers.lion import Lion
from ironmlp.optimizers.resolve import OPTIMIZERS as OPTIMIZERS
from ironmlp.optimizers.resolve import resolve_optimizer as resolve_optimizer
from ironmlp.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Lion", "Optimizer"]


def __dir__() -> list[str]:
    return __all__
