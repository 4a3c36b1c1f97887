"""What y may be for each loss, and what predict, predict_proba and evaluate give back."""

import datetime
from typing import Any

import numpy as np
import pytest

import ironmlp as im

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4))
BITS = (X[:, 0] > 0).astype(int)
INDICES = np.digitize(X[:, 0], [-0.5, 0.5])


def binary(**settings: Any) -> im.MLP:
    return im.MLP([4, 8, 1], **{"loss": "binary_cross_entropy", "seed": 0, **settings})


def flags() -> im.MLP:
    return im.MLP([4, 8, 3], loss="binary_cross_entropy", seed=0)


def classifier(**loss: Any) -> im.MLP:
    return im.MLP([4, 8, 3], loss=im.CrossEntropy(**loss), seed=0)


def regressor(outputs: int = 1) -> im.MLP:
    return im.MLP([4, 8, outputs], loss="mse", seed=0)


def state(model: im.MLP) -> list[Any]:
    return [value.tolist() for value in model.state_dict().values()]


def refused(
    model: im.MLP, y: Any, error: type[Exception], *words: str, method: str = "fit"
) -> None:
    before = state(model), model.epoch
    with pytest.raises(error) as caught:
        getattr(model, method)(X, y)
    assert all(word in str(caught.value) for word in words), caught.value
    assert (state(model), model.epoch) == before


# Binary cross-entropy, one output


@pytest.mark.parametrize("shape", [(30,), (30, 1)])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "float64"])
def test_binary_numbers_are_targets(shape: tuple[int, ...], dtype: Any) -> None:
    model, plain = binary(), binary()
    model.fit(X, BITS.reshape(shape).astype(dtype), epochs=2)
    plain.fit(X, BITS, epochs=2)
    assert state(model) == state(plain)
    assert model.classes_.tolist() == [0, 1]
    assert model.predict(X).shape == (30,)
    assert model.predict(X).dtype == np.int64


def test_binary_soft_targets_are_no_labels() -> None:
    soft = np.where(BITS, 0.9, 0.2)
    model = binary()
    model.fit(X, soft)
    assert model.classes_.tolist() == [0, 1]
    loss = binary().loss_and_grad(X, soft)[0]
    outputs = binary()(X)[:, 0].astype(float)
    by_hand = np.mean(np.logaddexp(0, outputs) - soft * outputs)
    assert loss == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        [-1, 1],
        [1, 2],
        [0, 7],
        [-1.0, 1.0],
        [0.5, 1.5],
        [False, True],
        [b"a", b"b"],
        [datetime.date(2024, 1, 1), datetime.date(2025, 1, 1)],
        np.array(["2024-01-01", "2025-01-01"], dtype="datetime64[D]"),
    ],
    ids=str,
)
def test_binary_labels_of_any_type(labels: Any) -> None:
    labels = np.asarray(labels)
    model, plain = binary(), binary()
    model.fit(X, labels[BITS], epochs=3)
    plain.fit(X, BITS, epochs=3)
    assert state(model) == state(plain)
    assert np.array_equal(model.classes_, labels)
    assert model.classes_.dtype == labels.dtype
    assert np.array_equal(model.predict(X), labels[plain.predict(X)])
    assert model.evaluate(X, labels[BITS]) == plain.evaluate(X, BITS)


def test_binary_labels_in_a_list_or_as_objects() -> None:
    names = np.array(["no", "yes"])[BITS]
    models = [binary() for _ in range(3)]
    for model, y in zip(models, [names, names.tolist(), names.astype(object)], strict=True):
        model.fit(X, y)
        assert model.classes_.tolist() == ["no", "yes"]
        assert state(model) == state(models[0])


def test_objects_that_are_numbers() -> None:
    model = binary()
    model.fit(X, BITS.astype(object))
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (np.full(30, "a"), ValueError, ["1 label ('a')", "2 labels"]),
        (np.arange(30) % 3, ValueError, ["3 labels (0, 1, 2)"]),
        (BITS[:-1], ValueError, ["y has 29 rows, X has 30 rows"]),
        (np.stack([BITS, BITS], axis=1), ValueError, ["(30, 2)", "1 output", "(30,) or (30, 1)"]),
        (np.where(np.arange(30) == 4, np.nan, BITS), ValueError, ["row 4"]),
        (np.where(np.arange(30) == 4, np.inf, BITS), ValueError, ["row 4"]),
        (BITS.astype(complex), TypeError, ["y has dtype complex128"]),
        (["a", *BITS[1:].tolist()], TypeError, ["y has labels of several types"]),
        (1, ValueError, ["y has shape ()"]),
    ],
)
def test_binary_refuses(y: Any, error: type[Exception], words: list[str]) -> None:
    refused(binary(), y, error, *words)


def test_binary_probabilities_are_two_columns() -> None:
    model = binary(dtype="float64")
    model.fit(X, BITS, epochs=20)
    chances = model.predict_proba(X)
    assert chances.shape == (30, 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(chances[:, 1], 1 / (1 + np.exp(-model(X)[:, 0])), rtol=1e-14)
    assert np.array_equal(model.predict(X), chances.argmax(axis=1))


def test_probabilities_keep_their_digits() -> None:
    model = binary(dtype="float64")
    model.load_state_dict({"2.bias": np.array([100.0])}, strict=False)
    model.load_state_dict({"2.weight": np.zeros((1, 8))}, strict=False)
    assert model.predict_proba(X[:1])[0, 0] == pytest.approx(np.exp(-100.0), rel=1e-14)


def test_literal_probabilities() -> None:
    model = binary(loss=im.BinaryCrossEntropy(from_logits=False))
    y = np.array(["no", "yes"])[BITS]
    model.fit(X, y, epochs=50)
    chances = model.predict_proba(X)
    assert np.array_equal(chances[:, 1], model(X)[:, 0])
    assert np.array_equal(model.predict(X) == "yes", chances[:, 1] > 0.5)
    assert model.evaluate(X, y)["accuracy"] == np.mean(model.predict(X) == y)


# Binary cross-entropy, several outputs


def test_flags() -> None:
    y = (X[:, :3] > 0).astype(int)
    model = flags()
    model.fit(X, y, epochs=200)
    assert model.predict(X).shape == (30, 3)
    assert model.predict(X).dtype == np.int64
    assert model.predict_proba(X).shape == (30, 3)
    assert np.array_equal(model.predict(X), (model.predict_proba(X) > 0.5).astype(int))
    share = np.mean(model.predict(X) == y)
    assert model.evaluate(X, y)["accuracy"] == share > 0.8
    with pytest.raises(AttributeError, match="classes_"):
        _ = model.classes_


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (BITS, ValueError, ["y has shape (30,)", "3 outputs", "(30, 3)"]),
        (np.full((30, 3), 1.5), ValueError, ["1.5", "row 0", "from 0 to 1"]),
        (np.full((30, 3), np.nan), ValueError, ["row 0"]),
        (np.full((30, 3), "a"), TypeError, ["y has dtype", "strings"]),
    ],
)
def test_flags_refuse(y: Any, error: type[Exception], words: list[str]) -> None:
    refused(flags(), y, error, *words)


# Cross-entropy


@pytest.mark.parametrize("dtype", ["int8", "uint64", "int64", "float32", ">i4"])
def test_indices_of_any_integer_type(dtype: Any) -> None:
    model, plain = classifier(), classifier()
    model.fit(X, INDICES.astype(dtype), epochs=2)
    plain.fit(X, INDICES.tolist(), epochs=2)
    assert state(model) == state(plain)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.classes_.dtype == np.int64


def test_indices_stay_when_a_class_is_absent() -> None:
    model, plain = classifier(), classifier()
    y = np.where(INDICES == 0, 2, INDICES)
    model.fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    loss = plain.loss_and_grad(X, y)[0]
    assert loss == pytest.approx(plain.loss_and_grad(X, np.eye(3)[y])[0], rel=1e-6)


def test_classes_are_a_copy() -> None:
    model = classifier()
    model.fit(X, np.array(["u", "v", "w"])[INDICES])
    model.classes_[:] = "x"
    assert model.classes_.tolist() == ["u", "v", "w"]


@pytest.mark.parametrize("dtype", ["uint8", "uint64", "int8", "float32"])
def test_an_ignored_index_that_the_dtype_cannot_hold(dtype: str) -> None:
    model, plain = classifier(ignore_index=-1000), classifier()
    assert model.loss_and_grad(X, INDICES.astype(dtype))[0] == plain.loss_and_grad(X, INDICES)[0]


def test_batches_do_not_renumber_labels() -> None:
    # Batches of one row: each holds a single class.
    names = np.array(["u", "v", "w"])
    model, plain = classifier(), classifier()
    model.fit(X, names[INDICES], epochs=3, batch_size=1)
    plain.fit(X, INDICES, epochs=3, batch_size=1)
    assert state(model) == state(plain)


@pytest.mark.parametrize(
    "labels", [["u", "v", "w"], [1, 2, 3], [-1, 0, 1], [10, 20, 2**40], [0.5, 1.5, 2.5]], ids=str
)
def test_labels_of_any_type(labels: Any) -> None:
    labels = np.asarray(labels)
    model, plain = classifier(), classifier()
    model.fit(X, labels[INDICES], epochs=2)
    plain.fit(X, INDICES, epochs=2)
    assert state(model) == state(plain)
    assert np.array_equal(model.classes_, labels)
    assert np.array_equal(model.predict(X), labels[plain.predict(X)])
    assert model.evaluate(X, labels[INDICES]) == plain.evaluate(X, INDICES)


def test_known_labels_hold_in_later_calls() -> None:
    model, plain = classifier(), classifier()
    labels = np.array([1, 2, 3])
    model.fit(X, labels[INDICES])
    plain.fit(X, INDICES)
    some = INDICES != 0  # only 2 and 3, which alone might pass for indices 1 and 2 of 0 to 2
    some_loss = model.train_on_batch(X[some], labels[INDICES[some]])
    assert some_loss == plain.train_on_batch(X[some], INDICES[some])
    model.fit(X[some], labels[INDICES[some]])
    plain.fit(X[some], INDICES[some])
    assert state(model) == state(plain)
    refused(model, INDICES, ValueError, "y[", "is 0", "classes are 1, 2, 3")
    refused(model, np.array(["u", "v", "w"])[INDICES], ValueError, "classes are 1, 2, 3")


def test_known_indices_hold_in_later_calls() -> None:
    model = classifier()
    model.fit(X, INDICES)
    refused(model, INDICES + 1, ValueError, "is 3", "classes are 0, 1, 2")
    refused(model, np.array(["u", "v", "w"])[INDICES], ValueError, "classes are 0, 1, 2")


@pytest.mark.parametrize("method", ["train_on_batch", "loss_and_grad", "evaluate", "trace"])
def test_before_fit_labels_are_indices(method: str) -> None:
    getattr(classifier(), method)(X, INDICES)
    names = np.array(["u", "v", "w"])[INDICES]
    refused(classifier(), names, ValueError, "classes are 0, 1, 2", method=method)
    refused(classifier(), INDICES + 1, ValueError, "is 3", method=method)
    refused(binary(), names, ValueError, "classes are 0, 1", method=method)


def test_a_refused_y_leaves_the_labels_unknown() -> None:
    model = classifier()
    names = np.array(["u", "v", "w"])[INDICES]
    with pytest.raises(ValueError, match="batch_size"):
        model.fit(X, names, batch_size=0)
    assert model.classes_.tolist() == [0, 1, 2]
    model.fit(X, INDICES)


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (INDICES + 1, None, []),
        (np.where(INDICES == 0, 3, INDICES), None, []),
        (np.arange(30) % 4, ValueError, ["4 labels (0, 1, 2, 3)", "3 outputs", "0 to 2"]),
        (np.where(INDICES == 2, -1, 1), ValueError, ["2 labels (-1, 1)", "exactly 3"]),
        (np.array(["u", "v"])[BITS], ValueError, ["2 labels ('u', 'v')", "exactly 3"]),
        (np.array([0.0, 0.5, 1.0])[INDICES], ValueError, ["fractions", "(n, 3)"]),
        (INDICES[:, np.newaxis], ValueError, ["(30, 1)", "(30,)", "(30, 3)"]),
        (INDICES[:7], ValueError, ["y has 7 rows, X has 30 rows"]),
        (np.full((30, 3), 0.5), ValueError, ["row 0", "1.5", "binary_cross_entropy"]),
        (np.full((30, 3), [2.0, -1.0, 0.0]), ValueError, ["from 0 to 1"]),
        (np.where(np.arange(30) == 29, np.nan, INDICES), ValueError, ["row 29"]),
        (INDICES.astype(complex), TypeError, ["complex128"]),
        ([[0, 1], [1]], ValueError, ["y is not an array of one shape"]),
    ],
)
def test_cross_entropy_checks(y: Any, error: type[Exception] | None, words: list[str]) -> None:
    if error is None:
        classifier().fit(X, y)
    else:
        refused(classifier(), y, error, *words)


def test_probability_targets() -> None:
    targets = np.full((30, 3), 0.1)
    targets[np.arange(30), INDICES] = 0.8
    model = classifier()
    loss = model.loss_and_grad(X, targets)[0]
    outputs = model(X).astype(float)
    logs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    assert loss == pytest.approx(-np.mean((targets * logs).sum(axis=1)), rel=1e-5)
    model.fit(X, targets.astype(np.float16), epochs=100)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.evaluate(X, targets)["accuracy"] == np.mean(model.predict(X) == INDICES)


def test_softmax_probabilities() -> None:
    model = classifier()
    chances = model.predict_proba(X)
    outputs = model(X).astype(float)
    by_hand = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    assert chances.dtype == np.float32
    np.testing.assert_allclose(chances, by_hand, rtol=1e-6)
    assert np.array_equal(model.predict(X), chances.argmax(axis=1))


def test_two_classes_of_bools() -> None:
    model = im.MLP([4, 8, 2], loss="cross_entropy", seed=0)
    model.fit(X, BITS.astype(bool), epochs=2)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool
    model.fit(X, BITS.astype(bool))


def test_ignored_rows_count_for_nothing() -> None:
    y = np.where(np.arange(30) % 5 == 0, -100, INDICES)
    kept = y != -100
    model, plain = classifier(ignore_index=-100), classifier()
    assert model.loss_and_grad(X, y)[0] == pytest.approx(plain.loss_and_grad(X[kept], y[kept])[0])
    model.fit(X, y, epochs=2)
    assert model.classes_.tolist() == [0, 1, 2]
    right = np.mean(model.predict(X[kept]) == y[kept])
    assert model.evaluate(X, y)["accuracy"] == pytest.approx(right)


def test_ignored_rows_beside_labels() -> None:
    y = np.array([10, 20, 30])[INDICES]
    y[::5] = -100
    model, plain = classifier(ignore_index=-100), classifier(ignore_index=-100)
    model.fit(X, y, epochs=2)
    plain.fit(X, np.where(y == -100, -100, INDICES), epochs=2)
    assert model.classes_.tolist() == [10, 20, 30]
    assert state(model) == state(plain)
    refused(
        classifier(ignore_index=1), np.array([10, 20, 30])[INDICES], ValueError, "ignore_index is 1"
    )


def test_all_ignored_is_no_nan() -> None:
    model = classifier(ignore_index=-1)
    assert model.loss_and_grad(X, np.full(30, -1))[0] == 0.0
    assert model.evaluate(X, np.full(30, -1)) == {"loss": 0.0, "accuracy": 0.0}


# Regression


@pytest.mark.parametrize("shape", [(30,), (30, 1)])
def test_predict_has_ys_shape(shape: tuple[int, ...]) -> None:
    model = regressor()
    model.fit(X, X[:, 0].reshape(shape), epochs=2)
    assert model.predict(X).shape == shape
    assert model.forward(X).shape == (30, 1)
    assert model.copy().predict(X).shape == shape


def test_shapes_do_not_broadcast() -> None:
    y = X[:, 0]
    flat, column = regressor(), regressor()
    assert flat.loss_and_grad(X, y)[0] == column.loss_and_grad(X, y[:, np.newaxis])[0]
    by_hand = np.mean((flat(X)[:, 0].astype(float) - y) ** 2)
    assert flat.loss_and_grad(X, y)[0] == pytest.approx(by_hand, rel=1e-6)


def test_several_outputs() -> None:
    y = X[:, :3] * [1.0, 10.0, 0.0]
    model = regressor(3)
    model.fit(X, y, epochs=2)
    assert model.predict(X).shape == (30, 3)
    found = model.evaluate(X, y)
    outputs = model(X).astype(float)
    assert found["loss"] == pytest.approx(np.mean((outputs - y) ** 2), rel=1e-6)
    spread = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    first = 1 - ((outputs - y) ** 2).sum(axis=0)[:2] / spread[:2]
    assert found["r2"] == pytest.approx(first.sum() / 3)  # the constant output counts 0


@pytest.mark.parametrize(
    ("y", "error", "words"),
    [
        (X[:, :2], ValueError, ["y has shape (30, 2)", "1 output", "(30,) or (30, 1)"]),
        (X[:7, 0], ValueError, ["y has 7 rows, X has 30 rows"]),
        (np.where(np.arange(30) == 0, np.inf, 1.0), ValueError, ["row 0"]),
        (np.where(np.arange(30) == 29, np.nan, 1.0), ValueError, ["row 29"]),
        (np.full(30, "1.5"), TypeError, ["strings"]),
        (np.full(30, 1.5, dtype=object), TypeError, ["objects"]),
    ],
)
def test_regression_refuses(y: Any, error: type[Exception], words: list[str]) -> None:
    refused(regressor(), y, error, *words)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", lambda y, t: (0.0, 0 * y)])
def test_no_probabilities_without_classes(loss: Any) -> None:
    model = im.MLP([4, 1], loss=loss)
    with pytest.raises(AttributeError, match="predict_proba"):
        model.predict_proba(X)
    with pytest.raises(AttributeError, match="classes_"):
        _ = model.classes_
