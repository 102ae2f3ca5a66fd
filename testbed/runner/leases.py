"""One controller per lab: a lease with a heartbeat, kept in the journal database.

A lab that is made for a campaign alone (the fast form) is known by the campaign's name.

Beside it a lock file, where the database is a file: the kernel drops the lock with the
process, so that a killed controller can be followed at once, and not only when its
lease runs out. (A process id would not do: the virtual lab has its own.)
"""

import fcntl
import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from testbed.clock import Clock
from testbed.errors import JournalError, LabError
from testbed.runner.journal import JournalStore, lease_table

TTL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lab: his last heartbeat (ns UTC on his clock), and for how long."""

    name: str
    heartbeat_ns: int
    ttl_ns: int

    def is_at(self, campaign: str, now_ns: int) -> bool:
        """Say whether this is the controller of a campaign, and it is alive."""
        fresh = now_ns <= self.heartbeat_ns + self.ttl_ns
        return fresh and self.name.startswith(f"{campaign} on ")


class Lease:
    """The right to operate one lab, until it is released or not renewed for `ttl_s`."""

    def __init__(
        self, store: JournalStore, lab: str, clock: Clock, *, ttl_s: float = TTL_S
    ) -> None:
        self._store = store
        self._lab = lab
        self._clock = clock
        self._ttl_ns = round(ttl_s * 1e9)
        self._token = uuid.uuid4().hex
        self._host = socket.gethostname()
        self._lock: int | None = None
        self._beat_ns = 0

    def acquire(self, campaign: str) -> None:
        """Take the lab; raises LabError with the holder's name when it is taken."""
        row: dict[str, str | int] = {
            "lab": self._lab,
            "holder": f"{campaign} on {self._host}, process {os.getpid()}",
            "token": self._token,
            "heartbeat_ns": self._clock.now_ns(),
            "ttl_ns": self._ttl_ns,
        }
        alone = self._lock_file()
        if self._insert(row) or self._take_over(row, alone=alone):
            self._beat_ns = self._clock.now_ns()
            return
        self._unlock_file()
        holder = self.holder()
        name = holder.name if holder is not None else "another controller"
        raise LabError(
            f"the lab {self._lab!r} is held by {name}; wait until it is done, or end it"
        )

    def renew_in_time(self) -> None:
        """Renew where a good part of the time has passed; see `renew`."""
        if self._clock.now_ns() > self._beat_ns + self._ttl_ns // 8:
            self.renew()

    def renew(self) -> None:
        """Beat once more; raises JournalError when somebody else took the lab."""
        beat = {"heartbeat_ns": self._clock.now_ns()}
        statement = sa.update(lease_table).where(*self._own()).values(beat)
        with self._store.writing("renew the lease") as connection:
            changed = connection.execute(statement).rowcount
        if changed != 1:
            raise JournalError(
                f"the lease on the lab {self._lab!r} was lost to another controller; "
                "resume the campaign when that one is done"
            )
        self._beat_ns = self._clock.now_ns()

    def release(self) -> None:
        """Give the lab back; harmless when it is not held."""
        with self._store.writing("release the lease") as connection:
            connection.execute(sa.delete(lease_table).where(*self._own()))
        self._unlock_file()

    def holder(self) -> Holder | None:
        """Return who holds the lab, or None."""
        return holder_of(self._store, self._lab)

    def _insert(self, row: dict[str, str | int]) -> bool:
        try:
            with self._store.writing("take the lease") as connection:
                connection.execute(sa.insert(lease_table), row)
        except JournalError as exc:
            if isinstance(exc.__cause__, IntegrityError):
                return False
            raise
        return True

    def _take_over(self, row: dict[str, str | int], *, alone: bool) -> bool:
        """Take a lease that was not renewed in time, or whose process is dead."""
        columns = lease_table.c
        free = columns.heartbeat_ns + columns.ttl_ns < row["heartbeat_ns"]
        if alone:
            free = sa.or_(free, columns.holder.contains(f" on {self._host}, process "))
        values = {k: v for k, v in row.items() if k != "lab"}
        with self._store.writing("take the lease") as connection:
            changed = connection.execute(
                sa.update(lease_table)
                .where(columns.lab == self._lab, free)
                .values(values)
            ).rowcount
        return changed == 1

    def _lock_file(self) -> bool:
        """Lock the lab on this machine; say whether that proved that nobody has it."""
        if self._store.file is None:
            return False
        path = self._lock_path(self._store.file)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _is_ours(lock, path):
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _lock_path(self, journal: Path) -> Path:
        return journal.with_name(f"{journal.name}.{self._lab}.lock")

    def _unlock_file(self) -> None:
        if self._lock is not None and self._store.file is not None:
            self._lock_path(self._store.file).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _own(self) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        columns = lease_table.c
        return columns.lab == self._lab, columns.token == self._token


def _is_ours(lock: int, path: Path) -> bool:
    """Lock an open file; say whether it was free, and is still the one at its place."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # one who just went may have taken the file with him
        return os.fstat(lock).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def holder_of(store: JournalStore, lab: str) -> Holder | None:
    """Return who holds a lab, or None; raises JournalError."""
    columns = lease_table.c
    query = sa.select(columns.holder, columns.heartbeat_ns, columns.ttl_ns).where(
        columns.lab == lab
    )
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Holder(name=row.holder, heartbeat_ns=row.heartbeat_ns, ttl_ns=row.ttl_ns)
