"""What both estimators share: parameters, fitting, outputs, pickles."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from dataclasses import replace
from functools import cached_property
from operator import index
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ironmlp import _core
from ironmlp._arguments.sparse import is_sparse, sparse_table
from ironmlp.optimizers import SGD
from ironmlp.sklearn.errors import ZeroWeightError, diverged
from ironmlp.sklearn.generators import initial
from ironmlp.sklearn.lbfgs import LossAndGradient, minimize
from ironmlp.sklearn.networks import DType, Float, Networks, Shape, activated
from ironmlp.sklearn.optimizers import SOLVERS, Rate
from ironmlp.sklearn.settings import CONSTRAINTS, check_together, known_right, note_right
from ironmlp.sklearn.stochastic import Course, Scored
from ironmlp.sklearn.targets import Targets
from ironmlp.sklearn.weights import checked_weights, weighted


class MultilayerPerceptron(BaseEstimator, metaclass=ABCMeta):
    """The base of the estimators."""

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS

    def __init__(
        self,
        hidden_layer_sizes: Any,
        activation: str,
        solver: str,
        alpha: float,
        batch_size: Any,
        learning_rate: str,
        learning_rate_init: float,
        power_t: float,
        max_iter: int,
        loss: str,
        shuffle: bool,
        random_state: Any,
        tol: float,
        verbose: Any,
        warm_start: bool,
        momentum: float,
        nesterovs_momentum: bool,
        early_stopping: bool,
        validation_fraction: float,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        n_iter_no_change: Any,
        max_fun: int,
        n_threads: int | None,
        dtype: str | None,
        dropout: float,
        resume: bool,
        callbacks: Any,
        standardize: bool,
        schedule: Any,
    ) -> None:
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.n_threads = n_threads
        self.dtype = dtype
        self.dropout = dropout
        self.resume = resume
        self.callbacks = callbacks
        self.standardize = standardize
        self.schedule = schedule

    def _validate_params(self) -> None:
        if not known_right(self):
            super()._validate_params()
            note_right(self)

    @abstractmethod
    def _checked(
        self, X: Any, y: Any, incremental: bool, reset: bool, validates: bool = False
    ) -> tuple[Any, Targets]:
        """X and y, checked."""

    @abstractmethod
    def _output(self) -> str:
        """The activation of the outputs."""

    @property
    def _goes_on(self) -> bool:
        """Whether `fit` goes on from the parameters that there are."""
        return bool(self.warm_start or self.resume)

    def _dtypes(self) -> Any:
        """The dtypes that X may keep."""
        return (np.float64, np.float32) if self.dtype is None else np.dtype(self.dtype)

    def _class_weights(self, targets: Targets, incremental: bool) -> NDArray[np.float64] | None:
        """Factors on the weights of rows, which scores do without."""
        del targets, incremental
        return None

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, incremental: bool, validation: Any = (None,) * 3
    ) -> Any:
        hidden = self._hidden()
        check_together(self, validation)
        first_pass = not hasattr(self, "coefs_") or (not self._goes_on and not incremental)
        X, targets = self._checked(X, y, incremental, first_pass)
        weights = None if sample_weight is None else checked_weights(sample_weight, X)
        held_out = None if validation[0] is None else self._checked_validation(*validation)
        self.n_outputs_ = targets.outputs
        units = [X.shape[1], *hidden, targets.outputs]
        self._random_state = check_random_state(self.random_state)
        if first_pass:
            self._initialize(units, X.dtype)
        else:
            self._check_units(units)
        if self.dropout and "_dropout_seed" not in self.__dict__:
            self._dropout_seed = int(self._random_state.randint(2**31 - 1))
        assert self._networks  # made here: predictions leave the estimator's __dict__ alone
        data = (sparse_table("X", X) if is_sparse(X) else X), targets.values, weights
        if self.solver == "lbfgs":
            if first_pass and self.standardize:
                self._learn_standards(data[0], None)
            weights = weighted(weights, self._class_weights(targets, incremental))
            minimize(self, self._loss_and_gradient(*data[:2], weights))
        else:
            scored = Scored(targets.labels, self._class_weights(targets, incremental), held_out)
            self._fit_stochastic(data, scored, first_pass, incremental)
        if not all(np.isfinite(array).all() for array in (*self.coefs_, *self.intercepts_)):
            raise ValueError(diverged())
        return self

    @cached_property
    def _networks(self) -> Networks:
        return Networks()

    def _hidden(self) -> list[int]:
        hidden = self.hidden_layer_sizes
        hidden = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
        if any(size <= 0 for size in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        return [index(size) for size in hidden]

    def _initialize(self, units: list[int], dtype: np.dtype[Any]) -> None:
        """All that a first fit begins with."""
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(units)
        self.out_activation_ = self._output()
        self.coefs_, self.intercepts_ = initial(self._random_state, units, self.activation, dtype)
        for name in ("_dropout_seed", "mean_", "scale_"):
            self.__dict__.pop(name, None)
        self._begin_curves()

    def _begin_curves(self) -> None:
        if self.solver in SOLVERS:
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            self.best_loss_ = None if self.early_stopping else np.inf
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None

    def _check_units(self, units: list[int]) -> None:
        """Refuse to go on with other layers than those that there are."""
        there = [len(self.coefs_[0]), *(len(array) for array in self.intercepts_)]
        if units != there:
            raise ValueError(
                f"the layers have {there} units, and {units} by X, hidden_layer_sizes and y: fit "
                "goes on (warm_start) with the same layers alone"
            )

    def _shape(self) -> Shape:
        units = (len(self.coefs_[0]), *(len(array) for array in self.intercepts_))
        standardizes = "mean_" in self.__dict__
        return Shape(units, self.activation, self.out_activation_, standardizes=standardizes)

    def _give_standards(self, model: _core.Model) -> None:
        """Let a network standardize its inputs as those of training were."""
        if "mean_" in self.__dict__:
            model.set_standards({"X": (self.mean_, self.scale_)})

    def _learn_standards(self, X: Any, rows: NDArray[np.int64] | None) -> None:
        """Take mean and deviation of the columns of X, of these rows if there are some."""
        model = replace(self._shape(), standardizes=True).model("float64", SGD(), self.n_threads)
        model.adapt(X, None, rows)
        standards = model.standards()
        assert standards is not None
        self.mean_, self.scale_ = standards["X"]

    def _checked_validation(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Rows that validate, as the core takes them."""
        X, targets = self._checked(X, y, True, False, validates=True)
        weights = None if sample_weight is None else checked_weights(sample_weight, X)
        return (sparse_table("X_val", X) if is_sparse(X) else X), targets.values, weights

    def _fit_stochastic(
        self, data: Any, scored: Scored, first_pass: bool, incremental: bool
    ) -> None:
        goes_on = incremental or (self.resume and not first_pass)
        begins = not goes_on or not hasattr(self, "_optimizer")
        if begins:
            self._optimizer = Rate(self)
        course = Course(self, data, scored, incremental=incremental)
        if first_pass and self.standardize:
            self._learn_standards(data[0], course.trained)
        model = self._training_network(begins)
        try:
            course.train(model, first_pass)
        finally:
            self._read(model)

    def _training_network(self, begins: bool) -> _core.Model:
        """The network that trains, with all that the estimator has learned; without moments where
        its optimizer begins."""
        rate = self._optimizer
        dtype: DType = "float32" if self.coefs_[0].dtype == np.float32 else "float64"
        shape = self._shape()
        if self.dropout:
            shape = replace(shape, dropout=float(self.dropout), seed=self._dropout_seed)
        if begins and rate.is_scheduled:
            self._networks.forget()
        model, before = self._networks.training(shape, dtype, rate.spec(self.alpha), self.n_threads)
        state, rate.state = before or rate.state, None
        if begins:
            model.reset_optimizer()
        elif state is not None:
            model.set_optimizer_state(state)
        self._give_standards(model)
        model.assign(self.coefs_, self.intercepts_)
        rate.give(model)
        return model

    def _loss_and_gradient(self, X: Any, targets: Any, weights: Any) -> LossAndGradient:
        optimizer = SGD(lr=0.0, l2=float(self.alpha))
        model = self._shape().model("float64", optimizer, self.n_threads)
        self._give_standards(model)
        try:
            return LossAndGradient(model, X, targets, weights)
        except ZeroDivisionError as error:
            raise ZeroWeightError(str(error)) from error

    def _loss_grad_lbfgs(
        self,
        packed_coef_inter: NDArray[np.float64],
        X: Any,
        y: Any,
        sample_weight: Any,
        *_buffers: Any,
    ) -> tuple[float, NDArray[np.float64]]:
        """The loss and its gradient, packed, for targets that are numbers (n, K)."""
        targets = np.asarray(y, np.float64).reshape(len(y), -1)
        return self._loss_and_gradient(X, targets, sample_weight)(packed_coef_inter)

    def _read(self, model: _core.Model) -> None:
        """Take over the parameters of the model."""
        coefs = [np.empty_like(array, order="C") for array in self.coefs_]
        intercepts = [np.empty_like(array, order="C") for array in self.intercepts_]
        model.read(coefs, intercepts)
        self.coefs_, self.intercepts_ = coefs, intercepts

    def _outputs(self, X: Any) -> Float:
        """The activated outputs (n, K)."""
        if not hasattr(self, "coefs_"):
            check_is_fitted(self)
        if not self._is_plain(X):
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
            X = X.astype(native(X.dtype), copy=False)
        narrow = np.result_type(X.dtype, self.coefs_[0].dtype) == np.float32
        model = self._networks.predicting(
            self._shape(), "float32" if narrow else "float64", self.n_threads
        )
        self._give_standards(model)
        model.assign(self.coefs_, self.intercepts_)
        logits = model.forward(sparse_table("X", X) if is_sparse(X) else X, False, None)
        return activated(logits, self.out_activation_)

    def _is_plain(self, X: Any) -> bool:
        """Whether X needs no more checks: a float array of the right width, all finite, for a model
        that knows no names of columns."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.char in "fd"
            and X.dtype.isnative
            and X.shape[1] == self.n_features_in_
            and len(X) > 0
            and not hasattr(self, "feature_names_in_")
            and bool(np.isfinite(X).all())
        )

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        networks = state.pop("_networks", None)
        if networks is not None and "_optimizer" in state:
            moments = networks.moments()
            if moments is not None:
                state["_optimizer"] = state["_optimizer"].with_state(moments)
        return state

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self._networks = Networks()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which the core takes numbers of `dtype`."""
    return np.dtype(np.float64) if dtype.char == "g" else dtype.newbyteorder("=")
