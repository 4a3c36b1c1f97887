"""Training by epochs: what scikit-learn does between them, around what the core does within."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ironmlp import _core
from ironmlp.sklearn.errors import ZeroWeightError, diverged
from ironmlp.sklearn.generators import Orders, orders, split
from ironmlp.sklearn.optimizers import Rate
from ironmlp.sklearn.weights import weighted

# Seconds after which a run lets Python handle signals.
SLICE = 0.05


@dataclass(frozen=True)
class Scored:
    """What decides about stopping, and what scores do without."""

    # What a split is stratified by, if it is.
    labels: NDArray[Any] | None
    # Factors on the weights of rows.
    factors: NDArray[np.float64] | None
    # X, targets and weights of rows that validate; None holds some of the training's out.
    validation: tuple[Any, NDArray[Any], NDArray[np.float64] | None] | None


class Course:
    """One call of `fit` or `partial_fit` of an estimator with a stochastic solver."""

    def __init__(
        self,
        estimator: Any,
        data: tuple[Any, NDArray[Any], NDArray[np.float64] | None],
        scored: Scored,
        *,
        incremental: bool,
    ) -> None:
        self.estimator, self.incremental = estimator, incremental
        self.X, self.targets, weights = data
        self.rows = len(self.targets)
        self.validation: Any | None = None
        # The rows of X that train; None are all.
        self.trained: NDArray[np.int64] | None = None
        if estimator.early_stopping:
            if incremental:
                raise ValueError("partial_fit does not support early_stopping=True")
            if scored.validation is None:
                self._hold_out(scored.labels)
            else:
                self.validation = (scored.validation, 1, True)
        # Rows that are held out keep their weights: scores know no factors.
        self.weights = weighted(weights, scored.factors, self.trained)
        self.batch_size = self._batch_size(estimator.batch_size)
        self.best: _core.Snapshot | None = None

    def _hold_out(self, labels: NDArray[Any] | None) -> None:
        """Split the rows into those that train and those that validate."""
        estimator = self.estimator
        trained, held_out = split(
            estimator._random_state, self.rows, estimator.validation_fraction, labels
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        self.rows, self.trained = len(trained), trained
        self.validation = ((trained, held_out), 1, True)

    def _batch_size(self, wanted: Any) -> int:
        if isinstance(wanted, str):  # "auto"
            return min(200, self.rows)
        if wanted > self.rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than "
                "sample size. It is going to be clipped",
                stacklevel=7,
            )
        return int(min(wanted, self.rows))

    def train(self, model: _core.Model, first_pass: bool) -> None:
        """Train the model of the core; afterwards it has the parameters to keep."""
        self.model, estimator = model, self.estimator
        # Before any epoch the best are the first, and when a fit goes on those of its last epoch.
        self.best = self.model.snapshot() if self.validation and first_pass else None
        estimator.n_iter_ = 0
        with orders(estimator._random_state, self.rows, estimator.shuffle) as order:
            run = self.model.fit(
                self.X,
                self.targets,
                self.weights,
                1 if self.incremental else estimator.max_iter,
                self.batch_size,
                order is not None,
                False,
                self.validation,
                order=None if order is None else order.argument,
                epoch_loss="rows",
            )
            with run:
                try:
                    self._epochs(run, order)
                except KeyboardInterrupt:
                    warnings.warn("Training interrupted by user.", stacklevel=6)
                except ZeroDivisionError as error:
                    raise ZeroWeightError(str(error)) from error
                except FloatingPointError as error:
                    if self.best is None:
                        raise ValueError(diverged()) from error
                    self._fill(order)
        estimator._optimizer.take(self.model)
        if self.best is not None:
            self.model.restore(self.best)

    def _epochs(self, run: _core.Run, order: Any) -> None:
        estimator, rate = self.estimator, self.estimator._optimizer
        for _ in range(estimator.max_iter):
            if order is not None:
                order.begin(run)
            while not run.advance(SLICE, True):
                pass
            loss, score = run.last()
            self._count(loss, score)
            rate.end_epoch(estimator.t_)
            if self._called():
                break
            if estimator._no_improvement_count > estimator.n_iter_no_change:
                if self._stops(rate):
                    break
                estimator._no_improvement_count = 0
            if self.incremental:
                break
            rate.give(self.model)
            if estimator.n_iter_ == estimator.max_iter:
                self._warn()

    def _count(self, loss: float, score: float) -> None:
        """Take note of a finished epoch."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += self.rows
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        if self.validation is None:
            self._compare_loss(loss)
        else:
            self._compare_score(score)

    def _called(self) -> bool:
        """Whether one of the callbacks ends the training; all of them are called."""
        estimator = self.estimator
        if not estimator.callbacks:
            return False
        estimator._read(self.model)
        logs = {"loss": estimator.loss_}
        if self.validation is not None:
            logs["score"] = estimator.validation_scores_[-1]
        ends = [callback(estimator, dict(logs)) is True for callback in estimator.callbacks]
        return any(ends)

    def _compare_loss(self, loss: float) -> None:
        estimator = self.estimator
        if loss > estimator.best_loss_ - estimator.tol:
            estimator._no_improvement_count += 1
        else:
            estimator._no_improvement_count = 0
        if loss < estimator.best_loss_:
            estimator.best_loss_ = loss

    def _compare_score(self, score: float) -> None:
        estimator = self.estimator
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        if score < estimator.best_validation_score_ + estimator.tol:
            estimator._no_improvement_count += 1
        else:
            estimator._no_improvement_count = 0
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            if self.best is None:
                self.best = self.model.snapshot()
            else:
                self.best.take(self.model)

    def _stops(self, rate: Rate) -> bool:
        estimator = self.estimator
        what = "Training loss" if self.validation is None else "Validation score"
        message = (
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        return rate.stops(message, bool(estimator.verbose))

    def _fill(self, order: Orders | None) -> None:
        """The epochs from one that diverged on: none of them has a score."""
        estimator = self.estimator
        while True:
            self._count(float("nan"), float("nan"))
            estimator._optimizer.end_epoch(estimator.t_)
            if estimator.n_iter_ == estimator.max_iter:
                break
            if order is not None:
                order.skip(self.rows)
        self._warn()

    def _warn(self) -> None:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({self.estimator.max_iter}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=7,
        )
