"""A folder with a lab file, a scenario and the command; facts of its journal."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.faultmatrix.case import Case, Form

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 400.0
LIMITS = {
    "internet": '"203.0.113.200:443"',
    "look_every": "1 s",
    "trip": "2",
    "clear": "2 s",
    "give_up": "60 s",
    "device_silent": "90 s",
    "free_mb": "20",
}
PLUG = "{device: tplink_hs110, activities: [read_state], repeats: 3}"
QUICK = (("tplink_hs110", "control: 8 s", "control: 3 s"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of the journal; at_ns is on the clock of the campaign."""

    at_ns: int
    kind: str
    facts: dict[str, object]


@dataclass(slots=True)
class Bench:
    """One campaign's folder."""

    case: Case
    folder: Path
    lab: str
    adb_port: int

    def write(self, faults: str = "") -> None:
        """Write lab file, devices and scenario; `faults` is YAML of the script."""
        text = (ROOT / "lab.yaml").read_text(encoding="utf-8")
        text = text.replace("lab: virtual_house", f"lab: {self.lab}")
        text = text.replace("adb_port: 5038", f"adb_port: {self.adb_port}")
        if self.case.form is Form.LIVE:
            text = text.replace("rotate: 30 s", "rotate: 10 s")
        text = text.replace("interface: br-lan", "interface: br-lan\n  free_mb: 20")
        text = text.replace(
            "language: en", f"language: en\n  cache: {self.folder}/voice"
        )
        limits = LIMITS | self.case.limits
        pairs = ", ".join(f"{key}: {value}" for key, value in limits.items())
        text += f"  faults: [{faults}]\nlimits: {{{pairs}}}\n"
        (self.folder / "lab.yaml").write_text(text, encoding="utf-8")
        (self.folder / "devices").mkdir(exist_ok=True)
        for path in (ROOT / "devices").glob("*.yaml"):
            profile = path.read_text(encoding="utf-8")
            for device, slow, quick in QUICK if self.case.form is Form.LIVE else ():
                if path.stem == device:
                    profile = profile.replace(slow, quick)
            (self.folder / "devices" / path.name).write_text(profile, encoding="utf-8")
        select = ", ".join(self.case.devices or (PLUG,))
        (self.folder / "short.yaml").write_text(
            f"scenario: short\nseed: 3\nrest: 2 s\nidle: 2 s\nselect: [{select}]\n",
            encoding="utf-8",
        )

    @property
    def out(self) -> Path:
        """Folder of the journal and the campaign."""
        return self.folder / "out"

    @property
    def truth(self) -> Path:
        """Folder of the ground truth of a fast campaign."""
        return self.folder / "truth"

    @contextlib.contextmanager
    def command(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run the command; what it says goes into the file `said`."""
        with (
            (self.folder / "said").open("a") as said,
            subprocess.Popen(
                [sys.executable, "-m", "testbed", *words, "--out", str(self.out)],
                cwd=self.folder,
                env=os.environ
                | {"PYTHONPATH": str(ROOT), "TESTBED_TRUTH": str(self.truth)},
                stdout=said,
                stderr=said,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def said(self) -> str:
        """Return the last line that the command has printed."""
        path = self.folder / "said"
        lines = path.read_text().strip().splitlines() if path.exists() else []
        return lines[-1] if lines else ""

    def campaign(self) -> Path | None:
        """Return the campaign's folder when there is one."""
        found = sorted(self.out.glob("short-*"))
        return found[0] if found else None

    def facts(self) -> list[Fact]:
        """Return what the journal holds by now."""
        path = self.out / "journal.sqlite"
        if not path.exists():
            return []
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        ) as db:
            try:
                rows = db.execute(
                    "SELECT at_ns, kind, facts FROM events ORDER BY seq"
                ).fetchall()
            except sqlite3.OperationalError:
                return []  # it is just being made
        return [Fact(at_ns=a, kind=k, facts=json.loads(f)) for a, k, f in rows]
