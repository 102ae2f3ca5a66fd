"""Hold a lab from before its instruments are opened until its campaign is closed.

Whoever labels and closes holds it too: two controllers that are at the same folder
would each take the other's half-made files for those of somebody who was killed.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from testbed.clock import Clock
from testbed.errors import JournalError, LabError
from testbed.runner.journal.leases import Lease, holder_of
from testbed.runner.journal.store import JournalStore, LostLeaseError
from testbed.runner.journal.tables import leases

_BEAT_S = 5.0
_CAMPAIGN = re.compile(r"-\d{8}T\d{6}\.\d{3}Z$")  # its name ends with when it began


def leased(form: str, campaign: str, lab: str) -> str:
    """Return what a campaign must have for itself: the lab, or one of its own."""
    return lab if form == "live" else campaign


@contextmanager
def held(
    store: JournalStore, name: str, campaign: str, clock: Clock
) -> Iterator[Lease]:
    """Hold the lab `name` for a campaign while the context lasts.

    Raises LabError with the holder's name when somebody else has it.
    """
    lease = Lease(store, name, clock)
    lease.acquire(campaign)
    try:
        yield lease
    finally:
        lease.release()


def sweep(store: JournalStore, clock: Clock) -> None:
    """Remove leases of runs that were killed before their plan was journalled.

    Nothing of them can be resumed, so nobody will ask for their leases again. One whose
    holder lives stays; so does that of a lab, which the next one there takes over.
    """
    known = set(store.campaigns())
    with store.reading() as connection:
        names = set(connection.execute(sa.select(leases.c.lab)).scalars())
    if store.file is not None:  # a lock comes before its lease
        locks = store.file.parent.glob(f"{store.file.name}.*.lock")
        names |= {p.name[len(store.file.name) + 1 : -len(".lock")] for p in locks}
    for name in names - known:
        if _CAMPAIGN.search(name):
            # who lives has his lock, and is not asked for more
            with suppress(LabError), held(store, name, name, clock):
                pass


def let_go(store: JournalStore, name: str, campaign: str, clock: Clock) -> None:
    """Give back what the controller of a closed campaign held when it was killed.

    A lab that somebody else has by now, or who lives, is left alone.
    """
    holder = holder_of(store, name)
    is_own = holder is not None and holder.name.startswith(f"{campaign} on ")
    if is_own or (holder is None and name == campaign):
        with suppress(LabError), held(store, name, campaign, clock):
            pass


@contextmanager
def beating(lease: Lease) -> Iterator[None]:
    """Keep a lease alive beside work that takes long, such as labelling.

    Raises JournalError at the end when it was lost meanwhile, whatever else was raised:
    that is why, or it matters less. A beat that a server misses is made up for.
    """
    over, failures = threading.Event(), list[JournalError]()

    def beat() -> None:
        while not over.wait(_BEAT_S):
            try:
                lease.renew_in_time()
            except LostLeaseError as exc:
                failures[:] = [exc]
                return
            except JournalError as exc:
                failures[:] = [exc]
            else:
                failures.clear()

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    try:
        yield
    except BaseException as exc:
        end()
        is_ours = isinstance(exc, Exception) and not isinstance(exc, JournalError)
        if failures and is_ours:
            raise failures[0] from exc
        raise
    end()
    if failures:
        raise failures[0]
