"""Training by SciPy's L-BFGS, on the core's loss and gradient of all rows.

SciPy's linear algebra is not ours: these bits may differ between machines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.optimize import _check_optimize_result
from sklearn.utils.parallel import _get_threadpool_controller

from ironmlp import _core


def packed(coefs: list[NDArray[Any]], intercepts: list[NDArray[Any]]) -> NDArray[np.float64]:
    """All weights (in, out), then all biases, in one vector."""
    parts = [array.ravel() for array in (*coefs, *intercepts)]
    return np.concatenate(parts, dtype=np.float64, casting="unsafe")


class LossAndGradient:
    """The loss and its gradient for packed parameters, as `scipy.optimize.minimize(jac=True)` and
    scikit-learn's `_loss_grad_lbfgs` have them."""

    def __init__(
        self, model: _core.Model, X: Any, targets: NDArray[Any], weights: NDArray[np.float64] | None
    ) -> None:
        self.objective = _core.Objective(model, X, targets, weights)

    def __call__(self, parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        gradient = np.empty(len(parameters))
        return self.objective(parameters, gradient), gradient


def minimize(estimator: Any, function: LossAndGradient) -> None:
    """Train: the model of the core then has the parameters that were found."""
    import scipy
    from scipy.optimize import minimize as scipy_minimize

    options: dict[str, Any] = {
        "maxfun": estimator.max_fun,
        "maxiter": estimator.max_iter,
        "gtol": estimator.tol,
    }
    if tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 15):
        options["iprint"] = 1 if estimator.verbose else -1  # SciPy 1.15 prints no more
    start = packed(estimator.coefs_, estimator.intercepts_)
    # The systems that L-BFGS solves are of twenty rows. OpenBLAS starts threads for them all the
    # same, which afterwards wait busily on the cores that the core's own threads need.
    with _get_threadpool_controller().limit(limits=1, user_api="blas"):
        found = scipy_minimize(function, start, method="L-BFGS-B", jac=True, options=options)
    estimator.n_iter_ = _check_optimize_result("lbfgs", found, estimator.max_iter)
    estimator.loss_ = found.fun
    at = 0
    for arrays in (estimator.coefs_, estimator.intercepts_):
        for place, array in enumerate(arrays):
            end = at + array.size
            arrays[place] = found.x[at:end].reshape(array.shape).astype(array.dtype)
            at = end
