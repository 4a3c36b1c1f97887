"""tests/sigkill.py: some kills, and that it finds what is planted."""

import pytest

import sigkill


def test_no_kill_breaks_a_file_or_changes_a_bit() -> None:
    assert list(sigkill.campaign(8, 0)) == []


@pytest.mark.parametrize(
    ("plant", "said"),
    [("in place", "holds no model of ironmlp"), ("forgets", "last.safetensors differs")],
)
def test_what_is_planted_is_found(plant: str, said: str) -> None:
    found = next(sigkill.campaign(60, 0, plant))
    assert said in found
