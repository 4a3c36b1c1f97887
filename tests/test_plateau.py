"""ReduceLROnPlateau: torch's rule, curve by curve, and what it reads and refuses."""

import itertools
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from golden import read
from ironmlp.callbacks import Callback, EarlyStopping, ReduceLROnPlateau
from states import everything, unchanged

X = np.random.default_rng(0).normal(size=(20, 4))
Y = X[:, 0] * X[:, 1]
GOLDEN = read("torch_plateau.json")
CASES = GOLDEN["cases"]


def regressor(lr: float = 0.1, dtype: Any = "float64") -> im.MLP:
    optimizer = im.SGD(lr=lr)
    return im.MLP([4, 2, 1], loss="mse", optimizer=optimizer, seed=1, dtype=dtype)


class Scripted(Callback):
    """Logs given numbers, None is no number, and remembers the rate of each epoch."""

    def __init__(self, values: Any, name: str = "score") -> None:
        self.values, self.name = values, name
        self.rates: list[float] = []

    def on_epoch_begin(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        self.rates.append(model.learning_rate)

    def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
        if (value := self.values[logs["epoch"]]) is not None:
            logs[self.name] = value


def changes(values: Any, lr: float = 0.1, **options: Any) -> list[list[float]]:
    """The epochs after which the rate is another, and that rate."""
    model, scripted = regressor(lr), Scripted(values)
    plateau = ReduceLROnPlateau("score", **{"mode": "min", **options})
    history = model.fit(X, Y, epochs=len(values), callbacks=[plateau, scripted])
    assert history["learning_rate"].tolist() == scripted.rates
    rates = [*scripted.rates, model.learning_rate]
    return [
        [epoch, now]
        for epoch, (before, now) in enumerate(itertools.pairwise(rates))
        if now != before
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['options']}-{case['curve']}")
def test_the_rates_are_torchs(case: Any) -> None:
    sign = -1.0 if case["options"].get("mode") == "max" else 1.0
    values = [sign * value for value in GOLDEN["curves"][case["curve"]]]
    assert changes(values, GOLDEN["lr"], **case["options"]) == case["changes"]


def test_the_curves_meet_every_branch_of_the_rule() -> None:
    counts = [len(case["changes"]) for case in CASES]
    assert min(counts) == 0
    assert max(counts) > 20
    assert any(case["options"].get("min_lr") in dict(case["changes"]).values() for case in CASES)


def test_it_cuts_when_more_than_patience_epochs_were_no_better() -> None:
    assert changes([1.0] * 4, patience=2, factor=0.5) == [[3, 0.05]]
    assert changes([1.0] * 3, patience=2, factor=0.5) == []


@pytest.mark.parametrize("none", [np.nan, None], ids=["NaN", "not logged"])
def test_an_epoch_without_a_number_is_skipped(none: Any) -> None:
    values = [1.0, none, 1.0, none, none, 1.0, none]
    assert changes(values, patience=1, factor=0.5) == [[5, 0.05]]
    # Of the cooldown too.
    values = [1.0, 1.0, none, none, 1.0, 1.0]
    assert changes(values, patience=0, factor=0.5, cooldown=1) == [[1, 0.05], [5, 0.025]]


def test_auto_is_the_validation_loss_if_there_is_one_else_the_loss() -> None:
    plateau = ReduceLROnPlateau(patience=1, min_lr=0.0)
    log = Scripted([1.0, 0.5, 0.6, 0.7], name="val_loss")
    model = regressor()
    model.fit(X, Y, epochs=4, callbacks=[plateau, log])
    assert model.learning_rate == 0.1 * 0.1
    assert plateau.state()["monitor"] == "val_loss"
    plain = regressor()
    plain.fit(X, Y, epochs=4, callbacks=[plateau])
    assert plateau.state()["monitor"] == "loss"


def test_it_starts_anew_in_each_fit() -> None:
    model, plateau = regressor(), ReduceLROnPlateau("score", patience=1, mode="min")
    log = Scripted([1.0, 1.0, 5.0, 5.0])
    model.fit(X, Y, epochs=2, callbacks=[log, plateau])
    model.fit(X, Y, epochs=2, callbacks=[log, plateau])
    assert model.learning_rate == 0.1


def test_the_rate_is_logged_before_others_write_it() -> None:
    seen: list[Any] = []

    class Last(Callback):
        _rank = 4

        def on_epoch_end(self, model: im.Sequential, logs: dict[str, Any]) -> None:
            seen.append(logs["learning_rate"])

    regressor().fit(X, Y, epochs=2, callbacks=[Last(), ReduceLROnPlateau()])
    assert seen == [0.1, 0.1]


def test_a_rate_that_is_logged_already_stays() -> None:
    log = lambda model, logs: logs.update(learning_rate=7)  # noqa: E731
    history = regressor().fit(X, Y, epochs=2, callbacks=[ReduceLROnPlateau(), log])
    assert history["learning_rate"].tolist() == [7, 7]


def test_early_stopping_brings_the_rate_of_the_best_epoch_back() -> None:
    model, plain = regressor(), regressor()
    log = Scripted([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    watching: Any = {"monitor": "score", "mode": "min"}
    model.fit(
        X,
        Y,
        epochs=6,
        callbacks=[
            EarlyStopping(**watching, patience=4),
            ReduceLROnPlateau(**watching, patience=1),
            log,
        ],
    )
    plain.fit(X, Y, epochs=2)
    assert everything(model) == everything(plain)
    assert model.learning_rate == 0.1


def test_a_model_in_float32_takes_the_rate() -> None:
    model = regressor(lr=1e-30, dtype="float32")
    plateau = ReduceLROnPlateau("score", 0.0, 0, mode="min")
    model.fit(X, Y, epochs=9, callbacks=[plateau, Scripted([1.0] * 9)])
    assert model.learning_rate == 1e-30  # a change of no more than 1e-8 is none, as in torch


def test_a_direction_that_no_table_knows_is_an_error_before_the_first_step() -> None:
    model = regressor()
    with unchanged(model), pytest.raises(ValueError, match=r"'score'.*mode='min' or mode='max'"):
        model.fit(X, Y, callbacks=[Scripted([1.0]), ReduceLROnPlateau("score")])


def test_a_name_that_nobody_logs_is_an_error_at_the_first_epochs_end() -> None:
    with pytest.raises(ValueError, match="'val_loss'"):
        regressor().fit(X, Y, epochs=5, callbacks=[ReduceLROnPlateau("val_loss")])


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"factor": 1.0}, ValueError),
        ({"factor": -0.1}, ValueError),
        ({"factor": "0.1"}, TypeError),
        ({"patience": -1}, ValueError),
        ({"patience": 1.5}, TypeError),
        ({"threshold": -1e-4}, ValueError),
        ({"cooldown": -1}, ValueError),
        ({"min_lr": -1.0}, ValueError),
        ({"min_lr": [0.1]}, TypeError),
        ({"mode": "best"}, ValueError),
        ({"monitor": None}, TypeError),
    ],
)
def test_arguments(settings: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(settings))):
        ReduceLROnPlateau(**settings)


def test_its_repr_makes_it_anew() -> None:
    plateau = ReduceLROnPlateau("val_loss", 0.5, 3, cooldown=1)
    assert repr(eval(repr(plateau), {"ReduceLROnPlateau": ReduceLROnPlateau})) == repr(plateau)
