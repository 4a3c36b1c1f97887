"""Gradients of every layer x loss x reduction x weighting against central differences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradients
import ironmlp as im
from gradients import Case
from states import parameters

# The page that quotes the number of cases.
CONTRACT = Path(__file__).parents[1] / "docs" / "numerics.md"

GROUPS = gradients.groups()


def check(case: Case, model: Any) -> None:
    X, y, weight = gradients.batch(case.targets, case.layer)
    gradients.check_gradients(model, X, y, weight if case.weighted else None)


class Planted:
    """A model of which one gradient is wrong by 1 %, in its largest component alone."""

    def __init__(self, model: Any, wrong: str) -> None:
        self.model, self.wrong = model, wrong
        self.state_dict, self.load_state_dict = model.state_dict, model.load_state_dict

    def loss_and_grad(self, X: Any, y: Any, **options: Any) -> Any:
        loss, grads, *by_input = self.model.loss_and_grad(X, y, **options)
        named = {**grads, **dict(zip(["X"], by_input, strict=False))}
        if self.wrong in named:
            values = named[self.wrong].reshape(-1)
            values[np.abs(values).argmax()] *= 1.01
        return loss, grads, *by_input


def test_every_member_and_option_has_a_case() -> None:
    assert gradients.uncovered() == set()


def test_the_contract_quotes_the_number_of_combinations() -> None:
    combinations = sum(map(len, GROUPS.values()))
    assert combinations == len(list(gradients.cases()))
    assert f"all {combinations} combinations" in CONTRACT.read_text(encoding="utf-8")


@pytest.mark.parametrize("group", GROUPS)
def test_gradients_are_central_differences(group: str) -> None:
    for case in GROUPS[group]:
        try:
            check(case, gradients.model(im, case))
        except AssertionError as error:
            raise AssertionError(f"{case}: {error}") from None


@pytest.mark.parametrize("group", GROUPS)
def test_an_error_of_one_percent_is_caught(group: str) -> None:
    case = GROUPS[group][-1]
    model = gradients.model(im, case)
    for name in [*parameters(model.state_dict()), "X"]:
        with pytest.raises(AssertionError, match=name):
            check(case, Planted(model, name))
