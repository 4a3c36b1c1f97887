"""What y means for each kind of loss: y to targets, and outputs back to labels.

`array.py` reads y as an array in which each label is as it was given. `matching.py` finds labels
among classes, and `targets.py` checks the numbers that a loss takes. On them stand the readings,
one immutable class for each row of the table in the guide: `reading.py` has what they share,
`regression.py`, `distributions.py`, `binary.py` and `crossentropy.py` the rows, `own.py` what goes
with a loss function of the user's; `choice.py` picks one.
"""

from ironmlp._labels.array import label_array
from ironmlp._labels.choice import reading_of
from ironmlp._labels.matching import distinct, positions
from ironmlp._labels.reading import Choice, Classification, Reading
from ironmlp._labels.regression import Numbers
from ironmlp._labels.targets import in_dtype

__all__ = [
    "Choice",
    "Classification",
    "Numbers",
    "Reading",
    "distinct",
    "in_dtype",
    "label_array",
    "positions",
    "reading_of",
]
