"""Arrays of a .npz file that somebody else may have made; its word is not taken.

    with open_arrays(file, most_b=1 << 20) as held:
        times = held.array("times", np.int64)

numpy takes memory for as many numbers as the head of an array claims, before it reads
them. Here a head is compared with what the archive holds, and that with a bound, before
memory is taken; nothing is unpickled, and no name in the archive becomes a path.
"""

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

_END = b"PK\x05\x06"  # of a zip: the record that tells where the list of files is
_END_B = 22  # without a comment
_WIDE = b"PK\x06\x07"  # of a zip above 4 GiB or 65,535 files
_WIDE_B = 20
_MOST_LIST_B = 1 << 20  # some thousands of arrays; each costs memory ten times as much
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NUMBERS = "biuf"
_BROKEN = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # encrypted, packed in another way, nested without end
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class ArraysError(ValueError):
    """Told in half a sentence, for whoever knows the name of the file."""


class TooLargeError(ArraysError):
    """The file unpacks to `size_b`, which is more than was allowed."""

    def __init__(self, size_b: int) -> None:
        super().__init__(f"unpacks to {size_b} B")
        self.size_b = size_b


@dataclass(frozen=True, slots=True)
class Arrays:
    """An open archive of arrays; `names` as they are in it, each once."""

    names: frozenset[str]
    _packed: zipfile.ZipFile

    def array(self, name: str, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """Read an array of numbers.

        dtype  the only one that will do; None: whole numbers, truths or floats

        Raises ArraysError when it is missing, damaged, of another type, or not as large
        as its head claims.
        """
        if name not in self.names:
            raise ArraysError(f"has no {name}")
        with _said_plainly(), self._packed.open(f"{name}.npy") as file:
            held_b = self._packed.getinfo(f"{name}.npy").file_size
            shape, by_column, found = _head(file, held_b, name)
            if dtype is not None and found != np.dtype(dtype):
                raise ArraysError(f"{name} is of another type")
            flat = np.empty(math.prod(shape), dtype=found)
            # of whatever is packed there, no more than this is unpacked
            octets = file.read(flat.nbytes)
            if len(octets) != flat.nbytes:
                raise ArraysError(f"{name} is cut short")
            flat.view(np.uint8)[:] = np.frombuffer(octets, dtype=np.uint8)
        if found.kind == "b" and (flat.view(np.uint8) > 1).any():
            raise ArraysError(f"{name} is neither true nor false")
        return flat.reshape(shape, order="F" if by_column else "C")


@contextmanager
def open_arrays(file: BinaryIO, *, most_b: int) -> Iterator[Arrays]:
    """Open what `numpy.savez` or `savez_compressed` wrote.

    most_b  all arrays together, unpacked

    Raises TooLargeError for more than that, ArraysError for anything that is no such
    file.
    """
    with _said_plainly():
        _refuse_long_list(file)
        packed = zipfile.ZipFile(file)
    with packed:
        yield Arrays(_names(packed, most_b), packed)


def _names(packed: zipfile.ZipFile, most_b: int) -> frozenset[str]:
    parts = packed.infolist()
    size_b = sum(each.file_size for each in parts)
    if size_b > most_b:
        raise TooLargeError(size_b)
    names = [each.filename.removesuffix(".npy") for each in parts]
    if len(set(names)) != len(names):
        raise ArraysError("has two arrays of one name")
    if any(each.compress_type not in _PACKINGS for each in parts):
        raise ArraysError("is packed in a way that is not ours")
    return frozenset(names)


def _refuse_long_list(file: BinaryIO) -> None:
    """Raise ArraysError before millions of files are listed."""
    size_b = file.seek(0, 2)
    file.seek(max(0, size_b - _END_B - _WIDE_B))
    tail = file.read()
    end = tail[-_END_B:]
    if not end.startswith(_END) or len(end) != _END_B:
        raise ArraysError("is no archive of arrays, or cut short")
    (list_b,) = struct.unpack_from("<I", end, 12)
    if list_b > _MOST_LIST_B or tail[:-_END_B].startswith(_WIDE):
        raise ArraysError("lists more arrays than any file of ours")
    file.seek(0)


def _head(
    file: Any, held_b: int, name: str
) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    """Return shape, order and type of an array, once they fit what is held."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ArraysError(f"{name} is of a format that is not ours")
    shape, by_column, dtype = readers[version](file)
    if dtype.kind not in _NUMBERS:
        raise ArraysError(f"{name} holds no numbers")
    size_b = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or file.tell() + size_b != held_b:
        raise ArraysError(f"{name} is not as large as its head claims")
    return shape, by_column, dtype


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except ArraysError:
        raise
    except _BROKEN as exc:
        raise ArraysError("holds no arrays, or is damaged") from exc
