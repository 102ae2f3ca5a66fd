"""A closed campaign is resumed where trials were given up, or something is missing."""

import json

import pytest
from typer.testing import CliRunner

from testbed.cli import build
from testbed.clock import VirtualClock
from testbed.model.events import AttemptVoided
from testbed.runner.campaigns.campaign import close_campaign
from testbed.runner.campaigns.folder import MANIFEST, is_complete
from testbed.runner.journal.fold import fold, left_to_do
from testbed.runner.journal.store import Journal, open_store

SCENARIO = """\
scenario: short
seed: 3
select:
  - {device: koogeek_plug, activities: [read_state]}
  - {device: tplink_hs110, activities: [read_state]}
rest: 1 s
idle: 1 s
"""


def invoke(*words):
    return CliRunner().invoke(build(), [str(w) for w in words], catch_exceptions=False)


@pytest.fixture
def closed(tmp_path):
    (tmp_path / "short.yaml").write_text(SCENARIO)
    out = tmp_path / "out"
    words = ("run", tmp_path / "short.yaml", "--fast", "--depth", "activities")
    assert invoke(*words, "--out", out).exit_code == 0
    (folder,) = out.glob("short-*")
    assert is_complete(folder)
    return folder


def state_of(folder):
    status = json.loads(invoke("status", folder, "--json").stdout)
    return status["state"], status["done"], status["trials"]


def test_nothing_is_done_where_nothing_is_left(closed):
    manifest = (closed / MANIFEST).read_bytes()
    said = invoke("resume", closed)
    assert said.exit_code == 0
    assert "is closed already; nothing of it is left to do" in said.output
    assert (closed / MANIFEST).read_bytes() == manifest


def test_trials_that_were_given_up_are_tried_again(closed):
    with open_store(closed.parent / "journal.sqlite", VirtualClock(2 * 10**18)) as kept:
        journal = Journal(kept, closed.name)
        journal.write(AttemptVoided(trial="0001", attempt=1, reason="no packets"))
        close_campaign(closed, journal)
        (left,) = left_to_do(fold(journal.read()))
    assert is_complete(closed)
    said = invoke("resume", closed)
    assert said.exit_code == 0, said.output
    assert "closed already" not in said.output
    with open_store(closed.parent / "journal.sqlite", VirtualClock(0)) as kept:
        state = fold(Journal(kept, closed.name).read())
    assert len(state.attempts[left.trial]) == 2
    word, done, n = state_of(closed)
    assert (word, done) == ("closed", n)
    assert is_complete(closed)


def test_a_manifest_that_was_not_written_is_written(closed):
    (closed / MANIFEST).unlink()
    assert not is_complete(closed)
    assert invoke("resume", closed).exit_code == 0
    assert is_complete(closed)
