"""`standardize`: X by the mean and standard deviation of its training rows, on every route."""

from typing import Any

import numpy as np
import pytest

import ironmlp as im

Array = np.ndarray[Any, Any]

IMAGES = [im.Conv2d(3, 4, 3), im.ReLU(), im.MaxPool2d(2), im.Flatten(), im.Linear(36, 2)]


def rows(n: int = 300, dtype: Any = np.float64) -> Array:
    """Columns of very different scales and offsets, one of them constant."""
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 7)) * 10.0 ** np.arange(-3, 4) + [0, 1e6, 0, 5, 3, 1e9, 0]
    X[:, 2] = 4.25
    return np.asarray(X.astype(dtype))


def labels(n: int) -> Array:
    return np.random.default_rng(n + 1).normal(size=(n, 2))


def moments(X: Array, axis: Any = 0) -> tuple[Array, Array]:
    """Mean and population standard deviation with more digits than float64 has."""
    exact = X.astype(np.longdouble)
    mean = exact.mean(axis=axis, keepdims=True)
    deviation = np.sqrt(((exact - mean) ** 2).mean(axis=axis))
    deviation[X.max(axis=axis) == X.min(axis=axis)] = 1.0
    return mean.squeeze(axis), deviation


def known(model: Any, name: str = "X") -> tuple[Array, Array]:
    mean, deviation = model._core.standards()[name]
    return mean, deviation


def by_formula(model: Any, X: Array) -> Array:
    mean, deviation = known(model)
    if X.ndim == 4 and not model.channels_last:
        mean, deviation = mean[:, None, None], deviation[:, None, None]
    scaled = X.astype(np.float64) / (model.scale or 1.0)
    return np.asarray(((scaled - mean) / deviation).astype(model.dtype))


def check_learned(found: tuple[Array, Array], X: Array, axis: Any = 0) -> None:
    mean, deviation = moments(X, axis)
    size = np.abs(mean) + deviation
    assert (np.abs(found[0] - mean) <= 4e-16 * size).all()
    assert (np.abs(found[1] - deviation) <= 1e-13 * deviation).all()


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 20_000])
def test_the_first_fit_takes_mean_and_population_deviation(n: int) -> None:
    X = rows(n)
    model = im.MLP([7, 3, 2], loss="mse", standardize=True, seed=0)
    model.fit(X, labels(n), sample_weight=np.arange(n) + 1.0)  # which does not weigh them
    check_learned(known(model), X)
    assert known(model)[0][2] == 4.25
    assert known(model)[1][2] == 1.0
    before = known(model)
    model.fit(X[: n // 2 + 1] * 2.0, labels(n // 2 + 1))  # the second takes none
    for was, now in zip(before, known(model), strict=True):
        np.testing.assert_array_equal(was, now)


DTYPES = ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", DTYPES)
def test_every_dtype_and_memory_order(kind: str, dtype: Any) -> None:
    rng = np.random.default_rng(3)
    X = rng.integers(0, 2 if kind == "?" else 100, size=(40, 12)).astype(kind)
    orders = [X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1].copy()[::-1]]
    model = im.MLP([12, 5, 2], loss="mse", standardize=True, dtype=dtype, seed=0)
    plain = im.MLP([12, 5, 2], loss="mse", dtype=dtype, seed=0)
    for ordered in orders:
        model.adapt(ordered)
        check_learned(known(model), X.astype(np.float64))
        np.testing.assert_array_equal(model(ordered), plain(by_formula(model, X)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [None, 3.0])
@pytest.mark.parametrize(
    ("sizes", "batch_size", "epochs"),
    [
        ([7, 3, 2], 4, 3),  # which fits into L1
        ([7, 3, 2], None, 5),
        ([7, 40, 2], 32, 1),
        ([7, 40, 2], 32, 3),
    ],
)
def test_training_is_that_of_standardized_rows(
    dtype: Any, scale: float | None, sizes: list[int], batch_size: int | None, epochs: int
) -> None:
    X, y = rows(), labels(300)
    model = im.MLP(sizes, loss="mse", standardize=True, scale=scale, dtype=dtype, seed=1)
    history = model.fit(X, y, epochs=epochs, batch_size=batch_size)
    Z = by_formula(model, X)
    plain = im.MLP(sizes, loss="mse", dtype=dtype, seed=1)
    np.testing.assert_array_equal(
        history["loss"], plain.fit(Z, y, epochs=epochs, batch_size=batch_size)["loss"]
    )
    same_state(model, plain)
    np.testing.assert_array_equal(model(X), plain(Z))
    assert model.evaluate(X, y) == plain.evaluate(Z, y)
    assert model.train_on_batch(X[:9], y[:9]) == plain.train_on_batch(Z[:9], y[:9])
    same_state(model, plain)
    predict = model.predictor(5)
    np.testing.assert_array_equal(predict(X[:5]), plain(Z[:5]))
    np.testing.assert_array_equal(predict(X[3]), plain(Z[3:4])[0])
    trace, expected = model.trace(X, y), plain.trace(Z, y)
    assert trace.keys() == expected.keys()
    for name, tensor in trace.items():
        np.testing.assert_array_equal(tensor, expected[name])


def same_state(a: im.Sequential, b: im.Sequential) -> None:
    for name, tensor in a.state_dict().items():
        np.testing.assert_array_equal(tensor, b.state_dict()[name])


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("route", ["auto", "general", "unfused", "columns", "slabs:256"])
def test_all_routes_and_threads_give_the_same_bits(route: str, n_threads: int) -> None:
    X, y = rows(600), labels(600)
    model = im.MLP([7, 5, 2], loss="mse", standardize=True, n_threads=n_threads, seed=1)
    model._core._set_route(route)
    model.fit(X, y, epochs=2, batch_size=500)
    plain = im.MLP([7, 5, 2], loss="mse", seed=1)
    plain.fit(by_formula(model, X), y, epochs=2, batch_size=500)
    same_state(model, plain)


def test_rows_too_many_for_a_copy_have_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70_000, 64)).astype(np.float32) * 3 + 8  # 18 MB, above the 16 of a copy
    y = X[:, 0]
    model = im.MLP([64, 2, 1], loss="mse", standardize=True, seed=1)
    model.fit(X, y, epochs=2, batch_size=8192)
    plain = im.MLP([64, 2, 1], loss="mse", seed=1)
    plain.fit(by_formula(model, X), y, epochs=2, batch_size=8192)
    same_state(model, plain)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_images_are_standardized_by_channel(kind: Any, channels_last: bool) -> None:
    rng = np.random.default_rng(5)
    X = rng.integers(0, 255, size=(37, 3, 8, 9)) // np.array([1, 40, 300])[:, None, None]
    y = rng.normal(size=(37, 2))
    first = np.ascontiguousarray(X.astype(kind))
    given = np.ascontiguousarray(first.transpose(0, 2, 3, 1)) if channels_last else first
    options: Any = {"loss": "mse", "seed": 2, "channels_last": channels_last}
    model = im.Sequential(IMAGES, standardize=True, scale=255, **options)
    plain = im.Sequential(IMAGES, **options)
    history = model.fit(given, y, epochs=2, batch_size=20)
    check_learned(known(model), first / 255.0, (0, 2, 3))
    Z = by_formula(model, given)
    np.testing.assert_array_equal(history["loss"], plain.fit(Z, y, epochs=2, batch_size=20)["loss"])
    same_state(model, plain)
    np.testing.assert_array_equal(model(given[:1]), plain(Z[:1]))
    np.testing.assert_array_equal(model.predictor()(given[4]), plain(Z[4:5])[0])
    with pytest.raises(ValueError, match="channels"):
        model(given[:, :2] if not channels_last else given[..., :2])


def test_a_pool_first_learns_channels_of_any_number() -> None:
    layers = [im.AvgPool2d(2), im.Flatten(), im.Linear(8, 1)]
    X = np.random.default_rng(0).normal(size=(9, 2, 4, 4)) * 50 + 3
    model = im.Sequential(layers, loss="mse", standardize=True, seed=0)
    model.adapt(X)
    check_learned(known(model), X, (0, 2, 3))
    with pytest.raises(ValueError, match=r"X has images of 8 channels, .* by have 2"):
        model(X.reshape(9, 8, 2, 2))


def test_what_is_flattened_at_once_is_standardized_by_column() -> None:
    layers = [im.Flatten(), im.Linear(12, 1)]
    X = np.random.default_rng(0).normal(size=(9, 3, 4)) * np.arange(1, 13).reshape(3, 4)
    model = im.Sequential(layers, loss="mse", standardize=True, seed=0)
    model.adapt(X)
    check_learned(known(model), X.reshape(9, 12))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_and_large_offsets(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(500, 3))
    X = np.column_stack([u[:, 0] * 1e300, u[:, 1] + 1e9, u[:, 2] * 1e-300 + 7e-300])
    model = im.MLP([3, 4, 1], loss="mse", standardize=True, dtype=dtype, seed=0)
    model.fit(X, u.sum(axis=1), epochs=2)
    mean, deviation = known(model)
    np.testing.assert_allclose(deviation / [1e300, 1.0, 1e-300], u.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        (mean - [0, 1e9, 7e-300]) / deviation, u.mean(axis=0) / u.std(axis=0), atol=2e-7
    )
    assert np.isfinite(model.predict(X)).all()


def test_numbers_whose_differences_are_infinite_are_refused() -> None:
    X = np.full((5, 2), -1.7e308)
    X[3, 1] = 1.7e308
    model = im.MLP([2, 1], loss="mse", standardize=True)
    with pytest.raises(ValueError, match="column 1 of X has numbers whose differences"):
        model.fit(X, np.zeros(5))
    with pytest.raises(RuntimeError, match="adapt"):
        model.predict(X)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("check_finite", [False, True])
def test_what_is_not_finite_names_its_row(wrong: float, check_finite: bool) -> None:
    X = rows(20)
    X[13, 4] = wrong
    model = im.MLP([7, 2], loss="mse", standardize=True)
    with pytest.raises(ValueError, match="X has a NaN or infinite value in row 13"):
        model.fit(X, labels(20), check_finite=check_finite)
    with pytest.raises(ValueError, match="X has a NaN or infinite value in row 13"):
        model.adapt(X)


@pytest.mark.parametrize("images", [False, True])
def test_input_grad_is_by_raw_x(images: bool) -> None:
    rng = np.random.default_rng(1)
    layers: Any = IMAGES if images else [im.Linear(7, 6), im.Tanh(), im.Linear(6, 2)]
    shape = (3, 3, 8, 9) if images else (3, 7)
    spread = np.array([1.0, 100.0, 0.01])[:, None, None] if images else 10.0 ** np.arange(-3, 4)
    X = rng.normal(size=shape) * spread + 2.0 * spread
    y = rng.normal(size=(3, 2))
    model = im.Sequential(layers, loss="mse", standardize=True, scale=0.5, dtype="float64", seed=0)
    model.adapt(X)
    _, _, found = model.loss_and_grad(X, y, input_grad=True)
    steps = np.broadcast_to(1e-5 * spread, shape)
    for place in [*np.ndindex(shape)][:: 29 if images else 1]:
        up, down = X.copy(), X.copy()
        up[place] += steps[place]
        down[place] -= steps[place]
        change = model.evaluate(up, y)["loss"] - model.evaluate(down, y)["loss"]
        slope = change / (2 * steps[place])
        assert found[place] == pytest.approx(slope, rel=1e-4, abs=1e-9 / spread.min())
    outputs, grad = model(X), rng.normal(size=(3, 2))
    _, by_input = model.backward(X, grad, input_grad=True)
    place = (1, *(2,) * (len(shape) - 1))
    moved = X.copy()
    moved[place] += steps[place]
    change = ((model(moved) - outputs) * grad).sum()
    assert by_input[place] == pytest.approx(change / steps[place], rel=1e-3, abs=1e-6)


def test_raw_breast_cancer_is_learned_as_well_as_scaled() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = datasets.load_breast_cancer(return_X_y=True)
    train = np.arange(len(X)) % 4 != 0

    def accuracy(X: Array, **options: Any) -> float:
        model = im.MLP([30, 16, 1], loss="binary_cross_entropy", seed=0, **options)
        model.fit(X[train], y[train], epochs=60)
        return float(model.evaluate(X[~train], y[~train])["accuracy"])

    mean, deviation = X[train].mean(axis=0), X[train].std(axis=0)
    scaled = accuracy((X - mean) / deviation)
    raw = accuracy(X, standardize=True)
    assert raw >= scaled - 0.01
    assert raw > 0.95
