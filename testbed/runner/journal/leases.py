"""One controller per lab: a lease with a heartbeat, kept in the journal database.

A lab that is made for a campaign alone (the fast form) is known by the campaign's name.

A lease that was not renewed in time is free. So is one whose holder is proven dead by
the lock that goes with it (lifelocks.py). While it is held, the campaign is fenced: a
controller that was followed, since it slept or was cut off, writes nothing more, and
so does nothing more: every act is announced in the journal first.
"""

import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from testbed.clock import Clock
from testbed.errors import JournalError, LabError
from testbed.runner.journal.lifelocks import life_lock
from testbed.runner.journal.store import JournalStore
from testbed.runner.journal.tables import leases

TTL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lab: his last heartbeat (ns UTC), and for how long it is good.

    heartbeat_ns  by the clock of the server; of the controller where there is none
    """

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
        self._lock = life_lock(store, lab)
        self._proof = ""
        self._beat_ns = 0

    def acquire(self, campaign: str) -> None:
        """Take the lab; raises LabError with the holder's name when it is taken."""
        proof = self._lock.take()
        row: dict[str, str | int] = {
            "lab": self._lab,
            "holder": f"{campaign} on {socket.gethostname()}, process {os.getpid()}",
            "token": self._token,
            "ttl_ns": self._ttl_ns,
            "proof": proof,
        }
        try:
            taken = self._insert(row) or self._take_over(row)
        except JournalError:
            self._lock.drop()
            raise
        if taken:
            self._proof = proof
            self._beat_ns = self._clock.now_ns()
            self._store.fence(campaign, self._lab, self._token)
            return
        self._lock.drop()
        raise self._refusal()

    def renew_in_time(self) -> None:
        """Renew where a good part of the time has passed; see `renew`."""
        if self._clock.now_ns() > self._beat_ns + self._ttl_ns // 8:
            self.renew()

    def renew(self) -> None:
        """Beat once more; raises LostLeaseError when somebody else took the lab."""
        self._beat({})
        # After the beat: that one waits for a server that went away.
        proof = self._lock.keep()
        if proof != self._proof:
            self._beat({"proof": proof})
            self._proof = proof
        self._beat_ns = self._clock.now_ns()

    def release(self) -> None:
        """Give the lab back; harmless when it is not held."""
        self._store.unfence(self._lab, self._token)
        try:
            self._store.change("release the lease", self._delete)
        finally:
            self._lock.drop()

    def holder(self) -> Holder | None:
        """Return who holds the lab, or None."""
        return holder_of(self._store, self._lab)

    def _refusal(self) -> LabError:
        """Name the holder, and say how long one that is dead may keep others out."""
        holder = self.holder()
        name, heard = "another controller", ""
        if holder is not None:
            name = holder.name
            now_ns = self._store.change("look at the lease", self._now_ns)
            silent_s = max(0.0, (now_ns - holder.heartbeat_ns) / 1e9)
            free_s = max(0.0, holder.ttl_ns / 1e9 - silent_s)
            heard = (
                f" (last heard of {silent_s:.0f} s ago; if it is dead, free in "
                f"{free_s:.0f} s)"
            )
        return LabError(
            f"the lab {self._lab!r} is held by {name}; wait until it is done, or end "
            f"it{heard}"
        )

    def _beat(self, more: Mapping[str, str]) -> None:
        def beat(connection: sa.Connection) -> int:
            values = {"heartbeat_ns": self._now_ns(connection), **more}
            statement = sa.update(leases).where(*self._own()).values(values)
            return connection.execute(statement).rowcount

        if self._store.change("renew the lease", beat) != 1:
            raise self._store.lost(self._lab)

    def _delete(self, connection: sa.Connection) -> None:
        connection.execute(sa.delete(leases).where(*self._own()))

    def _insert(self, row: Mapping[str, str | int]) -> bool:
        def insert(connection: sa.Connection) -> None:
            values = {**row, "heartbeat_ns": self._now_ns(connection)}
            connection.execute(sa.insert(leases), values)

        try:
            self._store.change("take the lease", insert)
        except JournalError as exc:
            if isinstance(exc.__cause__, IntegrityError):
                return False
            raise
        return True

    def _take_over(self, row: Mapping[str, str | int]) -> bool:
        """Take a lease that was not renewed in time, or whose process is dead."""
        columns = leases.c

        def update(connection: sa.Connection) -> int:
            now_ns = self._now_ns(connection)
            free = columns.heartbeat_ns + columns.ttl_ns < now_ns
            if row["proof"]:  # we have now what the holder would have if he lived
                free = sa.or_(free, columns.proof == row["proof"])
            values = {k: v for k, v in row.items() if k != "lab"}
            return connection.execute(
                sa.update(leases)
                .where(columns.lab == self._lab, free)
                .values(values | {"heartbeat_ns": now_ns})
            ).rowcount

        return self._store.change("take the lease", update) == 1

    def _now_ns(self, connection: sa.Connection) -> int:
        """Return the time by which heartbeats go: where there is a server, by its.

        The clocks of several controllers need not agree then.
        """
        if self._store.is_file:
            return self._clock.now_ns()
        now_s = sa.func.extract("epoch", sa.func.clock_timestamp())
        return int(connection.execute(sa.select(now_s * 10**9)).scalar_one())

    def _own(self) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return leases.c.lab == self._lab, leases.c.token == self._token


def holder_of(store: JournalStore, lab: str) -> Holder | None:
    """Return who holds a lab, or None; raises JournalError."""
    columns = leases.c
    query = sa.select(columns.holder, columns.heartbeat_ns, columns.ttl_ns).where(
        columns.lab == lab
    )
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Holder(name=row.holder, heartbeat_ns=row.heartbeat_ns, ttl_ns=row.ttl_ns)
