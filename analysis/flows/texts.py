"""A column of texts, each told by the number of its name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.packets.arrow import named_by, to_numpy


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """n texts, of which few differ: four bytes a row, and groups at no cost.

    number  (n,) int32, rows of `names`; read-only
    names   texts without repeats; some may be of no row
    """

    number: NDArray[np.int32]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.number.ndim != 1 or self.number.dtype != np.int32:
            raise ValueError("numbers of names must be (n,) int32")
        if self.number.size and not (
            self.number.min() >= 0 and self.number.max() < len(self.names)
        ):
            raise ValueError("a number is of no name")
        self.number.setflags(write=False)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """Return the column of these texts."""
        rows: dict[str, int] = {}
        number = [rows.setdefault(text, len(rows)) for text in texts]
        return cls(number=np.array(number, dtype=np.int32), names=tuple(rows))

    @classmethod
    def same(cls, text: str, n: int) -> "Texts":
        """Return a column of one text in every row."""
        return cls(number=np.zeros(n, dtype=np.int32), names=(text,))

    @classmethod
    def joined(cls, parts: "Sequence[Texts]") -> "Texts":
        """Return the texts of all parts, one after the other."""
        rows: dict[str, int] = {}
        numbers = [np.zeros(0, dtype=np.int32)]
        for part in parts:
            own = [rows.setdefault(name, len(rows)) for name in part.names]
            numbers.append(np.array(own, dtype=np.int32)[part.number])
        return cls(number=np.concatenate(numbers), names=tuple(rows))

    def __len__(self) -> int:
        return self.number.size

    def __iter__(self) -> Iterator[str]:
        return (self.names[number] for number in self.number.tolist())

    def tolist(self) -> list[str]:
        """Return the texts row by row."""
        return list(self)

    def is_in(self, *texts: str) -> NDArray[np.bool_]:
        """Say of each row whether it is one of these texts."""
        known = np.array([name in texts for name in self.names], dtype=np.bool_)
        return known[self.number]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "Texts":
        """Return the chosen rows; names stay."""
        return Texts(number=self.number[rows], names=self.names)

    def used(self) -> "Texts":
        """Return the same texts, without names that are of no row."""
        rows, number = np.unique(self.number, return_inverse=True)
        names = tuple(self.names[row] for row in rows.tolist())
        return Texts(number=number.astype(np.int32), names=names)


def texts_of(column: pa.DictionaryArray) -> Texts:
    """Return a column of Arrow without nulls; its numbers may be of any width.

    Raises ValueError when a text is not there.
    """
    if column.null_count or column.dictionary.null_count:
        raise ValueError("a text is not there")
    number = to_numpy(column.indices).astype(np.int32)
    names = column.dictionary.to_pylist()
    if len(set(names)) == len(names):
        return Texts(number=number, names=tuple(names))
    rows: dict[str, int] = {}
    own = [rows.setdefault(name, len(rows)) for name in names]
    return Texts(number=np.array(own, dtype=np.int32)[number], names=tuple(rows))


def arrow_of(texts: Texts) -> pa.DictionaryArray:
    """Return the column for Arrow."""
    return named_by(texts.number, texts.names)
