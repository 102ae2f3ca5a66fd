"""What is asked for, who makes and watches it, and what comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from analysis.reproduce.recipe import Recipe

EQUAL, DIFFERS, MISSING, EXTRA = "equal", "differs", "missing", "extra"
NOT_COMPARED = "not_compared"
STATES = (EQUAL, DIFFERS, MISSING, EXTRA, NOT_COMPARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that was published otherwise than it comes out.

    file   path within the payload of the dataset
    place  row and column, frame, key, line; '' where it is the whole file
    what   a sentence without capital and full stop
    published, remade  both values, as text; '' where there is none
    """

    file: str
    place: str
    what: str
    published: str = ""
    remade: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.place, self.what) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """A file of the payload of which something, or all, was not compared, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Files of one kind by what came out of the comparison; each counts once.

    equal         all that is in it was compared, and is as it was published
    differs       holds something else;  missing  made anew, and was not published
    extra         published, and is not made anew
    not_compared  is not made again, or not all that is in it; no difference was found
    """

    kind: str
    equal: int = 0
    differs: int = 0
    missing: int = 0
    extra: int = 0
    not_compared: int = 0

    @property
    def different(self) -> int:
        """Files that do not come out as they were published."""
        return self.differs + self.missing + self.extra


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What came out.

    folder     where everything was made
    told       what is other than where it was published, a sentence each
    exact      whether numbers had to be equal to the last digit
    tolerance  relative, of numbers that are no whole ones, where they had not
    differences  the first ones of each file;  n_differences  all of them
    not_compared  files of which nobody knows by this whether they come out again
    """

    dataset: Path
    folder: Path
    told: tuple[str, ...]
    exact: bool
    tolerance: float
    counts: tuple[Counts, ...]
    differences: tuple[Difference, ...]
    n_differences: int
    not_compared: tuple[NotCompared, ...]

    @property
    def alike(self) -> bool:
        """Whether nothing that was compared is other than it was published."""
        return not self.n_differences


class Makers(Protocol):
    """Who makes what lies above this floor; the command line brings it."""

    def results(self, recipe: Recipe, campaign: Path, out: Path) -> None:
        """Write the tables and figures of one campaign folder into `out`."""

    def tables(
        self,
        campaigns: Sequence[Path],
        data: Path,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write the tables over all campaigns into `data`, named as published.

        What only who published can tell is left empty.

        progress  is called with bytes of captures that were read since its last call
        """

    def surroundings(self) -> Mapping[str, Any]:
        """Return what a recipe would tell of where it is made, here and now."""

    @property
    def code(self) -> str:
        """Return a digest of the code that makes everything."""


class Watcher(Protocol):
    """Who is told how far it is."""

    def begin(self, step: str, total_b: int) -> None:
        """Hear that a step begins, with `total_b` bytes to be read, 0 for none."""

    def read(self, size_b: int) -> None:
        """Hear how many bytes were read since the last call."""

    def end(self, step: str, note: str) -> None:
        """Hear that a step ended, and what came out; or that it was kept."""

    def tell(self, sentence: str) -> None:
        """Hear something that should be known before the work begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to reproduce, and where.

    dataset    folder of a bag, or its payload
    out        folder for what is made; goes on with what an earlier call left there
    jobs       captures, and processes that learn, side by side
    tolerance  relative, for numbers made by other versions
    """

    dataset: Path
    out: Path
    makers: Makers
    jobs: int = 1
    tolerance: float = 1e-6
