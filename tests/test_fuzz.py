"""tests/fuzz.py: some of its cases, and that it finds what is planted."""

import subprocess
import sys

import pytest

from fuzzing import campaign, plants
from fuzzing.programs import METHODS, program

CASES = 300


def test_random_programs_break_no_promise() -> None:
    found = list(campaign.campaign(0, CASES))
    assert not found, "\n".join(map(str, found))


def test_all_programs_are_tried() -> None:
    """None is passed over: faults that are known are mended, not listed."""
    assert campaign.KNOWN == ()


def test_programs_call_every_method_and_are_always_the_same() -> None:
    sources = [program(number).source for number in range(CASES)]
    assert sources == [program(number).source for number in range(CASES)]
    assert len(set(sources)) == CASES
    together = "\n".join(sources)
    special = {"rate": "learning_rate = ", "through": "pickled(model)", "damaged": "damaged("}
    for method in METHODS:
        assert special.get(method, f"model.{method}(") in together, method
    lines = [line for number in range(CASES) for line in program(number).lines]
    assert {line.right for line in lines} == {True, False, None}


@pytest.mark.parametrize(
    ("plant", "method", "said"),
    [
        ("wrong_gradient", "loss_and_grad", "exactly"),
        ("wrong_bit", "forward", "bits"),
        ("undocumented", "train_on_batch", "KeyError"),
        ("changed_by_error", "loss_and_grad", "changed: ['learning_rate']"),
        ("writes", "predict", "X was written to"),
        ("crash", "evaluate", "status -"),
    ],
)
def test_a_planted_fault_is_found(plant: str, method: str, said: str) -> None:
    # What a call has written to may also be found by the next, in other words, and a gradient that
    # is wrong on every way by any of them.
    findings = (f for f in campaign.campaign(0, CASES, plant) if said in f.reason)
    found = next((f for f in findings if f"model.{method}(" in f.source), None)
    assert found is not None
    if plant != "crash":  # all but the call and its model is gone
        assert len(found.source.splitlines()) <= 5


def test_every_plant_is_tried() -> None:
    (mark,) = test_a_planted_fault_is_found.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in mark.args[1]} == set(plants.PLANTS)


def test_the_command_names_the_case() -> None:
    command = [sys.executable, str(campaign.COMMAND), "--cases", "60", "--plant", "wrong_bit"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Again: python tests/fuzz.py --case " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("60 cases of seed 0 in ")
