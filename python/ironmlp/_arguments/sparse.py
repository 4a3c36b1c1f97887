"""Sparse matrices of SciPy, and what is like them. SciPy is not imported."""

from __future__ import annotations

from typing import Any

from ironmlp import _core


def is_sparse(value: Any) -> bool:
    return hasattr(value, "tocsr") and hasattr(value, "nnz")


def sparse_table(argument: str, value: Any) -> _core.Table:
    """Its compressed rows (CSR), as they are if it has these, with one element for each place.

    What it says of itself, the core holds against its arrays.
    """
    if len(value.shape) != 2:
        raise ValueError(
            f"{argument} is sparse and has shape {value.shape}, it must have 2 dimensions: rows "
            "and columns"
        )
    rows = value.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    table = _core.Table.of_rows(rows.data, rows.indices, rows.indptr, int(rows.shape[1]))
    if len(table) != rows.shape[0]:
        raise ValueError(f"{argument} has {rows.shape[0]} rows, its indptr {len(table)}")
    return table
