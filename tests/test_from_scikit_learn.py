"""docs/from-scikit-learn.md: with either import its programs draw the same pictures."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import QuadMesh

PAGE = Path(__file__).resolve().parent.parent / "docs" / "from-scikit-learn.md"
OURS, THEIRS = "from ironmlp.sklearn import", "from sklearn.neural_network import"
FIGURES = {"filters", "solvers", "regularisation", "search"}
# What rounding comes to, after some hundred steps and after 40 line searches of L-BFGS.
WITHIN = {"filters": 1e-11, "solvers": 1e-11, "regularisation": 1e-7, "search": 1e-10}

Drawn = dict[str, tuple[list[str], list[np.ndarray]]]


def code() -> str:
    text = PAGE.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def plotted(figure: Any) -> tuple[list[str], list[np.ndarray]]:
    """The words of a figure, and the numbers of its images, surfaces and curves."""
    words, numbers = [figure.get_suptitle()], []
    for axes in figure.axes:
        words.append(axes.get_title())
        words += [line.get_label() for line in axes.lines if line.get_label()[0] != "_"]
        numbers += [image.get_array() for image in axes.images]
        numbers += [image.norm.vmax for image in axes.images]
        numbers += [mesh.get_array() for mesh in axes.collections if isinstance(mesh, QuadMesh)]
        numbers += [line.get_ydata() for line in axes.lines]
    return words, [np.asarray(array, float) for array in numbers]


def draw(program: str) -> Drawn:
    """Run the page's code, and take what is in its figures before it closes them."""
    found: Drawn = {}

    def closed(_: str) -> None:
        for name in plt.get_figlabels():
            found[name] = plotted(plt.figure(name))

    assert program.count('plt.close("all")') == 1
    with matplotlib.rc_context({"backend": "agg"}), warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(
            compile(program.replace("plt.close(", "closed("), str(PAGE), "exec"), {"closed": closed}
        )
    plt.close("all")
    return found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Drawn, Drawn]:
    """What is drawn with our import and with theirs."""
    program = code()
    assert program.count(OURS) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("pictures"))
        return draw(program), draw(program.replace(OURS, THEIRS))


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_both_imports_draw_the_same_picture(pictures: tuple[Drawn, Drawn], name: str) -> None:
    (words, numbers), (wanted_words, wanted) = (drawn[name] for drawn in pictures)
    assert words == wanted_words
    assert len(numbers) == len(wanted) > 0
    for found, expected in zip(numbers, wanted, strict=True):
        assert found == pytest.approx(expected, rel=0, abs=WITHIN[name] * np.abs(expected).max())


def test_all_pictures_are_compared(pictures: tuple[Drawn, Drawn]) -> None:
    assert [set(drawn) for drawn in pictures] == [FIGURES, FIGURES]
    numbers = {name: len(found) for name, (_, found) in pictures[0].items()}
    # 16 filters and their limits; 7 curves of 4 sets; 4 surfaces of 3 sets; a bar and a curve.
    assert numbers["filters"] == 32
    assert numbers["solvers"] == 28
    assert numbers["regularisation"] == 12
    assert numbers["search"] >= 2


def test_another_seed_draws_another_picture(pictures: tuple[Drawn, Drawn]) -> None:
    filters = code()[: code().index('figure.savefig("filters.png")')]
    changed = filters.replace("random_state=1,\n", "random_state=2,\n")
    assert changed != filters
    _, found = draw(changed + '\nplt.close("all")')["filters"]
    _, wanted = pictures[0]["filters"]
    assert np.abs(found[0] - wanted[0]).max() > 0.01


def test_the_page_says_what_changes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"-{THEIRS} MLPClassifier, MLPRegressor\n+{OURS} MLPClassifier, MLPRegressor\n" in text
