"""Tensors of PyTorch and dtypes of other packages as X, y and parameters.

PyTorch is no requirement of the tests: `Tensor` has what its tensors offer, and fails as they do.
"""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ironmlp as im
import ironmlp.functional as F
from states import everything

RNG = np.random.default_rng(0)
# Numbers that bfloat16 holds: eight bits.
X = RNG.integers(-100, 100, (12, 3)) / 64
Y = X[:, 0] * 2
LABELS = np.arange(12) % 3


class Subclass(np.ndarray):
    pass


class Tensor:
    """NumPy sees it only after `detach().cpu()`, and never in bfloat16 or while it is negated."""

    def __init__(
        self,
        values: Any,
        dtype: str = "float32",
        *,
        requires_grad: bool = True,
        device: str = "cuda",
        negated: bool = False,
        dense: bool = True,
    ) -> None:
        self.values = np.asarray(values)
        self.dtype, self.requires_grad, self.device = dtype, requires_grad, device
        self.negated, self.dense = negated, dense

    def changed(self, **changes: Any) -> "Tensor":
        twin = Tensor(self.values)
        twin.__dict__.update(self.__dict__ | changes)
        return twin

    def detach(self) -> "Tensor":
        return self.changed(requires_grad=False)

    def cpu(self) -> "Tensor":
        return self.changed(device="cpu")

    def resolve_neg(self) -> "Tensor":
        return self.changed(values=-self.values, negated=False) if self.negated else self

    def float(self) -> "Tensor":
        return self.changed(dtype="float32")

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        if not self.dense:
            raise TypeError("can't convert Sparse layout tensor to numpy.")
        if self.negated:
            raise RuntimeError("Can't call numpy() on Tensor that has negative bit set.")
        if self.dtype == "bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values.astype(self.dtype)


class Exchanged:
    """What other libraries show of an array: DLPack, and no `__array__`."""

    def __init__(self, values: Any, error: Exception | None = None) -> None:
        self.values, self.error = np.ascontiguousarray(values, dtype=np.float32), error

    def __len__(self) -> int:
        return len(self.values)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def __dlpack__(self, **settings: Any) -> Any:
        if self.error is not None:
            raise self.error
        return self.values.__dlpack__(**settings)


KINDS: dict[str, Any] = {
    "needs gradients": lambda values: Tensor(values),
    "on the CPU": lambda values: Tensor(values, requires_grad=False, device="cpu"),
    "bfloat16": lambda values: Tensor(values, "bfloat16"),
    "float16": lambda values: Tensor(values, "float16"),
    "negated": lambda values: Tensor(-values, negated=True),
    "a list of them": lambda values: [Tensor(row) for row in values],
    "a tuple of bfloat16": lambda values: tuple(Tensor(row, "bfloat16") for row in values),
    "an array of bfloat16": lambda values: values.astype(ml_dtypes.bfloat16),
    "an array of float8": lambda values: values.astype(ml_dtypes.float8_e4m3fn),
    "another byte order": lambda values: values.astype(">f4"),
    "long doubles": lambda values: values.astype(np.longdouble),
    "DLPack alone": Exchanged,
    "a memoryview": lambda values: memoryview(np.array(values)),
    "an array of a subclass": lambda values: np.array(values).view(Subclass),
}


def regressor() -> im.MLP:
    return im.MLP([3, 4, 1], loss="mse", seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_and_targets(kind: str) -> None:
    rows, targets = np.round(X * 2), np.round(Y)  # small integers, which eight bits hold
    plain, other = regressor(), regressor()
    plain.fit(rows, targets, epochs=2, batch_size=5)
    other.fit(KINDS[kind](rows), KINDS[kind](targets), epochs=2, batch_size=5)
    assert everything(other) == everything(plain)
    np.testing.assert_array_equal(other.predict(KINDS[kind](rows)), plain.predict(rows))
    np.testing.assert_array_equal(other.predictor(12)(KINDS[kind](rows)), plain(rows))
    if not isinstance(KINDS[kind](rows), list | tuple):
        np.testing.assert_array_equal(other.predictor()(KINDS[kind](rows[0])), plain(rows)[0])
    assert other.evaluate(KINDS[kind](rows), KINDS[kind](targets)) == plain.evaluate(rows, targets)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_weights_and_parameters(kind: str) -> None:
    def model() -> im.MLP:
        return im.MLP([3, 4, 3], loss="cross_entropy", seed=1)

    weights = np.arange(12) % 4
    plain, other = model(), model()
    plain.fit(X, LABELS, sample_weight=weights)
    other.fit(X, KINDS[kind](LABELS), sample_weight=KINDS[kind](weights))
    assert everything(other) == everything(plain)
    assert other.classes_.tolist() == [0, 1, 2]
    state = {key: np.round(value * 4) for key, value in plain.state_dict().items()}
    other.load_state_dict({key: KINDS[kind](value) for key, value in state.items()})
    for key, value in other.state_dict().items():
        np.testing.assert_array_equal(value, state[key])


@pytest.mark.parametrize("dtype", ["int4", "uint4", "float8_e5m2", "bfloat16"])
def test_numbers_of_another_package(dtype: str) -> None:
    values = np.arange(6).reshape(2, 3).astype(getattr(ml_dtypes, dtype))
    assert F.matmul(values, np.eye(3)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("argument", ["X", "y", "sample_weight"])
def test_what_is_no_array_names_the_argument(argument: str) -> None:
    given = {"X": X, "y": Y, "sample_weight": np.ones(12)}
    given[argument] = Tensor(given[argument], dense=False)
    with pytest.raises(TypeError, match=rf"^{argument} is a Tensor .*Sparse.*make an array"):
        regressor().fit(given.pop("X"), given.pop("y"), **given)


@pytest.mark.parametrize("error", [BufferError("on a GPU"), RuntimeError("on a GPU")])
def test_what_lies_elsewhere_says_what_to_do(error: Exception) -> None:
    for call in (regressor().forward, regressor().predictor(12)):
        with pytest.raises(TypeError, match=r"an? Exchanged .*on a GPU.*copy it to the CPU"):
            call(Exchanged(X, error))


def test_a_predictor_takes_samples_of_any_shape_where_forward_does() -> None:
    model = im.Sequential([im.Flatten(), im.Linear(12, 2)], loss="mse", seed=0)
    samples = RNG.normal(size=(5, 2, 3, 2))
    for given in (samples, samples.astype(">f4"), samples.tolist(), np.asfortranarray(samples)):
        np.testing.assert_array_equal(model.predictor(5)(given), model(given))
    for wrong in (samples[:, :1], samples[0]):
        with pytest.raises(ValueError, match="the network takes 12"):
            model.predictor(5)(wrong)


def test_complex_numbers_of_another_package_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^X has dtype complex64 \(complex numbers\)"):
        regressor().forward(Tensor(X, "complex64"))
    with pytest.raises(TypeError, match=r"\(records\)"):
        regressor().forward(np.zeros((2, 3), [("a", "f4")]))
