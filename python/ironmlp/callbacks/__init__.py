"""Code of your own at the beginnings and ends of training and of epochs, and after batches.

`fit(callbacks=[...])` takes `Callback` objects and plain functions f(model, logs), which are called
at the end of each epoch. `logs` is a dict, one for each epoch: "epoch" counts from 0 at the model's
birth, and from the end of the epoch on "loss" is its mean loss. Both are not the callbacks' to
change (ValueError). Whatever else a callback adds is seen by the callbacks after it, and is a
column of the `History`; what `float` does not take is a TypeError.

Callbacks of your own are called in the order in which they are given; `EarlyStopping`, which reads
what others log, comes after them, and `ProgressBar` last, wherever they stand in the list.

Two ways to stop: `model.stop_training = True`, or `raise StopTraining("why")`; the epoch counts
that has ended.
Every method of the model but `fit` may be called. Another exception comes out of `fit`, and the
finished epochs stay trained. `on_train_end` is called in every ending, exceptions and Ctrl-C
included: `logs["stop_reason"]` says which it is.
"""

from ironmlp.callbacks.base import Callback, Hook, LambdaCallback, Logs, StopTraining
from ironmlp.callbacks.early_stopping import EarlyStopping
from ironmlp.callbacks.progress_bar import ProgressBar

__all__ = [
    "Callback",
    "EarlyStopping",
    "Hook",
    "LambdaCallback",
    "Logs",
    "ProgressBar",
    "StopTraining",
]


def __dir__() -> list[str]:
    return __all__
