"""docs/from-pytorch.md: the two halves of its section on one curve give the same numbers."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from golden import drawn

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "from-pytorch.md"
GOLDEN: dict[str, Any] = json.loads((HERE / "golden" / "torch_page.json").read_text("utf-8"))

# What rounding in another order comes to in so many steps; one wrong step is a million times more.
WITHIN = 1e-12


def blocks(kind: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## The same curve\n") :].partition("\n## ")[0]
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def run(code: list[str], X: Any, y: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"im": im, "np": np, "X": X, "y": y}
    for block in code:
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def check_final(model: im.Sequential, within: float) -> None:
    state = model.state_dict()
    assert list(state) == list(GOLDEN["final"])
    for key, expected in GOLDEN["final"].items():
        found, size = drawn.digest(state[key]), float(np.abs(state[key]).max())
        assert found["shape"] == expected["shape"], key
        assert found["some"] == pytest.approx(expected["some"], rel=within, abs=within * size), key
        assert found["sum"] == pytest.approx(expected["sum"], abs=within * expected["size"]), key


def test_the_page_shows_what_pytorch_has_run() -> None:
    assert blocks("text") == [GOLDEN["code"]]


def test_the_page_s_code_gives_pytorchs_curve() -> None:
    X, y = im.datasets.digits()
    names = run(blocks("python"), X, y)
    assert names["curve"].tolist() == pytest.approx(GOLDEN["curve"], rel=WITHIN)
    check_final(names["model"], 100 * WITHIN)


def test_a_stream_of_batches_gives_the_same_curve() -> None:
    X, y = im.datasets.digits()
    names = run(blocks("python")[:1], X, y)
    batches = [(X[start : start + 64], y[start : start + 64]) for start in range(0, len(X), 64)]
    history = names["model"].fit(batches, epochs=names["epochs"])
    assert history["loss"].tolist() == pytest.approx(GOLDEN["curve"], rel=WITHIN)
    check_final(names["model"], 100 * WITHIN)


def test_another_clip_would_be_seen() -> None:
    X, y = im.datasets.digits()
    code = [block.replace("clip_norm=0.5", "clip_norm=0.6") for block in blocks("python")]
    assert code != blocks("python")
    names = run(code, X, y)
    assert names["curve"].tolist() != pytest.approx(GOLDEN["curve"], rel=1e-4)
