"""`MLPRegressor`."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d, validate_data

from ironmlp.losses import MSE, PoissonNLL
from ironmlp.model import Sequential
from ironmlp.schedules import Schedule
from ironmlp.sklearn.base import MultilayerPerceptron
from ironmlp.sklearn.conversion import take_model, to_model
from ironmlp.sklearn.networks import Float
from ironmlp.sklearn.settings import solves_stochastically
from ironmlp.sklearn.targets import Targets, numbers


class MLPRegressor(RegressorMixin, MultilayerPerceptron):
    """A multilayer perceptron that estimates numbers, as `sklearn.neural_network.MLPRegressor`.

    Trained by "squared_error", half the mean over rows and outputs, or by "poisson", half the
    deviance of estimates exp(x), for y >= 0. The gradient of several outputs is as many times that
    of the reported loss, as in scikit-learn. To the loss of a batch with sample weights w it adds
    alpha / 2 |W|^2 / sum(w), W all weights without biases.

    Parameters are those of scikit-learn, with their names, order and defaults, and by keyword:

    n_threads : int or None, default=None
        The most threads; no result depends on them. None: as `ironmlp.set_num_threads` says.
    dtype : "float32", "float64" or None, default=None
        Of the parameters; None: that of X if it is one of these, else float64.
    dropout : float in [0, 1), default=0.0
        The share of the outputs of each hidden layer that training sets to zero at random.
    resume : bool, default=False
        `fit` goes on from the parameters that there are, as with `warm_start`, and from the
        optimizer's moments and learning rate too. Orders of rows begin anew.
    callbacks : list of callables, default=None
        Called after each epoch with the estimator, whose coefs_ are those of the epoch, and a dict
        of the "loss" and, with early stopping, the "score". One that returns True ends training.
    standardize : bool, default=False
        Subtract the mean of each column of X, of the rows that train in a first fit, and divide by
        the standard deviation: mean_ and scale_ (in,) say by what, and coefs_ act on the result.
    schedule : Schedule, default=None
        A schedule of `ironmlp.schedules`, that learning_rate_init has no part in. It begins anew
        with each `fit`, and goes on in `partial_fit` and with `resume`.

    `activation` may also be "elu", "gelu", "hardswish", "leaky_relu", "mish", "selu", "silu" or
    "softplus"; `solver` also "adagrad", "adamw", "lion", "nadam", "radam" or "rmsprop", of which
    "adamw" and "lion" take `alpha` as weight decay. A `fit` with early_stopping=True takes
    (X_val, y_val, sample_weight_val) instead of holding rows out.

    Fitted attributes are those of scikit-learn: loss_, best_loss_, loss_curve_,
    validation_scores_, best_validation_score_, t_, coefs_ (weights (in, out)), intercepts_ (out,),
    n_features_in_, feature_names_in_, n_iter_, n_layers_, n_outputs_, out_activation_.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **MultilayerPerceptron._parameter_constraints,
        "loss": [StrOptions({"squared_error", "poisson"})],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        n_threads: int | None = None,
        dtype: str | None = None,
        dropout: float = 0.0,
        resume: bool = False,
        callbacks: Any = None,
        standardize: bool = False,
        schedule: Schedule | None = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            loss=loss,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            n_threads=n_threads,
            dtype=dtype,
            dropout=dropout,
            resume=resume,
            callbacks=callbacks,
            standardize=standardize,
            schedule=schedule,
        )

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:
        """Train on X (n, in), dense or sparse, numbers y (n,) or (n, K), and weights (n,).

        ValueError for what is no such data, and where parameters become infinite;
        `sklearn.exceptions.ConvergenceWarning` where `max_iter` ends it. Returns the estimator.
        """
        validation = (X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, incremental=False, validation=validation)

    @available_if(solves_stochastically)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train one epoch more. Errors are those of `fit`. Returns the estimator."""
        return self._fit(X, y, sample_weight, incremental=True)

    def _checked(
        self, X: Any, y: Any, incremental: bool, reset: bool, validates: bool = False
    ) -> tuple[Any, Targets]:
        del incremental, validates
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=self._dtypes(),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and y.min() < 0:
            raise ValueError("y has negative values, loss='poisson' needs y >= 0")
        return X, numbers(y)

    def _output(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def predict(self, X: Any) -> Float:
        """The estimates (n,) for X (n, in), (n, K) of several outputs."""
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def to_model(self) -> Sequential:
        """An `ironmlp.Sequential` with copies of the parameters, that predicts the same numbers."""
        return to_model(self, getattr(self, "n_outputs_", 1) == 1)

    @classmethod
    def from_model(cls, model: Sequential) -> MLPRegressor:
        """A fitted estimator from a `Sequential` of Linear layers with one activation between
        them, trained by `MSE` or `PoissonNLL`. ValueError for others."""
        estimator = cls()
        take_model(estimator, model, {"identity": MSE, "exp": PoissonNLL})
        estimator.loss = "poisson" if estimator.out_activation_ == "exp" else "squared_error"
        return estimator
