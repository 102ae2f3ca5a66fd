"""Locks that go with their process: they prove that the holder of a lease is dead.

A heartbeat alone makes a killed controller's heir wait until it runs out. A lock that
the kernel (for a file) or the server (for its sessions) drops with the process tells
at once. (A process id would not do: the virtual lab has its own.)
"""

import fcntl
import os
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from testbed.errors import JournalError
from testbed.runner.journal.database import is_gone, translated
from testbed.runner.journal.store import JournalStore

_TRIES = 9  # so many in a row do not go in the moment between two calls


class LifeLock(Protocol):
    """A lock that one living process can have."""

    def take(self) -> str:
        """Take it; return what proves so to the next one, or '' when it is taken.

        The proof tells locks apart that would not shut each other out: those of
        another machine, or of a server that was started anew since.
        """

    def look(self) -> str:
        """Return what `take` would, and leave it as it is."""

    def keep(self) -> str:
        """Take it again where it was lost through no fault of ours; return the proof.

        A server that is started anew, or a line that was cut, drops locks as well.
        """

    def drop(self) -> None:
        """Give it back; harmless when it is not held."""


def life_lock(store: JournalStore, lab: str) -> LifeLock:
    """Return the lock that goes with a lease on a lab."""
    if store.file is not None:
        return FileLock(store.file.with_name(f"{store.file.name}.{lab}.lock"))
    return ServerLock(store.engine, lab)


class FileLock:
    """A file beside the journal, locked on this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    def take(self) -> str:
        """Lock the file; return what proves so, or ''."""
        for _ in range(_TRIES):
            try:
                lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
                is_free = _lock_now(lock)
            except OSError as exc:
                raise JournalError(
                    f"journal: the lock file {self._path} cannot be made: "
                    f"{exc.strerror}"
                ) from exc
            if is_free and _is_at(lock, self._path):
                self._lock = lock
                return self._proof()
            os.close(lock)
            if not is_free:
                break
            # One who just went has taken that file with him; there may be another.
        return ""

    def look(self) -> str:
        """Return what proves that the file is free, or ''; nothing is made."""
        try:
            lock = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._proof()
        except OSError as exc:
            raise JournalError(
                f"journal: the lock file {self._path} cannot be read: {exc.strerror}"
            ) from exc
        try:
            # shared: those who look do not take each other for the holder
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return ""
        except OSError as exc:
            raise JournalError(
                f"journal: the lock file {self._path} cannot be looked at: "
                f"{exc.strerror}"
            ) from exc
        finally:
            os.close(lock)
        return self._proof()

    def keep(self) -> str:
        """Return what proves that the file is locked, or ''."""
        return self._proof() if self._lock is not None else ""

    def drop(self) -> None:
        """Unlock the file, and take it away."""
        if self._lock is not None:
            if _is_at(self._lock, self._path):  # not that of an heir
                self._path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _proof(self) -> str:
        return f"file on {socket.gethostname()}"[:64]


class ServerLock:
    """An advisory lock of PostgreSQL, held by a connection of its own."""

    def __init__(self, engine: sa.Engine, lab: str) -> None:
        self._engine = engine
        self._name = f"testbed lease {lab}"
        self._connection: sa.Connection | None = None
        self._proof = ""

    def take(self) -> str:
        """Take the lock on a connection of its own; return what proves so, or ''."""
        with translated("lock the lease"):
            try:
                return self._take()
            except SQLAlchemyError as exc:
                if not is_gone(exc):
                    raise
                # One that the pool kept had died; the pool knows it by now.
                return self._take()

    def _take(self) -> str:
        # no transaction stays open for days
        connection = self._engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        )
        connection.detach()  # it is nobody's but ours until we are done
        with ExitStack() as unless_held:
            unless_held.callback(connection.close)
            key = sa.func.hashtextextended(self._name, 0)
            started = sa.func.extract("epoch", sa.func.pg_postmaster_start_time())
            query = sa.select(
                sa.func.pg_try_advisory_lock(key), sa.cast(started, sa.Text)
            )
            is_held, server = connection.execute(query).one()
            if not is_held:
                return ""
            unless_held.pop_all()
        self._connection, self._proof = connection, f"server since {server}"
        return self._proof

    def look(self) -> str:
        """Take the lock for a moment; return what proves so, or ''."""
        try:
            return self.take()
        finally:
            self.drop()

    def keep(self) -> str:
        """Look whether the connection lives, and make a new one when it does not."""
        if self._connection is not None:
            try:
                self._connection.execute(sa.select(1))
            except SQLAlchemyError:
                self._forget()
            else:
                return self._proof
        return self.take()

    def drop(self) -> None:
        """Give the lock back, and end the connection."""
        if self._connection is not None:
            # At once: the server takes a moment to see that a connection has ended.
            with suppress(SQLAlchemyError):
                self._connection.execute(sa.select(sa.func.pg_advisory_unlock_all()))
        self._forget()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _lock_now(file: int) -> bool:
    """Lock an open file; say whether it was free. Raises OSError, the file closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(file)
        raise
    return True


def _is_at(file: int, path: Path) -> bool:
    """Say whether an open file is the one that is at a place now."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
