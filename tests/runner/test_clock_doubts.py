import csv
import io

import pytest

from testbed.runner.recording.activities import (
    Clocks,
    activities_csv,
    doubtful,
    why_no_labels,
)
from testbed.runner.recording.clockwork import Stamp

LIMIT_S = 0.05
S = 10**9


class Map:
    """Stands for a clock map that knows some trials' instants badly."""

    def __init__(self, state, badly):
        self._bad = {
            state.attempts[trial][-1].returned.instant_ns: unsure_s
            for trial, unsure_s in badly.items()
        }

    def to_capture(self, stamp_ns):
        return Stamp(capture_ns=stamp_ns + 49 * S, uncertainty_ns=1000)

    def of_window(self, stamp_ns, delta_ns):
        unsure_ns = round(self._bad.get(stamp_ns, 0.001) * S)
        return Stamp(capture_ns=stamp_ns + 49 * S, uncertainty_ns=unsure_ns)


@pytest.fixture
def done(rig):
    lab = rig()
    lab.run()
    return lab.state()


def clocks(state, **badly):
    return Clocks(maps=dict.fromkeys(state.sessions, Map(state, badly)))


def test_an_activity_above_the_limit_is_left_out_with_its_reason(done):
    found = doubtful(done, clocks(done, **{"0003": 3.2}), LIMIT_S)
    assert [(a.started.trial, reason) for a, reason in found] == [
        (
            "0003",
            "clock: the clock of the capture is known to 3.200 s only and the limit "
            "is 0.05 s",
        )
    ]


def test_when_most_are_above_the_limit_none_is_left_out_and_none_is_labelled(done):
    badly = clocks(done, **{f"000{n}": 3.2 for n in (2, 3, 4, 5)})
    assert doubtful(done, badly, LIMIT_S) == []
    said = why_no_labels(done, badly, LIMIT_S)
    assert said.startswith("for 4 activities the clock of the capture is known to 3.2")
    assert "limits.clock_uncertainty" in said


def test_when_all_are_within_the_limit_there_is_nothing_to_say(done):
    assert doubtful(done, clocks(done), LIMIT_S) == []
    assert why_no_labels(done, clocks(done), LIMIT_S) == ""


def test_a_session_without_a_measurement_has_no_stamps_and_no_labels(done, rig):
    nothing = Clocks(maps={})
    assert "is not known" in why_no_labels(done, nothing, LIMIT_S)
    about = {"unit": "1", "firmware": "1", "app_version": ""}
    devices = {t.device: about for t in done.plan.trials}
    text = activities_csv(done, nothing, devices, campaign="small-1", home="home")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows
    assert {r["t_ns"] + r["t_issue_ns"] + r["t_uncertainty_ns"] for r in rows} == {""}


def test_what_a_step_spoils_is_voided_and_done_again(rig):
    lab = rig()

    def step(ended):
        # over before the next measurement: only beacons see it
        if ended.trial.trial == "0002":
            lab.world.router_offset_ns += 3 * S
        if (ended.trial.trial, ended.attempt) == ("0003", 1):
            lab.world.router_offset_ns -= 3 * S

    result = lab.run(ended=step)
    voided = [a for a in lab.state().all_attempts() if a.voided]
    assert {a.started.trial for a in voided} >= {"0003"}
    assert all(a.voided.startswith("clock: ") for a in voided)
    assert result.no_labels == ""
    with (result.folder / "activities.csv").open() as file:
        rows = list(csv.DictReader(file))
    kept = [r for r in rows if r["outcome"] in ("confirmed", "unchecked")]
    assert len({r["trial"] for r in kept}) == len(kept) == 6
    assert max(int(r["t_uncertainty_ns"]) for r in kept) < LIMIT_S * S
