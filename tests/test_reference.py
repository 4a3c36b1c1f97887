"""ironmlp.reference: gradients, PyTorch's values, the random streams, the NumPy code of XOR."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradients
import ironmlp as im
from golden import array, golden, name
from ironmlp import layers, losses, optimizers, reference
from ironmlp._commands.demo_numpy import train_xor
from ironmlp.layers import Dropout, Linear
from ironmlp.losses import MSE, BinaryCrossEntropy, CrossEntropy, Loss
from ironmlp.optimizers import SGD

MASK = 2**64 - 1


def test_every_member_has_a_gradient_case() -> None:
    assert gradients.uncovered() == set()


# Every layer with one loss and every loss with one layer; test_gradients.py compares the rest with
# ironmlp's.
CASES = [
    gradients.Case(layer, MSE(), "numbers", False)
    for layer in (*gradients.LAYERS, *gradients.IMAGE_LAYERS)
] + [case for case in gradients.cases() if case.layer == layers.Tanh()]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_gradients(case: gradients.Case) -> None:
    X, y, weight = gradients.batch(case.targets, case.layer)
    model = gradients.model(reference, case)
    gradients.check_gradients(model, X, y, weight if case.weighted else None)


@pytest.mark.parametrize("kind", reference.activations.ACTIVATIONS)
def test_a_wrong_activation_is_caught(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, derivative = reference.activations.ACTIVATIONS[kind]
    wrong = (forward, lambda x, y, a: 1.01 * derivative(x, y, a))
    monkeypatch.setitem(reference.activations.ACTIVATIONS, kind, wrong)
    loss = MSE()
    X, y, _ = gradients.batch("numbers")
    case = gradients.Case(getattr(layers, kind)(), loss, "numbers", False)
    model = gradients.model(reference, case)
    with pytest.raises(AssertionError, match=r"0\.weight"):
        gradients.check_gradients(model, X, y, None)


@pytest.mark.parametrize(("loss", "targets"), [*gradients.all_losses()], ids=repr)
def test_a_wrong_loss_is_caught(loss: Loss, targets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(loss).__name__
    parts = reference.losses.LOSSES[kind]

    def wrong(y: Any, t: Any, loss: Any) -> reference.losses.Parts:
        value, grad, divisor = parts(y, t, loss)
        return value, 1.01 * grad, divisor

    monkeypatch.setitem(reference.losses.LOSSES, kind, wrong)
    X, y, _ = gradients.batch(targets)
    model = gradients.model(reference, gradients.Case(layers.Tanh(), loss, targets, False))
    with pytest.raises(AssertionError, match=r"0\.weight"):
        gradients.check_gradients(model, X, y, None)


# Weights per element are for `functional` alone.
UNWEIGHTED = [case for case in golden()["losses"] if case["weight"] is None]


@pytest.mark.parametrize("case", UNWEIGHTED, ids=name)
def test_losses_are_torchs(case: dict[str, Any]) -> None:
    x, t, options = array(case["outputs"]), array(case["targets"]), case["options"]
    loss = reference.spec(case["name"], **options)
    if options["reduction"] == "none":
        value, grad, _ = reference.losses.LOSSES[case["name"]](x, t, loss)
        value = value.sum(axis=1) if case["name"] == "CrossEntropy" else value
        np.testing.assert_allclose(value, case["value"], rtol=1e-13, atol=1e-14)
    else:
        total, grad = reference.losses.reduced(x, t, None, loss, options["reduction"])
        assert total == pytest.approx(case["value"], rel=1e-13)
    np.testing.assert_allclose(grad, case["grad"], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("case", golden()["activations"], ids=name)
def test_activations_are_torchs(case: dict[str, Any]) -> None:
    layer = reference.spec(case["name"], **case["options"])
    forward, derivative = reference.activations.ACTIVATIONS[case["name"]]
    x = array(case["x"])
    y = forward(x, layer)
    np.testing.assert_allclose(y, case["y"], rtol=1e-13, atol=1e-15)
    grad = array(case["grad_output"]) * derivative(x, y, layer)
    np.testing.assert_allclose(grad, case["grad"], rtol=1e-13, atol=1e-14)


def without_golden(cases: dict[str, Any]) -> set[str]:
    """The members of the API, and options of theirs, of which PyTorch's values say nothing."""
    found = set()
    members = {
        "losses": gradients.ALL_LOSSES,
        # One with parameters is among the networks of other golden files.
        "activations": {*layers.activations.ACTIVATIONS.values()} - {layers.PReLU},
        "optimizers": optimizers.OPTIMIZERS.values(),
    }
    for group, kinds in members.items():
        for kind in kinds:
            given = [case["options"] for case in cases[group] if case["name"] == kind.__name__]
            # The JSON has lists where ironmlp has tuples, which can be in sets.
            values = [
                {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
                for options in given
            ]
            named = {key: {o[key] for o in values if key in o} for key in kind.__slots__}
            found |= gradients.without_case(kind, bool(given), named)
    return found


def test_goldens_cover_every_member_and_option() -> None:
    assert without_golden(golden()) == set()
    reductions = {(case["name"], case["options"]["reduction"]) for case in golden()["losses"]}
    assert reductions == {
        (kind.__name__, reduction)
        for kind in gradients.ALL_LOSSES
        for reduction in ("none", *losses.REDUCTIONS)
    }


def test_a_member_or_option_without_golden_is_found() -> None:
    less = dict(golden())
    less["losses"] = [c for c in less["losses"] if c["options"].get("label_smoothing") != 0.1]
    less["activations"] = [c for c in less["activations"] if c["name"] != "SiLU"]
    less["optimizers"] = [c for c in less["optimizers"] if "nesterov" not in c["options"]]
    assert without_golden(less) == {"CrossEntropy(label_smoothing)", "SiLU", "SGD(nesterov)"}


@pytest.mark.parametrize("case", golden()["optimizers"], ids=name)
def test_optimizers_are_torchs(case: dict[str, Any]) -> None:
    optimizer = getattr(optimizers, case["name"])(**case["options"])
    model = reference.MLP(
        case["sizes"], activation="tanh", loss="mse", optimizer=optimizer, dtype="float64"
    )
    model.load_state_dict(dict(zip(model.state_dict(), map(array, case["initial"]), strict=True)))
    for _ in range(case["steps"]):
        model.train_on_batch(array(case["X"]), array(case["targets"]))
    for w, expected in zip(model.state_dict().values(), case["final"], strict=True):
        np.testing.assert_allclose(w, expected, rtol=1e-10, atol=1e-11)


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> list[int]:
    """One block of Philox4x64-10 (Salmon et al., "Parallel random numbers", 2011)."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = right >> 64 ^ c1 ^ k0, right & MASK, left >> 64 ^ c3 ^ k1, left & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


def test_philox_has_its_authors_known_answer() -> None:
    known = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox((0, 0, 0, 0), (0, 0)) == known


@pytest.mark.parametrize("seed", [0, 7, MASK])
def test_streams_are_philox_blocks(seed: int) -> None:
    found = reference.draws.words(10, seed, reference.draws.DROPOUT, layer=3, row=5, step=9)
    blocks = [philox((b + 1, 5, 9, 0), (seed, 4 << 32 | 3)) for b in range(3)]
    assert found.tolist() == [word for block in blocks for word in block][:10]


def test_uniform_parameters_follow_the_stream() -> None:
    model = reference.Sequential([Dropout(), Linear(3, 2)], loss="mse", seed=7)
    stream = [w for b in range(2) for w in philox((b + 1, 0, 0, 0), (7, 1 << 32 | 1))]
    expected = [(2 * ((w >> 11) * 2.0**-53) - 1) * (1 / 3**0.5) for w in stream[:6]]
    weight = model.state_dict()["1.weight"]
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, np.array(expected, np.float32).reshape(2, 3))


@pytest.mark.parametrize(
    ("init", "spread", "bias_spread"),
    [
        ("torch_linear", (1 / 400 / 3) ** 0.5, (1 / 400 / 3) ** 0.5),
        ("glorot_uniform", (6 / 1000 / 3) ** 0.5, 0.0),
        ("he_normal", (2 / 400) ** 0.5, 0.0),
        ("zeros", 0.0, 0.0),
        ("normal", 1.0, 1.0),
    ],
)
def test_initial_spread(init: Any, spread: float, bias_spread: float) -> None:
    layer = Linear(400, 600, init=init)
    state = reference.Sequential([layer], loss="mse", seed=1, dtype="float64").state_dict()
    assert state["0.weight"].std() == pytest.approx(spread, rel=0.01)
    assert state["0.bias"].std() == pytest.approx(bias_spread, rel=0.1)


def test_every_initializer_is_known() -> None:
    assert set(reference.draws.INITIALIZERS) == set(layers.base.INITIALIZERS)


def test_shuffle_follows_the_stream() -> None:
    order = list(range(6))
    stream = [w for b in range(2) for w in philox((b + 1, 0, 4, 0), (7, 3 << 32))]
    for i, word in zip(range(5, 0, -1), stream, strict=False):
        j = word * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
    assert reference.draws.shuffled(6, seed=7, epoch=4).tolist() == order


def test_shuffle_is_even() -> None:
    first = [reference.draws.shuffled(5, seed=1, epoch=e)[0] for e in range(2000)]
    counts = np.bincount(first, minlength=5)
    assert counts.min() > 400 - 5 * 18  # 400 expected, standard deviation 18
    assert counts.max() < 400 + 5 * 18


def test_dropout_follows_the_stream() -> None:
    mask = reference.draws.dropout_mask((2, 21), p=0.3, seed=7, layer=2, step=9)
    drop = round(0.3 * 65536)
    for row in range(2):
        for unit in range(21):
            block = philox((unit // 16 + 1, row, 9, 0), (7, 4 << 32 | 2))
            field = block[unit % 16 // 4] >> 16 * (unit % 4) & 0xFFFF
            assert mask[row, unit] == (65536 / (65536 - drop) if field >= drop else 0.0)


def test_dropout_keeps_the_mean() -> None:
    mask = reference.draws.dropout_mask((200, 200), p=0.25, seed=3, layer=0, step=0)
    assert mask.mean() == pytest.approx(1.0, abs=0.02)
    assert set(np.unique(mask)) == {0.0, 4 / 3}
    model = reference.Sequential([Linear(2, 8), Dropout(0.5)], loss="mse", seed=3)
    assert np.count_nonzero(model(np.ones((4, 2)))) == 32
    assert np.count_nonzero(model.forward(np.ones((4, 2)), training=True)) < 32


def test_xor_equals_the_code_by_hand() -> None:
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    model = reference.MLP(
        [2, 3, 2, 1],
        activation="sigmoid",
        loss=BinaryCrossEntropy(reduction="sum"),
        optimizer=SGD(lr=0.1),
        init="normal",
        dtype="float64",
        seed=1,
    )
    # The code by hand has its weights as (in, out).
    by_hand = [np.array(w.T) for w in model.state_dict().values()]
    epoch_losses, outputs = train_xor(X, y, by_hand, 0.1, 10_000)
    history = model.fit(X, y, epochs=10_000, batch_size=None)
    np.testing.assert_allclose(history["loss"], epoch_losses, rtol=0, atol=1e-12)
    for w, expected in zip(model.state_dict().values(), by_hand, strict=True):
        np.testing.assert_allclose(w.T, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1:], outputs, rtol=0, atol=1e-12)
    assert model.predict(X).tolist() == [0, 1, 1, 0]


def small(loss: Any = "mse", **options: Any) -> reference.MLP:
    return reference.MLP([3, 5, 3], loss=loss, **{"dtype": "float64", "seed": 4, **options})


def test_fit_continues() -> None:
    X, y, weight = gradients.batch("numbers")
    twice, once = small(), small()
    options: dict[str, Any] = {"batch_size": 4, "sample_weight": weight}
    parts = [twice.fit(X, y, epochs=n, **options)["loss"] for n in (2, 3)]
    np.testing.assert_array_equal(np.hstack(parts), once.fit(X, y, epochs=5, **options)["loss"])
    assert (twice.epoch, twice.steps) == (5, 10)
    for key, w in once.state_dict().items():
        np.testing.assert_array_equal(w, twice.state_dict()[key])
    twice.reset()
    assert twice.epoch == 0
    np.testing.assert_array_equal(twice.state_dict()["0.weight"], small().state_dict()["0.weight"])


def test_history_is_the_row_weighted_mean_before_each_update() -> None:
    X, y, _ = gradients.batch("numbers")
    model, frozen = small(loss=MSE(reduction="sum")), small()
    model.learning_rate = 0.0
    loss = model.fit(X, y, batch_size=4)["loss"]
    assert loss == pytest.approx([frozen.evaluate(X, y)["loss"]], rel=1e-14)


def test_ways_to_the_gradients_agree() -> None:
    X, y, weight = gradients.batch("indices")
    model = small("cross_entropy")
    loss, grads, input_grad = model.loss_and_grad(X, y, sample_weight=weight, input_grad=True)
    trace = model.trace(X, y, sample_weight=weight)
    assert list(trace) == [
        *("0.output", "1.output", "2.output", "loss", "2.grad_output", "2.weight.grad"),
        *("2.bias.grad", "1.grad_output", "0.grad_output", "0.weight.grad", "0.bias.grad"),
    ]
    assert trace["loss"] == loss
    np.testing.assert_array_equal(trace["2.output"], model(X))
    again, from_output = model.backward(X, trace["2.grad_output"], input_grad=True)
    np.testing.assert_array_equal(from_output, input_grad)
    for key, grad in grads.items():
        np.testing.assert_array_equal(grad, trace[f"{key}.grad"])
        np.testing.assert_array_equal(grad, again[key])
    assert small("cross_entropy").train_on_batch(X, y, sample_weight=weight) == loss


def test_trainable_and_lr_scale() -> None:
    net = [Linear(3, 4, trainable=False), Linear(4, 3, lr_scale=0.5)]
    model = reference.Sequential(net, loss="mse", optimizer=SGD(lr=0.2), dtype="float64", seed=1)
    X, y, _ = gradients.batch("numbers")
    before, (_, grads) = model.state_dict(), model.loss_and_grad(X, y)
    model.apply_gradients(grads)
    after = model.state_dict()
    np.testing.assert_array_equal(after["0.weight"], before["0.weight"])
    np.testing.assert_allclose(
        after["1.weight"], before["1.weight"] - 0.1 * grads["1.weight"], rtol=1e-14
    )


def test_a_loss_function() -> None:
    X, y, _ = gradients.batch("numbers")

    def squares(outputs: Any, targets: Any) -> tuple[float, Any]:
        difference = outputs - targets
        return float(np.mean(difference**2)), 2.0 * difference / difference.size

    own, mse = small(squares), small()
    np.testing.assert_allclose(
        own.fit(X, y, epochs=3)["loss"], mse.fit(X, y, epochs=3)["loss"], rtol=1e-13
    )


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([0, 1, 2, 2, 1, 0], [0, 1, 2]),
        ([0, 1, 1, 1, 1, 0], [0, 1, 2]),
        ([0.0, 1.0, 1.0, 1.0, 1.0, 0.0], [0, 1, 2]),
        ([5, 7, 9, 9, 7, 5], [5, 7, 9]),
        (["b", "c", "a", "a", "c", "b"], ["a", "b", "c"]),
    ],
)
def test_labels_of_cross_entropy(y: Any, classes: Any) -> None:
    X, _, _ = gradients.batch("indices")
    model = small("cross_entropy", optimizer=reference.spec("Adam", lr=0.1))
    model.fit(X, y, epochs=200)
    assert model.classes_ is not None
    assert model.classes_.tolist() == classes
    assert model.predict(X).tolist() == y
    assert model.evaluate(X, y)["accuracy"] == 1.0
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-12)
    with pytest.raises(ValueError, match="y holds"):
        model.fit(X, ["x", "y", "z", "x", "y", "z"])


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([0, 1, 1, 0, 1, 0], [0, 1]),
        ([False, True, True, False, True, False], [False, True]),
        ([-1, 1, 1, -1, 1, -1], [-1, 1]),
        (list("nyynyn"), ["n", "y"]),
    ],
)
@pytest.mark.parametrize("from_logits", [True, False])
def test_labels_of_binary_cross_entropy(y: Any, classes: Any, from_logits: bool) -> None:
    X, _, _ = gradients.batch("indices")
    loss = BinaryCrossEntropy(from_logits=from_logits)
    model = reference.MLP([3, 8, 1], loss=loss, optimizer=reference.spec("Adam", lr=0.1), seed=2)
    model.fit(X, y, epochs=200)
    assert model.classes_ is not None
    assert model.classes_.tolist() == classes
    assert model.predict(X).tolist() == y
    assert model.predict_proba(X).shape == (6, 2)
    assert model.evaluate(X, y)["accuracy"] == 1.0


def test_ignored_rows_count_for_nothing() -> None:
    X, y, _ = gradients.batch("indices")
    model = small(CrossEntropy(ignore_index=-1, reduction="mean"))
    ignored = np.where([True, False, False, True, False, False], -1, y)
    loss, grads = model.loss_and_grad(X, ignored)
    expected, expected_grads = small("cross_entropy").loss_and_grad(
        X[ignored >= 0], y[ignored >= 0]
    )
    assert loss == pytest.approx(expected, rel=1e-14)
    for key, grad in grads.items():
        np.testing.assert_allclose(grad, expected_grads[key], rtol=1e-12, atol=1e-15)
    nothing, zero = model.loss_and_grad(X, np.full(6, -1))
    assert nothing == 0.0
    assert not any(grad.any() for grad in zero.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_stay_finite(dtype: str) -> None:
    x = np.array([[-1e30, 1e30, 0.0]], dtype)
    targets = {"BinaryCrossEntropy": np.ones((1, 3), dtype), "CrossEntropy": np.array([0])}
    for loss, t in targets.items():
        value, grad = reference.losses.reduced(x, t, None, reference.spec(loss), "sum")
        assert np.isfinite(value)
        assert grad.dtype == dtype
        assert np.isfinite(grad).all()


def test_the_gradient_of_a_sure_logit_keeps_its_digits() -> None:
    loss = reference.spec("binary_cross_entropy")
    value, grad = reference.losses.reduced(np.array([[36.0]]), np.array([[1.0]]), None, loss, "sum")
    assert value == pytest.approx(np.exp(-36.0), rel=1e-15)
    assert grad[0, 0] == pytest.approx(-np.exp(-36.0), rel=1e-15)


@pytest.mark.parametrize(
    ("shape_x", "shape_y", "message"),
    [
        ((6, 2), (6, 3), "X has shape (6, 2), the network takes (n, 3)"),
        ((3,), (6, 3), "X has shape (3,), the network takes (n, 3)"),
        ((6, 3), (6, 2), "y has shape (6, 2), the loss takes (n, 3)"),
        ((6, 3), (6,), "y has shape (6,), the loss takes (n, 3)"),
    ],
)
def test_wrong_shapes(shape_x: tuple[int, ...], shape_y: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        small().fit(np.zeros(shape_x), np.zeros(shape_y))


def test_wrong_models() -> None:
    with pytest.raises(ValueError, match="'msle' is unknown"):
        small("msle")
    with pytest.raises(ValueError, match="gives 3, the next takes 4"):
        reference.Sequential([Linear(2, 3), Linear(4, 1)], loss="mse")
    with pytest.raises(ValueError, match="takes logits"):
        reference.Sequential([Linear(2, 1), layers.Sigmoid()], loss="binary_cross_entropy")


def test_load_state_dict() -> None:
    model, other = small(), small(seed=5)
    with pytest.raises(ValueError, match=re.escape("the model has {'0.weight': (5, 3)")):
        model.load_state_dict({})
    state = other.state_dict()
    model.load_state_dict({"0.weight": state["0.weight"], "9.weight": 1.0}, strict=False)
    np.testing.assert_array_equal(model.state_dict()["0.weight"], state["0.weight"])
    assert not np.array_equal(model.state_dict()["2.weight"], state["2.weight"])


def test_divergence_is_an_error_and_not_applied() -> None:
    model = small()
    before = model.state_dict()
    X, y = np.ones((2, 3)), [[0, 0, 0], [np.inf, 0, 0]]
    # The refused step's gradients are infinite too, of which NumPy warns.
    with np.errstate(invalid="ignore"), pytest.raises(FloatingPointError, match="0, batch 1"):
        model.fit(X, y, batch_size=1, shuffle=False)
    assert model.steps == 1
    assert not np.array_equal(model.state_dict()["0.weight"], before["0.weight"])


def test_the_folder_stands_alone(tmp_path: Path) -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from copied import MLP, spec
m = MLP([2, 3, 1], activation="leaky_relu", loss="huber", optimizer=spec("SGD", lr=0.1), seed=7)
m.fit(np.ones((4, 2)), np.ones(4))
assert m.predict(np.ones((4, 2))).shape == (4,)
assert not any(name.startswith("ironmlp") for name in sys.modules)
"""
    shutil.copytree(Path(reference.__file__).parent, tmp_path / "copied")
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_samples_that_are_flattened_at_once_keep_the_order_of_their_axes() -> None:
    X = np.random.default_rng(0).normal(size=(3, 2, 4, 5))
    layers_ = [layers.Flatten(), Linear(40, 2)]
    made = [
        module.Sequential(layers_, loss="mse", dtype="float64", seed=1, channels_last=True)
        for module in (im, reference)
    ]
    np.testing.assert_allclose(made[1].forward(X), made[0].forward(X), rtol=1e-14)


def test_strings_and_specs_are_the_same() -> None:
    argument: str
    for registry in (layers.activations.ACTIVATIONS, losses.LOSSES, optimizers.OPTIMIZERS):
        for string, made in registry.items():
            copy = reference.spec(string)
            assert type(copy).__name__ == made.__name__
            for argument in made.__slots__:
                assert getattr(copy, argument) == getattr(made(), argument)
    for argument in ("bias", "init", "trainable", "lr_scale"):
        assert reference.specs.DEFAULTS["Linear"][argument] == getattr(Linear(1, 1), argument)
    assert reference.spec("Dropout").p == Dropout().p
