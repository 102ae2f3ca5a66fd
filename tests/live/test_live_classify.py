"""`testbed classify --live`: packets of the router over SSH, events while they come.

What is tested is the way of packets and events, not how well activities are told: the
watcher of the model here believes in every opening.
"""

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.models import load, save
from analysis.streaming.background import Background
from analysis.streaming.fit import TREES, StreamPlan
from analysis.streaming.learn import learn
from analysis.streaming.store import to_parts
from testbed.clock import SystemClock, wait_until
from testbed.virtual.live import truth

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

S = 10**9
DEVICE = "wemo_insight"
SCENARIO = """\
scenario: streamed
seed: 5
select:
  - {device: wemo_insight, channels: [api]}
repeats: 6
sessions: 2
rest: {uniform: [15 s, 40 s]}
idle: 10 min
"""
SWITCH = """
    import sys
    from pathlib import Path

    from testbed.clock import SystemClock
    from testbed.drivers.plug_wemo import open_plug
    from testbed.model.load import load_lab

    at = load_lab(Path("lab.yaml")).plugs["plug_under_test"]
    plug = open_plug("plug_under_test", at, SystemClock())
    plug.set_power(sys.argv[1] == "True")
"""
# processes as the router sees them: number and command
TOOLS = "pgrep -a dumpcap"
TOOL = "dumpcap -q -i br-lan -w -"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a model that calls every opening of a plug an activity."""
    folder = tmp_path_factory.mktemp("streamed")
    scenario = folder / "streamed.yaml"
    scenario.write_text(SCENARIO)
    testbed = [sys.executable, "-m", "testbed"]
    words = ["--fast", "--out", str(folder), "--campaign", "streamed"]
    made = ["train", str(folder / "streamed"), "--out", str(folder / "model")]
    for command in (
        ["run", str(scenario), *words],
        [*made, "--classifier", "nb"],
    ):
        subprocess.run([*testbed, *command], check=True, stdout=subprocess.DEVNULL)
    plan = StreamPlan(classifier=TREES)
    learnt = learn(folder / "streamed", (DEVICE,), plan)[DEVICE]
    all_of_it = replace(
        learnt,
        background=Background(),
        stages=(replace(learnt.stages[0], event_from=0.0, known_from=0.0),),
    )
    parts = to_parts({DEVICE: all_of_it})
    save(load(folder / "model"), folder / "believing", parts=parts)
    return folder / "believing"


@contextlib.contextmanager
def classifying(lab, model):
    """Yield the process once packets are captured for it, and its tool's number."""
    words = ["-m", "testbed", "classify", str(model), "--live", "--json"]
    with lab.background([sys.executable, *words]) as process:
        assert soon(lambda: tool_of(lab) or process.poll() is not None)
        tool = tool_of(lab)
        assert tool, process.poll()
        yield process, tool


def soon(condition):
    """Wait until a condition holds, and say whether it does.

    Long enough for a machine on which a dozen others run: a model takes a minute.
    """
    return wait_until(condition, clock=SystemClock(), deadline_s=240.0, poll_s=0.2)


def tool_of(lab):
    """Return the number of the tool that writes to a link, '' without one."""
    lines = lab.ssh(TOOLS, check=False).splitlines()
    return next((each.split()[0] for each in lines if TOOL in each), "")


def test_packets_come_over_ssh_and_become_events_while_they_come(live_lab, model):
    clock, lines = SystemClock(), queue.Queue()
    live_lab.python(SWITCH, "False")  # another test may have left it on
    with classifying(live_lab, model) as (process, tool):

        def listen():
            for line in process.stdout:
                lines.put((clock.now_ns(), json.loads(line)))
            lines.put(None)

        threading.Thread(target=listen, daemon=True).start()
        environment = live_lab.ssh(f"cat /proc/{tool}/environ").split("\0")
        (link,) = (e for e in environment if e.startswith("SSH_CONNECTION="))
        events = [switched(live_lab, on, lines) for on in (True, False)]
        live_lab.ssh(f"kill {tool}")
        assert process.wait(120) == 0  # no more packets is an end
    assert link.startswith("SSH_CONNECTION=10.78.0.5 ")
    assert link.endswith(" 10.78.0.1 22")
    while (rest := lines.get(timeout=60)) is not None:
        events.append([rest])
    for told_ns, event in (each for some in events for each in some):
        assert event["device"] == DEVICE
        # one of the two, or both where training could not tell them apart
        assert set(event["activity"].split("|")) <= {"turn_on", "turn_off"}
        assert event["start_ns"] < event["end_ns"]
        assert event["start_ns"] < told_ns
    for told_ns, event in (each for some in events[:2] for each in some):
        # some tenths of a second; more on a busy machine
        assert 0 < told_ns - event["due_ns"] < 20 * S


def switched(lab, on, lines):
    """Switch the plug; return stamps and events up to the one that covers it."""
    before = len(true_activities(lab))
    lab.python(SWITCH, str(on))
    assert soon(lambda: len(true_activities(lab)) > before)
    true_ns = true_activities(lab)[before].true_ns
    found = []
    while True:
        found.append(lines.get(timeout=60))
        event = found[-1][1]
        if event["start_ns"] - 2 * S < true_ns < event["end_ns"] + 2 * S:
            return found


def true_activities(lab):
    found = truth.true_activities(lab.handle.truth)
    return [each for each in found if each.device == DEVICE]


def test_ctrl_c_ends_it_and_the_tool_on_the_router(live_lab, model):
    with classifying(live_lab, model) as (process, _tool):
        inside = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        (child,) = inside.split()
        subprocess.run(["kill", f"-{signal.SIGINT.value}", child], check=True)
        assert process.wait(120) == 130
        assert soon(lambda: not tool_of(live_lab))
