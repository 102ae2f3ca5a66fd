"""Programs that come first in the router's PATH and see its wrong clock."""

import json
import shutil
import sys
from pathlib import Path

from testbed.virtual.live.config import LiveConfig, write_atomically

_HERE = Path(__file__).parent
STEPPED = "stepped"  # file with the sum of all steps, ns
_NEEDED = ("clock_step", "capture_drops")
_TOOLS = ("tshark", "dumpcap", "tcpdump")

_CAPTURE = """\
#!/bin/sh
exec {python} -I -S {skew} {values} {tool} "$@"
"""

_PYTHON = """\
#!/bin/sh
export TESTBED_SKEW={values} PYTHONPATH={site}
exec {tool} "$@"
"""

# Shell arithmetic has 64 bits: enough for ns, and for the drift of years in ppb.
_DATE = """\
#!/bin/sh
now=$({tool} +%s%N)
read -r stepped_ns <{stepped}
drifted_ns=$(((now - {start_ns}) / 1000 * {drift_ppb} / 1000000))
ns=$((now + stepped_ns + {offset_ns} + drifted_ns))
exec {tool} -d "@$((ns / 1000000000)).$(printf %09d $((ns % 1000000000)))" "$@"
"""


def install(config: LiveConfig, system_path: str) -> None:
    """Put the shims into the router's own `bin`; none when its clock is right."""
    wrong = config.virtual.router_clock
    unsteady = any(f.kind in _NEEDED for f in config.virtual.faults)
    if not wrong.offset and not wrong.drift_ppm and not unsteady:
        return
    router = config.state / "router"
    values = router / "skew.json"
    offset_ns = round(wrong.offset * 1e9)
    values.write_text(
        json.dumps(
            {
                "start_ns": config.start_ns,
                "offset_ns": offset_ns,
                "drift_ppm": wrong.drift_ppm,
                "steps": [],
                "drops": [],
            }
        ),
        encoding="ascii",
    )
    (router / STEPPED).write_text("0\n", encoding="ascii")
    site = router / "site"
    site.mkdir(exist_ok=True)
    shutil.copy(_HERE / "skewed_site.py", site / "sitecustomize.py")
    facts = {
        "python": sys.executable,
        "skew": _HERE / "skew.py",
        "values": values,
        "site": site,
        "stepped": router / STEPPED,
        "offset_ns": offset_ns,
        "start_ns": config.start_ns,
        "drift_ppb": round(wrong.drift_ppm * 1000),
    }
    for name, text in (
        *((tool, _CAPTURE) for tool in _TOOLS),
        ("python3", _PYTHON),
        ("date", _DATE),
    ):
        found = shutil.which(name, path=system_path)
        if found is not None:
            path = router / "bin" / name
            path.write_text(text.format(tool=found, **facts), encoding="utf-8")
            path.chmod(0o755)


def step_clock(router: Path, truth: Path, at_ns: int, by_ns: int) -> None:
    """Let the router's clock jump; no change where it has no shims."""
    for path in (router / "skew.json", truth / "clock.json"):
        _append(path, "steps", (at_ns, by_ns))
    stepped = router / STEPPED
    if stepped.exists():
        total_ns = int(stepped.read_text(encoding="ascii")) + by_ns
        write_atomically(stepped, f"{total_ns}\n")


def drop_packets(router: Path, from_ns: int, to_ns: int) -> None:
    """Let the capture tools have lost what came in a time; none without shims."""
    _append(router / "skew.json", "drops", (from_ns, to_ns))


def _append(path: Path, key: str, pair: tuple[int, int]) -> None:
    if path.exists():
        values = json.loads(path.read_text(encoding="ascii"))
        values[key] = [*values.get(key, ()), pair]
        write_atomically(path, json.dumps(values))
