"""Runs a program line by line, and raises `Failure` where the package breaks a promise.

After a call that is refused: the error is of a documented type, wrong arguments were the reason,
and the model is as it was. After one that is not: no argument was wrong, the result is the
reference's, other ways to it give the same bits, and all that training changed is finite. Training
may diverge where the reference does; what the model then keeps can be copied, and the program ends.
No argument is written to, and no warning comes.
"""

from __future__ import annotations

import copy
import re
import warnings
from typing import Any

import numpy as np

from fuzzing import prelude, ways
from fuzzing.agreement import Peer
from fuzzing.failure import Failure, require
from fuzzing.programs import Line, Program
from ironmlp.losses import Loss
from states import everything

DOCUMENTED = (ValueError, TypeError, MemoryError)
TRAINS = ("fit", "train_on_batch", "apply_gradients")
# What refuses rows whose outputs are NaN, which large numbers may come to.
PREDICTS = ("predict", "predict_proba", "evaluate")

RUNNING = ("running_mean", "running_var", "num_batches_tracked")

# Numbers with which training may diverge.
WILD = re.compile(r"lr=1000000\.0|1e\+30|1e20|1e5|1e30|100\.0|np\.inf|np\.nan")


def judge(program: Program) -> None:
    """Failure, naming the line, if the program shows one."""
    names: dict[str, Any] = {name: getattr(prelude, name) for name in prelude.__all__}
    court = Court(names, wild=WILD.search(program.source) is not None)
    try:
        for line in program.lines:
            try:
                court.run(line)
            except Failure as failure:
                raise Failure(f"{line.source}\n    {failure}") from failure
            except Exception as error:
                what = f"{type(error).__name__} while judging: {error}"
                raise Failure(f"{line.source}\n    {what}") from error
    finally:
        prelude.im._core._force_threads(False)


class Court:
    """What is known while a program runs."""

    def __init__(self, names: dict[str, Any], wild: bool) -> None:
        self.names, self.wild = names, wild
        self.peer: Peer | None = None
        self.spoiled = False  # whether the model holds something that is not finite

    def run(self, line: Line) -> None:
        if self.spoiled:
            return
        if line.method:
            self.call(line)
        else:
            self.assign(line)

    def assign(self, line: Line) -> None:
        """A line whose effect is in itself."""
        before = self.names.get("model")
        state = everything(before) if before is not None else {}
        error = None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                exec(line.source, self.names)
            except Exception as raised:
                error = raised
        if error is not None:
            require(line.right is not True, f"refused: {type(error).__name__}: {error}")
            require(isinstance(error, DOCUMENTED), f"{type(error).__name__}: {error}")
        else:
            require(line.right is not False, "accepted")
        if before is not None and "learning_rate" not in line.source:
            require(everything(before) == state, "the model has changed")
            if error is None and self.names["model"] is not before:
                ways.check_twin(before, self.names["model"], line.source)

    def call(self, line: Line) -> None:
        model = self.names["model"]
        given = {name: eval(source, self.names) for name, source in line.arguments.items()}
        kept = {name: raw(value) for name, value in given.items() if is_array(value)}
        before, twin = everything(model), model.copy()
        result, error = None, None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                result = getattr(model, line.method)(**given)
            except Exception as raised:
                error = raised
        for name, before_call in kept.items():
            same = name == "out" or raw(given[name]) == before_call
            require(same, f"{name} was written to")
        # What an array says of itself is not for the judge.
        given = {name: plain_array(value) for name, value in given.items()}
        if error is not None:
            self.refused(line, given, twin, error, before)
            return
        require(line.right is not False, f"accepted, and gave {result!r:.200}")
        if line.method in TRAINS:
            require(self.is_finite(), "a parameter or moment is not finite")
        else:
            kept_state = line.method in ("load_state_dict", "reset") or everything(model) == before
            # A pass in training moves running values, and nothing else.
            moves = given.get("training") is True and line.method != "forward"
            if moves and not kept_state:
                after = everything(model)
                differ = [key for key in before if after.get(key) != before[key]]
                kept_state = all(key.endswith(RUNNING) for key in differ)
            require(kept_state, "the model has changed")
        self.check(line, given, twin, result)

    def refused(
        self,
        line: Line,
        given: dict[str, Any],
        twin: Any,
        error: Exception,
        before: dict[str, Any],
    ) -> None:
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, FloatingPointError):
            moves = given.get("training") is True and f"{RUNNING[1]}'" in said
            require(line.method in TRAINS or moves, said)
            require(self.wild or self.peer_of(twin).diverges(given), said)
            if not self.is_finite():
                self.spoil()
                return
            if line.method == "fit":  # finished steps stay
                return
        elif isinstance(error, AttributeError):
            require(line.method == "predict_proba" and line.right is False, said)
        else:
            require(isinstance(error, DOCUMENTED), said)
            own = "the gradient of the loss" in said
            predicts = line.method in PREDICTS
            overflow = self.wild and (own or predicts)
            if predicts and not overflow and line.right is True:
                overflow = self.peer_of(twin).overflows(given["X"])
            # What y may hold follows from the labels of an earlier call.
            known = (
                "the model's classes are" in said and not np.isin(given["y"], twin.classes_).all()
            )
            # As many as rows drawn, which `right` does not know of.
            few = "gives each channel one value" in said and "BatchNorm" in repr(twin)
            require(overflow or known or few or line.right is not True, f"refused: {said}")
        require("internal" not in said, said)
        after = everything(self.names["model"])
        differ = [name for name in before if after.get(name) != before[name]]
        require(after.keys() == before.keys() and not differ, f"{said}; changed: {differ}")

    def is_finite(self) -> bool:
        """Whether no parameter and no moment is lost."""
        model = self.names["model"]
        moments = [m for each in model._core.optimizer_state()["moments"] for m in each]
        return all(np.isfinite(tensor).all() for tensor in (*model.state_dict().values(), *moments))

    def spoil(self) -> None:
        """The end of a program that diverged."""
        self.spoiled, model = True, self.names["model"]
        for twin in (model.copy(), copy.deepcopy(model), prelude.pickled(model)):
            ways.check_twin(model, twin, "a copy of what diverged")
        try:
            prelude.saved(model)
        except DOCUMENTED:
            return
        raise Failure("a model that is not finite was saved")

    def check(self, line: Line, given: dict[str, Any], twin: Any, result: Any) -> None:
        """What must hold after a call of this method."""
        model = self.names["model"]
        if line.method == "fit":
            if line.right:
                ways.check_fit(twin, model, given, result)
        elif line.method == "train_on_batch":
            require(np.isfinite(result), f"the loss is {result}")
            ways.check_train_on_batch(twin, model, given, result)
        elif line.method in ("loss_and_grad", "trace"):
            self.check_step(given, result)
        elif line.method == "forward":
            self.peer_of(model).check_outputs(result, given["X"])
            ways.check_rows(model, given["X"], result)
        elif line.method == "predict_proba":
            if line.right:
                ways.check_predictions(model, given["X"])
        elif line.method == "evaluate":
            kinds = ({"loss"}, {"loss", "accuracy"}, {"loss", "r2"})
            require(set(result) in kinds, f"{result}")
            if line.right and ways.has_plain_mean(model._loss):
                loss = model.loss_and_grad(**given)[0]
                require(ways.same(loss, result["loss"]), f"{result}, by loss_and_grad {loss}")
        elif line.method == "load_state_dict":
            found, must = model.state_dict(), given["state_dict"]
            must = {key: np.asarray(v, found[key].dtype) for key, v in must.items()}
            ways.require_same(found, must, "state_dict, load_state_dict")

    def check_step(self, given: dict[str, Any], result: Any) -> None:
        model = self.names["model"]
        training = given.pop("training", False)
        with_input = given.pop("input_grad", False)
        if isinstance(result, dict):
            found = result
        else:
            found = {"loss": result[0], **{f"{key}.grad": g for key, g in result[1].items()}}
            if with_input:
                found["input.grad"] = result[2]
            if not training and isinstance(model._loss, Loss):
                ways.check_loss_and_grad(model, given, found)
        if ways.plain(model) and np.asarray(given["y"]).dtype.kind in "biuf":
            self.peer_of(model).check_step(found, given, training)

    def peer_of(self, model: Any) -> Peer:
        if self.peer is None:
            self.peer = Peer(model)
        self.peer.take(model)
        return self.peer


def plain_array(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, prelude.Liar) else value


def raw(value: Any) -> bytes:
    return np.asarray(value).tobytes()


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind != "O"
