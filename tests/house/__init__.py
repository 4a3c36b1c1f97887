"""The source as files and the arrows between them, for Rust and for Python; layering.py has the
rules that they must keep.

`rust_code.py` reads Rust as words and paths, `rust_files.py` and `python_files.py` find the file
that defines what a path or an import names, `arrows.py` has what a drawing of arrows can tell, and
`map.py` prints it.
"""
