"""What `python -m ironmlp` does.

`demo.py` prints what `demo_measure.py` finds out in a process of its own, where `demo_numpy.py`
trains the same networks in NumPy. `selfcheck.py` trains the networks of `selfcheck_networks/`.
"""
