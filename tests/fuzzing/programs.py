"""Programs: a model and calls of its methods, with right and wrong arguments, as source code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fuzzing import arrays, networks
from fuzzing.draw import Draw

HEADER = "from fuzzing.prelude import *"

# How often each method is called.
METHODS = {
    "fit": 5,
    "train_on_batch": 3,
    "loss_and_grad": 4,
    "trace": 1,
    "backward": 1,
    "forward": 2,
    "predict": 1,
    "predict_proba": 1,
    "evaluate": 1,
    "apply_gradients": 1,
    "load_state_dict": 1,
    "reset": 0.5,
    "rate": 0.5,
    "through": 2,
    "damaged": 0.7,
}

# Options that are refused whatever the rest is.
WRONG_OPTIONS = {
    "fit": [
        *("epochs=-1", "epochs=1.5", "epochs='2'", "batch_size=0", "batch_size=-3"),
        *("batch_size=2.5", "shuffle='yes'", "callbacks=[3]", "check_finite=2"),
    ],
    "loss_and_grad": ["training='no'", "input_grad=2"],
    "forward": ["training=3", "out=np.zeros(3)", "out=[]"],
    "reset": ["seed=-1", "seed=2**64", "seed=1.5", "seed='a'"],
}


# Sources of arguments, and whether they are right: True, False, or None where either may be.
Arguments = tuple[dict[str, str], bool | None]


@dataclass(frozen=True)
class Line:
    """One call, or the assignment of a value to `model`."""

    method: str  # of the model; "" for an assignment
    arguments: dict[str, str] = field(default_factory=dict)  # source of each
    value: str = ""  # of an assignment
    right: bool | None = True  # whether it must be accepted; None if either will do

    @property
    def source(self) -> str:
        if not self.method:
            return self.value
        return f"model.{self.method}({', '.join(f'{k}={v}' for k, v in self.arguments.items())})"


@dataclass(frozen=True)
class Program:
    number: int
    lines: tuple[Line, ...]

    @property
    def source(self) -> str:
        return "\n".join([HEADER, *(line.source for line in self.lines)])


class Writer:
    """Writes one program."""

    def __init__(self, number: int) -> None:
        self.draw = Draw(number)
        self.model = networks.model(self.draw)
        self.named = False  # whether labels may have been learned
        self.used = False  # whether something was trained

    def lines(self) -> list[Line]:
        lines = [Line("", value=f"model = {self.model.source}")]
        if self.draw.maybe(0.15):
            lines.append(Line("", value="force_threads()"))
        methods = [self.draw.weighted(METHODS) for _ in range(1 + self.draw.below(5))]
        return [*lines, *(getattr(self, method)() for method in methods)]

    def rows(self) -> int:
        return self.draw.weighted(arrays.ROWS)

    def call(self, method: str, arguments: dict[str, str], right: bool | None = True) -> Line:
        """The call, in which an option may be wrong."""
        wrong = WRONG_OPTIONS.get(method, [])
        if wrong and self.draw.maybe(0.06):
            name, value = self.draw.one(wrong).split("=", 1)
            arguments, right = {**arguments, name: value}, False
        return Line(method, arguments, right=right)

    def data(self, weighted: bool = True, named: bool = False) -> Arguments:
        """X, y and perhaps weights, and whether they are right."""
        draw, model, n = self.draw, self.model, self.rows()
        right: bool | None = None if self.named else True
        found = {"X": arrays.right_x(draw, model, n), "y": arrays.right_y(draw, model, n)}
        labels = arrays.named_y(draw, model, n) if named and draw.maybe(0.3) else None
        if labels:
            # The same classes may be known already, or others.
            found["y"], right = labels, None if self.named or self.used else True
            self.named = True
        if weighted and draw.maybe(0.25):
            found["sample_weight"] = arrays.right_weight(draw, n)
            right = None if model.own_loss else right
        if draw.maybe(0.12):
            wrong = draw.one([*found])
            found[wrong] = {
                "X": arrays.wrong_x(draw, model, n),
                "y": arrays.wrong_y(draw, model, n),
                "sample_weight": arrays.wrong_weight(draw, n),
            }[wrong]
            # What y may be, a loss function of its own knows alone.
            right = None if wrong == "y" and model.own_loss else False
        return found, right

    def unchecked(self, arguments: dict[str, str], right: bool | None) -> Arguments:
        """As `data`, for a call that need not look for what is not finite in X."""
        finite = "np.nan" not in arguments["X"] and "np.inf" not in arguments["X"]
        return arguments, right if finite or right is not False else None

    def fit(self) -> Line:
        draw = self.draw
        arguments, right = self.data(named=True)
        arguments["epochs"] = str(draw.one([0, 1, 1, 2, 3]))
        if draw.maybe(0.7):
            arguments["batch_size"] = str(draw.one([None, 1, 4, 16, 17, 100]))
        for option, value in (("shuffle", "False"), ("check_finite", "False")):
            if draw.maybe(0.15):
                arguments[option] = value
                # Without the pass over X what is not finite is met in the loss, or never.
                right = None if option == "check_finite" and right is False else right
        if draw.maybe(0.1):
            arguments["callbacks"] = "[lambda model, logs: None]"
        self.used = True
        return self.call("fit", {**arguments, "verbose": "False"}, right)

    def train_on_batch(self) -> Line:
        self.used = True
        return self.call("train_on_batch", *self.unchecked(*self.data()))

    def loss_and_grad(self) -> Line:
        arguments, right = self.unchecked(*self.data())
        for option in ("training", "input_grad"):
            if self.draw.maybe(0.5):
                arguments[option] = "True"
        return self.call("loss_and_grad", arguments, right)

    def trace(self) -> Line:
        arguments, right = self.unchecked(*self.data())
        return self.call("trace", arguments, False if self.model.own_loss else right)

    def evaluate(self) -> Line:
        return self.call("evaluate", *self.unchecked(*self.data(weighted=False)))

    def one_x(self, method: str) -> Line:
        wrong = self.draw.maybe(0.1)
        make = arrays.wrong_x if wrong else arrays.right_x
        # Rows that are not finite are computed as they are.
        X = make(self.draw, self.model, self.rows())
        return self.call(method, {"X": X}, None if wrong else True)

    def forward(self) -> Line:
        return self.one_x("forward")

    def predict(self) -> Line:
        line = self.one_x("predict")
        named = {"Quantile": "sort", "GaussianNLL": "return_std"}
        for loss, option in named.items():
            if self.draw.maybe(0.2):
                fits = f"im.{loss}(" in self.model.source
                arguments = {**line.arguments, option: "True"}
                line = replace(line, arguments=arguments, right=line.right if fits else False)
        return line

    def predict_proba(self) -> Line:
        line = self.one_x("predict_proba")
        numbers = self.model.targets in ("numbers", "rates")
        return replace(line, right=False) if numbers else line

    def backward(self) -> Line:
        n = self.rows()
        wrong = self.draw.maybe(0.1)
        shape = f"{n}, {self.model.outputs}"
        gradient = arrays.guise(self.draw, f"normal({self.draw.seed()}, {shape})")
        if wrong:
            gradient = self.draw.one([f"normal(0, {n + 1}, {self.model.outputs})", "None", "'a'"])
        arguments = {"X": arrays.right_x(self.draw, self.model, n), "grad_output": gradient}
        if self.draw.maybe(0.5):
            arguments["input_grad"] = "True"
        return self.call("backward", arguments, not wrong)

    def state(self, name: str, wrong_values: list[str]) -> Arguments:
        """A dict like `state_dict`, or like that of gradients."""
        each = "for k, v in parameters(model).items()"
        if not self.draw.maybe(0.25):
            factor = self.draw.one(["0.5", "-1.0", "2.0"])
            # Running values are not any numbers.
            running = "**model.state_dict(), " if name == "state_dict" else ""
            changed = f"{{k: {factor} * v {each}}}"
            return {name: f"{{{running}**{changed}}}" if running else changed}, True
        wrong = ["None", "3", "{}", f"{{k + 'x': v {each}}}", *wrong_values]
        return {name: self.draw.one(wrong)}, False

    def apply_gradients(self) -> Line:
        each = "for k, v in parameters(model).items()"
        wrong = [f"{{k: v[..., None] {each}}}", f"{{k: 'text' {each}}}"]
        self.used = True
        return self.call("apply_gradients", *self.state("grads", wrong))

    def load_state_dict(self) -> Line:
        each = "for k, v in model.state_dict().items()"
        wrong = [f"{{k: v[None] {each}}}", f"{{k: v * np.nan {each}}}", f"{{k: v * 1j {each}}}"]
        return self.call("load_state_dict", *self.state("state_dict", wrong))

    def reset(self) -> Line:
        self.named = self.used = False
        return self.call("reset", {"seed": str(self.draw.seed())} if self.draw.maybe(0.5) else {})

    def rate(self) -> Line:
        value = f"model.learning_rate = {self.draw.one([0.0, 0.125, 1e-4])}"
        # The rate of a schedule may be 0, and no factor makes it another.
        return Line("", value=value, right=None if "lr=im." in self.model.source else True)

    def through(self) -> Line:
        ways = ["pickled(model)", "copy.deepcopy(model)", "model.copy()"]
        ways += [] if self.model.own_loss else ["saved(model)"]
        return Line("", value=f"model = {self.draw.one(ways)}")

    def damaged(self) -> Line:
        right = False if self.model.own_loss else None
        return Line("", value=f"damaged(model, {self.draw.seed()})", right=right)


def program(number: int) -> Program:
    """The program of this number, always the same."""
    return Program(number, tuple(Writer(number).lines()))
