"""Arrays whose class lies: what counts is the memory that NumPy itself finds.

Each script runs in a process of its own: a size that is believed is a crash there.
"""

from typing import Any

import pytest

import processes

BEGIN = """
import numpy as np
import ironmlp as im, ironmlp.functional as F
from ironmlp import _core
from foreign import SUBCLASSES, Liar, disguises
from processes import show

RNG = np.random.default_rng(0)

def bits(value):
    # What a call gave, to be compared.
    if isinstance(value, dict):
        return {key: bits(entry) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [bits(entry) for entry in value]
    if isinstance(value, im.History):
        return [value["loss"].tobytes().hex()]
    if isinstance(value, np.ndarray):
        assert type(value) is np.ndarray, type(value)
        return [list(value.shape), value.dtype.str, np.ascontiguousarray(value).tobytes().hex()]
    return repr(value)

def differing(call, array):
    # The disguises of the array with which the call gives something else.
    expected = bits(call(array))
    wrong = {}
    for name, disguised in disguises(array).items():
        try:
            given = bits(call(disguised))
        except Exception as error:
            given = f"{type(error).__name__}: {error}"
        if given != expected:
            wrong[name] = str(given)[:200]
    return wrong
"""

MODELS = """
DENSE = RNG.normal(size=(8, 12)).astype(np.float32)
IMAGES = np.asfortranarray(RNG.normal(size=(4, 1, 12, 12)).astype(np.float32))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
GOALS = np.asfortranarray(RNG.normal(size=(8, 3)))
WEIGHTS = RNG.uniform(size=8)

def dense(**settings):
    settings = {"loss": "mse", **settings}
    return im.MLP([12, 5, 3], optimizer="sgd", seed=1, **settings)

def classifier():
    return dense(loss="cross_entropy")

def images():
    layers = [im.Conv2d(1, 2, 3), im.ReLU(), im.Flatten(), im.Linear(200, 3)]
    return im.Sequential(layers, loss="cross_entropy", optimizer="sgd", seed=1)

def own(outputs, targets):
    return float(np.mean((outputs - targets) ** 2)), 2 * (outputs - targets) / outputs.size

def fitted(model, *data, **settings):
    model.fit(*data, verbose=False, **settings)
    return model.state_dict()

def stepped(model, *data, **settings):
    return model.train_on_batch(*data, **settings), model.state_dict()

def applied(gradient):
    model = dense()
    model.apply_gradients({**dense().state_dict(), "0.weight": gradient})
    return model.state_dict()

def loaded(parameter):
    model = dense()
    model.load_state_dict({"0.weight": parameter}, strict=False)
    return model.state_dict()

def of_core(parameter):
    model = dense()
    model._core.set_parameters([parameter, *model._core.parameters()[1:]])
    return model.state_dict()

def moments(moment):
    model = dense()
    model._core = im.MLP([12, 5, 3], loss="mse", seed=1)._core
    state = model._core.optimizer_state()
    state["moments"][0][0] = moment
    model._core.set_optimizer_state(state)
    return model._core.optimizer_state()["moments"]

def graded(gradient):
    loss = lambda outputs, targets: (1.0, gradient)
    model = dense(loss=loss)
    return fitted(model, DENSE, GOALS, batch_size=None), stepped(dense(loss=loss), DENSE, GOALS)

W = np.asfortranarray(RNG.normal(size=(5, 12)).astype(np.float32))
"""

# Each entry of the package: a function of the array, and the array.
ENTRIES = {
    "fit X": ("lambda a: fitted(dense(), a, GOALS)", "DENSE"),
    "fit X, own loss": ("lambda a: fitted(dense(loss=own), a, GOALS)", "DENSE"),
    "fit y": ("lambda a: fitted(dense(), DENSE, a)", "GOALS"),
    "fit labels": ("lambda a: fitted(classifier(), DENSE, a)", "LABELS"),
    "fit strings": ("lambda a: fitted(classifier(), DENSE, a)", "LABELS.astype(str)"),
    "fit sample_weight": ("lambda a: fitted(dense(), DENSE, GOALS, sample_weight=a)", "WEIGHTS"),
    "fit images": ("lambda a: fitted(images(), a, LABELS[:4])", "IMAGES"),
    "fit own gradient": ("graded", "GOALS"),
    "train_on_batch X": ("lambda a: stepped(dense(), a, GOALS)", "DENSE"),
    "train_on_batch y": ("lambda a: stepped(dense(), DENSE, a)", "GOALS"),
    "train_on_batch weight": (
        "lambda a: stepped(dense(), DENSE, GOALS, sample_weight=a)",
        "WEIGHTS",
    ),
    "loss_and_grad X": ("lambda a: dense().loss_and_grad(a, GOALS, input_grad=True)", "DENSE"),
    "loss_and_grad y": ("lambda a: dense().loss_and_grad(DENSE, a)", "GOALS"),
    "loss_and_grad images": (
        "lambda a: images().loss_and_grad(a, LABELS[:4], input_grad=True)",
        "IMAGES",
    ),
    "trace X": ("lambda a: dense().trace(a, GOALS)", "DENSE"),
    "evaluate X": ("lambda a: dense().evaluate(a, GOALS)", "DENSE"),
    "evaluate y": ("lambda a: classifier().evaluate(DENSE, a)", "LABELS"),
    "forward": ("lambda a: dense()(a)", "DENSE"),
    "forward of integers": ("lambda a: dense()(a)", "np.arange(24, dtype='>i4').reshape(2, 12)"),
    "forward of images": ("lambda a: images()(a)", "IMAGES"),
    "forward, flattened": (
        "im.Sequential([im.Flatten(), im.Linear(4, 2)], loss='mse', seed=1)",
        "DENSE.reshape(-1, 2, 2)",
    ),
    "predict": ("lambda a: classifier().predict(a)", "DENSE"),
    "predictor": ("lambda a: dense().predictor(8)(a)", "DENSE"),
    "predictor of one row": ("lambda a: dense().predictor()(a)", "DENSE[0]"),
    "predictor of images": ("lambda a: images().predictor(4)(a)", "IMAGES"),
    "predictor of one image": ("lambda a: images().predictor(1)(a)", "IMAGES[0]"),
    "predict_proba": ("lambda a: classifier().predict_proba(a)", "DENSE"),
    "backward X": ("lambda a: dense().backward(a, GOALS, input_grad=True)", "DENSE"),
    "backward grad_output": ("lambda a: dense().backward(DENSE, a)", "GOALS"),
    "apply_gradients": ("applied", "W"),
    "load_state_dict": ("loaded", "W"),
    "class_weight": (
        "lambda a: fitted(dense(loss=im.CrossEntropy(class_weight=a)), DENSE, LABELS)",
        "np.array([1.0, 2.0, 3.0])",
    ),
    "stratified_split X": (
        "lambda a: im.datasets.stratified_split(a, LABELS, test_size=0.5)",
        "DENSE",
    ),
    "stratified_split y": (
        "lambda a: im.datasets.stratified_split(DENSE, a, test_size=0.5)",
        "LABELS",
    ),
    "matmul": ("lambda a: F.matmul(a, a)", "np.asfortranarray(DENSE[:, :8])"),
    "sigmoid": ("F.sigmoid", "GOALS"),
    "sigmoid_backward": ("lambda a: F.sigmoid_backward(a, a)", "GOALS"),
    "binary_cross_entropy": (
        "lambda a: F.binary_cross_entropy_value_and_grad(a, a, weight=a)",
        "np.asfortranarray(RNG.uniform(size=(8, 3)))",
    ),
    "sigmoid_cross_entropy": (
        "lambda a: F.sigmoid_cross_entropy_with_logits_value_and_grad(a, a, weight=a)",
        "np.asfortranarray(RNG.uniform(size=(8, 3)))",
    ),
    "pos_weight": (
        "lambda a: F.sigmoid_cross_entropy_with_logits(GOALS, GOALS, pos_weight=a)",
        "np.array([1.0, 2.0, 3.0])",
    ),
    "softmax_cross_entropy logits": (
        "lambda a: F.softmax_cross_entropy_with_logits_value_and_grad(a, LABELS)",
        "GOALS",
    ),
    "softmax_cross_entropy targets": (
        "lambda a: F.softmax_cross_entropy_with_logits(GOALS, a)",
        "LABELS",
    ),
    "softmax_cross_entropy weight": (
        "lambda a: F.softmax_cross_entropy_with_logits(GOALS, LABELS, weight=a)",
        "np.array([1.0, 2.0, 3.0])",
    ),
}

# Entries that take arrays alone, without a conversion in Python.
COMPILED = {
    "_core.set_parameters": ("of_core", "W"),
    "_core.set_optimizer_state": ("moments", "W"),
    "_core.forward of images": ("lambda a: images()._core.forward(a, False, None)", "IMAGES"),
    "_core.sigmoid": ("_core.sigmoid", "GOALS"),
}


def script(source: str) -> Any:
    return processes.run(BEGIN + MODELS + source)


def test_the_check_sees_another_result() -> None:
    (wrong,) = script("show(differing(lambda a: type(a).__name__, DENSE))")
    assert set(wrong) == {
        *("Copies", "Attributes", "Items", "Functions", "Finalized", "Liar"),
        *(f"Liar {kind}" for kind in ("Copies", "Attributes", "Items", "Functions", "Finalized")),
    }


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_lying_array_is_the_memory_that_it_has(entry: str) -> None:
    call, array = ENTRIES[entry]
    (wrong,) = script(f"show(differing({call}, {array}))")
    assert wrong == {}


@pytest.mark.parametrize("entry", COMPILED)
def test_the_compiled_part_takes_the_memory_too(entry: str) -> None:
    call, array = COMPILED[entry]
    (wrong,) = script(f"show(differing({call}, {array}))")
    # What is no array is refused there.
    assert all(name.startswith("Liar") and "TypeError" in wrong[name] for name in wrong), wrong
    assert len(wrong) == 6


@pytest.mark.parametrize(
    "call",
    [
        "lambda out: dense().forward(DENSE, out=out)",
        "lambda out: dense().predictor(8)(DENSE, out=out)",
        "lambda out: dense().predictor(8)(DENSE, out)",
    ],
)
def test_out_of_a_subclass_is_written_in_place_and_given_back(call: str) -> None:
    for same, right in script(f"""
for kind in SUBCLASSES:
    memory = np.zeros((8, 3), np.float32)
    out = memory.view(kind)
    show([({call})(out) is out, np.array_equal(memory, dense()(DENSE))])
"""):
        assert same
        assert right


def test_images_that_shrink_when_copied() -> None:
    (same,) = script("""
class Small(np.ndarray):
    def copy(self, order="C"):
        return np.zeros(1, np.float32).view(np.ndarray)

pixels = np.asfortranarray(RNG.normal(size=(4, 1, 12, 12)).astype(np.float32))
model = images()
show(np.array_equal(model.predictor(4)(pixels.view(Small)), model(pixels)))
""")
    assert same
