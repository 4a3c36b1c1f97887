"""Every tolerance of the numerical tests, with the reason for its size.

eps is the distance from 1 to the next number: 2**-23 in float32, 2**-52 in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def eps(dtype: Any) -> float:
    return float(np.finfo(dtype).eps)


# Central differences with steps of 1e-5 in float64, relative to a tensor's largest component. The
# step costs about step**2 = 1e-10 times a third derivative, rounding eps / step = 2e-11 times the
# loss (up to 50 under "sum"). A wrong factor of 1 % is five orders of magnitude away.
CENTRAL_DIFFERENCE = 1e-7

# An activation in eps of its argument or its value, whichever is larger: the exhaustive test holds
# GELU and SiLU to 4 eps of the argument, the others to 2 units in the last place of the value.
ACTIVATION_EPS = 4

# An activation's derivative in eps: none is much above 1, and GELU's, the longest, has an erf or
# tanh, an exponential and two sums.
DERIVATIVE_EPS = 8

# A wrong number that the bounds of agreement.py must tell from rounding, relative to a tensor's
# largest component. The most generous bound is 0.03 in float32 and 1.2e-10 in float64: six terms of
# a weighted Huber loss, all clipped but one, cancel in a bias gradient to 1e-4 of their sum.
WRONG = {"float32": 0.05, "float64": 1e-9}

# S3: after 10,000 epochs XOR networks equal NumPy's to 1e-12 in at least 98 of 100 starting points.
# The others pass by saddle points, which amplify the difference of one rounding; they stay within
# 1e-10. Not every BLAS rounds alike, hence two.
XOR = 1e-12
XOR_ALL = 1e-10
XOR_EXCEPTIONS = 2

# An XOR network counts as trained when its outputs are this close to 0, 1, 1, 0.
XOR_SOLVED = 0.1

# Binary cross-entropies, in eps relative to value and gradient: exp, log1p, a quotient and two
# products with at most 2 units in the last place each. Soft targets subtract in the gradient; there
# the two terms' sum takes the place of their difference.
BINARY_EPS = 16

# Softmax cross-entropy, in eps absolute or relative, whichever is larger: exp and log, and a sum of
# the row's exponentials.
SOFTMAX_EPS = 64

# Three factors, in eps relative to their product, with one rounding to the divisor's inverse more.
PRODUCT_EPS = 4

# Units in the last place: the sigmoid of float32 (0.81 by the exhaustive test) and of float64.
SIGMOID_ULP = {"float32": 1.0, "float64": 2.0}

# Sums of 5,000 losses of one sign in float64: blocks of 256 terms and a tree of 20 blocks, each
# addition with eps / 2, on top of each loss's own error.
SUM_EPS = 300

# PyTorch's own results in float64 against ours, relative to the array's largest number: both sides
# have a few eps, and gradients of soft targets subtract.
TORCH = 1e-14

# 200 steps of training in PyTorch and here, relative to the largest parameter. Adam divides by
# sqrt(v): where a gradient is near 0 its rounding comes back a hundredfold, and each step goes on
# from the one before.
TORCH_STEPS = 1e-10

# 200 learning rates against PyTorch's in float64, each relative to itself. PyTorch makes one from
# the last, and cancels at the end of a cosine: 1 + cos of nearly half a turn.
TORCH_RATES = 1e-10

# Twenty updates with the same gradients against the reference, in eps of the largest parameter:
# fused and separate multiply-adds differ by eps / 2 in a handful of places a step.
UPDATES_EPS = 64

# Adam's first update is lr * g / (|g| + eps) exactly; what is seen of it is the difference of two
# parameters of up to 0.5, each rounded to eps / 2: for lr = 0.01 that is 25 eps.
ADAM_FIRST_EPS = 64

# PyTorch's convolutional networks in float64 against ours, relative to a tensor's magnitude: sums
# over kernels, places and rows of up to some thousand terms, in several layers, and batches whose
# gradients cancel. The same in float32, where a value is rounded 2**29 times as coarsely.
CONVOLUTION = {"float64": 1e-13, "float32": 5e-5}
