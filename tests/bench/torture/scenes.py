"""Where campaigns are killed: the fast lab, and live labs that are up meanwhile."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from testbed.clock import SystemClock, wait_until
from testbed.model.load import load_lab
from tests.bench.torture.hands import ROOT, Hands
from tests.bench.torture.life import Place

# Long rests cost nothing in virtual time, and let files be fetched on the way.
FAST_SCENARIO = """\
scenario: torture
seed: 1
select:
  - {device: tplink_hs110, activities: [turn_on, turn_off]}
  - {device: omna_180, activities: [power_off, power_on]}
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
rest: 450 s
idle: 1 s
"""
SMALL_SCENARIO = """\
scenario: torture
seed: 1
select:
  - {device: tplink_hs110, activities: [read_state]}
  - {device: koogeek_plug, activities: [read_state]}
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
rest: 400 s
idle: 1 s
"""
LIVE_SCENARIO = """\
scenario: torture
seed: 1
select:
  - {device: tplink_hs110, activities: [read_state]}
  - {device: koogeek_plug, activities: [read_state]}
  - {device: wemo_insight, activities: [turn_on, turn_off], channels: [api]}
  - {device: echo_dot, activities: [ask_time], channels: [voice]}
rest: 0.2 s
idle: 0.2 s
"""
# While these last, campaigns pause: controllers are killed in pauses, too.
PAUSES = """\
- {kind: phone_offline, at: 440 s, until: 600 s}
- {kind: router_link_down, at: 1970 s, until: 2040 s}
"""
_LIVE_DELTA = "3 s"
# those of the scenarios, and what plugs of the lab feed: fewer are loaded sooner
_DEVICES = (
    "echo_dot",
    "koogeek_plug",
    "omna_180",
    "samsung_tv",
    "tplink_hs110",
    "wemo_insight",
)


@dataclass(slots=True, kw_only=True)
class Scene:
    """A lab, and who starts controllers in it.

    form     'fast' or 'live'
    lab      text of the lab file
    journal  database URL, or '' for a file beside each campaign
    inside   process 1 of a live lab as seen from here
    """

    name: str
    form: str
    folder: Path
    hands: Hands
    scenario: str
    lab: str
    journal: str = ""
    inside: int = 0
    captures: Path | None = None
    sabotage: str = ""
    _n: int = 0
    _before: set[str] = field(default_factory=set)

    def place(self, seed: int) -> Place:
        """Return a place for a new campaign."""
        self._n += 1
        folder = self.folder / f"{self._n:04d}"
        for inner in ("captures", "tmp"):
            (folder / inner).mkdir(parents=True)
        journal = self.journal or str(folder / "journal.sqlite")
        values = yaml.safe_load(self.lab)
        values |= {"captures": str(folder / "captures"), "journal": journal}
        (folder / "lab.yaml").write_text(yaml.safe_dump(values))
        (folder / "torture.yaml").write_text(self.scenario)
        fast = ("--fast",) if self.form == "fast" else ()
        return Place(
            folder=folder,
            journal=journal,
            scenario=folder / "torture.yaml",
            lab_file=folder / "lab.yaml",
            options=(
                *("--devices", str(self.folder / "devices")),
                *("--scenarios", str(folder), "--seed", str(seed), *fast),
            ),
            sabotage=self.sabotage,
        )

    def settle(self) -> None:
        """Take what runs in the lab now for what belongs there."""
        self._before = set(self._processes())

    def orphans(self) -> list[str]:
        """Return what a killed controller has left running or lying on the router.

        What ends by itself gets a little time to do so.
        """

        def found() -> list[str]:
            return sorted(set(self._processes()) - self._before) + self._files()

        if self.form == "live":
            clock = SystemClock()
            wait_until(lambda: not found(), clock=clock, deadline_s=5.0, poll_s=0.2)
        return found()

    def _processes(self) -> list[str]:
        """List the processes of the live lab; of the fast one, those in its folder."""
        if self.form == "fast":
            return []
        space = Path(f"/proc/{self.inside}/ns/pid").readlink()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "ns/pid").readlink() != space:
                    continue
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            found.append(f"process {entry.name}: {words.strip()}")
        return found

    def _files(self) -> list[str]:
        if self.captures is None or not self.captures.exists():
            return []
        inner = self.captures.glob("*/*/*")
        return [f"{p.relative_to(self.captures)} on the router" for p in inner]


@contextmanager
def fast_scene(
    folder: Path, scenario: str, journal: str = "", faults: str = ""
) -> Iterator[Scene]:
    """Give the fast lab, in a folder of its own.

    faults  of the virtual lab, as YAML
    """
    _devices(folder, "")
    values = yaml.safe_load((ROOT / "lab.yaml").read_text())
    if faults:
        values["virtual"]["faults"] = yaml.safe_load(faults)
    with Hands({}, log=folder / "hands.log") as hands:
        yield Scene(
            name=folder.name,
            form="fast",
            folder=folder,
            hands=hands,
            scenario=scenario,
            lab=yaml.safe_dump(values),
            journal=journal,
        )


@contextmanager
def live_scene(folder: Path, journal: str = "") -> Iterator[Scene]:
    """Give a live lab that is up as long as the context lasts."""
    from testbed.virtual.live import enter
    from testbed.virtual.live import lab as live

    _devices(folder, _LIVE_DELTA)
    values = yaml.safe_load((ROOT / "lab.yaml").read_text())
    values["lab"] = f"torture_{os.getpid()}_{folder.name}".lower()
    values["voice"]["cache"] = str(folder / "voice")
    (folder / "lab.yaml").write_text(yaml.safe_dump(values))
    lab = load_lab(folder / "lab.yaml")
    with live.borrowed(lab, folder / "lab.yaml") as handle:
        pid = handle.process.pid
        prefix = [sys.executable, "-I", "-S", enter.__file__, str(pid)]
        environment = handle.environment()
        with Hands(environment, prefix, log=folder / "hands.log") as hands:
            yield Scene(
                name=folder.name,
                form="live",
                folder=folder,
                hands=hands,
                scenario=LIVE_SCENARIO,
                lab=(folder / "lab.yaml").read_text(),
                journal=journal,
                inside=pid,
                captures=handle.state / "router" / "captures",
            )


def _devices(folder: Path, delta: str) -> None:
    """Copy the profiles; where `delta` is given, each label window is that short."""
    target = folder / "devices"
    folder.mkdir(parents=True, exist_ok=True)
    target.mkdir()
    for device in _DEVICES:
        shutil.copy(ROOT / "devices" / f"{device}.yaml", target)
    for path in target.glob("*.yaml") if delta else ():
        text = path.read_text()
        line = re.search(r"^delta_groups: .*$", text, re.MULTILINE)
        if line is not None:
            shorter = re.sub(r"\d+ s", delta, line[0])
            path.write_text(text.replace(line[0], shorter))
