"""Numbers that say how good a network's outputs are, beside its loss.

`task.py` says what outputs are to meet, and what they predict; on it stand the metrics: `labels.py`
(accuracy of all kinds, f1), `ranking.py` (areas under curves) and `errors.py` (of numbers).
`choice.py` knows them by name, and checks what a user asks for.
"""
