"""`schedule`, `serve` and `status` on the fast lab.

What a signal ends is a process; all else is the command line in this one, since to
start a process takes longer than most of what is tested.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed import cli
from testbed.clock import SystemClock, wait_until
from testbed.model.events import LABELLED
from testbed.runner.journal.fold import fold, plan_of
from testbed.runner.journal.store import Journal, open_store, open_to_read
from testbed.runner.schedules.schedule import Book

ROOT = Path(__file__).parents[2]
SCENARIO = """\
scenario: often
seed: 3
select:
  - {device: koogeek_plug, activities: [read_state]}
  - {device: tplink_hs110, activities: [read_state]}
repeats: 40
rest: 1 s
idle: 1 s
"""


@dataclass(frozen=True)
class Said:
    """What a command has printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


class Desk:
    """A folder with a journal, and the commands of a user."""

    def __init__(self, folder, monkeypatch, capsys):
        self.folder = folder
        self.out = folder / "out"
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(ROOT)
        self.write(SCENARIO)

    def write(self, scenario):
        (self.folder / "often.yaml").write_text(scenario)

    def add(self):
        added = self.say(
            "schedule", "add", self.folder / "often.yaml", "--at", "now", "--fast"
        )
        assert added.returncode == 0, added.stderr

    def say(self, *words):
        line = ["testbed", *map(str, words), "--out", str(self.out)]
        self._monkeypatch.setattr(sys, "argv", line)
        try:
            cli.main()
        except SystemExit as exc:
            code = exc.code or 0
        else:
            code = 0
        printed = self._capsys.readouterr()
        return Said(int(code), printed.out, printed.err)

    def serve(self, *words):
        return subprocess.Popen(
            [sys.executable, "-m", "testbed", "serve", *words, "--out", self.out],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def state(self):
        with open_to_read(self.out / "journal.sqlite", SystemClock()) as store:
            campaigns = store.campaigns()
            rows = Journal(store, campaigns[0]).read() if campaigns else []
        return fold(rows)

    def decisions(self):
        with open_store(self.out / "journal.sqlite", SystemClock()) as store:
            schedules = Book(store).schedules.values()
        return [d.decision for s in schedules for _, d in s.decisions]


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    return Desk(tmp_path, monkeypatch, capsys)


def children_of(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def test_a_server_killed_with_its_campaign_is_followed_and_nothing_is_lost(desk):
    desk.add()
    first = desk.serve()
    began = wait_until(
        lambda: len(desk.state().attempts) > 10,
        clock=SystemClock(),
        deadline_s=90,
    )
    for pid in [*children_of(first.pid), first.pid]:
        os.kill(pid, signal.SIGKILL)
    first.wait()
    assert began
    assert desk.serve("--once").wait(120) == 0
    state = desk.state()
    assert state.closed is not None
    assert desk.decisions() == ["started", "resumed", "ended"]
    for trial in plan_of(state).trials:
        final = [a.final for a in state.attempts[trial.trial]]
        assert sum(f in LABELLED for f in final) == 1
    status = json.loads(desk.say("status", "--json").stdout)
    assert status["state"] == "closed"
    assert status["done"] == status["trials"]


def test_ctrl_c_stops_server_and_campaign_at_a_safe_point(desk):
    desk.write(SCENARIO.replace("repeats: 40", "repeats: 400"))  # never all of them
    desk.add()
    server = desk.serve()
    began = wait_until(
        lambda: len(desk.state().attempts) > 3, clock=SystemClock(), deadline_s=90
    )
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0
    assert began
    state = desk.state()
    assert state.closed is None
    assert len(state.attempts) < len(plan_of(state).trials)
    assert not state.open_attempts()


def test_schedules_are_listed_and_removed(desk):
    demo = ("schedule", "add", "demo", "--cron", "30 18 * * mon-fri")
    assert "demo-1: cron 30 18" in desk.say(*demo, "--missed", "late").stdout
    (one,) = json.loads(desk.say("schedule", "list", "--json").stdout)
    assert one["schedule"] == "demo-1"
    assert one["missed"] == "late"
    assert one["next"].endswith("T18:30:00+00:00")
    assert desk.say("schedule", "remove", "demo-1").returncode == 0
    assert json.loads(desk.say("schedule", "list", "--json").stdout) == []


def test_who_says_now_is_served_late_unless_said_otherwise(desk):
    for more in ((), ("--missed", "skip")):
        assert desk.say("schedule", "add", "demo", "--at", "now", *more).returncode == 0
    found = json.loads(desk.say("schedule", "list", "--json").stdout)
    assert [one["missed"] for one in found] == ["late", "skip"]
    assert "due now" in desk.say("schedule", "list").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("schedule", "add", "no_such", "--at", "now"), "is not a scenario"),
        (("schedule", "add", "demo"), "name when it is to start"),
        (("schedule", "add", "demo", "--at", "now", "--missed", "x"), "--missed: must"),
        (("schedule", "add", "demo", "--at", "now", "--grace", "x"), "--grace: must"),
        (("schedule", "remove", "x"), "'x' is not a schedule"),
        (("serve", "--for", "soon"), "--for: must be a duration"),
        (("serve", "--until", "soon"), "--until: must be"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(desk, words, told):
    done = desk.say(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_scenario_with_faults_is_refused_when_it_is_added(desk):
    desk.write(SCENARIO.replace("koogeek", "kogeek"))
    done = desk.say("schedule", "add", desk.folder / "often.yaml", "--at", "now")
    assert done.returncode == 2
    assert "did you mean 'koogeek_plug'?" in done.stderr


def test_an_imported_campaign_has_a_status_and_nothing_to_resume(desk):
    folder = desk.out / "home-1"
    folder.mkdir(parents=True)
    (folder / "campaign.yaml").write_text(
        "campaign: home-1\nsimulated: false\nform: imported\ndevices: []\n"
    )
    (folder / "activities.csv").write_text(
        "session,trial,device,activity,channel,network,outcome\n"
        "s1,1,lamp,turn_on,phone,lan,confirmed\ns1,2,lamp,turn_on,phone,lan,failed\n"
    )
    shown = desk.say("status", folder)
    assert "home-1: was imported, nothing was run" in shown.stdout
    cells = json.loads(desk.say("status", folder, "--json").stdout)["coverage"]
    assert cells[0]["labelled"] == 1
    resumed = desk.say("resume", folder)
    assert resumed.returncode == 2
    assert "was imported; there is nothing of it to run" in resumed.stderr


def test_what_a_journal_holds_is_shown_without_a_file_beside_it(desk):
    desk.write(SCENARIO.replace("repeats: 40", "repeats: 4"))
    desk.say("run", desk.folder / "often.yaml", "--fast", "--depth", "activities")
    before = sorted(p.name for p in desk.out.iterdir())
    assert "closed, 8 of 8 trials" in desk.say("status", "--watch").stdout
    assert sorted(p.name for p in desk.out.iterdir()) == before
    (folder,) = desk.out.glob("often-*")
    again = desk.say("resume", folder)
    assert again.returncode == 0
    assert "is closed already; nothing of it is left to do" in again.stdout
