"""The power goes, the disk fills up, the server dies: what was journalled is kept."""

import itertools
import random
import shutil
import signal
import sqlite3

import pytest
import sqlalchemy as sa

from testbed.clock import VirtualClock
from testbed.errors import JournalError, LabError
from testbed.model.events import (
    LABELLED,
    BeaconSent,
    ClockMeasured,
    EvidenceKept,
    SessionEnded,
    StimulusReturned,
)
from testbed.runner.journal import database
from testbed.runner.journal.fold import fold
from testbed.runner.journal.store import Journal, LostLeaseError, open_store
from testbed.runner.journal.tables import events, leases

# Committed, but on the disk with the next fact only: what a power cut may take.
NOT_WAITED_FOR = (BeaconSent, ClockMeasured, EvidenceKept, StimulusReturned)
CAMPAIGN = "small-1"


class Interposed:
    """A journal store to which something happens around its n-th write."""

    def __init__(self, store, n, *, before=lambda: None, after=lambda: None):
        self._store = store
        self._left = n
        self._before = before
        self._after = after

    def __getattr__(self, name):
        return getattr(self._store, name)

    def insert(self, campaign, event):
        self._left -= 1
        if self._left == 0:
            self._before()
        at_ns = self._store.insert(campaign, event)
        if self._left == 0:
            self._after()
        return at_ns


def labels(lab):
    state = lab.state()
    labelled = [
        (a.started.trial, a.started.device, a.started.activity, a.started.channel)
        for a in state.all_attempts()
        if a.final in LABELLED
    ]
    assert len(labelled) == len(set(labelled))  # none twice
    return set(labelled)


def copy_of(path, folder):
    """Copy a database as it is on the disk now: not closed, without shared memory."""
    folder.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), folder / name)
    return folder / path.name


def put_journal(lab, place, **more):
    lab.store.close()
    lab.store = open_store(place, lab.clock, **more)


@pytest.fixture
def whole(rig):
    """A campaign that nothing happened to."""
    lab = rig()
    lab.run()
    return lab


def some_commit_points(facts):
    """Return the first point of each kind of fact, and every second of the others.

    Each is (facts that are committed, facts of them that are surely on the disk).
    """
    kinds, on_disk, points = set(), 0, []
    for n, event in enumerate(facts, start=1):
        if not isinstance(event, NOT_WAITED_FOR):
            on_disk = n
        if n % 2 == 0 or type(event) not in kinds:
            points.append((n, on_disk))
        kinds.add(type(event))
    return points


@pytest.mark.parametrize("part", range(4))  # of the commit points: it takes a while
def test_a_copy_of_the_disk_at_each_commit_point_opens_folds_and_resumes(
    rig, kit, whole, part
):
    wanted, facts = labels(whole), whole.events()
    for n, on_disk in some_commit_points(facts)[part::4]:
        lab = rig()
        path, copies = lab.store.file, []

        def cut(path=path, copies=copies):
            copies.append(copy_of(path, path.parent / "copy"))

        def die(lab=lab):
            lab.world.killed = True
            raise kit.Killed

        dying = Interposed(Interposed(lab.store, on_disk, after=cut), n, after=die)
        with pytest.raises(kit.Killed):
            lab.run(store=dying)
        put_journal(lab, copies[0])
        rows = Journal(lab.store, CAMPAIGN).read()
        assert [type(r.event) for r in rows] == [type(e) for e in facts[:on_disk]]
        fold(rows)
        lab.resume()
        assert labels(lab) == wanted, n
        assert lab.state().open_attempts() == [], n


def test_a_write_that_is_half_on_the_disk_is_not_there_and_those_before_it_are(
    tmp_path,
):
    path = tmp_path / "journal.sqlite"
    draw = random.Random(4)
    with open_store(path, VirtualClock()) as store:
        journal = Journal(store, "c")
        sizes = []
        for n in range(12):
            journal.write(SessionEnded(session=f"s{n}", reason="r" * 3000))
            sizes.append(path.with_name("journal.sqlite-wal").stat().st_size)
        for n, (before_b, after_b) in enumerate(itertools.pairwise(sizes), start=1):
            copy = copy_of(path, tmp_path / f"cut{n}")
            with copy.with_name("journal.sqlite-wal").open("r+b") as wal:
                wal.truncate(draw.randrange(before_b, after_b))
            with open_store(copy, VirtualClock()) as torn:
                rows = Journal(torn, "c").read()
            assert [r.event.session for r in rows] == [f"s{i}" for i in range(n)]


def fill(lab, undo):
    with lab.store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    undo.append(lambda: put_journal(lab, lab.store.file))


def lock(lab, undo):
    other = sqlite3.connect(lab.store.file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    undo.append(other.close)


def make_read_only(lab, undo):
    with lab.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    undo.append(lambda: put_journal(lab, lab.store.file))


def damage(lab, undo):
    """Spoil what is in the file, after somebody made a copy of it."""
    path = lab.store.file
    with lab.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (len(kept) - 4096))
    lab.store.engine.dispose()  # what a connection has read, it keeps

    def restore():
        lab.store.close()
        path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        path.write_bytes(kept)
        put_journal(lab, path)

    undo.append(restore)


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (fill, "the disk is full; free some space and resume"),
        (lock, "another program holds it locked; end that one and resume"),
        (make_read_only, "the file is read-only; make it writable"),
        (damage, "the file is damaged; restore it from a copy"),
    ],
)
def test_a_journal_that_cannot_be_written_stops_the_campaign_which_goes_on_later(
    rig, whole, monkeypatch, happens, said
):
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    lab, undo = rig(), []
    store = Interposed(lab.store, 25, before=lambda: happens(lab, undo))
    with pytest.raises(JournalError, match=said) as caught:
        lab.run(store=store)
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)
    for heal in undo:
        heal()
    lab.resume()
    assert labels(lab) == labels(whole)


@pytest.mark.parametrize("n", [3, 12, 14, 25, 26, 27, 28])
def test_a_controller_whose_lease_was_taken_over_leaves_everything_alone(rig, n):
    lab = rig()

    def take_over():
        with lab.store.engine.begin() as connection:
            values = {"token": "other", "holder": "evening-2 on far, process 7"}
            connection.execute(sa.update(leases).values(values))
        lab.world.acts.append("taken over")

    with pytest.raises(LostLeaseError, match="was lost to evening-2 on far, process 7"):
        lab.run(store=Interposed(lab.store, n, before=take_over))
    since = lab.world.acts[lab.world.acts.index("taken over") + 1 :]
    assert since == []
    assert len(lab.events()) == n - 1


@pytest.mark.parametrize("n", [14, 23, 31])
def test_a_lease_that_was_taken_over_ends_trials_that_go_on_side_by_side(rig, kit, n):
    lab, n_before = rig(kit.ScaledClock(), threads=True), []

    def take_over():
        with lab.store.engine.begin() as connection:
            values = {"token": "other", "holder": "evening-2"}
            connection.execute(sa.update(leases).values(values))
            count = sa.select(sa.func.count()).select_from(events)
            n_before.append(connection.execute(count).scalar_one())

    with pytest.raises(LostLeaseError, match="was lost to evening-2"):
        lab.run(store=Interposed(lab.store, n, before=take_over))
    assert [len(lab.events())] == n_before
    assert "capture stop" not in lab.world.acts


def test_a_server_that_is_killed_between_commits_and_comes_back_is_waited_for(
    rig, whole, postgres
):
    lab = rig()
    put_journal(lab, postgres.new_database())

    def crash():
        postgres.stop(signal.SIGKILL)
        postgres.start()

    store = lab.store
    for n in (5, 17, 29, 41):
        store = Interposed(store, n, before=crash)
    lab.run(store=store)
    assert [type(e) for e in lab.events()] == [type(e) for e in whole.events()]
    assert labels(lab) == labels(whole)


def test_a_server_that_stays_away_stops_the_campaign_which_goes_on_later(
    rig, whole, postgres
):
    lab = rig()
    place = postgres.new_database()
    put_journal(lab, place, patience_s=0.3)
    store = Interposed(lab.store, 25, before=postgres.stop)
    try:
        with pytest.raises(JournalError, match="server does not answer; start it and"):
            lab.run(store=store)
        with pytest.raises(JournalError, match="server does not answer; start it and"):
            open_store(place, lab.clock)
    finally:
        postgres.start()
    put_journal(lab, place)
    # Nobody could give the lease back, and a server that was started anew cannot know
    # that its holder is dead.
    with pytest.raises(LabError, match=r"heard of \d+ s ago; if it is dead, free in"):
        lab.resume()
    with lab.store.engine.begin() as connection:
        connection.execute(sa.update(leases).values(heartbeat_ns=0))
    lab.resume()
    assert labels(lab) == labels(whole)


def test_a_fact_whose_commit_was_not_confirmed_is_not_written_twice(postgres):
    place = postgres.new_database()
    with open_store(place, VirtualClock(5)) as store:
        Journal(store, "c").write(SessionEnded(session="s0", reason=""))

        @sa.event.listens_for(store.engine, "commit", once=True)
        def commit_and_die(connection):
            own = connection.connection.dbapi_connection
            own.commit()
            own.close()  # so that nobody is told

        Journal(store, "c").write(SessionEnded(session="s1", reason=""))
        Journal(store, "c").write(SessionEnded(session="s1", reason=""))
        found = [r.event.session for r in Journal(store, "c").read()]
    assert found == ["s0", "s1", "s1"]


def test_a_commit_that_was_lost_with_the_server_is_written_again(postgres):
    with open_store(postgres.new_database(), VirtualClock(5)) as store:

        @sa.event.listens_for(store.engine, "commit", once=True)
        def die(connection):
            own = connection.connection.dbapi_connection
            postgres.do(f"SELECT pg_terminate_backend({own.info.backend_pid})")

        Journal(store, "c").write(SessionEnded(session="s1", reason=""))
        assert len(Journal(store, "c").read()) == 1


def test_what_announces_an_act_is_waited_for_and_what_follows_it_is_not(tmp_path):
    with open_store(tmp_path / "journal.sqlite", VirtualClock()) as store:

        def synchronous():
            with store.reading() as connection:
                return connection.exec_driver_sql("PRAGMA synchronous").scalar()

        Journal(store, "c").write(
            BeaconSent(trial="1", attempt=1, phase="before", sent_ns=1)
        )
        assert synchronous() == 1
        Journal(store, "c").write(SessionEnded(session="s", reason=""))
        assert synchronous() == 2


def test_a_simulated_campaign_never_waits_for_the_disk(tmp_path):
    path = tmp_path / "journal.sqlite"
    with open_store(path, VirtualClock(), durable=False) as store:
        Journal(store, "c").write(SessionEnded(session="s", reason=""))
        with store.reading() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_a_server_is_waited_for_with_each_fact(postgres):
    seen = []
    with open_store(postgres.new_database(), VirtualClock()) as store:

        @sa.event.listens_for(store.engine, "commit")
        def look(connection):
            shown = connection.exec_driver_sql("SHOW synchronous_commit")
            seen.append(shown.scalar())

        Journal(store, "c").write(
            BeaconSent(trial="1", attempt=1, phase="before", sent_ns=1)
        )
        Journal(store, "c").write(SessionEnded(session="s", reason=""))
    assert seen == ["on", "on"]
