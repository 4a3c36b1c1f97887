"""Whatever rounding mode and flushing the caller has set before anything is made, all bits are the
same, and the caller finds them set afterwards.

Each setting has a process of its own.
"""

from typing import Any

import pytest

import mxcsr
import processes

pytestmark = pytest.mark.skipif(not mxcsr.supported(), reason="sets MXCSR, which x86-64 has")

SETTINGS = {
    **mxcsr.ROUNDING,
    "flushing": mxcsr.FLUSH,
    "up and flushing": mxcsr.ROUNDING["up"] | mxcsr.FLUSH,
}

BEGIN = """
import os, tempfile
import numpy as np
import ironmlp as im, ironmlp.functional as F
import mxcsr
from processes import show
from states import squares

WORD = {word:#x}
register = mxcsr.Register()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)) * 1e-3 + 1 / 3
SMALL = np.full((40, 6), 2.0**-140, np.float32)
PIXELS = RNG.integers(0, 256, size=(20, 1, 8, 8))
LABELS = np.arange(40) % 3
GOALS = X[:, :3] / 7
WEIGHTS = 1 / (3.0 + np.arange(40))
TINY_WEIGHTS = np.full(40, 2.0**-140, np.float32)
TINY_WEIGHTS[::3] = 3 * 2.0**-141
INITIALIZERS = ("torch_linear", "glorot_uniform", "he_normal", "normal", "zeros")
# What follows is made before any setting: arithmetic of the calls themselves is the caller's.
THIRD, TENTH, SCALE = 1 / 3, 0.1, 255 / 7
RATES = (THIRD / 10, THIRD / 9, THIRD / 50)
LOGITS, FLAGS, SHARES = GOALS * 30 - 4, (GOALS > 0.047) * 1.0, (GOALS > 0.047) * 0.9
LOGITS32, PROBABILITIES, TALL = LOGITS.astype(np.float32), X * 0.7, SMALL.T * np.float32(2.0**100)
EXACT = np.round(GOALS * 2**10) / 2**10
SEVENTHS = np.arange(5) / 7
CLASS_WEIGHTS = np.float32([2.0**-140, 3.0, 1.0])

def bits(value):
    if isinstance(value, dict):
        return {{str(key): bits(entry) for key, entry in value.items()}}
    if isinstance(value, (tuple, list)):
        return [bits(entry) for entry in value]
    if isinstance(value, im.History):
        return bits(value["loss"])
    if isinstance(value, np.ndarray):
        return value.tobytes().hex()
    return value.hex() if isinstance(value, float) else repr(value)

CALLS = {{}}

def call(function):
    CALLS[function.__name__] = function

def dense(dtype="float32", **settings):
    settings = {{"loss": "mse", "optimizer": im.SGD(lr=RATES[0], momentum=0.9), **settings}}
    return im.MLP([6, 5, 3], activation="tanh", dtype=dtype, seed=3, **settings)

def images():
    layers = [im.Conv2d(1, 2, 3), im.LeakyReLU(THIRD), im.Flatten(), im.Linear(72, 3)]
    return im.Sequential(layers, loss="cross_entropy", scale=SCALE, seed=1, optimizer="adam")

@call
def construction():
    models = [
        im.MLP([7, 5, 3], loss="mse", init=init, dtype=dtype, seed=11)
        for init in INITIALIZERS for dtype in ("float32", "float64")
    ]
    for model in models[:2]:
        model.reset(seed=12)
    return [model.state_dict() for model in models] + [images().state_dict()]

@call
def predictor():
    return [
        images().predictor(4)(PIXELS[:4]),
        images().predictor(1)(PIXELS[0]),
        im.Sequential([im.Linear(6, 3)], loss="mse", scale=THIRD, seed=1).predictor(2)(X[:2]),
        images()(PIXELS),
    ]

@call
def fit():
    found = []
    for dtype in ("float32", "float64"):
        for optimizer in (im.SGD(lr=THIRD, weight_decay=RATES[1]), im.Adam(lr=RATES[2])):
            model = dense(dtype, optimizer=optimizer)
            history = model.fit(X, GOALS, epochs=2, batch_size=7, sample_weight=WEIGHTS)
            found += [history, model.state_dict(), model.copy()._core.optimizer_state()]
    return found

@call
def fit_with_settings():
    losses = [
        im.CrossEntropy(class_weight=[THIRD, 0.1, 0.7], label_smoothing=0.1),
        im.BinaryCrossEntropy(pos_weight=[THIRD, 0.1, 0.7]),
        im.Huber(delta=THIRD),
    ]
    targets = [LABELS, FLAGS, GOALS]
    models = [dense(loss=loss) for loss in losses]
    return [
        [model.fit(X, y, epochs=2), model.state_dict(), model.evaluate(X, y)]
        for model, y in zip(models, targets)
    ]

@call
def own_loss():
    model = dense(loss=squares)
    # The loss itself is the caller's arithmetic, which is exact here.
    model._loss = lambda outputs, targets: (0.5, np.asarray(targets) * 0.25)
    return [model.fit(X, EXACT, batch_size=7), model.state_dict()]

@call
def steps():
    model = dense()
    model.learning_rate = THIRD
    found = [model.loss_and_grad(X, GOALS, input_grad=True), model.trace(X, GOALS)]
    found.append(model.train_on_batch(X, GOALS, sample_weight=TINY_WEIGHTS))
    found.append(model.backward(X, GOALS))
    model.apply_gradients(dense().loss_and_grad(X, GOALS)[1])
    return [*found, model.state_dict(), model.evaluate(X, GOALS)]

@call
def probabilities():
    model = dense(loss="cross_entropy")
    two = im.MLP([6, 4, 1], loss=im.BinaryCrossEntropy(from_logits=False), seed=1)
    return [model.predict_proba(X), model.predict(X), two.predict_proba(X), model(SMALL)]

@call
def load():
    models = [dense(optimizer=im.Adam(lr=0.1, betas=(0.7, THIRD))), images()]
    models[0].fit(X, GOALS, epochs=3)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            path = os.path.join(folder, "model.safetensors")
            model.save(path)
            with open(path, "rb") as file:
                found.append(file.read().hex())
            again = im.load(path)
            found += [again.state_dict(), again.copy()._core.optimizer_state()]
    return found

@call
def load_state_dict():
    model = dense()
    model.load_state_dict({{"0.bias": SEVENTHS, "2.bias": [THIRD, 0.1, 2.0**-149]}}, False)
    return model.state_dict()

@call
def functional():
    return [
        F.matmul(X, X.T), F.matmul(SMALL, TALL),
        F.sigmoid(LOGITS), F.sigmoid(SMALL), F.sigmoid_backward(SMALL, np.ones_like(SMALL)),
        F.binary_cross_entropy_value_and_grad(X, PROBABILITIES, weight=THIRD),
        F.sigmoid_cross_entropy_with_logits_value_and_grad(
            LOGITS32, SHARES, pos_weight=[THIRD, 0.1, 1e-42], weight=1e-40
        ),
        F.softmax_cross_entropy_with_logits_value_and_grad(
            LOGITS, LABELS, weight=CLASS_WEIGHTS, label_smoothing=0.1
        ),
    ]

@call
def datasets():
    return [
        im.datasets.digit_images(12)[0][:50], im.datasets.cracks(2, 32)[0],
        im.datasets.stratified_split(np.arange(40), LABELS, test_size=0.3),
    ]

before = register.get() & ~0x3F
found = {{}}
for name, function in CALLS.items():
    register.set(before & ~0x6000 | WORD)
    try:
        results = function()
        kept = register.get() & ~0x3F == before & ~0x6000 | WORD
    finally:
        register.set(before)
    found[name] = bits(results)
    assert kept, name
show(found)
"""

CALLS = (
    "construction",
    "predictor",
    "fit",
    "fit_with_settings",
    "own_loss",
    "steps",
    "probabilities",
    "load",
    "load_state_dict",
    "functional",
    "datasets",
)

_found: dict[str, Any] = {}


def found(setting: str) -> Any:
    """What the calls give in a process with a setting."""
    if setting not in _found:
        (_found[setting],) = processes.run(BEGIN.format(word=SETTINGS[setting]))
    return _found[setting]


def test_all_calls_are_compared() -> None:
    assert set(found("to nearest")) == set(CALLS)


@pytest.mark.parametrize("setting", [name for name in SETTINGS if name != "to nearest"])
@pytest.mark.parametrize("call", CALLS)
def test_the_callers_environment_reaches_no_bit(setting: str, call: str) -> None:
    assert found(setting)[call] == found("to nearest")[call]


@pytest.mark.parametrize("setting", ["down", "up", "to zero", "flushing"])
def test_the_settings_change_plain_arithmetic(setting: str) -> None:
    """The test can fail: NumPy rounds and flushes otherwise under each of them."""
    (same,) = processes.run(f"""
import numpy as np
import mxcsr
from processes import show
register = mxcsr.Register()
numbers = np.array([1.0, 2.0, 5.0, -1.0, 2.0**-1020, 2.0**-1070])
def computed():
    return (numbers / 3.0).tobytes() + np.float32(numbers * 0.1).tobytes()
before = register.get()
expected = computed()
register.set(before & ~0x6000 | {SETTINGS[setting]:#x})
given = computed()
register.set(before)
show(given == expected)
""")
    assert not same


def test_callbacks_and_loss_functions_compute_in_the_callers() -> None:
    (words,) = processes.run("""
import numpy as np
import ironmlp as im
import mxcsr
from processes import show
register = mxcsr.Register()
before = register.get() & ~0x3F
words = []
def loss(outputs, targets):
    words.append(register.get() & ~0x3F == before | 0x4000)
    return 0.5, np.zeros_like(outputs)
def callback(model, logs):
    words.append(register.get() & ~0x3F == before | 0x4000)
model = im.MLP([2, 1], loss=loss, seed=0)
register.set(before | 0x4000)
try:
    model.fit(np.ones((4, 2)), np.ones(4), epochs=2, callbacks=[callback], verbose=False)
finally:
    register.set(before)
show(words)
""")
    assert words == [True] * 4
