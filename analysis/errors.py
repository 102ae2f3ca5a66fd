"""Everything that the analysis raises on purpose.

AnalysisError
├── RequestError      something is asked for that is not  exit 2
├── DatasetError      a campaign folder cannot be read        exit 2
├── LabelError        packets cannot be given one label each  exit 1
├── ModelError        a trained model cannot be read or kept  exit 2
├── ClusterError      a cluster cannot do the work            exit 3
├── WorkspaceError    a disk is full or cannot be written     exit 4
└── ImportDataError   what others made cannot be taken over   exit 2, nothing is kept

A damaged capture raises `analysis.pcap.errors.CaptureError`, which stands alone because
that package imports nothing of the project. A message is one sentence without capital
and full stop: what, where, and the remedy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AnalysisError(Exception):
    """Base of all errors that the analysis raises on purpose."""

    exit_code = 1


class RequestError(AnalysisError):
    """A name was asked for that nothing has."""

    exit_code = 2


class DatasetError(AnalysisError):
    """A campaign folder is incomplete or holds something that cannot be read."""

    exit_code = 2


class LabelError(AnalysisError):
    """A packet would have no one label."""


class ModelError(AnalysisError):
    """A trained model is damaged, of another version, or not what it claims to be."""

    exit_code = 2


class ClusterError(AnalysisError):
    """A cluster is not there, or does not see what we see."""

    exit_code = 3


class WorkspaceError(AnalysisError):
    """The folder to work in is full or cannot be written; no data are to blame."""

    exit_code = 4


class ImportDataError(AnalysisError):
    """Captures or activities of others cannot be taken over.

    faults  one sentence each, with file and line where there is one
    """

    exit_code = 2

    def __init__(self, faults: tuple[str, ...]) -> None:
        head = faults[0] if len(faults) == 1 else f"{len(faults)} faults"
        lines = faults if len(faults) > 1 else ()
        super().__init__("\n  ".join((head, *lines)))
        self.faults = faults


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give an OSError that names no file, as from the writer of Parquet, this one."""
    try:
        yield
    except OSError as exc:
        if exc.filename is None:
            exc.filename = str(path)
        raise
