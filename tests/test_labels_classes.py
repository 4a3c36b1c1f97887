"""`classes=`: all labels in the order of the outputs, for folds and streams that lack some."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ironmlp as im
from ironmlp import reference

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
INDICES = np.arange(60) % 3
BITS = np.arange(60) % 2
PACKAGES = [im, reference]


def classifier(package: Any = im, **loss: Any) -> Any:
    return package.MLP([4, 8, 3], loss=im.CrossEntropy(**loss), seed=0)


def binary(package: Any = im) -> Any:
    return package.MLP([4, 8, 1], loss="binary_cross_entropy", seed=0)


def same(model: Any, other: Any) -> bool:
    a, b = model.state_dict(), other.state_dict()
    return all(np.array_equal(a[key], b[key]) for key in a)


# Labels in the order of the outputs, each of a type of its own.
CLASSES: list[Any] = [
    ["elm", "fir", "oak"],
    ["oak", "elm", "fir"],
    [30, 10, 20],
    (2, 0, 1),
    np.array([0.5, -1.5, 2.5]),
    np.array([2**53 + 1, 2**53, 2**53 + 2]),
    [-1, 2**64 + 1, 2**64],
    np.array(["2025", "2024", "2026"], "M8[Y]"),
    [b"b", b"a", b"c"],
    np.array(["oak", "elm", "fir"], dtype=object),
    np.array(["oak", "elm", "fir"], dtype=np.dtypes.StringDType()),
    pd.Series(["oak", "elm", "fir"], dtype="category"),
    pd.Index([3, 1, 2]),
    range(3),
]


@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_a_fold_that_lacks_a_label_keeps_the_columns(classes: Any) -> None:
    labels = np.asarray(classes)
    fold = INDICES != 1
    model, plain = classifier(), classifier()
    model.fit(X[fold], labels[INDICES[fold]], classes=classes, epochs=3)
    plain.fit(X[fold], INDICES[fold], epochs=3)
    assert same(model, plain)
    assert model.classes_.tolist() == labels.tolist()
    assert model.predict_proba(X).shape == (60, 3)
    assert np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.predict(X).tolist() == labels[plain.predict(X)].tolist()
    assert model.evaluate(X, labels[INDICES]) == plain.evaluate(X, INDICES)
    model.fit(X, labels[INDICES])
    plain.fit(X, INDICES)
    assert same(model, plain)


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("classes", [["no", "yes"], ["yes", "no"], [1, 0], [7, 5], [True, False]])
def test_one_output_is_about_the_second_class(classes: Any, package: Any) -> None:
    labels = np.asarray(classes)
    model, plain = binary(package), binary(package)
    half = BITS == 1
    model.fit(X[half], labels[BITS[half]], classes=classes, epochs=3)
    plain.fit(X[half], BITS[half], epochs=3)
    assert same(model, plain)
    assert model.classes_.tolist() == classes
    assert np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.predict(X).tolist() == labels[plain.predict(X)].tolist()
    assert model.evaluate(X, labels[BITS]) == plain.evaluate(X, BITS)


@pytest.mark.parametrize("package", PACKAGES)
def test_five_folds_of_which_each_lacks_a_label(package: Any) -> None:
    labels = np.array(["e", "d", "c", "b", "a"])
    folds = np.arange(60) // 12
    for fold in range(5):
        kept = folds != fold
        model = package.MLP([4, 8, 5], loss="cross_entropy", seed=0)
        model.fit(X[kept], labels[folds[kept]], classes=labels, epochs=2)
        assert model.classes_.tolist() == labels.tolist()
        assert model.predict_proba(X).shape == (60, 5)
        with pytest.raises(ValueError, match=r"label|y holds"):
            package.MLP([4, 8, 5], loss="cross_entropy").fit(X[kept], labels[folds[kept]])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_stream_of_batches(package: Any) -> None:
    classes = np.array(["oak", "elm", "fir"])
    model, plain = classifier(package), classifier(package)
    for start in range(0, 60, 10):
        rows = slice(start, start + 10)
        few = np.where(INDICES[rows] == start % 3, (start + 1) % 3, INDICES[rows])
        given = classes if start % 20 == 0 else None  # known since the first batch
        loss = model.train_on_batch(X[rows], classes[few], classes=given)
        assert loss == plain.train_on_batch(X[rows], few)
        assert model.classes_ is not None
        assert model.classes_.tolist() == classes.tolist()
    assert same(model, plain)


def test_ignored_rows_are_not_among_them() -> None:
    y = np.where(np.arange(60) % 5 == 0, -100, np.array([30, 10, 20])[INDICES])
    model, plain = classifier(ignore_index=-100), classifier(ignore_index=-100)
    model.fit(X, y, classes=[30, 10, 20])
    plain.fit(X, np.where(y == -100, -100, INDICES))
    assert same(model, plain)
    assert model.evaluate(X, y) == plain.evaluate(X, np.where(y == -100, -100, INDICES))


@pytest.mark.parametrize(
    ("classes", "error", "words"),
    [
        (["a", "b"], ValueError, ["classes has 2 labels", "3"]),
        (["a", "b", "c", "d"], ValueError, ["classes has 4 labels", "3"]),
        (["a", "b", "a"], ValueError, ["'a', 'b', 'a'", "different"]),
        ([0, 1, 1.0], ValueError, ["different"]),
        (["a", "b", None], ValueError, ["classes has None in row 2"]),
        (["a", "b", float("nan")], ValueError, ["classes has nan in row 2"]),
        ([0.0, 1.0, float("nan")], ValueError, ["classes has a NaN", "row 2"]),
        (["a", "b", 1], TypeError, ["classes has labels of several types"]),
        ([["a", "b", "c"]], ValueError, ["classes has shape (1, 3)"]),
        ("abc", ValueError, ["classes has shape ()"]),
        ({"a", "b", "c"}, ValueError, ["classes has shape ()"]),
        (["a", "b", "d"], ValueError, ["y[2] is 'c'", "'a', 'b', 'd'"]),
        ([1, 2, 3], ValueError, ["y has dtype", "1, 2, 3"]),
    ],
)
def test_classes_are_checked(classes: Any, error: type[Exception], words: list[str]) -> None:
    y = np.array(["a", "b", "c"])[INDICES]
    for method in ("fit", "train_on_batch"):
        model = classifier()
        with pytest.raises(error) as caught:
            getattr(model, method)(X, y, classes=classes)
        assert all(word in str(caught.value) for word in words), caught.value
        assert same(model, classifier())
        model.fit(X, INDICES + 5)  # nothing was learned


@pytest.mark.parametrize(
    ("make", "y", "classes", "words"),
    [
        (classifier, np.eye(3)[INDICES], [0, 1, 2], ["(60, 3)"]),
        (binary, 0.9 * BITS, [0, 1], ["y[1] is 0.9"]),
        (lambda: im.MLP([4, 3], loss="binary_cross_entropy"), X[:, :3] > 0, [0, 1, 2], ["classes"]),
        (lambda: im.MLP([4, 1], loss="mse"), X[:, 0], [0, 1], ["classes"]),
        (lambda: im.MLP([4, 1], loss=lambda y, t: (0.0, 0 * y)), X[:, 0], [0], ["classes"]),
        (lambda: classifier(ignore_index=1), INDICES * 10, [0, 10, 20], ["ignore_index is 1"]),
        (lambda: classifier(ignore_index=10), INDICES * 10, [0, 10, 20], ["10", "ignore_index"]),
    ],
)
def test_what_goes_without_classes(make: Any, y: Any, classes: Any, words: list[str]) -> None:
    for method in ("fit", "train_on_batch"):
        with pytest.raises(ValueError, match=r"classes|0\.9|ignore_index") as caught:
            getattr(make(), method)(X, y, classes=classes)
        assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("package", PACKAGES)
def test_another_fit_has_the_same_classes(package: Any) -> None:
    classes = ["oak", "elm", "fir"]
    y = np.array(classes)[INDICES]
    model = classifier(package)
    model.fit(X, y, classes=classes)
    model.fit(X, y, classes=np.array(classes))
    model.train_on_batch(X, y, classes=classes)
    before = model.state_dict()
    for other in (["elm", "fir", "oak"], ["oak", "elm", "yew"], [0, 1, 2]):
        for call in (model.fit, model.train_on_batch):
            with pytest.raises(ValueError, match="classes is"):
                call(X, y, classes=other)
    assert all(np.array_equal(before[key], w) for key, w in model.state_dict().items())
    model.reset()
    model.fit(X, y, classes=["elm", "fir", "oak"])
    assert model.classes_.tolist() == ["elm", "fir", "oak"]


@pytest.mark.parametrize("package", PACKAGES)
def test_labels_that_a_fit_found_hold_too(package: Any) -> None:
    model = classifier(package)
    model.fit(X, np.array([3, 1, 2])[INDICES])
    with pytest.raises(ValueError, match="classes is"):
        model.fit(X, np.array([3, 1, 2])[INDICES], classes=[3, 1, 2])
    model.fit(X, np.array([3, 1, 2])[INDICES], classes=[1, 2, 3])
    model = classifier(package)
    model.fit(X, INDICES)
    model.fit(X, INDICES, classes=[0, 1, 2])


@pytest.mark.parametrize("dtype", ["int64", "float64", "U4", "object"])
def test_the_callers_array_may_change(dtype: str) -> None:
    classes = np.array([3, 1, 2]).astype(dtype)
    y = classes[INDICES]
    model = classifier()
    model.fit(X, y, classes=classes)
    classes[:] = classes[::-1].copy()
    assert model.classes_.tolist() == np.array([3, 1, 2]).astype(dtype).tolist()
    model.fit(X, y)


def test_after_probabilities_classes_may_be_named() -> None:
    model = classifier()
    model.fit(X, np.eye(3)[INDICES])
    model.fit(X, np.array(["u", "v", "w"])[INDICES], classes=["v", "u", "w"])
    assert model.classes_.tolist() == ["v", "u", "w"]


@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_the_order_survives_files_and_copies(classes: Any, tmp_path: Path) -> None:
    labels = np.asarray(classes)
    model = classifier()
    model.fit(X, labels[INDICES], classes=classes)
    twins = [model.copy(), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.save(tmp_path / "model.safetensors")
    twins.append(im.load(tmp_path / "model.safetensors"))
    for twin in twins:
        assert twin.classes_.tolist() == model.classes_.tolist()
        assert twin.predict(X).tolist() == model.predict(X).tolist()
        twin.fit(X, labels[INDICES], classes=classes)
    model.fit(X, labels[INDICES])
    assert all(same(model, twin) for twin in twins)


def test_a_step_that_is_refused_leaves_them_unknown() -> None:
    model = classifier()
    model.load_state_dict({"2.bias": np.full(3, 3e38)}, strict=False)
    model.load_state_dict({"2.weight": np.full((3, 8), 3e38)}, strict=False)
    with pytest.raises(FloatingPointError):
        model.train_on_batch(1e3 * X, np.array(["u", "v", "w"])[INDICES], classes=["w", "v", "u"])
    assert model.classes_.tolist() == [0, 1, 2]


def test_a_step_that_is_kept_makes_them_known() -> None:
    model = classifier()
    model.learning_rate = 3e38
    with pytest.raises(FloatingPointError):
        model.train_on_batch(X, np.array(["u", "v", "w"])[INDICES], classes=["w", "v", "u"])
    assert model.classes_.tolist() == ["w", "v", "u"]
