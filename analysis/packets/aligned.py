"""Two Parquet files side by side, whatever pieces each was written in."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

_BATCH = 65_536


def aligned(
    one: pq.ParquetFile, two: pq.ParquetFile
) -> Iterator[tuple[int, pa.RecordBatch, pa.RecordBatch]]:
    """Yield pieces of two tables with the same rows, and the number of the first."""
    left, right = one.iter_batches(_BATCH), two.iter_batches(_BATCH)
    a, b, first = next(left, None), next(right, None), 0
    while a is not None and b is not None:
        n = min(a.num_rows, b.num_rows)
        yield first, a.slice(0, n), b.slice(0, n)
        first += n
        a = a.slice(n) if a.num_rows > n else next(left, None)
        b = b.slice(n) if b.num_rows > n else next(right, None)
