"""A scenario of two users for days, in real time, killed in the middle: what is lost.

    python -m tests.bench.serve_soak --minutes 10

The lab is brought up, the scenario is scheduled, and `testbed serve` runs it. In the
middle the server and its campaign are killed with SIGKILL; after a while another server
goes on for as long again, until Ctrl-C. The scenario is the shipped week, with so many
acts in the first hour of a day that some happen within minutes; its first day begins
now.
The last line is a summary;
the exit code is 1 where a check did not hold.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import yaml

from testbed.clock import SystemClock, wait_until
from testbed.model.events import LABELLED
from testbed.runner.journal.fold import TOO_LATE, CampaignState, fold, plan_of
from testbed.runner.journal.store import Journal, Recorded, open_store, open_to_read
from testbed.runner.recording.capture import RAW
from testbed.runner.recording.witness import Witness, unproven
from testbed.runner.schedules.schedule import Book

ROOT = Path(__file__).parents[2]
AWAY_S = 25.0  # between the kill and the next server, at most
LATE_S = 20.0  # how late an act may be: less than all are away
WAIT_S = 60.0  # how long before the end an act must be due to be decided
STARTS_S = 120.0  # how long a server may take to begin, to label, or to end
MOST_PER_HOUR = 60.0  # acts of one habit


def main() -> int:
    """Do the soak; return 1 where a check did not hold."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--minutes", type=float, default=10.0)
    given.add_argument("--per-hour", type=float, default=100.0, help="acts of a user")
    given.add_argument("--days", type=int, default=7, help="how long the plan is")
    given.add_argument("--out", type=Path, default=None)
    arguments = given.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="testbed-soak-"))
    out.mkdir(parents=True, exist_ok=True)
    soak = Soak(out, arguments.minutes * 60, arguments.per_hour, arguments.days)
    _testbed("lab", "up")
    try:
        checks = soak.run()
    finally:
        soak.end()
        _testbed("lab", "down")
    for name, told in checks.items():
        print(f"{'ok  ' if told[0] else 'FAIL'} {name}: {told[1]}")
    good = all(told[0] for told in checks.values())
    print(json.dumps({"soak": "ok" if good else "failed", **soak.figures}))
    if arguments.out is None and good:
        shutil.rmtree(out)
    else:
        print(f"campaign and journal: {out}", file=sys.stderr)
    return 0 if good else 1


class Soak:
    """One soak of `duration_s` seconds, in the lab that is up."""

    def __init__(
        self, out: Path, duration_s: float, per_hour: float, days: int
    ) -> None:
        self._out = out
        self._duration_s = duration_s
        self._per_hour = per_hour
        self._days = days
        self._away_s = min(AWAY_S, duration_s / 12)
        self._server: subprocess.Popen[bytes] | None = None
        self.figures: dict[str, object] = {}

    def run(self) -> dict[str, tuple[bool, str]]:
        """Return check -> whether it held, and what was seen."""
        scenario = self._out / "week.yaml"
        scenario.write_text(
            yaml.safe_dump(_busy_week(self._per_hour, self._days)),
            encoding="utf-8",
        )
        _testbed("schedule", "add", str(scenario), "--at", "now", "--out", self._where)
        # Times count from when a campaign is at work: to start one takes longer on a
        # busy machine, and what is killed before it has begun loses nothing.
        self._serve()
        began_s = self._seen(lambda state: len(state.sessions) >= 1, "no campaign")
        self._seen(_has_a_label, "no label")
        self._sleep_until(began_s + self._duration_s / 2)
        seen = self._kill()
        self._sleep_until(time.monotonic() + self._away_s)
        self._serve()
        again_s = self._seen(lambda state: len(state.sessions) >= 2, "not resumed")
        self._sleep_until(again_s + self._duration_s / 2)
        self._server.send_signal(signal.SIGINT)
        return self._checks(seen, self._server.wait(STARTS_S))

    def end(self) -> None:
        """Leave no server behind, whatever happened."""
        if self._server is not None and self._server.poll() is None:
            self._server.terminate()
            self._server.wait(60)

    @property
    def _where(self) -> str:
        return str(self._out)

    def _serve(self) -> None:
        self._server = subprocess.Popen(
            _command("serve", "--out", self._where), cwd=ROOT
        )

    def _seen(self, wanted: Callable[[CampaignState], bool], otherwise: str) -> float:
        """Wait until the journal says so; return when that was seen."""

        def there() -> bool:
            with open_to_read(self._out / "journal.sqlite", SystemClock()) as store:
                rows = [Journal(store, one).read() for one in store.campaigns()]
            return any(wanted(fold(facts)) for facts in rows)

        if not wait_until(there, clock=SystemClock(), deadline_s=STARTS_S, poll_s=1.0):
            raise SystemExit(f"{otherwise} after {STARTS_S:g} s")
        return time.monotonic()

    def _sleep_until(self, end_s: float) -> None:
        time.sleep(max(0.0, end_s - time.monotonic()))

    def _kill(self) -> str:
        """Kill the server, its campaign, and the controller inside the lab at once."""
        victims = [self._server.pid, *_descendants(self._server.pid)]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()
        return f"{len(victims)} processes killed"

    def _checks(self, seen: str, code: int) -> dict[str, tuple[bool, str]]:
        with open_store(self._out / "journal.sqlite", SystemClock()) as store:
            (campaign,) = store.campaigns()
            rows = Journal(store, campaign).read()
            schedules = Book(store).schedules.values()
        state = fold(rows)
        acts = _Acts(state, rows, self._out / campaign)
        decisions = [d.decision for s in schedules for _, d in s.decisions]
        orphans = _processes_with(self._where)
        log = self._out / campaign / "activities.csv"
        self.figures = {"minutes": self._duration_s / 60, **acts.figures()}
        lost, twice, unproven = acts.lost(), acts.labelled_twice(), acts.unproven()
        return {
            "killed in the middle": (True, seen),
            "exit code of the last server": (code == 0, str(code)),
            "acts were due": (len(acts.due) > 0, str(len(acts.due))),
            "acts became labels": (len(acts.labelled) > 0, str(len(acts.labelled))),
            "labels are proven by the capture": (not unproven, str(unproven)),
            "none labelled twice": (not twice, str(twice)),
            "none lost without a decision": (not lost, str(lost)),
            "starts": (decisions == ["started", "resumed"], str(decisions)),
            "activity log is there": (log.exists(), log.name),
            "no orphans": (not orphans, str(orphans)),
        }


class _Acts:
    """What became of the acts that were due."""

    def __init__(
        self,
        state: CampaignState,
        rows: Sequence[Recorded],
        folder: Path,
    ) -> None:
        self._state = state
        self._folder = folder
        self._begun_ns = min(s.started_ns for s in state.sessions.values())
        # Acts may wait for their device, or for two preparations, before it is decided.
        end_ns = rows[-1].at_ns - WAIT_S * 1e9
        self.due = [
            t
            for t in plan_of(state).trials
            if t.not_before_s is not None
            and not t.preparation
            and self._begun_ns + t.not_before_s * 1e9 < end_ns
        ]
        self.labelled = [t for t in state.attempts if state.outcome(t) in LABELLED]

    def lost(self) -> list[str]:
        """Return the acts of which nothing says what became of them."""
        return [t.trial for t in self.due if self._state.outcome(t.trial) is None]

    def labelled_twice(self) -> list[str]:
        """Return the trials of which more than one attempt would be a label."""
        return [
            name
            for name, done in self._state.attempts.items()
            if sum(a.final in LABELLED for a in done) > 1
        ]

    def unproven(self) -> list[str]:
        """Return the labels whose beacons are not in the capture."""
        witness = Witness(self._folder / RAW, self._folder.name)
        seen = witness.of_campaign(self._state)
        found = unproven(self._state, seen, witness.unreadable)
        return [a.started.trial for a, _ in found if a.final in LABELLED]

    def figures(self) -> dict[str, object]:
        """Return what the summary holds."""
        done = self._state.all_attempts()
        late_s = [
            (self._state.attempts[t.trial][-1].issued_ns or 0) / 1e9
            - self._begun_ns / 1e9
            - (t.not_before_s or 0.0)
            for t in self.due
            if t.trial in self.labelled
        ]
        outcomes = Counter(str(self._state.outcome(t)) for t in self._state.attempts)
        return {
            "due": len(self.due),
            "outcomes": dict(outcomes),
            "left_out": sum(TOO_LATE in a.detail for a in done),
            "voided": sum(a.voided is not None for a in done),
            "sessions": len(self._state.sessions),
            "users": sorted({t.user for t in self.due if t.user}),
            "late_s": [round(f(late_s), 1) for f in (median, max)] if late_s else [],
        }


def _has_a_label(state: CampaignState) -> bool:
    return any(attempt.final in LABELLED for attempt in state.all_attempts())


def _busy_week(per_hour: float, days: int) -> dict[str, object]:
    """Return the shipped week with many acts in the first hour of each day.

    Its first day begins when the campaign does.
    """
    week = yaml.safe_load((ROOT / "scenarios" / "week_two_users.yaml").read_text())
    for user in week["users"]:
        user["first_day"] = 0
        for habit in user["habits"]:
            rate = min(per_hour / len(user["habits"]), MOST_PER_HOUR)
            for kind in ("weekday", "weekend"):
                if kind in habit:
                    habit[kind] = {**habit[kind], "0": rate}
    late = f"{LATE_S:g} s"
    return {**week, "scenario": "busy_week", "days": days, "late": late, "idle": "1 s"}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "testbed", *words]


def _testbed(*words: str) -> None:
    subprocess.run(_command(*words), cwd=ROOT, check=True)


def _descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def _processes_with(word: str) -> list[str]:
    """Return the command lines, other than ours, that name a folder."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in text and "serve_soak" not in text:
            found.append(text.strip())
    return found


if __name__ == "__main__":
    sys.exit(main())
