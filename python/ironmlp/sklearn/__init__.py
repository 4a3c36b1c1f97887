"""scikit-learn's multilayer perceptrons, trained by ironmlp: the same model, many times sooner.

    from ironmlp.sklearn import MLPClassifier, MLPRegressor

The signatures, defaults, fitted attributes and semantics are those of `sklearn.neural_network` in
scikit-learn 1.9, and the same `random_state` gives the same model; docs/sklearn.md says what
differs. It needs scikit-learn 1.7 or newer, which the extra `sklearn` brings.
"""

from __future__ import annotations

from ironmlp.sklearn.classifier import MLPClassifier
from ironmlp.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]


def __dir__() -> list[str]:
    return __all__
