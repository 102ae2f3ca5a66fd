"""The commands with a journal on a PostgreSQL server."""

import json
import re

import pytest
from typer.testing import CliRunner

import testbed.cli.run as command
from testbed.cli import build
from testbed.errors import JournalError
from testbed.runner.campaigns.folder import load_inputs
from testbed.runner.journal.database import without_password

SCENARIO = """\
scenario: short
seed: 3
select:
  - {device: omna_180, activities: [power_off, power_on]}
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
rest: 1 s
idle: 2 s
"""
SECRET = "h4rdly-guessed"  # noqa: S105 - it opens nothing


@pytest.fixture
def lab(tmp_path, postgres, monkeypatch):
    """A lab file whose journal is a server's; the password is a variable's."""
    (tmp_path / "short.yaml").write_text(SCENARIO)
    monkeypatch.setenv("JOURNAL_PASSWORD", SECRET)
    place = postgres.new_database().replace("@", ":${JOURNAL_PASSWORD}@")
    text = command.LAB.read_text()
    text = re.sub(r"(?m)^journal: .*", f"journal: {place}", text)
    text = re.sub(r"(?m)^captures: .*", f"captures: {tmp_path / 'captures'}", text)
    (tmp_path / "lab.yaml").write_text(text)
    return tmp_path / "lab.yaml"


def invoke(*words):
    return CliRunner().invoke(build(), [str(w) for w in words], catch_exceptions=False)


def run(lab):
    return invoke("run", lab.parent / "short.yaml", "--fast", "--lab", lab)


def test_a_campaign_is_run_interrupted_resumed_and_shown(lab, monkeypatch):
    began = command.run_campaign

    def interrupted(inputs, means, ended, say):
        def ask(one):
            ended(one)
            means.stop.request()

        return began(inputs, means, ask, say)

    with monkeypatch.context() as patched:
        patched.setattr(command, "run_campaign", interrupted)
        assert run(lab).exit_code == 130
    (folder,) = (lab.parent / "captures").glob("short-*")
    resumed = invoke("resume", folder)
    assert resumed.exit_code == 0, resumed.output
    found = json.loads(invoke("status", folder, "--json").stdout)
    assert found["state"] == "closed"
    assert found["done"] == found["trials"]
    assert not list((lab.parent / "captures").glob("journal*"))


@pytest.mark.parametrize("password", ["plain", "with/slash", "a/b@c:d", "?x/y"])
def test_a_password_is_hidden_whatever_it_is_made_of(password):
    shown = without_password(f"postgresql://me:{password}@db.example.org/journal")
    assert shown == "postgresql://me@db.example.org/journal"


@pytest.mark.parametrize(
    "place",
    ["captures/journal.sqlite", "postgresql://me@db:5432/j", "postgresql:///j?host=/r"],
)
def test_a_place_without_a_password_is_shown_as_it_is(place):
    assert without_password(place) == place


def test_the_password_is_in_no_file_and_in_no_message(lab, postgres):
    result = run(lab)
    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    postgres.stop()
    try:
        with pytest.raises(JournalError, match="server does not answer") as caught:
            run(lab)
    finally:
        postgres.start()
    assert SECRET not in str(caught.value)
    captures = lab.parent / "captures"
    (folder,) = captures.glob("short-*")
    assert "${JOURNAL_PASSWORD}" in load_inputs(folder)["lab"]["journal"]
    for path in captures.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
