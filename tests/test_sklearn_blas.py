"""L-BFGS leaves BLAS one thread while it runs, and all of them afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ironmlp.sklearn import MLPClassifier, lbfgs

pytestmark = pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0] > X[:, 1] ** 2


def threads() -> set[int]:
    """The numbers of threads of the BLAS libraries that there are."""
    return {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def three_threads() -> Any:
    """More than one, on any machine."""
    with threadpool_limits(3, user_api="blas"):
        if threads() != {3}:
            pytest.skip("this BLAS has one thread alone")
        yield


def network(**options: Any) -> MLPClassifier:
    return MLPClassifier((4,), random_state=0, max_iter=3, **options)


def test_lbfgs_runs_beside_one_thread_of_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    evaluate = lbfgs.LossAndGradient.__call__

    def watched(self: Any, parameters: Any) -> Any:
        seen.append(threads())
        return evaluate(self, parameters)

    monkeypatch.setattr(lbfgs.LossAndGradient, "__call__", watched)
    network(solver="lbfgs").fit(X, Y)
    assert len(seen) > 3
    assert all(number == {1} for number in seen)
    assert threads() == {3}


def test_a_failing_fit_restores_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Any, parameters: Any) -> Any:
        raise KeyError("on purpose")

    monkeypatch.setattr(lbfgs.LossAndGradient, "__call__", fails)
    with pytest.raises(KeyError, match="on purpose"):
        network(solver="lbfgs").fit(X, Y)
    assert threads() == {3}
