"""A campaign in the live lab whose phone and whose link to the router go away."""

import contextlib
import os
import shutil

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.model.load import load_lab
from testbed.virtual.live import lab as live
from tests.bench.faultmatrix import judging
from tests.bench.faultmatrix.bench import Bench
from tests.bench.faultmatrix.case import Case, Form

PHONE = "{device: tplink_hs110, activities: [turn_on, turn_off], repeats: 2}"
PLUG = "{device: wemo_insight, activities: [turn_on], channels: [api], repeats: 2}"
CASE = Case(
    name="pauses",
    form=Form.LIVE,
    strikes=(),
    expected="",
    shows=("suspended phone", "suspended router"),
    devices=(PHONE, PLUG),
    limits={"clear": "1 s"},
)
STEP_S = 90.0  # how long each step may take on a busy machine
CLOCK = SystemClock()


@pytest.fixture
def bench(tmp_path):
    made = Bench(case=CASE, folder=tmp_path, lab=f"pauses_{os.getpid()}", adb_port=5190)
    made.write()
    return made


@pytest.fixture
def state(bench):
    """State folder of the lab, which is up."""
    lab = load_lab(bench.folder / "lab.yaml")
    live.up(lab, bench.folder / "lab.yaml", tied=True)
    yield live.folder(lab.lab)
    live.down(lab)
    shutil.rmtree(live.folder(lab.lab), ignore_errors=True)


def seen(bench, kind, **facts):
    """Wait until the journal has such a fact."""

    def there():
        return any(
            f.kind == kind and facts.items() <= f.facts.items() for f in bench.facts()
        )

    in_time = wait_until(there, clock=CLOCK, deadline_s=STEP_S, poll_s=0.05)
    assert in_time, f"no {kind} {facts}; said: {bench.said()}"


@contextlib.contextmanager
def broken(state, fault):
    path = state / "faults" / fault
    path.touch()
    try:
        yield
    finally:
        path.unlink()


@pytest.mark.live
@pytest.mark.timeout(450)
def test_a_live_campaign_waits_for_its_phone_and_its_router(bench, state):
    with bench.command("run", "short.yaml") as process:
        seen(bench, "trial_ended")
        for fault, condition in (
            ("phone_offline", "phone"),
            ("router_link_down", "router"),
        ):
            with broken(state, fault):
                seen(bench, "suspended", condition=condition)
            seen(bench, "cleared", condition=condition)
        code = process.wait(STEP_S)
    campaign, truth = bench.campaign(), judging.truth_of(state / "truth")
    assert judging.complaints(CASE, [code], bench.facts(), campaign) == []
    assert judging.wrong_labels(campaign, truth) == []
    said = (bench.folder / "said").read_text()
    assert "paused: phone" in said
    assert "goes on: router is good again" in said
