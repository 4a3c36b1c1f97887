"""The compiled part of ironmlp: training, prediction and array functions in Rust.

The Python layer is its only caller. What it expects of every caller:

- X is a 2-D array (n, in_features), n >= 1, native float16, float32, float64, integer or bool, of
  any order, stride and alignment, or a `Table` of such arrays. It is read in place and converted
  batch by batch.
- `targets` is an int64 array (n,) of class indices for a `CrossEntropy` with indices, otherwise a
  real 2-D array (n, K), K the number of outputs; None for a model whose loss is a Python function.
- `sample_weight` is a float64 array (n,) of finite values >= 0, or None for ones. Targets and
  weights are copied.
- Gradients and parameters are lists of arrays in canonical order: for each `Linear` the weight
  (out_features, in_features), then the bias (out_features,) if it has one.

Sizes, labels and the finiteness of X are checked here too. Errors: ValueError (shape, label,
non-finite, value), TypeError (dtype), MemoryError (too many parameters), FloatingPointError
(training diverged; it has the attributes `epoch` and `batch`), RuntimeError (the model is in
training in another thread, or a defect).
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, final

import numpy as np
from numpy.typing import NDArray

_Array: TypeAlias = NDArray[Any]
_Float: TypeAlias = NDArray[np.floating[Any]]
_X: TypeAlias = "_Array | Table"
_Rows: TypeAlias = (
    tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]
    | tuple[_X, _Array | None, _Float | None]
)
_Validation: TypeAlias = tuple[_Rows, int, bool]
_Want: TypeAlias = Literal["value", "grad", "both"]
_Returned = TypeVar("_Returned")
_LossOfRows: TypeAlias = Callable[[_Float, NDArray[np.int64] | None], tuple[float, _Array]]

class Config(TypedDict):
    """What `config` returns."""

    version: str
    numerics: int
    isa: str
    isas: list[str]
    num_threads: int

def config() -> Config:
    """The package's version, the version of its formulas (`numerics`), the instruction set in use,
    all that this host can run, and the number of threads."""

def set_num_threads(n: int) -> None:
    """Take `n` >= 1 threads for every model made without `n_threads`, also above the cores."""

def cap_threads(n: int | None) -> int | None:
    """Let whatever the calling thread begins take at most `n` threads, whoever asks for more; None
    ends that. Gives what was said before."""

def get_num_threads() -> int:
    """The number of threads that models made without `n_threads` may use."""

def _force_threads(on: bool) -> bool:
    """For tests: whether ops of models that this thread calls run on all threads of their setting,
    whatever their cost and the cores, each thread on a share of its own. Gives what was said
    before."""

def _chunks_of_workers() -> int:
    """For tests: chunks of work that workers have run for this thread while it forced threads."""

def thread_complaint() -> str | None:
    """What to tell a user whose `OMP_NUM_THREADS` is ignored because it is no number of threads."""

@final
class Environment:
    """`with Environment():` computes in the default floating-point environment (rounding to
    nearest, no flushing to zero); at its end the caller's is in force again. For one block and one
    thread.

    It enters and leaves in C functions, between which no signal handler runs."""

    def __new__(cls) -> Environment: ...
    def __enter__(self) -> None: ...
    def __exit__(self, _kind: object, _error: object, _traceback: object) -> None: ...

def matmul(a: _Float, b: _Float) -> _Float:
    """a (m, k) times b (k, n), both float32 or both float64."""

def split_order(seed: int, rows: int) -> NDArray[np.uint32]:
    """The rows 0 to `rows` - 1 in the order in which a split with this seed takes them."""

def sigmoid(x: _Float) -> _Float:
    """1 / (1 + exp(-x)) of a float32 or float64 array of any shape."""

def exp(x: _Float) -> _Float:
    """e^x of a float32 or float64 array of any shape."""

def softmax(x: _Float) -> _Float:
    """exp(x) / sum(exp(x)) of each row of a 2-D float32 or float64 array."""

def sigmoid_backward(output: _Float, grad_output: _Float) -> _Float:
    """grad_output * output * (1 - output), two arrays of one shape and dtype."""

def binary_cross_entropy(
    probabilities: _Float,
    targets: _Float,
    weight: _Float | None,
    reduction: str,
    want: _Want,
) -> Any:
    """Value, gradient or both of the binary cross-entropy of probabilities.

    All arrays have one shape and dtype. The value is a float, or with reduction "none" an array;
    the gradient an array; "both" a tuple of the two. The other losses return the same.
    """

def sigmoid_cross_entropy_with_logits(
    logits: _Float,
    targets: _Float,
    weight: _Float | None,
    pos_weight: _Float | None,
    reduction: str,
    want: _Want,
) -> Any:
    """As `binary_cross_entropy`, of logits; `pos_weight` has the shape of the logits too."""

def softmax_cross_entropy_with_logits(
    logits: _Float,
    targets: NDArray[np.int64] | _Float,
    weight: _Float | None,
    label_smoothing: float,
    ignore_index: int | None,
    reduction: str,
    want: _Want,
) -> Any:
    """Softmax cross-entropy of logits (n, K): class indices (n,) or probabilities (n, K) as
    targets, one weight for each class (K,). The unreduced value has shape (n,)."""

@final
class Predictor:
    """`Model.predictor`: forward's output for at most `max_rows` rows, from the model's present
    parameters, with buffers made beforehand."""

    @property
    def max_rows(self) -> int:
        """The most rows of one call."""

    def __call__(self, x: Any, out: _Float | None = None) -> _Float:
        """The output (n, K) for rows or images x of a batch's shape, or (K,) for one of them.

        With `out`, a C-contiguous array of that shape and the model's dtype, it is written there
        and `out` is returned.
        """

@final
class Rates:
    """The learning rates of a model: of its next update, its last one, and where they come from."""

    @property
    def next(self) -> float | None:
        """Of the next update; None if it is to come from a table that lacks it."""

    @property
    def last(self) -> float:
        """Of the last update; before the first one the first, without a schedule as `next`."""

    @property
    def factor(self) -> float | None:
        """What a schedule's rates are multiplied by; None without one."""

    def set(self, rate: float) -> None:
        """Make this the rate of the next update, with a schedule by its factor; in a callback it
        holds from the next batch on. ValueError if the schedule's rate is 0."""

    def follow(self, optimizer: Any, keep_factor: bool) -> None:
        """Take the rates of this optimizer from here on, and after each `reset`; `keep_factor`
        keeps the factor on those before."""

    def tabulate(self, first: int, rates: Sequence[float]) -> None:
        """Put the rates of updates into the table that they come from: those from number `first`
        on, 0 is the model's first."""

@final
class Table:
    """An X that is not one array: the arrays that hold it, which stay where they are.

    Sizes are those of the memory, whatever the arrays' classes say.
    """

    @staticmethod
    def of_columns(columns: Sequence[_Array], names: Sequence[str]) -> Table:
        """Columns (n,) of one length, of any dtypes; `names` are for messages."""

    @staticmethod
    def of_rows(data: _Array, indices: _Array, indptr: _Array, n_columns: int) -> Table:
        """Compressed sparse rows, as those of SciPy: row r has `data[indptr[r]:indptr[r + 1]]` in
        the columns `indices` of the same places, and +0 elsewhere."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def ndim(self) -> int:
        """2, as of an array with rows and columns."""

    def __len__(self) -> int: ...

@final
class LegacyShuffle:
    """NumPy's MT19937 at `key` (624,) and `pos`, as `RandomState.get_state` gives them: the `order`
    of a `Model.fit`, each of whose epochs shuffles the order before as `sklearn.utils.shuffle`
    does."""

    def __new__(cls, key: _Array, pos: int) -> LegacyShuffle: ...
    def state(self) -> tuple[NDArray[np.uint32], int]:
        """`key` and `pos` after what has been drawn."""

    def permutation(self, n: int) -> NDArray[np.uint32]:
        """What `RandomState.shuffle` makes of `arange(n)`, as uint32."""

@final
class Snapshot:
    """Copies of all weights and biases of a model, to go back to: `Model.snapshot` makes it, `take`
    renews it, `Model.restore` goes back."""

    def take(self, model: Model) -> None:
        """Take the parameters that the model has now."""

@final
class Objective:
    """The loss of `model` for all rows of `X`, with its penalty on weights, as a function of the
    parameters.

    Called with `parameters` and `gradient`, both (P,): the weights of all layers, each (in, out)
    and row-major, then the biases. It returns the loss, writes the gradient, in the model's dtype,
    and leaves the model with these parameters.
    """

    def __new__(
        cls, model: Model, X: _X, targets: _Array, sample_weight: _Float | None
    ) -> Objective: ...
    def __call__(self, parameters: _Array, gradient: _Float) -> float: ...

@final
class Run:
    """A `Model.fit` in progress: it trains while one of its methods runs.

    Until `close`, or until its last reference goes, the model belongs to the thread that called
    `fit`.
    """

    @property
    def done(self) -> bool:
        """True when all epochs have been trained."""

    @property
    def epochs_done(self) -> int:
        """Finished epochs of this run."""

    @property
    def batches_done(self) -> int:
        """Finished batches of the present epoch."""

    @property
    def batches_per_epoch(self) -> int:
        """Batches of an epoch, a short last one included; 0 of a stream if nobody knows."""

    def advance(self, seconds: float, stop_at_epoch: bool) -> bool:
        """Train until about `seconds` have passed or all epochs are done.

        With `stop_at_epoch` it returns at the end of an epoch too, and True exactly then; without,
        as many epochs as fit into the time go by, and it returns False.
        """

    def step(self) -> float | None:
        """Train on one batch; its mean loss, or None where an epoch has ended, which then counts in
        `epochs_done`."""

    def step_with(self, function: _LossOfRows) -> float | None:
        """The same, with a loss in Python: `function` gets the outputs (n, K) and which rows of X
        they are of, None for all of a stream's batch, and returns the loss and its gradient (n, K).
        It may read the model and not change it. A loss that is not finite raises
        FloatingPointError, and nothing is updated."""

    def look(self) -> None:
        """Refuse parameters and moments that are not finite: FloatingPointError."""

    def take(self, X: _X, targets: _Array | None, sample_weight: _Float | None) -> None:
        """Take the next batch of a stream, for `step`; a loss in Python has no use for targets."""

    def end_epoch(self) -> None:
        """End an epoch of a stream, which then counts in `epochs_done`."""

    def losses(self, start: int) -> NDArray[np.float64]:
        """The mean losses of this run's finished epochs, from epoch `start` (0 is the first) on."""

    def last(self) -> tuple[float, float]:
        """The loss of the last finished epoch, and what "val_accuracy" or "val_r2" then was; NaN
        where there is none."""

    def set_order(self, order: _Array) -> None:
        """Take the order of the epochs from the next on, of a fit with order="given": places (n,)
        in the rows of X, or in the list of those that are trained on."""

    @property
    def penalty(self) -> float | None:
        """The penalty on weights of the last batch, before its update; None of a model without
        one."""

    def penalties(self, start: int) -> dict[str, NDArray[np.float64]]:
        """The "penalty" on weights of the same epochs, if the model has one."""

    def validation(self, start: int) -> dict[str, NDArray[np.float64]]:
        """What was found of the rows that validate: "val_loss", unless the loss is in Python, and
        "val_accuracy" or "val_r2" if it was wanted, for epochs as of `losses`; NaN where none was
        due."""

    def validation_outputs(self) -> _Float | None:
        """The outputs (n, K) of the rows that validate, at the last epoch that was due; None
        without such rows."""

    def __enter__(self) -> Run:
        """`with run:` closes it at the end. No signal handler runs between C functions, as it may
        in a context manager written in Python: no Ctrl-C comes between a run and its close."""

    def __exit__(self, _kind: object, _error: object, _traceback: object) -> None:
        """As `close`."""

    def close(self) -> None:
        """Give the model back; harmless when called again."""

@final
class Model:
    """Parameters, optimizer state and counters of one network, and the plan to train it.

    `layers`, `loss` and `optimizer` are the values of `ironmlp.layers`, `losses` and `optimizers`,
    read by class name and attributes; `loss` is None when the caller computes it.
    """

    def __new__(
        cls,
        layers: Sequence[Any],
        loss: Any,
        optimizer: Any,
        *,
        dtype: str,
        seed: int,
        n_threads: int | None,
        scale: float | None,
        channels_last: bool,
        standardize: bool,
        standardize_y: bool,
    ) -> Model: ...
    @property
    def in_features(self) -> int | None:
        """Columns of X; None of a network that takes images."""

    @property
    def out_features(self) -> int:
        """Outputs of the last layer, K."""

    @property
    def n_parameters(self) -> int:
        """Weights and biases, trainable or not."""

    @property
    def n_threads(self) -> int | None:
        """The argument of this name."""

    @property
    def seed(self) -> int:
        """The seed of the initial parameters, batches and dropout masks."""

    @property
    def epoch(self) -> int:
        """Finished epochs since the model was made or reset."""

    @property
    def steps(self) -> int:
        """Applied updates since the model was made or reset."""

    @property
    def rates(self) -> Rates:
        """The learning rates."""

    def parameters(self) -> list[_Array]:
        """Copies of all parameters, then of all running statistics."""

    def set_parameters(self, parameters: Sequence[_Array], check_finite: bool = True) -> None:
        """Replace all of these. Shapes and, with `check_finite`, values are checked before the
        first is written."""

    def optimizer_state(self) -> dict[str, Any]:
        """What, with `parameters`, lets training continue with the same bits: the counters `epoch`
        and `steps`, the `learning_rate`, with a schedule its `factor`, and the optimizer's
        `scalars` and `moments`, as copies."""

    def set_optimizer_state(self, state: dict[str, Any], check_finite: bool = True) -> None:
        """Take over what `optimizer_state` returned; checked, as `set_parameters` does, before
        anything is written."""

    def reset(self, seed: int) -> None:
        """Fresh parameters from `seed`, no optimizer state, counters 0, the first learning rate."""

    def reset_optimizer(self) -> None:
        """The optimizer as it was at first, with the parameters as they are."""

    def assign(self, coefs: list[_Float], intercepts: list[_Float]) -> None:
        """Take over weights (in, out) and biases (out,) of all layers, in any float dtype, if they
        differ from the model's."""

    def read(self, coefs: list[_Float], intercepts: list[_Float]) -> None:
        """Write the parameters into arrays of these shapes, of the model's dtype."""

    def snapshot(self) -> Snapshot:
        """A copy of the parameters."""

    def restore(self, snapshot: Snapshot) -> None:
        """Take the parameters of a snapshot of this model, or of one of its kind."""

    def copy(self) -> Model:
        """An independent model in the same state."""

    def forward(self, X: _X, training: bool, out: _Float | None) -> _Float:
        """The last layer's output (n, K); into `out` if given (C-contiguous, the model's dtype)."""

    def adapt(self, X: _X, y: _Array | None, rows: _Array | None) -> None:
        """Learn the mean and standard deviation by which X and y are standardized; of these `rows`
        alone, if there are some."""

    def look(self, X: _X | None, y: _Array | None) -> tuple[float, float]:
        """How many times as wide as the narrowest column of X the widest is, and the largest
        magnitude in y, of up to 1,000 rows of what is given."""

    def standards(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None:
        """What data are standardized by: mean and standard deviation of "X" and "y", a pair of
        float64 arrays each, of those that are; None before they are known."""

    def set_standards(
        self, standards: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None
    ) -> None:
        """Take over what `standards` returned."""

    def evaluate(
        self, X: _X, targets: _Array, sample_weight: _Float | None
    ) -> tuple[dict[str, float], _Float]:
        """The mean "loss", whatever the loss's reduction, without dropout, and "accuracy" or "r2",
        NaN where outputs say nothing; and the outputs (n, K)."""

    def loss_and_grad(
        self,
        X: _X,
        targets: _Array,
        sample_weight: _Float | None,
        training: bool,
        input_grad: bool,
    ) -> tuple[float, list[_Float], _Float | None]:
        """The reduced loss and the penalty, their gradients, and with `input_grad` the gradient by
        X."""

    def loss_and_grad_with(
        self,
        X: _X,
        sample_weight: _Array | None,
        function: _LossOfRows,
        training: bool,
        input_grad: bool,
    ) -> tuple[float, list[_Float], _Float | None]:
        """As `loss_and_grad`, with a loss in Python, as in `Run.step_with`."""

    def call_reading(self, function: Callable[..., _Returned], *arguments: Any) -> _Returned:
        """What a function of the caller's returns for these arguments; while it runs, it may read
        the model and not change it."""

    def backward(
        self, X: _X, grad_output: _Array, training: bool, input_grad: bool
    ) -> tuple[list[_Float], _Float | None]:
        """The gradients of sum(output * grad_output), and with `input_grad` the one by X."""

    def apply_gradients(self, gradients: Sequence[_Array]) -> None:
        """One update of the optimizer."""

    def train_on_batch(self, X: _X, targets: _Array, sample_weight: _Float | None) -> float:
        """One step; the reduced loss before the update."""

    def trace(self, X: _X, targets: _Array, sample_weight: _Float | None) -> dict[str, Any]:
        """Every tensor of one step, which is not applied, in the order of computation: "0.output",
        ..., "loss", then from the last layer "k.grad_output" (the gradient by layer k's output) and
        a Linear's "k.weight.grad" and "k.bias.grad"."""

    def fit(
        self,
        X: _X,
        targets: _Array | None,
        sample_weight: _Float | None,
        epochs: int,
        batch_size: int | None,
        shuffle: bool,
        check_finite: bool,
        validation: _Validation | None = None,
        *,
        order: LegacyShuffle | Literal["given"] | None = None,
        epoch_loss: Literal["weights", "rows"] = "weights",
    ) -> Run:
        """Begin a run of `epochs` epochs; `batch_size` None trains all rows in one batch, in their
        order. `validation` is (rows, every, score): what validates after each epoch that is a
        multiple of `every`, with `score` also by accuracy or r2. The rows are an X, targets and
        sample_weight of their own, or the second of two lists of rows, the first of which are then
        trained on. `order` says where shuffled orders come from: the model's seed, a
        `LegacyShuffle`, or "given", by `Run.set_order`. `epoch_loss` says what an epoch's loss is:
        the mean of its batches by their "weights", or by "rows" and with the penalty."""

    def stream(
        self,
        epochs: int,
        steps: int | None,
        batches: int,
        check_finite: bool,
        validation: _Validation | None = None,
    ) -> Run:
        """Begin a run over batches that come one by one by `Run.take`: of `epochs` epochs, each of
        `steps` batches, or until `Run.end_epoch`. `batches` says how many these are, 0 if nobody
        knows. `validation` is as in `fit`, with rows of its own."""

    def predictor(self, max_rows: int, convert: Callable[[Any], _X]) -> Predictor:
        """A callable with buffers for at most `max_rows` rows; `convert` reads what the core does
        not."""

    def _set_route(self, route: str) -> None:
        """For tests: force "general", "unfused", "columns" or "slabs:N" rows; "auto" ends it."""
