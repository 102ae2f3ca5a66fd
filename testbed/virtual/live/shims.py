"""Programs that come first in the router's PATH and see its wrong clock."""

import json
import shutil
import sys
from pathlib import Path

from testbed.virtual.live.config import LiveConfig

_HERE = Path(__file__).parent
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
ns=$((now + {offset_ns} + (now - {start_ns}) / 1000 * {drift_ppb} / 1000000))
exec {tool} -d "@$((ns / 1000000000)).$(printf %09d $((ns % 1000000000)))" "$@"
"""


def install(config: LiveConfig, system_path: str) -> None:
    """Put the shims into the router's own `bin`; none when its clock is right."""
    wrong = config.virtual.router_clock
    if not wrong.offset and not wrong.drift_ppm:
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
            }
        ),
        encoding="ascii",
    )
    site = router / "site"
    site.mkdir(exist_ok=True)
    shutil.copy(_HERE / "skewed_site.py", site / "sitecustomize.py")
    facts = {
        "python": sys.executable,
        "skew": _HERE / "skew.py",
        "values": values,
        "site": site,
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
