"""One controller per lab: a lease with a heartbeat, kept in the journal database.

A lab that is made for a campaign alone (the fast form) is known by the campaign's name.

With a lease goes a lock (lifelocks.py). While somebody has that lock he lives, and is
never followed, whatever the clocks say. Who has the lock takes the lease of a holder
who would have it too if he lived. Where the lock proves nothing (that of another
machine, or of a server that was started anew) the heartbeat decides: what was not
renewed in time is free.

While a lease is held, the campaign is fenced: a controller that was followed, since it
was cut off, writes nothing more, and so does nothing more: every act is announced in
the journal first.
"""

import os
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from testbed.clock import Clock, SystemClock
from testbed.errors import JournalError, LabError
from testbed.runner.journal.lifelocks import life_lock
from testbed.runner.journal.store import JournalStore
from testbed.runner.journal.tables import leases

TTL_S = 60.0
CONTROLLER = "TESTBED_CONTROLLER_PID"  # who has started us, from outside our lab
# Between a lock and its lease, or the other way round, somebody is for a moment only.
_MOMENT_S = 0.05
_MOMENTS = 20
_LOOKS = 2


_SERVER_NS = sa.func.extract("epoch", sa.func.clock_timestamp()) * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lab: his last heartbeat (ns UTC), and for how long it is good.

    heartbeat_ns  by the clock of the server; of the controller where there is none
    server_ns     what that clock showed when this was read; None where there is none
    """

    name: str
    heartbeat_ns: int
    ttl_ns: int
    server_ns: int | None = None

    def is_at(self, campaign: str, now_ns: int) -> bool:
        """Say whether this is the controller of a campaign, and it is alive.

        now_ns  by the clock of this machine; the clock of a server counts before it
        """
        now_ns = now_ns if self.server_ns is None else self.server_ns
        fresh = now_ns <= self.heartbeat_ns + self.ttl_ns
        return fresh and self.name.startswith(f"{campaign} on ")


class Lease:
    """The right to operate one lab, until it is released or not renewed for `ttl_s`.

    clock  shows the time of this machine as it is now, steps and all: others compare
           heartbeats with theirs
    """

    def __init__(
        self, store: JournalStore, lab: str, clock: Clock, *, ttl_s: float = TTL_S
    ) -> None:
        self._store = store
        self._lab = lab
        self._clock = clock
        self._ttl_ns = round(ttl_s * 1e9)
        self._token = uuid.uuid4().hex
        self._lock = life_lock(store, lab)
        self._campaign = ""
        self._proof = ""
        self._beat_s = 0.0  # monotonic: a step of the clock must not keep beats off
        self._turn = threading.RLock()  # several threads may beat

    def acquire(self, campaign: str) -> None:
        """Take the lab; raises LabError with the holder's name when it is taken."""
        proof = self._take_lock()
        row: dict[str, str | int] = {
            "lab": self._lab,
            "holder": f"{campaign} on {socket.gethostname()}, process {_process()}",
            "token": self._token,
            "ttl_ns": self._ttl_ns,
            "proof": proof,
        }
        try:
            taken = self._insert(row) or self._take_over(row)
        except JournalError:
            self._lock.drop()
            raise
        if not taken:
            self._lock.drop()
            raise self._refusal(is_alive=False)
        self._campaign, self._proof = campaign, proof
        self._beat_s = self._clock.monotonic_s()
        self.fence(self._store)

    def fence(self, store: JournalStore) -> None:
        """Let the campaign be written through a store only while this lease is held.

        The one that the lease was taken with is fenced already.
        """
        store.fence(self._campaign, self._lab, self._token)

    def renew_in_time(self) -> None:
        """Renew where a good part of the time has passed; see `renew`."""
        with self._turn:
            if self._clock.monotonic_s() > self._beat_s + self._ttl_ns / 8e9:
                self.renew()

    def renew(self) -> None:
        """Beat once more; raises LostLeaseError when somebody else took the lab."""
        with self._turn:
            self._beat({})
            # After the beat: that one waits for a server that went away.
            proof = self._lock.keep()
            if proof != self._proof:
                self._beat({"proof": proof})
                self._proof = proof
            self._beat_s = self._clock.monotonic_s()

    def release(self) -> None:
        """Give the lab back; harmless when it is not held."""
        with self._turn:
            self._store.unfence(self._lab, self._token)
            try:
                self._store.change("release the lease", self._delete)
            finally:
                self._lock.drop()

    def holder(self) -> Holder | None:
        """Return who holds the lab, or None."""
        return holder_of(self._store, self._lab)

    def _take_lock(self) -> str:
        """Take the lock that goes with the lease; raises LabError when somebody has it.

        Whatever his heartbeat says then: he lives, and clocks may be wrong.
        """
        wait = SystemClock()
        for number in range(_MOMENTS):
            if proof := self._lock.take():
                return proof
            # Who looks whether a dead one's lock is free has it for a moment, too.
            if number >= _LOOKS and self.holder() is not None:
                break
            wait.sleep(_MOMENT_S)
        raise self._refusal(is_alive=True)

    def _refusal(self, *, is_alive: bool) -> LabError:
        """Name the holder, and say how long one that is dead may keep others out."""
        holder = self.holder()
        name, heard = "another controller", ""
        if holder is not None:
            name = holder.name
            now_ns = self._store.change("look at the lease", self._now_ns)
            silent_s = max(0.0, (now_ns - holder.heartbeat_ns) / 1e9)
            free_s = max(0.0, holder.ttl_ns / 1e9 - silent_s)
            free = "" if is_alive else f"; if it is dead, free in {free_s:.0f} s"
            heard = f" (last heard of {silent_s:.0f} s ago{free})"
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
            # We have the lock. Would the holder have it if he lived?
            is_dead = columns.proof == row["proof"]
            free = sa.or_(is_dead, columns.heartbeat_ns + columns.ttl_ns < now_ns)
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
        return int(connection.execute(sa.select(_SERVER_NS)).scalar_one())

    def _own(self) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
        return leases.c.lab == self._lab, leases.c.token == self._token


def _process() -> str:
    """Return the number by which people can end this controller.

    In the virtual lab processes have numbers of their own.
    """
    outside = os.environ.get(CONTROLLER, "") if "TESTBED_IN_LAB" in os.environ else ""
    return outside if outside.isdecimal() else str(os.getpid())


def holder_of(store: JournalStore, lab: str) -> Holder | None:
    """Return who holds a lab, or None; raises JournalError."""
    columns = leases.c
    server = sa.null() if store.is_file else _SERVER_NS
    query = sa.select(
        columns.holder, columns.heartbeat_ns, columns.ttl_ns, server.label("server_ns")
    ).where(columns.lab == lab)
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Holder(
        name=row.holder,
        heartbeat_ns=row.heartbeat_ns,
        ttl_ns=row.ttl_ns,
        server_ns=None if row.server_ns is None else int(row.server_ns),
    )
