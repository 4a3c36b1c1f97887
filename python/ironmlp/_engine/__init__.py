"""The network without `fit` and files: what it is made of, its state, and all that it computes.

`architecture.py` has what training does not change, by the checks of `network.py`, and `trained.py`
what it does; on them stands `engine.py`, the base of the models. `named.py` holds arrays against
the parameters' names and shapes, and `own_loss.py` calls a loss of the user's own. `repr.py`,
`summary.py` (with `shapes.py`) and `notebook.py` show a model.
"""

from ironmlp._engine.engine import Engine

__all__ = ["Engine"]
