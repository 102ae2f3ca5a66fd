"""`testbed classify --live`: packets of the router over SSH, events while they come."""

import json
import queue
import subprocess
import sys
import threading

import pytest

from testbed.clock import SystemClock
from testbed.virtual.live import truth

pytestmark = pytest.mark.live

SCENARIO = """\
scenario: streamed
seed: 5
select:
  - {device: wemo_insight, channels: [api]}
repeats: 20
sessions: 2
rest: {uniform: [15 s, 40 s]}
idle: 20 min
"""
SWITCH = """
    from pathlib import Path

    from testbed.clock import SystemClock
    from testbed.drivers.plug_wemo import open_plug
    from testbed.model.load import load_lab

    clock = SystemClock()
    at = load_lab(Path("lab.yaml")).plugs["plug_under_test"]
    for on in (True, False, True):
        clock.sleep(18.0)
        open_plug("plug_under_test", at, clock).set_power(on)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a model that was learnt without a network."""
    folder = tmp_path_factory.mktemp("streamed")
    scenario = folder / "streamed.yaml"
    scenario.write_text(SCENARIO)
    testbed = [sys.executable, "-m", "testbed"]
    words = ["--fast", "--out", str(folder), "--campaign", "streamed"]
    made = ["train", str(folder / "streamed"), "--out", str(folder / "model")]
    for command in (
        ["run", str(scenario), *words],
        [*made, "--classifier", "nb", "--streaming"],
    ):
        subprocess.run([*testbed, *command], check=True, stdout=subprocess.DEVNULL)
    return folder / "model"


def test_an_activity_is_told_live_within_a_second_of_its_end(live_lab, model):
    clock, lines = SystemClock(), queue.Queue()
    words = ["-m", "testbed", "classify", str(model), "--live", "--json"]
    with live_lab.background([sys.executable, *words]) as process:

        def listen():
            for line in process.stdout:
                lines.put((clock.now_ns(), json.loads(line)))

        threading.Thread(target=listen, daemon=True).start()
        live_lab.python(SWITCH, timeout=120.0)
        clock.sleep(10.0)
    events = [lines.get_nowait() for _ in range(lines.qsize())]
    true_ns = [
        each.true_ns
        for each in truth.true_activities(live_lab.handle.truth)
        if each.device == "wemo_insight"
    ]
    found = [
        (told_ns, event)
        for told_ns, event in events
        if min(abs(event["start_ns"] - at_ns) for at_ns in true_ns) < 2 * 10**9
    ]
    assert found, events
    for told_ns, event in found:
        # on and off send about the same, and the live form is not the one learnt from
        assert event["activity"] in ("turn_on", "turn_off", "unknown")
        assert told_ns - event["end_ns"] < 10**9
