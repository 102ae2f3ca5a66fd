"""What a classifier makes of the sequence block: coarser tokens, rare ones left out.

Everything that depends on data is learnt by the classifiers from their training rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Float64
from analysis.features.sequence import BLOCKS, LENGTHS

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

_WIDTHS_B = (16, 64)
_N_UNIGRAMS = BLOCKS["unigrams"].stop


def unigrams(tokens: Any) -> Any:
    """Return (k, u) csr_array, counts of single packets; columns are sorted in rows."""
    return _kept_cells(tokens, tokens.indices < _N_UNIGRAMS, _N_UNIGRAMS)


def coarse(singles: Any) -> Any:
    """Count lengths in bins of 16 and of 64 bytes, beside class and direction.

    singles  as `unigrams` returned them;  returns  (k, w) csr_array
    """
    from scipy.sparse import csr_array, hstack

    place, size = np.divmod(singles.indices, LENGTHS)
    parts = []
    for width in _WIDTHS_B:
        bins = place * (LENGTHS // width) + size // width
        shape = (singles.shape[0], _N_UNIGRAMS // width)
        cells = singles.data.copy(), bins, singles.indptr.copy()
        made = csr_array(cells, shape=shape)
        made.sum_duplicates()  # in place
        parts.append(made)
    return hstack(parts, format="csr")


def common(counts: Any, n_rows: int, most: int) -> Int64:
    """Return the columns that `n_rows` rows or more have, sorted; the commonest `most`.

    counts  (k, v) csr_array without stored zeros
    """
    have = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(have >= n_rows)
    if kept.size > most:
        order = np.argsort(-have[kept], kind="stable")
        kept = np.sort(kept[order[:most]])
    return kept


def picked(counts: Any, columns: Int64) -> Any:
    """Return (k, m) csr_array of m sorted columns, without looking at all others."""
    if not columns.size:
        return _kept_cells(counts, np.zeros(counts.nnz, dtype=bool), 0)
    at = np.minimum(np.searchsorted(columns, counts.indices), columns.size - 1)
    found = columns[at] == counts.indices
    return _kept_cells(counts, found, columns.size, at)


def put(dense: Float32, column: int, counts: Any) -> None:
    """Write counts into an array that holds zeros there, from a column on.

    counts  (k, m) csr_array without two cells of one place
    """
    dense[_rows_of(counts), column + counts.indices] = counts.data


def rarity(counts: Any) -> Float64:
    """Return (v,) float64: how much a column says by being there at all.

    The logarithm of rows over rows that have it, smoothed as scikit-learn does.
    """
    have = np.bincount(counts.indices, minlength=counts.shape[1])
    weight: Float64 = np.log((1.0 + counts.shape[0]) / (1.0 + have)) + 1.0
    return weight


def weighted(counts: Any, weight: Float64) -> Any:
    """Return (k, v) csr_array: 1 + log of counts, by weight, each row of length 1."""
    from scipy.sparse import csr_array

    values = (1.0 + np.log(counts.data)) * weight[counts.indices]
    row = _rows_of(counts)
    square = np.bincount(row, values**2, minlength=counts.shape[0])
    values /= np.sqrt(square)[row]
    return csr_array((values, counts.indices, counts.indptr), shape=counts.shape)


def _kept_cells(
    counts: Any, kept: NDArray[np.bool_], width: int, columns: Int64 | None = None
) -> Any:
    """Return (k, width) csr_array of some cells, under other columns where given."""
    from scipy.sparse import csr_array

    indices = counts.indices if columns is None else columns
    per_row = np.bincount(_rows_of(counts)[kept], minlength=counts.shape[0])
    indptr = np.concatenate((np.zeros(1, np.int64), np.cumsum(per_row)))
    cells = counts.data[kept], indices[kept], indptr
    return csr_array(cells, shape=(counts.shape[0], width))


def _rows_of(counts: Any) -> Int64:
    rows: Int64 = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    return rows


def split(rows: Any, n: int) -> tuple[Float64, Any]:
    """Return the first n columns as an array and the others as csr_array.

    rows  csr_array with sorted columns
    """
    from scipy.sparse import csr_array

    is_first = rows.indices < n
    first = np.zeros((rows.shape[0], n))
    row = _rows_of(rows)
    first[row[is_first], rows.indices[is_first]] = rows.data[is_first]
    others = _kept_cells(rows, ~is_first, rows.shape[1] - n, rows.indices - n)
    return first, csr_array(others)
