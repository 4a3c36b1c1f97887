"""Several ways to one result give the same bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fuzzing.failure import require
from fuzzing.prelude import laid_out
from ironmlp.losses import Loss
from ironmlp.reference.draws import shuffled
from states import everything

# Steps that a fit is followed by, one by one.
STEPS = 60


def same(one: Any, other: Any) -> bool:
    """Equal bits; NaN equals NaN."""
    one, other = np.asarray(one), np.asarray(other)
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and one.tobytes() == other.tobytes()


def require_same(one: dict[str, Any], other: dict[str, Any], what: str) -> None:
    require(one.keys() == other.keys(), f"{what}: {[*one]}, {[*other]}")
    for name in one:
        require(same(one[name], other[name]), f"{what}: {name} is {one[name]} and {other[name]}")


def trained_parts(model: Any) -> dict[str, Any]:
    """All that a step changes."""
    counters = ("epoch", "classes_", "learning_rate", "seed")
    return {name: value for name, value in everything(model).items() if name not in counters}


def require_same_training(one: Any, other: Any, what: str) -> None:
    found, must = trained_parts(one), trained_parts(other)
    differ = [name for name in must if found.get(name) != must[name]]
    require(found.keys() == must.keys() and not differ, f"{what}: other bits in {differ}")


def check_train_on_batch(twin: Any, model: Any, given: dict[str, Any], loss: float) -> None:
    """A step is its gradients and their application."""
    same_loss, grads = twin.loss_and_grad(**given, training=True)
    require(same(loss, same_loss), f"the loss is {loss}, by loss_and_grad {same_loss}")
    if not all(np.isfinite(gradient).all() for gradient in grads.values()):
        return  # those of frozen layers, which a step does not look at
    twin.apply_gradients(grads)
    require_same_training(model, twin, "train_on_batch, apply_gradients")


def check_loss_and_grad(model: Any, given: dict[str, Any], found: dict[str, Any]) -> None:
    """A trace, and `backward` from its last gradient, give the same bits without dropout."""
    traced = model.trace(**given)
    grads = {name: found[name] for name in found if name != "input.grad"}
    require_same(grads, {name: traced[name] for name in grads}, "loss_and_grad, trace")
    last = next(name for name in traced if name.endswith("grad_output"))
    if not np.isfinite(traced[last]).all():  # which `backward` does not take
        return
    by_hand = model.backward(given["X"], traced[last])
    by_hand = {f"{key}.grad": grad for key, grad in by_hand.items()}
    del grads["loss"]
    require_same(grads, by_hand, "loss_and_grad, backward")


def check_rows(model: Any, X: Any, outputs: Any) -> None:
    """A row's outputs do not depend on the rows beside it, nor on the way to them."""
    X = np.asarray(X)
    plain_x = X.astype(np.float64) if X.dtype.char in "gG" or not X.dtype.isnative else X
    if model._core.in_features:  # a predictor takes rows of a flattened sample
        plain_x = plain_x.reshape(len(X), -1)
    predictor = model.predictor(len(X))
    require(same(predictor(plain_x), outputs), "the predictor's outputs have other bits")
    lying = laid_out(plain_x, "subclass")
    require(same(predictor(lying), outputs), "the predictor believes what an array says of itself")
    row = len(X) // 2
    alone = model.forward(X[row : row + 1])[0]
    require(same(alone, outputs[row]), f"row {row} alone has other bits")
    out = np.empty_like(outputs)
    require(model(X, out=out) is out and same(out, outputs), "out= has other bits")


def check_fit(twin: Any, model: Any, given: dict[str, Any], history: Any) -> None:
    """A fit is its steps, in the order of batches that docs/random.md defines."""
    epochs = given.get("epochs", 1)
    losses = np.asarray(history["loss"])
    require(losses.shape == (epochs,), f"{epochs} epochs, losses {losses.shape}")
    require(np.isfinite(losses).all(), f"losses {losses}")
    require(model.epoch == twin.epoch + epochs, f"epoch {model.epoch} after {twin.epoch}")
    X, y = np.asarray(given["X"]), np.asarray(given["y"])
    weight = given.get("sample_weight")
    n = len(X)
    size = n if given.get("batch_size", 32) is None else min(given.get("batch_size", 32), n)
    if epochs * math.ceil(n / size) > STEPS or not plain(model):
        return
    if epochs > 1 and getattr(model.optimizer.lr, "by", "step") == "epoch":
        return  # single steps count no epochs
    for epoch in range(epochs):
        ordered = size == n or not given.get("shuffle", True)
        order = np.arange(n) if ordered else shuffled(n, twin.seed, twin.epoch + epoch)
        total = mass = 0.0
        for start in range(0, n, size):
            rows = order[start : start + size]
            weights = {} if weight is None else {"sample_weight": np.asarray(weight)[rows]}
            share = len(rows) if weight is None else float(np.sum(weights["sample_weight"]))
            total += share * twin.train_on_batch(X[rows], y[rows], **weights)
            mass += share
        if has_plain_mean(model._loss):
            mean = total / mass if mass else 0.0
            close = abs(losses[epoch] - mean) <= 1e-9 * abs(mean)
            require(close, f"epoch {epoch} has the loss {losses[epoch]}, its steps {mean}")
    require_same_training(model, twin, "fit, train_on_batch")


def plain(model: Any) -> bool:
    """Whether the model knows no other labels than indices."""
    try:
        classes = model.classes_
    except AttributeError:
        return True
    return bool(np.array_equal(classes, np.arange(len(classes))))


def has_plain_mean(loss: Any) -> bool:
    """Whether an epoch's loss is the mean of its rows' losses."""
    if not isinstance(loss, Loss) or getattr(loss, "reduction", "mean") != "mean":
        return False
    return not getattr(loss, "class_weight", None) and getattr(loss, "ignore_index", None) is None


def check_predictions(model: Any, X: Any) -> None:
    """`predict` chooses what `predict_proba` finds most probable, whose rows sum to 1."""
    labels, p = model.predict(X), model.predict_proba(X)
    require(((p >= 0) & (p <= 1)).all(), f"probabilities {p}")
    if hasattr(model, "classes_"):
        require(np.all(abs(p.sum(axis=1, dtype="f8") - 1.0) < 1e-6), f"rows sum to {p.sum(axis=1)}")
        chosen = model.classes_[p.argmax(axis=1)]
        require(np.array_equal(labels, chosen), f"predict {labels}, of {p} the largest is {chosen}")


def check_twin(model: Any, twin: Any, what: str) -> None:
    """Two models in one state."""
    before, after = everything(model), everything(twin)
    differ = [name for name in before if after.get(name) != before[name]]
    require(before.keys() == after.keys() and not differ, f"{what}: {differ}")
