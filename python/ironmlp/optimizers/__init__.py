"""Optimizers as data: how a gradient g changes a parameter w. The formulas are PyTorch's, Lion's
is its paper's.

`lr` is the learning rate, at least 0. `weight_decay` is for weights and biases. That of AdamW and
Lion is decoupled: it moves w alone; that of all others, c, adds c * w to the gradient (L2).

Every optimizer also takes, by keyword:

- `clip_norm` None: the largest norm of all gradients together, above 0; they are multiplied by
  min(1, clip_norm / (norm + 1e-6)), as by PyTorch's `clip_grad_norm_`.
- `clip_value` None: the largest magnitude of an element of a gradient, above 0, before that.
- `l1` and `l2` 0: the penalty (l1 sum abs(w) + l2 / 2 sum w^2) / s over the weights of trainable
  `Linear` and `Conv2d` layers, s the sum of the weights of a batch's rows, as scikit-learn's
  `alpha`. It is in the history as "penalty", and no part of "loss".
- `decay_bias` True; False leaves biases, and the weights and biases of normalizations, without
  `weight_decay`.
- `ema` None: above 0 and below 1, what an average of the parameters keeps of itself in an update;
  `fit` validates by that average, and `model.averaged()` has it.

Constructors raise TypeError for a value of the wrong kind and ValueError for one out of range; the
message names the argument and what it must be.
"""

from ironmlp.optimizers.adagrad import Adagrad
from ironmlp.optimizers.adam import Adam, AdamW, NAdam, RAdam
from ironmlp.optimizers.base import Optimizer
from ironmlp.optimizers.lion import Lion
from ironmlp.optimizers.resolve import OPTIMIZERS as OPTIMIZERS
from ironmlp.optimizers.resolve import resolve_optimizer as resolve_optimizer
from ironmlp.optimizers.rmsprop import RMSprop
from ironmlp.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Lion", "NAdam", "Optimizer", "RAdam", "RMSprop"]


def __dir__() -> list[str]:
    return __all__
