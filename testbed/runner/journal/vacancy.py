"""Whether a lab is free, asked without taking it.

Whoever takes a lab to see whether it is free keeps others out meanwhile.
"""

import sqlalchemy as sa

from testbed.clock import Clock
from testbed.runner.journal.lifelocks import life_lock
from testbed.runner.journal.store import JournalStore
from testbed.runner.journal.tables import leases


def taken_by(store: JournalStore, name: str, clock: Clock) -> str:
    """Return who holds a lab (or what else is leased), alive, or ''.

    Raises JournalError.
    """
    columns = leases.c
    now_s = sa.func.extract("epoch", sa.func.clock_timestamp())
    query = sa.select(
        columns.holder,
        columns.proof,
        columns.heartbeat_ns + columns.ttl_ns,
        sa.literal(clock.now_ns()) if store.is_file else now_s * 10**9,
    ).where(columns.lab == name)
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return ""
    holder, kept, end_ns, now_ns = row
    proof = life_lock(store, name).look()
    if not proof:
        return str(holder)  # who has the lock lives, whatever the clocks say
    has_died = proof == kept or now_ns > end_ns
    return "" if has_died else str(holder)


def is_run(store: JournalStore, name: str, campaign: str, clock: Clock) -> bool:
    """Say whether a living controller holds a lab for a campaign; see `taken_by`."""
    return taken_by(store, name, clock).startswith(f"{campaign} on ")
