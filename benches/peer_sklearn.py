"""scikit-learn's MLPClassifier and MLPRegressor in their own training loop, `fit` with `max_iter`.

`warm_start` makes `fit` go on from given parameters; L2 and stopping before `max_iter` are off.
"""

from __future__ import annotations

import warnings

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from workloads import BETAS, Workload, data, initial

PACKAGE = "sklearn"


class Trainer:
    def __init__(self, workload: Workload, threads: int) -> None:
        del threads  # of the BLAS, set in the environment
        self.workload = workload
        self.X, y = data(workload)
        self.y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        # scikit-learn divides squares by 2 and by the rows, MSE by the rows and the K outputs: its
        # gradient is K / 2 times that of MSE. Adam does not see the scale of a gradient.
        outputs = workload.sizes[-1]
        scaled = workload.loss == "mse" and workload.optimizer == "sgd"
        self.loss_scale = 2.0 if workload.loss == "mse" else 1.0
        kind = MLPRegressor if workload.loss == "mse" else MLPClassifier
        self.model = kind(
            hidden_layer_sizes=workload.sizes[1:-1],
            activation={"sigmoid": "logistic"}.get(workload.activation, workload.activation),
            solver=workload.optimizer,
            alpha=0.0,
            batch_size=workload.batch,
            learning_rate_init=workload.lr * (2 / outputs if scaled else 1),
            momentum=workload.momentum,
            nesterovs_momentum=False,
            beta_1=BETAS[0],
            beta_2=BETAS[1],
            epsilon=workload.eps,
            tol=0.0,
            n_iter_no_change=np.inf,
            warm_start=True,
            random_state=3,
        )
        self.start = initial(workload)
        # An epoch, so that everything that a warm start goes on from exists.
        self.fit(1, shuffle=False)

    def fit(self, epochs: int, *, shuffle: bool) -> None:
        self.model.set_params(max_iter=epochs, shuffle=shuffle)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model.fit(self.X, self.y)

    def reset(self) -> None:
        """Back to the initial parameters; `fit` makes a new optimizer."""
        self.model.coefs_ = [weight.copy() for weight, _ in self.start]
        self.model.intercepts_ = [bias.copy() for _, bias in self.start]

    def train(self, epochs: int, *, shuffle: bool) -> list[float]:
        """The mean loss of each epoch, each batch before its update."""
        self.fit(epochs, shuffle=shuffle)
        return [self.loss_scale * float(loss) for loss in self.model.loss_curve_[-epochs:]]


def versions() -> dict[str, str]:
    return {"scikit-learn": sklearn.__version__}
