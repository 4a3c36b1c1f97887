"""X and y out of data frames, column by column.

`frame.py` has what all of them share: columns that are numbers, those that are not, and what is
missing. `pandas_frame.py`, `polars_frame.py`, `arrow_frame.py` and `interchange.py` know a library
or a protocol each, and import it when something of it comes, if at all. `reading.py` chooses among
them.
"""
