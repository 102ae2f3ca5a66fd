"""Bring a journal database to the form that this version knows.

A database that is there already costs one cheap look; alembic is loaded only where
there is a step to take. A look and its steps are one transaction under a lock, so that
two controllers never do them at once, and half of them is never seen.
"""

from pathlib import Path

import sqlalchemy as sa

from testbed.errors import JournalError
from testbed.runner.journal.database import translated
from testbed.runner.journal.tables import (
    REVISION,
    SCHEMA,
    events,
    meta,
    metadata,
    version,
)

_LOCK = 7_236_201  # of all databases, this number is ours in PostgreSQL's lock table
_STEPS = str(Path(__file__).parents[1] / "migrations")
_FIRST = "0001"  # the form of journals that bear no mark of alembic


def bring_up_to_date(engine: sa.Engine) -> None:
    """Make the tables, or take the steps that are missing.

    Raises JournalError for a database of a newer version or another program.
    """
    with translated("open it"):
        with engine.connect() as connection:
            found = _revision(connection)
        if found == REVISION:
            return
    with translated("bring it up to date"), engine.begin() as connection:
        _alone(connection)
        found = _revision(connection)
        if found is None:
            _make(connection)
        elif found != REVISION:
            _take_steps(connection, found)


def look_through(engine: sa.Engine) -> None:
    """Make sure that a database can be read as it is; one of an older version can.

    Raises JournalError for a database of a newer version, or without a journal.
    """
    with translated("open it"), engine.connect() as connection:
        found = _revision(connection)
    if found is None:
        raise JournalError(
            "the database holds no journal yet; run a scenario, or name another one"
        )
    if found > REVISION:  # they are numbers of equal length
        raise _newer(found)


def _alone(connection: sa.Connection) -> None:
    """Wait until nobody else changes the tables, and hold them off."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _revision(connection: sa.Connection) -> str | None:
    """Return the last step that was taken, or None for an empty database."""
    # In one look: who asks for one table after the other may see some of those that
    # another controller makes meanwhile, and take them for another program's.
    tables = set(sa.inspect(connection).get_table_names())
    if version.name in tables:
        found = connection.execute(sa.select(version.c.version_num)).scalar()
        if found is not None:
            return str(found)
    if meta.name in tables:
        query = sa.select(meta.c.value).where(meta.c.key == "schema")
        schema = connection.execute(query).scalar()
        if schema is not None and int(schema) > SCHEMA:
            raise _newer(str(schema))
        return _FIRST
    if events.name in tables:
        raise JournalError(
            f"the database has a table {events.name!r} that is no journal's; name "
            "another database"
        )
    return None


def _make(connection: sa.Connection) -> None:
    metadata.create_all(connection)
    version.create(connection, checkfirst=True)
    connection.execute(sa.insert(meta), {"key": "schema", "value": str(SCHEMA)})
    connection.execute(sa.insert(version), {"version_num": REVISION})


def _take_steps(connection: sa.Connection, found: str | None) -> None:
    """Take the steps after `found`; None means all of them."""
    try:
        from alembic.operations import Operations
        from alembic.runtime.migration import MigrationContext, MigrationStep
        from alembic.script import ScriptDirectory
    except ModuleNotFoundError as exc:
        raise JournalError(
            f"the journal has schema {found} and must be brought to {REVISION}, but "
            f"{exc.name} is missing; install the packages of the lock file"
        ) from exc
    scripts = ScriptDirectory(_STEPS, version_locations=[_STEPS])
    newest_first = list(scripts.walk_revisions())
    known = [script.revision for script in newest_first]
    if found is not None and found not in known:
        raise _newer(found)
    if found is not None and not sa.inspect(connection).has_table(version.name):
        version.create(connection)
        connection.execute(sa.insert(version), {"version_num": found})

    def missing(*_: object) -> list[MigrationStep]:
        n_left = len(known) if found is None else known.index(found)
        return [
            MigrationStep.upgrade_from_script(scripts.revision_map, script)
            for script in reversed(newest_first[:n_left])
        ]

    context = MigrationContext.configure(connection, opts={"fn": missing})
    with Operations.context(context):
        context.run_migrations()


def _newer(schema: str) -> JournalError:
    return JournalError(
        f"the journal has schema {schema} and this version knows up to {REVISION}; "
        "use a newer testbed"
    )
