"""tests/restarts.py: some of its cases, and that it finds what is planted."""

from collections.abc import Callable
from typing import Any

import pytest

import ironmlp as im
import restarts

CASES = 40


def test_ten_epochs_are_four_and_six_in_random_configurations() -> None:
    assert list(restarts.campaign(0, CASES, anew=False)) == []


def test_ten_epochs_are_four_and_six_in_a_new_process() -> None:
    assert list(restarts.campaign(0, 3, anew=True)) == []


def test_the_cases_have_everything_in_them() -> None:
    """A member that no case draws would not be tested."""
    cases = [restarts.Case(number) for number in range(CASES)]
    assert {kind for case in cases for kind in case.kinds} == {*restarts.KINDS}
    optimizers = {type(case.optimizer).__name__ for case in cases}
    assert optimizers == {kind.__name__ for kind in im.optimizers.OPTIMIZERS.values()}
    text = "\n".join(map(repr, cases))
    for word in im.schedules.__all__:
        assert f"{word}(" in text or word == "Schedule", word
    for word in (
        "Dropout",
        "LayerNorm",
        "PReLU(num_parameters=3",
        "SELU",
        "Hardswish",
        "BatchNorm1d",
        "BatchNorm2d",
        "Residual",
        "Conv2d",
        "CrossEntropy",
        "'shuffle': False",
    ):
        assert word in text, word
    for word in ("Quantile", "PoissonNLL", "GaussianNLL", "Focal"):
        assert word in text, word
    for word in ("'standardize'", "'standardize_y'", "'classes': True", "'sample_weight': True"):
        assert word in text, word
    for word in ("'validation_split'", "'validation_data'", "'validation_freq': 3", "lowest"):
        assert word in text, word
    for word in ("clip_norm", "clip_value", "l1=", "l2=", "decay_bias", "ema="):
        assert word in text, word
    for word in ("'balanced'", "'log_loss'", "'r2'"):
        assert word in text, word
    assert {case.epochs for case in cases} == {10}
    assert {case.broken_off for case in cases} == {*range(1, 10)}


def forgotten(kind: type[im.Callback]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(kind, "set_state", lambda self, state: None)

    return plant


def lost_moments(patch: pytest.MonkeyPatch) -> None:
    """A file from which the optimizer begins anew, as scikit-learn's warm start does."""
    load = im.load

    def without(path: Any) -> im.Sequential:
        model = load(path)
        state = model._core.optimizer_state()
        state["moments"] = [[0 * tensor for tensor in moment] for moment in state["moments"]]
        model._core.set_optimizer_state(state)
        return model

    patch.setattr(im, "load", without)


def lost_factor(patch: pytest.MonkeyPatch) -> None:
    """A file from which a schedule begins without what a plateau has made of its rates."""
    load = im.load

    def without(path: Any) -> im.Sequential:
        model = load(path)
        state = model._core.optimizer_state()
        state |= {"factor": 1.0} if "factor" in state else {}
        model._core.set_optimizer_state(state)
        return model

    patch.setattr(im, "load", without)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (forgotten(restarts.Remembering), "history"),
        (forgotten(im.EarlyStopping), "remembered"),
        (forgotten(im.ReduceLROnPlateau), "history"),
        (forgotten(im.CSVLogger), "files"),
        (lost_moments, "model"),
        (lost_factor, "model"),
    ],
    ids=["own callback", "stopping", "plateau", "table", "moments", "factor"],
)
def test_what_is_planted_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert any(said in found for found in restarts.campaign(0, CASES, anew=False))
