"""The append-only record of all facts of all campaigns of one lab.

A row is committed before `write` returns, so that the fact is on disk before the act
that it announces. Rows are only ever inserted; state is a fold over them (fold.py).
The one table with updates holds the leases on a lab (leases.py).
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from testbed.clock import Clock, SystemClock
from testbed.errors import JournalError
from testbed.model.events import (
    BeaconSent,
    ClockMeasured,
    Event,
    EvidenceKept,
    StimulusReturned,
)
from testbed.runner.journal.database import (
    is_gone,
    make_engine,
    make_reading_engine,
    translated,
    wait_for_disk,
    without_password,
)
from testbed.runner.journal.event_text import event_from, event_text, kind_of
from testbed.runner.journal.migrate import bring_up_to_date, look_through
from testbed.runner.journal.tables import events, leases

# How long a server that went away is waited for: below the lease of a capture, so that
# what is recorded on the router goes on meanwhile.
PATIENCE_S = 30.0
_AGAIN_S = 0.5
_LOCK = 7_236_202  # of all programs on a server, this number is ours
# What was seen while an attempt goes on: it is committed, but in a file the disk is
# waited for with the next fact only, at the latest with the attempt's end. Nothing
# hangs on it: an attempt without its end is voided and done again, whatever else is
# known of it, and one measurement of the clock more or less changes no label.
_ON_THE_WAY = (BeaconSent, ClockMeasured, EvidenceKept, StimulusReturned)
_NO_CAMPAIGN = "#"  # begins the names under which other facts than a campaign's are

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One row: its place in the journal, its stamp (ns UTC, controller), its fact."""

    seq: int
    at_ns: int
    event: Event


class LostLeaseError(JournalError):
    """Somebody else operates the lab now; nothing more may be written."""


class JournalStore:
    """The database behind the journals of one lab; safe for several threads.

    patience_s  how long a server that went away is waited for
    only_read   leave the tables as they are, also where they are of an older version
    """

    def __init__(
        self,
        engine: sa.Engine,
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
        only_read: bool = False,
    ) -> None:
        self.engine = engine
        name = engine.url.database
        self.is_file = engine.dialect.name == "sqlite"
        self.file = Path(name) if self.is_file and name else None
        self._clock = clock
        self._patience_s = patience_s
        # One writer of this process at a time: SQLite would make them poll instead.
        self._turn = threading.Lock()
        self._last_seq = 0
        # campaign -> lab and token of the lease without which it is not written
        self._fences: dict[str, tuple[str, str]] = {}
        if only_read:
            look_through(engine)
        else:
            bring_up_to_date(engine)

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
        self.engine.dispose()

    def campaigns(self) -> list[str]:
        """List the campaigns that have at least one fact, oldest first.

        A name that begins with '#' is no campaign: the schedules keep facts so.
        """
        query = (
            sa.select(events.c.campaign)
            .where(events.c.campaign.not_like(f"{_NO_CAMPAIGN}%"))
            .group_by(events.c.campaign)
            .order_by(sa.func.min(events.c.seq))
        )
        with self.reading() as connection:
            return [row.campaign for row in connection.execute(query)]

    def latest(self) -> str | None:
        """Return the campaign that has the last fact of all, or None."""
        query = (
            sa.select(events.c.campaign)
            .where(events.c.campaign.not_like(f"{_NO_CAMPAIGN}%"))
            .order_by(events.c.seq.desc())
            .limit(1)
        )
        with self.reading() as connection:
            return connection.execute(query).scalar_one_or_none()

    def insert(self, campaign: str, event: Event) -> int:
        """Append one fact, committed before this returns; return its stamp in ns.

        It is on the disk then, but for what is said about an attempt that goes on.
        Raises JournalError when it cannot be written, LostLeaseError when the campaign
        is fenced and somebody else took the lease.
        """
        row: dict[str, Any] = {
            "campaign": campaign,
            "kind": kind_of(event),
            "facts": event_text(event),
        }

        def append(connection: sa.Connection, *, again: bool) -> int | None:
            wait_for_disk(connection, waits=not isinstance(event, _ON_THE_WAY))
            if not self.is_file:
                # In one campaign the order of `seq` is the order of commits, whoever
                # else writes: a reader that goes on after a `seq` misses nothing.
                lock = sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(campaign))
                connection.execute(sa.select(lock))
            if again and (seq := self._seq_of(connection, row)) is not None:
                return seq
            # The stamp is taken in turn, so that seq and at_ns have the same order.
            row.setdefault("at_ns", self._clock.now_ns())
            statement = _append_fenced if campaign in self._fences else _append
            lab, token = self._fences.get(campaign, ("", ""))
            values = row | {"lab": lab, "token": token} if lab else row
            seq = connection.execute(statement, values).scalar_one_or_none()
            return None if seq is None else int(seq)

        with self._turn:
            seq = self.perform(f"write {row['kind']}", append)
            if seq is None:
                lab, _ = self._fences[campaign]
                raise self.lost(lab)
            self._last_seq = seq
        return int(row["at_ns"])

    def select(self, campaign: str, after: int = 0) -> list[Recorded]:
        """Return the facts of a campaign with a `seq` above `after`, in order."""
        columns = events.c
        query = (
            sa.select(columns.seq, columns.at_ns, columns.kind, columns.facts)
            .where(columns.campaign == campaign, columns.seq > after)
            .order_by(columns.seq)
        )

        def read(connection: sa.Connection, *, again: bool) -> Any:
            return connection.execute(query).all()

        return [
            Recorded(seq=seq, at_ns=at_ns, event=event_from(kind, facts))
            for seq, at_ns, kind, facts in self.perform("read it", read)
        ]

    def fence(self, campaign: str, lab: str, token: str) -> None:
        """Let a campaign be written only as long as a lease is held."""
        self._fences[campaign] = (lab, token)

    def unfence(self, lab: str, token: str) -> None:
        """Take away what `fence` put up."""
        own = [c for c, held in self._fences.items() if held == (lab, token)]
        for campaign in own:
            del self._fences[campaign]

    def lost(self, lab: str) -> LostLeaseError:
        """Return the error that says to whom a lab was lost."""
        query = sa.select(leases.c.holder).where(leases.c.lab == lab)
        with self.reading() as connection:
            holder = connection.execute(query).scalar() or "another controller"
        return LostLeaseError(
            f"the lease on the lab {lab!r} was lost to {holder}; resume the campaign "
            "when that one is done"
        )

    def change(self, request: str, work: Callable[[sa.Connection], Answer]) -> Answer:
        """Do what writes, in turn; `work` may be done twice, where a server is lost."""

        def once(connection: sa.Connection, *, again: bool) -> Answer:
            return work(connection)

        with self._turn:
            return self.perform(request, once)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection to read with; a server that is away is not waited for."""
        with translated("read it"), self.engine.connect() as connection:
            yield connection

    def perform(self, request: str, work: Callable[..., Answer]) -> Answer:
        """Do some work in a transaction, again when the server went away meanwhile.

        work  called with a connection, and `again`: whether a try before it may have
              been committed all the same

        Raises JournalError when it cannot be done, or the server does not come back.
        """
        wait = _Patience(self._patience_s)
        again = False
        with translated(request):
            while True:
                try:
                    with self.engine.begin() as connection:
                        answer = work(connection, again=again)
                except SQLAlchemyError as exc:
                    if not is_gone(exc) or not wait.once_more():
                        # Whoever tidies up now need not wait for it again.
                        self._patience_s = 0.0 if is_gone(exc) else self._patience_s
                        raise
                    again = True
                else:
                    return answer

    def _seq_of(self, connection: sa.Connection, row: dict[str, Any]) -> int | None:
        """Return the place of a row that was committed though nobody said so."""
        columns = events.c
        same = [columns[name] == value for name, value in row.items()]
        query = sa.select(columns.seq).where(columns.seq > self._last_seq, *same)
        found = connection.execute(query).scalar() if "at_ns" in row else None
        return None if found is None else int(found)


class Journal:
    """The record of one campaign; safe for several threads.

    What was read is kept: rows never change, and to read them all again and again would
    take longer with each trial.
    """

    def __init__(self, store: JournalStore, campaign: str) -> None:
        self._store = store
        self.campaign = campaign
        self._read: list[Recorded] = []
        self._turn = threading.Lock()

    def write(self, event: Event) -> int:
        """Append `event`, on disk before this returns; return its stamp in ns."""
        return self._store.insert(self.campaign, event)

    def read(self, after: int = 0) -> list[Recorded]:
        """Return the facts with a `seq` above `after`, in the order of writing."""
        with self._turn:
            last = self._read[-1].seq if self._read else 0
            self._read += self._store.select(self.campaign, last)
            return self._read[bisect_right(self._read, after, key=_seq) :]


def open_store(
    where: str | Path,
    clock: Clock,
    *,
    durable: bool = True,
    patience_s: float = PATIENCE_S,
) -> JournalStore:
    """Open the journal database, made when it is missing, brought up to date when old.

    where       a path (SQLite) or a database URL; see database.py
    durable     False may lose the last facts at a power cut, for speed; only for
                simulated campaigns
    patience_s  how long a server that goes away later is waited for

    Raises JournalError when it cannot be opened or was written by a newer version.
    """
    with translated(f"open {without_password(str(where))}"):
        engine = make_engine(str(where), durable=durable)
    return _opened(engine, clock, patience_s=patience_s)


def open_to_read(where: str | Path, clock: Clock) -> JournalStore:
    """Open a journal that is there, to read: no file or table of it is changed.

    Raises JournalError when it cannot be opened.
    """
    with translated(f"open {without_password(str(where))}"):
        engine = make_reading_engine(str(where))
    return _opened(engine, clock, patience_s=0.0, only_read=True)


def _opened(engine: sa.Engine, clock: Clock, **how: Any) -> JournalStore:
    with ExitStack() as unless_opened:
        unless_opened.callback(engine.dispose)
        store = JournalStore(engine, clock, **how)
        unless_opened.pop_all()
    return store


def _seq(row: Recorded) -> int:
    return row.seq


class _Patience:
    """Waits between tries, in real time, until enough was waited."""

    def __init__(self, duration_s: float) -> None:
        self._clock = SystemClock()
        self._end_s = self._clock.monotonic_s() + duration_s

    def once_more(self) -> bool:
        if self._clock.monotonic_s() >= self._end_s:
            return False
        self._clock.sleep(_AGAIN_S)
        return True


_COLUMNS = ("campaign", "at_ns", "kind", "facts")
_append = sa.insert(events).returning(events.c.seq)
_append_fenced = (
    sa.insert(events)
    .from_select(
        _COLUMNS,
        sa.select(*(sa.bindparam(n, type_=events.c[n].type).label(n) for n in _COLUMNS))
        .select_from(leases)
        .where(
            leases.c.lab == sa.bindparam("lab"),
            leases.c.token == sa.bindparam("token"),
        )
        # Nobody takes the lease over, and folds, before this is committed.
        .with_for_update(read=True),
    )
    .returning(events.c.seq)
)
