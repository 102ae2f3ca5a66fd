"""The doctor in the live lab: what is well, and every fault at its own check."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from testbed.clock import SystemClock, wait_until
from testbed.model.applock import load_lock
from testbed.model.load import load_lab
from testbed.virtual.live import enter, permission
from testbed.virtual.live import lab as live
from testbed.virtual.live.lab import LabHandle

pytestmark = [pytest.mark.live, pytest.mark.timeout(450)]

ROOT = Path(__file__).resolve().parents[2]
SMALL = """\
scenario: small
select:
  - {device: tplink_hs110}
  - {device: echo_dot}
  - {device: iview_bulb}
  - {device: samsung_tv, channels: [power]}
"""
PLUG = "scenario: plug\nselect: [{device: tplink_hs110}]\n"
# What a slow or busy machine adds: a slow disk, a wide clock, a word that was misheard
# and understood when it was said again.
OF_THE_MACHINE = {"here.writable", "clock.quality", "voice.heard:echo_dot"}
DISK = "  faults: [{kind: router_disk_full, at: 24 h}]\n"


@dataclass
class Ward:
    """A folder with a lab that is up, and the command that looks at it."""

    folder: Path
    lab: LabHandle

    def start(self, *words: str) -> subprocess.Popen[str]:
        inside = [sys.executable, "-I", "-S", enter.__file__, str(self.lab.process.pid)]
        return subprocess.Popen(
            [*inside, sys.executable, "-m", "testbed", *words, "--out", "out"],
            cwd=self.folder,
            env=self.lab.environment() | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def doctor(self, *words: str) -> tuple[int, dict[str, dict[str, object]]]:
        """Return the exit code, and the findings by name."""
        return self.ended(self.start("doctor", *words, "--json"))

    def ended(self, process) -> tuple[int, dict[str, dict[str, object]]]:
        out, said = process.communicate(timeout=200)
        assert out, said
        found = json.loads(out)["findings"]
        names = [f"{f['check']}:{f['target']}".rstrip(":") for f in found]
        return process.returncode, dict(zip(names, found, strict=True))

    @contextlib.contextmanager
    def faults(self, **kinds):
        """Let faults last as long as the context; `a__b` is the fault a of b."""
        paths = []
        for name, value in kinds.items():
            path = self.lab.state / "faults" / name.replace("__", ".")
            path.write_text(value)
            paths.append(path)
        try:
            yield
        finally:
            for path in paths:
                path.unlink()

    @property
    def captures(self) -> Path:
        """The router's folder of captures, as it is seen within the lab."""
        seen = f"/proc/{self.lab.process.pid}/root{self.lab.state}"
        return Path(seen, "router", "captures")

    def left_on_router(self) -> list[str]:
        """Return what is in the folder of captures, and who works there."""
        found = [p.name for p in self.captures.iterdir()]
        place = f"{self.lab.state}/router/captures/doctor"
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found += [words] if place in words else []
        return found


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """Bring up a lab of its own name whose router's disk can be full."""
    permission.check()
    folder = tmp_path_factory.mktemp("ward")
    text = (ROOT / "lab.yaml").read_text()
    text = text.replace("virtual_house", f"doctor_{os.getpid()}")
    text = text.replace("adb_port: 5038", "adb_port: 5161")
    (folder / "lab.yaml").write_text(f"{text.rstrip()}\n{DISK}")
    (folder / "devices").symlink_to(ROOT / "devices")
    (folder / "scenarios").mkdir()
    for name, scenario in (("small", SMALL), ("plug", PLUG)):
        (folder / "scenarios" / f"{name}.yaml").write_text(scenario)
    lab = load_lab(folder / "lab.yaml")
    live.up(lab, folder / "lab.yaml", tied=True)
    handle = live.find(lab)
    assert handle is not None
    yield Ward(folder=folder, lab=handle)
    live.down(lab)
    live.down(lab)  # the second time for what the first one leaves to readers


def of(findings, verdict):
    return {name for name, f in findings.items() if f["verdict"] == verdict}


def test_a_healthy_lab_is_well_and_its_apps_can_be_locked(ward):
    code, found = ward.doctor("small", "--lock")
    assert code == 0
    assert of(found, "bad") == set()
    assert of(found, "warning") - OF_THE_MACHINE == {"phone.lock"}  # none was there yet
    assert of(found, "not_looked") == {"plugs.switches:plug_tv"}
    beacons = found["router.test_capture"]["measured"]
    assert beacons["beacons_sent"] == beacons["beacons_captured"] > 10
    clock = found["clock.quality"]["measured"]
    assert abs(clock["offset_ms"] - 49_000) < 100
    assert clock["uncertainty_ms"] < 20
    assert found["voice.loopback"]["measured"]["heard"] is True
    assert "it understood" in found["voice.heard:echo_dot"]["said"]
    assert ward.left_on_router() == []
    lock = load_lock(ward.folder / "app.lock.yaml")
    assert set(lock.devices) == {"echo_dot", "iview_bulb", "tplink_hs110"}
    assert lock.devices["tplink_hs110"].selectors["turn_on/2"].text == "Turn on"


def test_each_fault_is_found_by_its_own_check(ward):
    faults = {
        "popup__tplink_hs110": "",
        "app_updated__iview_bulb": "all",
        "deaf_speaker__echo_dot": "",
        "tts_down": "",
        "stuck_plug__plug_tv": "",
        "router_disk_full": "",
    }
    with ward.faults(**faults):
        code, found = ward.doctor("small", "--switch")
    assert code == 3
    assert of(found, "bad") == {
        "router.space",
        "plugs.switches:plug_tv",
        "phone.app:iview_bulb",
        "phone.selectors:iview_bulb",
        "voice.heard:echo_dot",
    }
    warned = of(found, "warning")
    assert {"voice.engine", "phone.selectors:tplink_hs110"} <= warned
    assert "pop-up" in found["phone.selectors:tplink_hs110"]["said"]
    assert found["router.test_capture"]["verdict"] == "not_looked"
    assert found["phone.lock"]["verdict"] == "ok"
    assert all(found[name]["remedy"] for name in of(found, "bad") | warned)


def test_a_phone_that_is_gone_and_a_capture_that_dies_are_found(ward):
    def records() -> bool:
        return any(ward.captures.glob("doctor/live/*"))

    with ward.faults(phone_offline=""):
        process = ward.start("doctor", "plug", "--only", "phone,router", "--json")
        began = wait_until(records, clock=SystemClock(), deadline_s=60, poll_s=0.02)
        with ward.faults(capture_killed=""):
            code, found = ward.ended(process)
    assert began
    assert code == 3
    assert of(found, "bad") == {"phone.answers", "router.test_capture"}
    assert "gone" in found["router.test_capture"]["said"]
    assert "phone.selectors:tplink_hs110" in of(found, "not_looked")
    assert ward.left_on_router() == []


def test_a_campaign_does_not_begin_on_an_app_that_was_updated(ward):
    with ward.faults(app_updated__tplink_hs110="all"):
        run = ward.start("run", "plug")
        _, said = run.communicate(timeout=200)
    assert run.returncode == 3, said
    assert "tplink_hs110" in said
    assert "doctor --lock" in said
    assert "Traceback" not in said
    (report,) = ward.folder.glob("out/plug-*/drift/drift.json")
    (app,) = json.loads(report.read_text())["apps"]
    assert app["changes"]["version"]["was"] == "2.35.0"
    assert {s["verdict"] for s in app["selectors"]} == {"lost"}
    for name in ("drift.html", app["picture"], app["tree"]):
        assert (report.parent / name).stat().st_size > 100
