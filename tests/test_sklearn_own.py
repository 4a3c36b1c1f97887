"""scikit-learn's own tests of its networks, run on ours."""

from __future__ import annotations

import pytest
import sklearn.neural_network.tests.test_mlp as own

from ironmlp.sklearn import MLPClassifier, MLPRegressor

# They train for as few epochs as they need.
pytestmark = pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")

own.MLPClassifier = MLPClassifier
own.MLPRegressor = MLPRegressor
globals().update({name: test for name, test in vars(own).items() if name.startswith("test_")})


@pytest.fixture
def global_random_seed() -> int:
    """What scikit-learn's own configuration of pytest gives its tests."""
    return 42


def test_all_of_them_are_here() -> None:
    assert sum(name.startswith("test_") for name in globals()) > 40
