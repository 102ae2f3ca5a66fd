import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from testbed.clock import VirtualClock
from testbed.errors import JournalError
from testbed.model.events import SessionEnded
from testbed.runner import migrations
from testbed.runner.journal import migrate
from testbed.runner.journal.database import make_engine
from testbed.runner.journal.leases import holder_of
from testbed.runner.journal.store import Journal, Recorded, open_store, open_to_read
from testbed.runner.journal.tables import REVISION, SCHEMA, metadata, version

FACT = SessionEnded(session="s", reason="done")
# What the first version made, before there were steps; written down, never changed.
FIRST = (
    "CREATE TABLE meta (key VARCHAR(32) NOT NULL PRIMARY KEY, "
    "value VARCHAR(200) NOT NULL)",
    "CREATE TABLE events (seq {serial}, campaign VARCHAR(200) NOT NULL, "
    "at_ns BIGINT NOT NULL, kind VARCHAR(64) NOT NULL, facts TEXT NOT NULL)",
    "CREATE INDEX ix_events_campaign ON events (campaign)",
    "CREATE TABLE leases (lab VARCHAR(64) NOT NULL PRIMARY KEY, "
    "holder VARCHAR(200) NOT NULL, token VARCHAR(64) NOT NULL, "
    "heartbeat_ns BIGINT NOT NULL, ttl_ns BIGINT NOT NULL)",
    "INSERT INTO meta (key, value) VALUES ('schema', '1')",
    "INSERT INTO leases VALUES ('bench', 'evening-1 on far, process 1', 't', 5, 6)",
    "INSERT INTO events (campaign, at_ns, kind, facts) VALUES "
    """('c', 7, 'session_ended', '{{"session":"s","reason":"done"}}')""",
)
SERIAL = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgresql": "BIGSERIAL PRIMARY KEY",
}


@pytest.fixture
def engine(journal_at):
    made = make_engine(journal_at, durable=True)
    yield made
    made.dispose()


@pytest.fixture
def old(engine):
    """A journal as the first version left it."""
    with engine.begin() as connection:
        for statement in FIRST:
            serial = SERIAL[engine.dialect.name]
            connection.exec_driver_sql(statement.format(serial=serial))
    return engine


def schema_of(engine):
    with engine.connect() as connection:
        query = sa.text("SELECT value FROM meta WHERE key = 'schema'")
        return connection.execute(query).scalar_one()


def differences(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, metadata)
    return [d for d in found if "alembic_version" not in repr(d)]


def test_a_journal_of_the_first_version_is_adopted_with_all_it_holds(journal_at, old):
    for _ in range(2):
        with open_store(journal_at, VirtualClock(9)) as store:
            rows = Journal(store, "c").read()
            assert rows[0] == Recorded(seq=1, at_ns=7, event=FACT)
            Journal(store, "c").write(FACT)
    assert [r.at_ns for r in rows] == [7, 9]
    with old.connect() as connection:
        assert connection.execute(sa.select(version.c.version_num)).all() == [
            (REVISION,)
        ]
        holder = sa.text("SELECT holder, proof FROM leases")
        assert connection.execute(holder).all() == [("evening-1 on far, process 1", "")]


def test_the_steps_lead_to_the_same_tables_as_a_new_journal(journal_at, old):
    open_store(journal_at, VirtualClock()).close()
    assert differences(old) == []
    assert schema_of(old) == str(SCHEMA)


def test_a_new_journal_has_the_tables_that_are_written_down(journal_at, engine):
    open_store(journal_at, VirtualClock()).close()
    assert differences(engine) == []
    assert schema_of(engine) == str(SCHEMA)


def test_all_steps_from_nothing_lead_there_too(engine):
    with engine.begin() as connection:
        version.create(connection)
        migrate._take_steps(connection, None)
    assert differences(engine) == []


def test_the_last_step_is_the_revision_of_a_new_journal():
    folder = migrations.__path__[0]
    steps = ScriptDirectory(folder, version_locations=[folder])
    assert steps.get_heads() == [REVISION]


def test_what_a_newer_version_wrote_is_refused(journal_at, engine):
    open_store(journal_at, VirtualClock()).close()
    with engine.begin() as connection:
        connection.execute(sa.update(version).values(version_num="0099"))
    with pytest.raises(JournalError, match=r"has schema 0099 .* use a newer testbed"):
        open_store(journal_at, VirtualClock())


def test_a_newer_schema_without_steps_is_refused(journal_at, old):
    with old.begin() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '99'")
    with pytest.raises(JournalError, match=r"has schema 99 .* use a newer testbed"):
        open_store(journal_at, VirtualClock())


def test_an_older_journal_is_read_and_stays_as_it_is(journal_at, old):
    with open_to_read(journal_at, VirtualClock()) as store:
        assert [r.event for r in Journal(store, "c").read()] == [FACT]
        assert store.campaigns() == ["c"]
        assert holder_of(store, "bench").name == "evening-1 on far, process 1"
    assert schema_of(old) == "1"


def test_who_only_reads_makes_no_tables_on_a_server(postgres):
    place = postgres.new_database()
    with pytest.raises(JournalError, match="holds no journal yet; run a scenario"):
        open_to_read(place, VirtualClock())
    engine = make_engine(place, durable=True)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_newer_journal_is_not_even_read(journal_at, engine):
    open_store(journal_at, VirtualClock()).close()
    with engine.begin() as connection:
        connection.execute(sa.update(version).values(version_num="0099"))
    with pytest.raises(JournalError, match=r"has schema 0099 .* use a newer testbed"):
        open_to_read(journal_at, VirtualClock())


def test_a_file_without_a_journal_is_named_so_when_it_is_read(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.touch()
    with pytest.raises(JournalError, match="holds no journal"):
        open_to_read(path, VirtualClock())


def test_the_tables_of_another_program_are_left_alone(journal_at, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE events (name TEXT)")
    with pytest.raises(JournalError, match=r"'events' that is no journal's; name"):
        open_store(journal_at, VirtualClock())
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["events"]


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
def test_controllers_that_come_at_once_take_the_steps_once(
    journal_at, request, engine, is_old
):
    if is_old:
        request.getfixturevalue("old")
    failures = []

    def come():
        try:
            open_store(journal_at, VirtualClock()).close()
        except JournalError as exc:
            failures.append(exc)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert differences(engine) == []


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("n", range(1, 6))
def test_a_look_finds_what_another_controller_made_in_the_middle_of_it(
    journal_at, request, engine, monkeypatch, is_old, n
):
    if is_old:
        request.getfixturevalue("old")
    left, statements = [n], []

    def come_between(*execution):
        statements.append(execution[2])
        left[0] -= 1
        if left[0] == 0:
            open_store(journal_at, VirtualClock()).close()

    look = migrate._revision

    def looked(connection):
        # only at the first look: from then on the others are held off
        monkeypatch.setattr(migrate, "_revision", look)
        sa.event.listen(connection, "before_cursor_execute", come_between)
        return look(connection)

    monkeypatch.setattr(migrate, "_revision", looked)
    open_store(journal_at, VirtualClock()).close()
    assert statements
    assert differences(engine) == []
    assert schema_of(engine) == str(SCHEMA)


def test_a_step_that_fails_leaves_the_journal_as_it_was(journal_at, old, monkeypatch):
    def fail(*_):
        raise JournalError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr("alembic.operations.Operations.drop_index", fail)
        with pytest.raises(JournalError, match="the power went"):
            open_store(journal_at, VirtualClock())
    assert schema_of(old) == "1"
    assert [i["name"] for i in sa.inspect(old).get_indexes("events")] == [
        "ix_events_campaign"
    ]
    with open_store(journal_at, VirtualClock()) as store:
        assert len(Journal(store, "c").read()) == 1


def test_a_journal_that_is_up_to_date_is_opened_without_alembic(journal_at, engine):
    open_store(journal_at, VirtualClock()).close()
    program = (
        "import sys; from testbed.clock import SystemClock; "
        "from testbed.runner.journal.store import open_store; "
        "open_store(sys.argv[1], SystemClock()).close(); "
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, journal_at], check=True)
