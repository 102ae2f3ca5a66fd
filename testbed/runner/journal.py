"""The append-only record of all facts of all campaigns of one lab.

A row is committed before `write` returns, so that the fact is on disk before the act
that it announces. Rows are only ever inserted; state is a fold over them (fold.py).
The one table with updates holds the leases on a lab (leases.py).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from testbed.clock import Clock
from testbed.errors import JournalError
from testbed.model.events import Event
from testbed.runner.records import event_from, event_text, kind_of

SCHEMA = 1
BUSY_S = 30.0  # how long a writer waits for another one

_metadata = sa.MetaData()
_meta = sa.Table(
    "meta",
    _metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)
_events = sa.Table(
    "events",
    _metadata,
    sa.Column(
        "seq",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("campaign", sa.String(200), nullable=False, index=True),
    sa.Column("at_ns", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
lease_table = sa.Table(
    "leases",
    _metadata,
    sa.Column("lab", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(200), nullable=False),
    sa.Column("token", sa.String(64), nullable=False),
    sa.Column("heartbeat_ns", sa.BigInteger, nullable=False),
    sa.Column("ttl_ns", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One row: its place in the journal, its stamp (ns UTC, controller), its fact."""

    seq: int
    at_ns: int
    event: Event


class JournalStore:
    """The database behind the journals of one lab; safe for several threads."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine = engine
        name = engine.url.database
        sqlite = engine.dialect.name == "sqlite"
        self.file = Path(name) if sqlite and name else None
        self._clock = clock
        # One writer of this process at a time: SQLite would make them poll instead.
        self._turn = threading.Lock()
        with self.writing("open it") as connection:
            _metadata.create_all(connection)
        self._check_schema()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the database; what was written stays."""
        self._engine.dispose()

    def campaigns(self) -> list[str]:
        """List the campaigns that have at least one fact, oldest first.

        A name that begins with '#' is no campaign: the schedules keep facts so.
        """
        query = (
            sa.select(_events.c.campaign)
            .where(_events.c.campaign.not_like("#%"))
            .group_by(_events.c.campaign)
            .order_by(sa.func.min(_events.c.seq))
        )
        with self.reading() as connection:
            return [row.campaign for row in connection.execute(query)]

    def insert(self, campaign: str, event: Event) -> int:
        """Append one fact, committed before this returns; return its stamp in ns."""
        kind, facts = kind_of(event), event_text(event)
        with self.writing(f"write {kind}") as connection:
            # The stamp is taken in turn, so that seq and at_ns have the same order.
            at_ns = self._clock.now_ns()
            row = {"campaign": campaign, "at_ns": at_ns, "kind": kind, "facts": facts}
            connection.execute(sa.insert(_events), row)
        return at_ns

    def select(self, campaign: str, after: int = 0) -> list[Recorded]:
        """Return the facts of a campaign with a `seq` above `after`, in order."""
        columns = _events.c
        query = (
            sa.select(columns.seq, columns.at_ns, columns.kind, columns.facts)
            .where(columns.campaign == campaign, columns.seq > after)
            .order_by(columns.seq)
        )
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Recorded(seq=seq, at_ns=at_ns, event=event_from(kind, facts))
            for seq, at_ns, kind, facts in rows
        ]

    @contextmanager
    def writing(self, request: str) -> Iterator[sa.Connection]:
        """Give a connection whose work is committed when the context ends."""
        with self._turn, _translated(request), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read with."""
        with _translated("read it"), self._engine.connect() as connection:
            yield connection

    def _check_schema(self) -> None:
        query = sa.select(_meta.c.value).where(_meta.c.key == "schema")
        with self.reading() as connection:
            found = connection.execute(query).scalar_one_or_none()
        if found is None:
            with self.writing("mark its version") as connection:
                row = {"key": "schema", "value": str(SCHEMA)}
                connection.execute(sa.insert(_meta), row)
        elif int(found) > SCHEMA:
            raise JournalError(
                f"the journal has schema {found} and this version knows up to "
                f"{SCHEMA}; use a newer testbed"
            )


class Journal:
    """The record of one campaign."""

    def __init__(self, store: JournalStore, campaign: str) -> None:
        self._store = store
        self.campaign = campaign

    def write(self, event: Event) -> int:
        """Append `event`, on disk before this returns; return its stamp in ns."""
        return self._store.insert(self.campaign, event)

    def read(self, after: int = 0) -> list[Recorded]:
        """Return the facts with a `seq` above `after`, in the order of writing."""
        return self._store.select(self.campaign, after)


def open_store(
    where: str | Path, clock: Clock, *, durable: bool = True
) -> JournalStore:
    """Open the journal database, made when it is missing.

    where    a path (SQLite) or a database URL
    durable  False may lose the last facts at a power cut, for speed; only for
             simulated campaigns

    Raises JournalError when it cannot be opened or was written by a newer version.
    """
    text = str(where)
    url = text if "://" in text else f"sqlite:///{_made(Path(text))}"
    with _translated(f"open {_without_password(text)}"):
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _sqlite_pragmas(durable))
        return JournalStore(engine, clock)


def _without_password(text: str) -> str:
    scheme, colon, rest = text.partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{colon}{login.partition(':')[0]}{at}{place}" if at else text


def _made(path: Path) -> Path:
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

    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={round(BUSY_S * 1000)}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    return prepare


_REMEDIES = {
    "disk is full": "the disk is full; free some space and resume",
    "database is locked": "another program holds it locked; end that one and resume",
    "malformed": "the file is damaged; restore it from a copy",
    "not a database": "the file is not a database; move it away or name another",
    "readonly": "the file is read-only; make it writable",
    "disk i/o error": "the disk does not answer; check it before you resume",
}


@contextmanager
def _translated(request: str) -> Iterator[None]:
    """Turn the errors of the database into one sentence."""
    try:
        yield
    except ModuleNotFoundError as exc:
        remedy = "install the extra: pip install 'smarthome-testbed[postgres]'"
        raise JournalError(
            f"journal: {request}: {exc.name} is missing; {remedy}"
        ) from exc
    except SQLAlchemyError as exc:
        cause = str(exc.orig if isinstance(exc, DBAPIError) else exc)
        low = cause.lower()
        known = (text for word, text in _REMEDIES.items() if word in low)
        reason = next(known, cause.splitlines()[0])
        raise JournalError(f"journal: {request}: {reason}") from exc
