"""The database behind a journal: how it is reached, and what its errors mean.

A path is an SQLite file. A URL may name a PostgreSQL server; a password is never in
it, but in PGPASSWORD, in ~/.pgpass or in a variable that the URL names as `${VAR}`.
"""

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from testbed.errors import JournalError

BUSY_S = 30.0  # how long a writer waits for another one (SQLite)
_CONNECT_S = 10
_DURABLE, _SYNCHRONOUS = "durable", "synchronous"  # what is known of a connection
# A server that is cut off is noticed within about half a minute.
_ALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# And so is a controller by the server, which then drops its locks: they prove life.
_ALIVE_THERE = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def make_engine(where: str, *, durable: bool) -> sa.Engine:
    """Return an engine for a path or a database URL; nothing is connected yet.

    durable  whether a commit is on the disk before it returns

    Raises JournalError when the folder of a path cannot be used, or for a URL of
    another kind of database.
    """
    if "://" not in where:
        url = sa.URL.create("sqlite", database=str(_usable(Path(where))))
    else:
        url = sa.make_url(where)
    match url.get_backend_name():
        case "sqlite":
            engine = sa.create_engine(url)
            sa.event.listen(engine, "connect", _sqlite_pragmas(durable))
        case "postgresql" | "postgres":
            there = _ALIVE_THERE | {"synchronous_commit": "on" if durable else "off"}
            engine = sa.create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args={
                    "connect_timeout": _CONNECT_S,
                    "application_name": "testbed",
                    "options": " ".join(f"-c {k}={v}" for k, v in there.items()),
                    **_ALIVE,
                },
            )
        case other:
            raise JournalError(
                f"journal: {other!r} is not a database that is known; use a path or "
                "postgresql://"
            )
    return engine


def make_reading_engine(where: str) -> sa.Engine:
    """Return an engine that only reads, also where nothing may be written."""
    if "://" in where and not where.startswith("sqlite:///"):
        return make_engine(where, durable=True)
    path = Path(where.removeprefix("sqlite:///")).expanduser().absolute()

    def connected() -> sqlite3.Connection:
        # Who writes has a log beside it, which readers share by a file that they make.
        # Where there is no log nobody writes, and nothing need be made.
        if path.with_name(f"{path.name}-wal").exists():
            with suppress(sqlite3.OperationalError):
                return _reading(path, "mode=ro")
        return _reading(path, "mode=ro&immutable=1")

    # the name tells where the locks beside it are
    url = sa.URL.create("sqlite", database=str(path))
    return sa.create_engine(url, creator=connected, poolclass=sa.pool.NullPool)


def _reading(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=BUSY_S)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        raise
    return connection


def without_password(where: str) -> str:
    """Return a path or URL, or a sentence with one, as it may be shown.

    Rather too much is hidden than too little: a password that should have been
    percent-encoded may hold anything.
    """
    shown = re.sub(r"(://[^/@:]*):.*@", r"\1@", where)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", shown)


@contextmanager
def translated(request: str) -> Iterator[None]:
    """Turn the errors of the database into one sentence."""
    try:
        yield
    except ModuleNotFoundError as exc:
        remedy = "install the extra: pip install '.[postgres]' in this project's folder"
        raise JournalError(
            f"journal: {request}: {exc.name} is missing; {remedy}"
        ) from exc
    except SQLAlchemyError as exc:
        raise JournalError(f"journal: {request}: {_reason(exc)}") from exc


def is_gone(exc: SQLAlchemyError) -> bool:
    """Say whether a server went away, and may come back."""
    if not isinstance(exc, DBAPIError):
        return False
    state = getattr(exc.orig, "sqlstate", None)
    if state is not None:  # 08: connection, 57P: it is stopped or starts
        return str(state).startswith(("08", "57P"))
    of_server = hasattr(exc.orig, "sqlstate")
    lost = exc.connection_invalidated or isinstance(exc, OperationalError)
    return of_server and lost


def wait_for_disk(connection: sa.Connection, *, waits: bool) -> None:
    """Say whether the commit of a transaction that begins now waits for the disk.

    One that does not wait is seen by others and outlives this process all the same,
    and it is on the disk when a later one that waits is. Only a power cut can take it,
    and that ends this process as well. Nothing is ever waited for where the engine is
    not a durable one. A server may die alone, so its commits always wait.
    """
    if connection.dialect.name != "sqlite":
        return
    wanted = "FULL" if waits else "NORMAL"
    found = connection.info.get(_SYNCHRONOUS, wanted)
    if found != wanted and connection.info[_DURABLE]:
        connection.exec_driver_sql(f"PRAGMA synchronous={wanted}")
        connection.info[_SYNCHRONOUS] = wanted


def _usable(path: Path) -> Path:
    path = path.expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise JournalError(
            f"the folder of the journal, {path.parent}, cannot be made: {exc.strerror}"
        ) from exc
    if not os.access(path.parent, os.W_OK):
        raise JournalError(f"the folder of the journal, {path.parent}, is not writable")
    return path


def _sqlite_pragmas(durable: bool) -> Any:
    synchronous = "FULL" if durable else "NORMAL"

    def prepare(connection: Any, record: Any) -> None:
        record.info.update({_DURABLE: durable, _SYNCHRONOUS: synchronous})
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={round(BUSY_S * 1000)}")
        with _alone_in_folder_of(cursor):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    return prepare


@contextmanager
def _alone_in_folder_of(cursor: Any) -> Iterator[None]:
    """Let one connection at a time turn to write-ahead logging.

    SQLite does not wait for others there: of those that come at once to a new file,
    some would be told that it is locked.
    """
    cursor.execute("PRAGMA database_list")
    path = cursor.fetchone()[2]
    if not path:  # in memory
        yield
        return
    folder = os.open(Path(path).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# Words of a database's error -> what happened, and what to do. The first that fits.
_MEANINGS = {
    "disk is full": "the disk is full; free some space and resume",
    "no space left": "the disk of the server is full; free some space and resume",
    "database is locked": "another program holds it locked; end that one and resume",
    "malformed": "the file is damaged; restore it from a copy",
    "not a database": "the file is not a database; move it away or name another",
    "readonly": "the file is read-only; make it writable",
    "read-only transaction": "the server only lets read; name the one that is written",
    "disk i/o error": "the disk does not answer; check it before you resume",
    "unable to open": "the file cannot be opened; check its rights and its folder",
    "password authentication failed": (
        "the server refuses the login; check the user, and PGPASSWORD or ~/.pgpass"
    ),
    "no password supplied": (
        "the server wants a password; put it into PGPASSWORD or ~/.pgpass"
    ),
    "permission denied": (
        "the user may not do that; let it own the database (ALTER DATABASE ... OWNER)"
    ),
}
_GONE = "the server does not answer; start it and resume"
_ABSENT = re.compile(r'(database|role) "[^"]*" does not exist')


def _reason(exc: SQLAlchemyError) -> str:
    cause = str(exc.orig if isinstance(exc, DBAPIError) else exc)
    low = cause.lower()
    for words, meaning in _MEANINGS.items():
        if words in low:
            return meaning
    if absent := _ABSENT.search(cause):
        return f"the {absent[0]}; make it, or name another"
    if is_gone(exc):
        return _GONE
    return without_password(next(iter(cause.splitlines()), type(exc).__name__))
