"""PoissonNLL, GaussianNLL, Quantile and Focal: what they take as y, what is predicted, metrics."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ironmlp as im
from ironmlp import reference

Array = np.ndarray[Any, Any]

RNG = np.random.default_rng(8)
N = 60
X = RNG.normal(size=(N, 4))
NOISE = RNG.normal(size=N)
LEVELS = (0.75, 0.1, 0.4)

# A loss, the outputs of its network, and a y that it takes.
CASES: dict[str, tuple[Any, int, Any]] = {
    "log rates": (im.PoissonNLL(), 1, np.floor(np.exp(X[:, 0] + 0.5))),
    "full": (im.PoissonNLL(full=True), 2, np.floor(np.exp(X[:, :2]))),
    "gaussian": (im.GaussianNLL(), 2, X[:, 0] + 0.3 * NOISE),
    "gaussians": (im.GaussianNLL(), 6, X[:, :3] + 2.0),
    "quantiles": (im.Quantile(LEVELS), 3, X[:, 0] + NOISE),
    "median": (im.Quantile([0.5]), 1, X[:, 0] + NOISE),
    "focal": (im.Focal(), 1, np.where(X[:, 0] > 0.5, "rare", "usual")),
    "focal flags": (im.Focal(1.5, 0.25), 3, (X[:, :3] > 0.5).astype(int)),
}
EVERY_CASE = pytest.mark.parametrize("name", CASES)


def model(name: str, package: Any = im, **settings: Any) -> Any:
    loss, outputs, _ = CASES[name]
    optimizer = settings.pop("optimizer", im.Adam(lr=0.02))
    sizes = settings.pop("sizes", [4, 6, outputs])
    return package.MLP(sizes, loss=loss, optimizer=optimizer, seed=2, **settings)


def trained(name: str, package: Any = im, **settings: Any) -> Any:
    made = model(name, package, **settings)
    made.fit(X, CASES[name][2], epochs=5, batch_size=16)
    return made


# Predictions


@EVERY_CASE
def test_predictions_metrics_and_parameters_are_the_references(name: str) -> None:
    y = CASES[name][2]
    ours, theirs = (trained(name, package, dtype="float64") for package in (im, reference))
    for key, array in ours.state_dict().items():
        np.testing.assert_allclose(array, theirs.state_dict()[key], rtol=1e-9, atol=1e-12)
    theirs.load_state_dict(ours.state_dict())
    found, expected = ours.predict(X), theirs.predict(X)
    if found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    else:
        assert found.tolist() == expected.tolist()
    assert ours.evaluate(X, y) == pytest.approx(theirs.evaluate(X, y), rel=1e-10)


def test_poisson_predicts_rates() -> None:
    for shape, outputs in (((N,), 1), ((N, 1), 1), ((N, 2), 2)):
        made = im.MLP([4, 6, outputs], loss="poisson_nll", dtype="float64", seed=0)
        made.fit(X, np.ones(shape))
        assert made.predict(X).shape == shape
        np.testing.assert_allclose(made.predict(X).reshape(N, -1), np.exp(made(X)), rtol=1e-15)
    layers = [im.Linear(4, 1), im.Softplus()]
    made = im.Sequential(layers, loss=im.PoissonNLL(log_input=False), seed=0)
    np.testing.assert_array_equal(made.predict(X), made(X))


def test_a_gaussian_predicts_means_and_with_return_std_deviations() -> None:
    for name, shape in (("gaussian", (N,)), ("gaussians", (N, 3))):
        made = trained(name, dtype="float64")
        outputs, count = made(X), shape[-1] if len(shape) == 2 else 1
        mean, std = made.predict(X, return_std=True)
        assert mean.shape == std.shape == shape
        np.testing.assert_array_equal(mean, made.predict(X))
        np.testing.assert_array_equal(mean.reshape(N, -1), outputs[:, :count])
        expected = np.exp(0.5 * outputs[:, count:])
        np.testing.assert_allclose(std.reshape(N, -1), expected, rtol=1e-15)
        assert mean.flags.c_contiguous or len(shape) == 1
        theirs = model(name, reference, dtype="float64")
        theirs.load_state_dict(made.state_dict())
        theirs.flat = len(shape) == 1
        for found, wanted in zip((mean, std), theirs.predict(X, return_std=True), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_a_gaussian_finds_mean_and_deviation() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(2000, 1))
    noise = np.random.default_rng(1).normal(size=2000)
    y = 3.0 * x[:, 0] + np.exp(x[:, 0]) * noise
    made = im.MLP([1, 16, 2], loss="gaussian_nll", optimizer=im.Adam(lr=0.01), seed=0)
    made.fit(x, y, epochs=40)
    mean, std = made.predict([[-0.7], [0.7]], return_std=True)
    np.testing.assert_allclose(mean, [-2.1, 2.1], atol=0.3)
    np.testing.assert_allclose(std, np.exp([-0.7, 0.7]), rtol=0.2)


def test_quantiles_are_n_by_k_and_sort_makes_them_cross_no_more() -> None:
    made = model("quantiles", optimizer=im.SGD(lr=0.0))  # outputs of initial weights cross
    plain = made.predict(X)
    assert plain.shape == (N, 3)
    np.testing.assert_array_equal(plain, made(X))
    order = np.argsort(LEVELS)
    crossing = np.any(np.diff(plain[:, order], axis=1) < 0)
    assert crossing
    ordered = made.predict(X, sort=True)
    assert np.all(np.diff(ordered[:, order], axis=1) >= 0)
    np.testing.assert_array_equal(np.sort(ordered, axis=1), np.sort(plain, axis=1))
    np.testing.assert_array_equal(made.predict(X), plain)
    theirs = model("quantiles", reference)
    theirs.load_state_dict(made.state_dict())
    np.testing.assert_allclose(theirs.predict(X, sort=True), ordered, rtol=1e-5, atol=1e-6)


def test_one_quantile_is_n_by_1() -> None:
    made = trained("median")
    assert made.predict(X).shape == made.predict(X, sort=True).shape == (N, 1)


def test_quantiles_cover_their_share() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(2000, 1))
    y = x[:, 0] + np.random.default_rng(1).normal(size=2000)
    levels = [0.1, 0.5, 0.9]
    made = im.MLP([1, 16, 3], loss=im.Quantile(levels), optimizer=im.Adam(lr=0.01), seed=0)
    made.fit(x, y, epochs=30)
    np.testing.assert_allclose(np.mean(y[:, None] < made.predict(x), axis=0), levels, atol=0.05)


def test_the_median_is_half_the_mae() -> None:
    y = CASES["median"][2]
    one, two = (
        im.MLP([4, 6, 1], loss=loss, dtype="float64", seed=0)
        for loss in (im.Quantile([0.5]), "mae")
    )
    loss, grads = one.loss_and_grad(X, y)
    other, others = two.loss_and_grad(X, y)
    assert loss == pytest.approx(0.5 * other, rel=1e-15)
    for key, grad in grads.items():
        np.testing.assert_allclose(grad, 0.5 * others[key], rtol=1e-14, atol=1e-17)


def test_focal_has_classes_and_probabilities() -> None:
    made = trained("focal")
    assert made.classes_.tolist() == ["rare", "usual"]
    p = made.predict_proba(X)
    np.testing.assert_array_equal(made.predict(X), made.classes_[p.argmax(axis=1)])
    flags = trained("focal flags")
    np.testing.assert_array_equal(flags.predict(X), flags.predict_proba(X) > 0.5)
    twin = im.MLP([4, 6, 1], loss="binary_cross_entropy", seed=2)
    twin.load_state_dict(made.state_dict())
    np.testing.assert_array_equal(twin.predict_proba(X), p)


def test_focal_without_a_power_is_the_cross_entropy() -> None:
    y = CASES["focal flags"][2]
    for alpha, share in ((None, 1.0), (0.5, 0.5)):
        made, plain = (
            im.MLP([4, 6, 3], loss=loss, dtype="float64", seed=0)
            for loss in (im.Focal(0.0, alpha), "binary_cross_entropy")
        )
        loss, grads = made.loss_and_grad(X, y)
        expected, others = plain.loss_and_grad(X, y)
        assert loss == share * expected
        assert all(np.array_equal(grad, share * others[key]) for key, grad in grads.items())


def test_focal_takes_class_weights_and_classes() -> None:
    y = np.where(X[:, 0] > 1.0, "a", "b")
    weights = np.where(y == "a", 3.0, 0.5)
    one, two = (im.MLP([4, 6, 1], loss="focal", seed=0) for _ in range(2))
    one.fit(X, y, class_weight={"a": 3.0, "b": 0.5}, classes=["b", "a"])
    two.fit(X, y, sample_weight=weights, classes=["b", "a"])
    assert one.classes_.tolist() == ["b", "a"]
    assert all(np.array_equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())
    with pytest.raises(ValueError, match="class_weight goes with classes"):
        im.MLP([4, 2], loss="focal", seed=0).fit(X, np.zeros((N, 2)), class_weight="balanced")


@EVERY_CASE
def test_arguments_of_other_losses_are_refused(name: str) -> None:
    made = trained(name)
    for option, kind in (("sort", im.Quantile), ("return_std", im.GaussianNLL)):
        if isinstance(made.loss, kind):
            continue
        with pytest.raises(ValueError, match=f"{option} is True, it is for .* {kind.__name__}"):
            made.predict(X, **{option: True})
        with pytest.raises(TypeError, match=f"{option} is 1"):
            made.predict(X, **{option: 1})
        with pytest.raises(ValueError, match=option):
            model(name, reference).predict(X, **{option: True})
    if not isinstance(made.loss, im.Focal):
        with pytest.raises(AttributeError, match="predict_proba needs a cross-entropy or Focal"):
            made.predict_proba(X)


# What y may be


def test_wrong_targets_are_refused_before_anything_changes() -> None:
    cases: list[tuple[str, Any, str]] = [
        ("log rates", np.where(np.arange(N) == 7, -0.5, 1.0), "y has -0.5 in row 7, .* at least 0"),
        ("full", np.full((N, 2), -1), "y has -1 in row 0, targets must be at least 0"),
        ("gaussian", X[:, :2], r"y has shape \(60, 2\), the network has 2 outputs: .* \(60,\) or"),
        ("gaussians", X[:, :2], r"the network has 6 outputs: y must have shape \(60, 3\)"),
        (
            "quantiles",
            X[:, :3],
            r"the network has 3 outputs: y must have shape \(60,\) or \(60, 1\)",
        ),
        ("focal", X[:, 0], "binary_cross_entropy and focal take numbers from 0 to 1"),
        ("focal flags", X[:, :3], "targets must lie from 0 to 1"),
    ]
    for name, y, message in cases:
        made = trained(name)
        before = made.state_dict()
        for call in (made.fit, made.evaluate, made.loss_and_grad, made.train_on_batch):
            if name == "focal" and call != made.fit:
                continue  # whose labels are known
            with pytest.raises(ValueError, match=message):
                (model(name) if name == "focal" else made).fit(X, y) if call == made.fit else call(
                    X, y
                )
        assert all(np.array_equal(v, made.state_dict()[k]) for k, v in before.items())


def test_networks_that_do_not_fit_are_refused() -> None:
    for outputs, loss, message in (
        (3, im.GaussianNLL(), "the network has 3 outputs, GaussianNLL needs two for each number"),
        (2, im.Quantile([0.1, 0.5, 0.9]), "quantiles has 3 numbers, the network has 2 outputs"),
    ):
        with pytest.raises(ValueError, match=message):
            im.MLP([4, outputs], loss=loss)
        with pytest.raises(ValueError, match="outputs"):  # the core looks too
            im._core.Model(
                (im.Linear(4, outputs, init="zeros"),),
                loss,
                im.SGD(),
                dtype="float32",
                seed=0,
                n_threads=1,
                scale=None,
                channels_last=False,
                standardize=False,
                standardize_y=False,
            )
    with pytest.raises(ValueError, match="ends in Sigmoid and Focal takes logits"):
        im.Sequential([im.Linear(4, 1), im.Sigmoid()], loss="focal")


# Metrics


def test_metrics_take_rates_means_and_the_middle_quantile() -> None:
    for name in ("log rates", "full", "gaussian", "gaussians", "quantiles"):
        made, y = trained(name), CASES[name][2]
        predicted = made.predict(X)
        if name == "quantiles":
            predicted = predicted[:, 2]  # 0.4 is nearest to 1/2
        found = made.evaluate(X, y, metrics=["r2", "mae", "rmse"])
        difference = (predicted.astype(float) - y).reshape(N, -1)
        rest = (difference**2).mean(axis=0)
        r2 = np.mean(1 - rest / y.reshape(N, -1).var(axis=0))
        assert found["r2"] == pytest.approx(r2, rel=1e-6)
        assert found["r2"] == made.evaluate(X, y)["r2"]
        assert found["mae"] == pytest.approx(np.abs(difference).mean(), rel=1e-6)
        assert found["rmse"] == pytest.approx(np.sqrt(rest).mean(), rel=1e-6)


def test_functions_get_predictions_and_outputs() -> None:
    made, y = trained("quantiles"), CASES["quantiles"][2]

    def covered(y_true: Array, y_pred: Array) -> float:
        assert (y_true.shape, y_pred.shape) == ((N,), (N, 3))
        return float(np.mean(y_true < y_pred[:, 0]))

    found = made.evaluate(X, y, metrics=covered)
    assert found["covered"] == np.mean(y < made.predict(X)[:, 0])
    made, y = trained("gaussian"), CASES["gaussian"][2]
    widths = im.Metric(lambda t, p: p.shape[1], "widths", takes="outputs")
    assert made.evaluate(X, y, metrics=widths)["widths"] == 2.0


def test_focal_has_the_metrics_of_classes() -> None:
    made, y = trained("focal"), CASES["focal"][2]
    found = made.evaluate(X, y, metrics=["accuracy", "f1", "roc_auc", "log_loss"])
    p, second = made.predict_proba(X), (y == "usual").astype(int)
    assert found["accuracy"] == np.mean(made.predict(X) == y)
    own = np.take_along_axis(p, second[:, np.newaxis], axis=1).astype(float)
    assert found["log_loss"] == pytest.approx(-np.log(own).mean(), rel=1e-6)


@EVERY_CASE
def test_the_history_has_what_evaluate_gives(name: str) -> None:
    y = CASES[name][2]
    made = model(name)
    history = made.fit(X, y, epochs=2, validation_data=(X[:20], y[:20]))
    for key, value in made.evaluate(X[:20], y[:20]).items():
        assert history[f"val_{key}"][-1] == value


# Files and copies


@EVERY_CASE
def test_files_pickles_and_copies_predict_the_same(name: str, tmp_path: Path) -> None:
    made, y = trained(name), CASES[name][2]
    made.save(tmp_path / "file")
    for twin in (im.load(tmp_path / "file"), pickle.loads(pickle.dumps(made)), made.copy()):
        assert twin.loss == made.loss
        np.testing.assert_array_equal(twin.predict(X), made.predict(X))
        if isinstance(made.loss, im.GaussianNLL):
            pairs = (m.predict(X, return_std=True) for m in (made, twin))
            assert all(np.array_equal(a, b) for a, b in zip(*pairs, strict=True))
        assert twin.fit(X, y)["loss"] == made.copy().fit(X, y)["loss"]


def test_standardized_targets_of_quantiles_have_one_mean(tmp_path: Path) -> None:
    y = 1000.0 + 50.0 * CASES["quantiles"][2]
    ours, theirs = (
        model("quantiles", package, standardize_y=True, dtype="float64")
        for package in (im, reference)
    )
    for made in (ours, theirs):
        made.fit(X, y, epochs=3)
    mean, deviation = ours._core.standards()["y"]
    assert (mean.shape, deviation.shape) == ((1,), (1,))
    np.testing.assert_allclose((mean[0], deviation[0]), (y.mean(), y.std()), rtol=1e-13)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-10)
    assert ours.evaluate(X, y) == pytest.approx(theirs.evaluate(X, y), rel=1e-8)
    ours.save(tmp_path / "file")
    twin = im.load(tmp_path / "file")
    np.testing.assert_array_equal(twin.predict(X, sort=True), ours.predict(X, sort=True))
    grad = RNG.normal(size=(N, 3))
    found, expected = ours.backward(X, grad), None
    theirs.load_state_dict(ours.state_dict())
    expected = theirs.backward(X, grad)
    for key, tensor in found.items():
        np.testing.assert_allclose(tensor, expected[key], rtol=1e-9, atol=1e-9)
