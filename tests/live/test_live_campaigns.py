"""Whole campaigns, run by the real command in the live lab while things go wrong."""

import contextlib
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.model.load import load_lab
from testbed.virtual.live import lab as live
from testbed.virtual.live import permission

pytestmark = [pytest.mark.live, pytest.mark.timeout(450)]

ROOT = Path(__file__).resolve().parents[2]
# It needs nothing of the device, so no trial is added to prepare it.
PLUG = "{device: tplink_hs110, activities: [read_state], repeats: 2}"
ADB_PORTS = iter(range(5140, 5160))


def within(seconds, condition) -> bool:
    return wait_until(condition, clock=SystemClock(), deadline_s=seconds, poll_s=0.05)


@dataclass
class Bench:
    """A folder with a lab that is up, a scenario, and the command to run it."""

    folder: Path
    state: Path
    running: subprocess.Popen[str] = field(init=False)

    @contextlib.contextmanager
    def command(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run the command in a process group of its own; end all of it at last."""
        with (
            (self.folder / "said").open("a") as said,
            subprocess.Popen(
                [sys.executable, "-m", "testbed", *words, "--out", "out"],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            self.running = process
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def events(self, kind: str) -> list[dict[str, object]]:
        """Return the facts of one kind that the journal holds by now."""
        path = self.folder / "out" / "journal.sqlite"
        if not path.exists():
            return []
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        ) as db:
            try:
                rows = db.execute(
                    "SELECT facts FROM events WHERE kind = ? ORDER BY seq", (kind,)
                )
                return [json.loads(facts) for (facts,) in rows]
            except sqlite3.OperationalError:
                return []  # it is just being made

    def await_events(self, kind: str, n: int = 1) -> None:
        def there() -> bool:
            return len(self.events(kind)) >= n

        assert within(90, lambda: there() or self.running.poll() is not None)
        assert there(), self.said()

    @contextlib.contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        path = self.state / "faults" / kind
        path.touch()
        try:
            yield
        finally:
            path.unlink()

    @property
    def campaign(self) -> Path:
        (found,) = (self.folder / "out").glob("short-*")
        return found

    def outcomes(self) -> list[tuple[str, int, str]]:
        """Return (trial, attempt, outcome) of every line of the log."""
        with (self.campaign / "activities.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [(r["trial"], int(r["attempt"]), r["outcome"]) for r in rows]

    def processes(self) -> list[str]:
        """Return what still captures, or was started by a command of ours."""
        captures = str(self.state / "router" / "captures")
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                ours = (entry / "cwd").readlink() == self.folder
                if words and (ours or captures in words):
                    found.append(words)
        return found


@pytest.fixture
def bench(tmp_path, request):
    """Make a bench with a lab of its own name and adb port that is up."""
    permission.check()
    benches = []

    def make(select: str) -> Bench:
        name = f"campaign_{len(benches)}_{os.getpid()}"
        text = (ROOT / "lab.yaml").read_text().replace("virtual_house", name)
        text = text.replace("adb_port: 5038", f"adb_port: {next(ADB_PORTS)}")
        (tmp_path / "lab.yaml").write_text(text)
        (tmp_path / "short.yaml").write_text(
            f"scenario: short\nseed: 3\nrest: 1 s\nidle: 1 s\nselect: [{select}]\n"
        )
        (tmp_path / "devices").mkdir()
        profile = (ROOT / "devices" / "tplink_hs110.yaml").read_text()
        quick = profile.replace("{control: 8 s}", "{control: 3 s}")
        assert quick != profile
        (tmp_path / "devices" / "tplink_hs110.yaml").write_text(quick)
        lab = load_lab(tmp_path / "lab.yaml")
        made = Bench(folder=tmp_path, state=live.folder(lab.lab))
        benches.append((made, lab))
        live.up(lab, tmp_path / "lab.yaml", tied=True)
        return made

    yield make
    for made, lab in benches:
        left = made.processes()
        live.down(lab)
        live.down(lab)  # the second time for what the first one leaves to readers
        assert left == []
        assert not made.state.exists()


def test_a_trial_in_which_the_phone_goes_offline_is_voided_and_done_again(bench):
    short = bench(PLUG.replace("repeats: 2", "repeats: 1"))
    with short.command("run", "short.yaml") as run:
        short.await_events("trial_started")
        with short.fault("phone_offline"):
            short.await_events("trial_ended")
        assert run.wait(150) == 0, short.said()
    # "failed" where it is back before anybody could make sure that it was gone
    first, last = (outcome for *_, outcome in short.outcomes())
    assert first in ("aborted", "failed")
    assert last == "confirmed"
    (ended, _) = short.events("trial_ended")
    assert "b''" not in str(ended["detail"])


def test_what_a_killed_capture_tool_did_not_record_is_done_again(bench):
    short = bench(PLUG)
    with short.command("run", "short.yaml") as run:
        short.await_events("stimulus_issued")
        with short.fault("capture_killed"):
            short.await_events("trial_ended")
        assert run.wait(150) == 0, short.said()
    final = {trial: outcome for trial, _, outcome in short.outcomes()}
    assert set(final.values()) == {"confirmed"}
    ends = [e["stopped_by"] for e in short.events("capture_stopped")]
    assert ends[0] == "gone"
    assert ends[-1] == "INT"
    assert len(short.events("capture_started")) == len(ends) > 1


def test_ctrl_c_once_ends_after_the_trial_and_resume_does_the_rest(bench):
    short = bench(PLUG)
    with short.command("run", "short.yaml") as run:
        short.await_events("trial_started")
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        assert run.wait(150) == 130, short.said()
    assert "testbed resume" in short.said()
    assert short.processes() == []
    n_before = len(short.events("trial_ended"))
    with short.command("resume", str(short.campaign)) as resumed:
        assert resumed.wait(150) == 0, short.said()
    assert n_before < len(short.events("trial_ended"))
    assert {o for *_, o in short.outcomes() if o != "aborted"} == {"confirmed"}
    assert short.events("session_ended")[0]["reason"] == "interrupted"


def test_a_controller_that_is_killed_leaves_its_packets_to_resume(bench):
    short = bench(PLUG)
    with short.command("run", "short.yaml") as run:
        short.await_events("trial_ended")
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(60)
    assert live.find(load_lab(short.folder / "lab.yaml")) is not None
    assert short.events("capture_file_fetched") == []
    with short.command("resume", str(short.campaign)) as resumed:
        assert resumed.wait(150) == 0, short.said()
    final = {trial: outcome for trial, _, outcome in short.outcomes()}
    assert set(final.values()) == {"confirmed"}
    owners = [f["capture"] for f in short.events("capture_file_fetched")]
    assert {"c01", "c02"} <= set(owners)
