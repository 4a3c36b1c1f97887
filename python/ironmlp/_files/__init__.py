"""Models in files. `saving.py` writes one; `ironmlp.persistence` reads it.

A file is in the format of `safetensors.py`; `specs.py` and `classes.py` say as JSON what the
model is made of and which labels it knows; `nested.py` brings any dicts, lists and arrays there and
back, as those of a training that is to go on. `atomic.py` writes a file whole or not at all,
`ordinary.py` opens nothing but ordinary files.
"""
