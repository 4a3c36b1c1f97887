"""Code of your own at the beginnings and ends of training and of epochs, and after batches.

`fit(callbacks=[...])` takes `Callback` objects and plain functions f(model, logs), which are called
at the end of each epoch. `logs` is a dict, one for each epoch: "epoch" counts from 0 at the model's
birth, and from the end of the epoch on "loss" is its mean loss. Both are not the callbacks' to
change (ValueError). Whatever else a callback adds is seen by the callbacks after it, and is a
column of the `History`; what `float` does not take is a TypeError.

Callbacks of your own are called in the order in which they are given. Those that read what others
log come after them, `EarlyStopping` and `ReduceLROnPlateau`, then `CSVLogger`, `Checkpoint`, and
`ProgressBar` last, wherever they stand in the list.

`fit(resume=True)` goes on with the training of a `Checkpoint`'s file. What a callback of your own
remembers from epoch to epoch goes there and back by `state` and `set_state`. It is known by its
class, a function by its name.

Two ways to stop: `model.stop_training = True`, or `raise StopTraining("why")`; the epoch counts
that has ended.
Every method of the model but `fit` may be called. Another exception comes out of `fit`, and the
finished epochs stay trained. `on_train_end` is called in every ending, exceptions and Ctrl-C
included: `logs["stop_reason"]` says which it is.
"""

from ironmlp.callbacks.base import Callback, Hook, LambdaCallback, Logs, StopTraining
from ironmlp.callbacks.checkpoint import Checkpoint
from ironmlp.callbacks.csv_logger import CSVLogger
from ironmlp.callbacks.early_stopping import EarlyStopping
from ironmlp.callbacks.plateau import ReduceLROnPlateau
from ironmlp.callbacks.progress_bar import ProgressBar

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "Hook",
    "LambdaCallback",
    "Logs",
    "ProgressBar",
    "ReduceLROnPlateau",
    "StopTraining",
]


def __dir__() -> list[str]:
    return __all__
