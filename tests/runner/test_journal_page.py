"""What docs/journal.md shows works as it stands."""

import re
from pathlib import Path

import pytest

from testbed.clock import VirtualClock
from testbed.model.events import AttemptVoided, Outcome, TrialEnded
from testbed.runner.journal.store import Journal, open_store

PAGE = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
QUERIES = [
    (database, query)
    for database, block in re.findall(r"```sql (\w+)\n(.+?)```", PAGE, re.DOTALL)
    for query in block.split(";")
    if query.strip()
]


@pytest.mark.parametrize(("database", "query"), QUERIES)
def test_a_query_of_the_page_runs_and_finds_something(
    tmp_path, request, database, query
):
    place = tmp_path / "journal.sqlite"
    if database == "postgresql":
        place = request.getfixturevalue("postgres").new_database()
    with open_store(place, VirtualClock(10**18)) as store:
        journal = Journal(store, "small-1")
        journal.write(AttemptVoided(trial="0001", attempt=1, reason="because"))
        journal.write(
            TrialEnded(trial="0001", attempt=2, outcome=Outcome.CONFIRMED, detail="")
        )
        with store.reading() as connection:
            rows = connection.exec_driver_sql(query).all()
    assert [row.campaign for row in rows] == ["small-1"]


def test_there_are_queries_for_both_databases():
    assert {database for database, _ in QUERIES} == {"sqlite", "postgresql"}


def test_a_journal_is_moved_to_a_server_as_the_page_says(tmp_path, postgres):
    with open_store(tmp_path / "journal.sqlite", VirtualClock(7)) as old:
        journal = Journal(old, "small-1")
        for n in range(3):
            journal.write(
                AttemptVoided(trial="0001", attempt=n, reason='say "no", or;')
            )
        wanted = journal.read()
        select = re.search(r"'(SELECT seq, .+?)' >events", PAGE)[1]
        with old.reading() as connection:
            rows = connection.exec_driver_sql(select).all()
    place = postgres.new_database()
    with open_store(place, VirtualClock(8)) as new:
        columns = re.search(r"copy (events \(.+?\)) FROM", PAGE)[1]
        setval = re.search(r'-c "(SELECT setval.+?)"', PAGE)[1]
        with new.engine.begin() as connection:
            own = connection.connection.dbapi_connection
            with (
                own.cursor() as cursor,
                cursor.copy(f"COPY {columns} FROM STDIN") as to,
            ):
                for row in rows:
                    to.write_row(tuple(row))
            connection.exec_driver_sql(setval)
        assert Journal(new, "small-1").read() == wanted
        Journal(new, "small-1").write(wanted[0].event)
        assert Journal(new, "small-1").read()[-1].seq == 4
