"""The parts of tests/fuzz.py, which draws programs for the public API and judges what they do.

- `prelude.py`: what a drawn program may use beside the package.
- `draw.py`: how choices are drawn; `networks.py`, `arrays.py`: models, and arrays for them.
- `programs.py`: programs, as source code that runs by itself.
- `judge.py`: runs a program call by call; `agreement.py`, `ways.py`: what must hold after a call.
- `campaign.py`: many programs in processes that may crash; `shrink.py`: the least that still fails.
- `plants.py`: faults to be found.
"""
