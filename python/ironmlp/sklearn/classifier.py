"""`MLPClassifier`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ironmlp.losses import BinaryCrossEntropy, CrossEntropy
from ironmlp.model import Sequential
from ironmlp.schedules import Schedule
from ironmlp.sklearn.base import MultilayerPerceptron
from ironmlp.sklearn.conversion import take_model, to_model
from ironmlp.sklearn.networks import Float
from ironmlp.sklearn.settings import solves_stochastically
from ironmlp.sklearn.targets import Labels, Targets, is_multilabel
from ironmlp.sklearn.weights import factors_of_classes


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """A multilayer perceptron that classifies, as `sklearn.neural_network.MLPClassifier`.

    Trained by cross-entropy: of the softmax of K outputs for K > 2 classes, of the sigmoid of one
    output for two, and of the sigmoids of K outputs, summed, for K flags a row (multilabel). To the
    loss of a batch with sample weights w it adds alpha / 2 |W|^2 / sum(w), W all weights without
    biases.

    Parameters are those of scikit-learn, with their names, order and defaults, and by keyword:

    n_threads : int or None, default=None
        The most threads; no result depends on them. None: as `ironmlp.set_num_threads` says.
    class_weight : dict, "balanced" or None, default=None
        Factors on the weights of rows by their label, (label: factor), or n / (K count of the
        label). They enter the loss, and no validation score.
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

    Fitted attributes are those of scikit-learn: classes_, loss_, best_loss_, loss_curve_,
    validation_scores_, best_validation_score_, t_, coefs_ (weights (in, out)), intercepts_ (out,),
    n_features_in_, feature_names_in_, n_iter_, n_layers_, n_outputs_, out_activation_.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **MultilayerPerceptron._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
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
            loss="log_loss",
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
        self.class_weight = class_weight

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
        """Train on X (n, in), dense or sparse, labels y (n,) or flags (n, K), and weights (n,).

        ValueError for what is no such data, and where parameters become infinite;
        `sklearn.exceptions.ConvergenceWarning` where `max_iter` ends it. Returns the estimator.
        """
        validation = (X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, incremental=False, validation=validation)

    @available_if(solves_stochastically)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Any:
        """Train one epoch more; the first call needs all `classes` (K,) that there will be.

        Errors are those of `fit`. Returns the estimator.
        """
        if _check_partial_fit_first_call(self, classes):
            self._labels = Labels.of(y if is_multilabel(y) else np.asarray(classes))
        return self._fit(X, y, sample_weight, incremental=True)

    def _checked(
        self, X: Any, y: Any, incremental: bool, reset: bool, validates: bool = False
    ) -> tuple[Any, Targets]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=self._dtypes(),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self._goes_on and not incremental):
            self._labels = Labels.of(y)
            self.classes_ = self._labels.classes
        else:
            if "_labels" not in self.__dict__:
                self._labels = Labels(self.classes_, is_multilabel(y))
            self._labels.check_known(y, self._goes_on and not validates)
        return X, self._labels.targets(y, X.dtype)

    def _class_weights(self, targets: Targets, incremental: bool) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return None
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' counts the labels of all rows, partial_fit knows a part: "
                "give it a dict, such as {0: 1.0, 1: 2.5}"
            )
        if self._labels.multilabel:
            raise ValueError("class_weight is for one label a row, y has several")
        values = targets.values
        indices = (values[:, 0] if values.ndim == 2 else values).astype(np.int64)
        return factors_of_classes(self.class_weight, self.classes_, indices)

    def _output(self) -> str:
        return self._labels.output

    def predict(self, X: Any) -> NDArray[Any]:
        """The labels (n,) of X (n, in), or with several a row flags (n, K), as integers."""
        outputs = self._outputs(X)
        return self._labels.chosen(outputs)

    def predict_proba(self, X: Any) -> Float:
        """The probabilities (n, K) of the classes in the order of `classes_`, or of the flags."""
        outputs = self._outputs(X)
        if outputs.shape[1] > 1 or self._labels.multilabel:
            return outputs
        return np.hstack([1 - outputs, outputs])

    def predict_log_proba(self, X: Any) -> Float:
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            logarithms: Float = np.log(self.predict_proba(X))
        return logarithms

    def to_model(self) -> Sequential:
        """An `ironmlp.Sequential` with copies of the parameters, that predicts the same labels."""
        check_is_fitted(self)
        if len(self.classes_) == 1:
            raise ValueError(f"classes_ is {self.classes_}, a Sequential needs two classes or more")
        return to_model(self, None if self._labels.multilabel else self.classes_)

    @classmethod
    def from_model(cls, model: Sequential) -> MLPClassifier:
        """A fitted estimator from a `Sequential` of Linear layers with one activation between
        them, trained by `CrossEntropy` or `BinaryCrossEntropy`; ValueError for others.
        """
        estimator = cls()
        take_model(estimator, model, {"softmax": CrossEntropy, "logistic": BinaryCrossEntropy})
        multilabel = estimator.out_activation_ == "logistic" and estimator.n_outputs_ > 1
        classes = np.arange(estimator.n_outputs_) if multilabel else model.classes_
        estimator._labels, estimator.classes_ = Labels(classes, multilabel), classes
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
