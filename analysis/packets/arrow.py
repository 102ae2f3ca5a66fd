"""Columns of numpy as columns of Arrow, and back, by their buffers.

pyarrow's own ways, `pa.array` and `to_numpy`, do the same, but import pandas first
wherever it is installed, which takes longer than to read a day of packets.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def to_arrow(column: NDArray[Any]) -> pa.Array:
    """Return numbers or truth values as an Arrow array; numbers are not copied."""
    if column.dtype == np.bool_:
        return _from_buffer(pa.bool_(), column.size, _bits(column))
    kind = pa.from_numpy_dtype(column.dtype)
    return _from_buffer(kind, column.size, np.ascontiguousarray(column))


def texts_to_arrow(texts: Sequence[str]) -> pa.Array:
    """Return texts as an Arrow array."""
    coded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, coded)]).astype(np.int32)
    data = pa.py_buffer(b"".join(coded))
    return pa.StringArray.from_buffers(len(coded), pa.py_buffer(ends), data)


def named_by(number: NDArray[np.int32], texts: Sequence[str]) -> pa.DictionaryArray:
    """Return a column of texts, each told by its number; null where that is negative.

    number  (n,) int32, rows of `texts`, or negative
    """
    known = number >= 0
    # what stands under a null is not looked at, but must be a number that there is
    rows = np.where(known, number, 0).astype(np.int32)
    buffers = [pa.py_buffer(_bits(known)), pa.py_buffer(rows)]
    indices = pa.Array.from_buffers(pa.int32(), number.size, buffers)
    return pa.DictionaryArray.from_arrays(indices, texts_to_arrow(texts))


def to_numpy(array: pa.Array) -> NDArray[Any]:
    """Return a column without nulls as numpy, which may not be written to."""
    data = array.buffers()[1]
    first, last = array.offset, array.offset + len(array)
    if pa.types.is_boolean(array.type):
        raw = np.frombuffer(data, dtype=np.uint8)
        return np.unpackbits(raw, bitorder="little")[first:last].astype(np.bool_)
    return np.frombuffer(data, dtype=array.type.to_pandas_dtype())[first:last]


def numbers_of(column: pa.DictionaryArray) -> tuple[NDArray[np.int32], list[str]]:
    """Return the numbers of a column of texts, -1 for null, and the texts."""
    indices = column.indices
    number = np.array(to_numpy(indices), dtype=np.int32)
    valid = indices.buffers()[0]
    if valid is not None:
        bits = np.unpackbits(np.frombuffer(valid, dtype=np.uint8), bitorder="little")
        known = bits[indices.offset : indices.offset + len(indices)].astype(np.bool_)
        number[~known] = -1
    return number, column.dictionary.to_pylist()


def _bits(column: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(column, bitorder="little")


def _from_buffer(kind: pa.DataType, n: int, data: NDArray[Any]) -> pa.Array:
    return pa.Array.from_buffers(kind, n, [None, pa.py_buffer(data)])
