"""fit, its displays, models and histories in a notebook: one that a real kernel executes."""

import asyncio
import re
import sys
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode, v4

import ironmlp as im
from pages import Page

# What the cells do, by a name; all of them belong to one notebook.
CELLS = {
    "begin": """
import sys
import numpy as np
import ironmlp as im

X = np.random.default_rng(0).normal(size=(400, 4))
y = X[:, 0] * X[:, 1]
def regressor(): return im.MLP([4, 32, 1], loss="mse", seed=1)
print(sys.executable, im.__file__)
""",
    "line": """
model = regressor()
history = model.fit(X, y, epochs=300, validation_split=0.25)
""",
    "quiet": "regressor().fit(X, y, epochs=3, verbose=False);",
    "lines": "regressor().fit(X, y, epochs=5, log_every=2);",
    "prints": """
def say(model, logs):
    print("my own", logs["epoch"])
regressor().fit(X, y, epochs=30, callbacks=[say]);
""",
    "bar": "regressor().fit(X, y, epochs=4, log_every=2, callbacks=[im.ProgressBar()]);",
    "history": "history",
    "model": "model",
    "summary": "model.summary()",
    "plot": "history.plot();",
    "interrupted": """
model = regressor()
model.fit(X, y, epochs=10**9)
""",
    "after": """
print(model.history.stop_reason, len(model.history) == model.epoch, model.epoch < 10**9)
model.fit(X, y, epochs=2, verbose=False)
print(model.history.stop_reason, model.history.epochs[-1] == model.epoch - 1)
""",
}


class Client(NotebookClient):
    """It interrupts the cell of that name when its line has been updated three times."""

    updates = 0

    def process_message(self, msg: Any, cell: NotebookNode, cell_index: int) -> Any:
        if cell.metadata.name == "interrupted" and msg["msg_type"] == "update_display_data":
            self.updates += 1
            if self.updates == 3:
                self.pressed = asyncio.ensure_future(self.km.interrupt_kernel())
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What each cell has put out in the end."""
    cells = [v4.new_code_cell(text, metadata={"name": name}) for name, text in CELLS.items()]
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        # Nothing of the user's own is read or written.
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
            patch.setenv(name, str(folder / name))
        notebook = v4.new_notebook(cells=cells)
        client = Client(notebook, kernel_name="python3", timeout=120, allow_errors=True)
        client.execute()
    found = {cell.metadata.name: cell.outputs for cell in notebook.cells}
    failed = [name for name, put in found.items() for o in put if o.output_type == "error"]
    assert failed == ["interrupted"]
    return found


def printed(outputs: list[Any], stream: str) -> str:
    """All that stands in the outputs of a stream."""
    return "".join(o.text for o in outputs if o.output_type == "stream" and o.name == stream)


def displayed(outputs: list[Any]) -> list[str]:
    """The texts of what is shown otherwise."""
    return [o.data["text/plain"] for o in outputs if o.output_type == "display_data"]


def test_the_kernel_is_the_interpreter_of_the_tests(outputs: dict[str, list[Any]]) -> None:
    assert printed(outputs["begin"], "stdout").split() == [sys.executable, im.__file__]


def test_a_fit_is_one_line_that_is_updated_where_it_stands(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["line"]
    (line,) = displayed([output])
    numbers = r"loss \S+  val_loss \S+  val_r2 \S+"
    assert re.fullmatch(rf"epoch 300/300  {numbers}  \d+\.\d s", line)
    assert outputs["quiet"] == []


def test_lines_stay_beside_it(outputs: dict[str, list[Any]]) -> None:
    lines = printed(outputs["lines"], "stderr").splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 0", "epoch 2", "epoch 4"]
    (line,) = displayed(outputs["lines"])
    assert line.startswith("epoch 5/5  loss ")


def test_what_callbacks_print_does_not_break_it(outputs: dict[str, list[Any]]) -> None:
    assert printed(outputs["prints"], "stdout") == "".join(f"my own {i}\n" for i in range(30))
    (line,) = displayed(outputs["prints"])
    assert line.startswith("epoch 30/30  loss ")
    assert printed(outputs["prints"], "stderr") == ""


def test_a_bar_takes_its_place(outputs: dict[str, list[Any]]) -> None:
    text = printed(outputs["bar"], "stderr")
    assert displayed(outputs["bar"]) == []
    assert "4/4" in text.split("\r")[-1]
    assert "Warning" not in text
    assert re.findall(r"\r(epoch \d+)  loss \S+\n", text) == ["epoch 0", "epoch 2"]


@pytest.mark.parametrize(
    ("name", "text", "cells"),
    [
        ("history", "<History: 300 epochs, last loss ", ["loss", "val_loss", "val_r2"]),
        ("model", "MLP([4, 32, 1], ", ["0", "1", "2"]),
        ("summary", "   layer ", ["0", "1", "2"]),
    ],
)
def test_histories_models_and_summaries_are_tables(
    name: str, text: str, cells: list[str], outputs: dict[str, list[Any]]
) -> None:
    (output,) = outputs[name]
    assert output.data["text/plain"].startswith(text)
    assert [row[0] for row in Page(output.data["text/html"]).rows[1:]] == cells


def test_a_plot_is_shown(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["plot"]
    assert output.data["image/png"]


def test_an_interrupt_ends_the_fit_and_keeps_the_history(outputs: dict[str, list[Any]]) -> None:
    line, error = outputs["interrupted"]
    assert displayed([line])[0].startswith("epoch ")
    assert error.ename == "KeyboardInterrupt"
    assert printed(outputs["after"], "stdout").split("\n") == [
        "interrupted True True",
        "epochs True",
        "",
    ]
