"""What comes in from a caller, checked; each error names the argument, both sides and the cure.

`values.py` has numbers, flags and words, `arrays.py` and `tensors.py` arrays, `spec.py` the frozen
values that layers, losses and optimizers are, `rounding.py` what a dtype makes of their settings.
`keywords.py` explains arguments that a function does not have, and `foreign.py` knows what other
libraries call them.
"""
