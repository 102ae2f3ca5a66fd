"""What is measured: how each program is called, on how many packets, from what state.

Imports nothing large; see `tests.bench.measure`.
"""

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import environment

FIELDS = (
    *("frame.number", "frame.time_epoch", "frame.len", "frame.cap_len"),
    *("eth.src", "eth.dst", "ip.src", "ip.dst", "ip.proto", "ip.ttl"),
    *("ipv6.src", "ipv6.dst", "ipv6.nxt", "tcp.srcport", "tcp.dstport"),
    *("udp.srcport", "udp.dstport", "tcp.seq_raw", "tcp.ack_raw", "tcp.len"),
    *("tcp.flags", "tcp.stream", "tcp.analysis.retransmission"),
    *("tcp.analysis.fast_retransmission", "tcp.analysis.spurious_retransmission"),
    *("tcp.analysis.out_of_order", "tcp.analysis.keep_alive"),
)
_OTHERS = str(Path(__file__).with_name("others.py"))
_TABLES = ("packets.json", "packets", "flows")
_MADE = (*_TABLES, "labelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One program to measure.

    packets  of the capture's beginning that it gets; None for all
    removes  files and folders of the campaign that are removed before each run
    needs    the packet tables must be there; they are made before the clock starts
    writes   the folder of the campaign whose size is what it wrote
    own      it prints seconds of its own, without the start of Python
    """

    name: str
    what: str
    group: str  # bound | ours | other
    packets: int | None = None
    removes: tuple[str, ...] = ()
    needs: bool = False
    writes: str = ""
    own: bool = False


TOOLS = (
    Tool(name="dd", what="dd to /dev/null, 1 MiB blocks", group="bound"),
    Tool(name="walk", what="read and step over heads", group="bound", own=True),
    Tool(
        name="packets",
        what="testbed packets: read, clean, Parquet",
        group="ours",
        removes=_MADE,
        writes="packets",
    ),
    Tool(
        name="label",
        what="testbed label: labelled pcapng per device",
        group="ours",
        removes=("labelled",),
        needs=True,
        writes="labelled",
    ),
    Tool(
        name="features_again",
        what="testbed features, packet tables there",
        group="ours",
        needs=True,
    ),
    Tool(
        name="features",
        what="testbed features: capture to Parquet and features",
        group="ours",
        removes=_MADE,
        writes="packets",
    ),
    Tool(name="tshark", what="tshark -T fields, 27 fields", group="other"),
    Tool(name="dpkt", what="dpkt to tuples", group="other", packets=400_000),
    Tool(name="scapy", what="scapy PcapReader", group="other", packets=20_000),
    Tool(name="nfstream", what="NFStream: flows, with statistics", group="other"),
    Tool(name="pyshark", what="pyshark FileCapture", group="other", packets=3_000),
)
NAMES = tuple(tool.name for tool in TOOLS)


def command(tool: Tool, capture: Path) -> list[str]:
    """Return how to call `tool` on a capture (of a campaign, for our own)."""
    python, campaign = sys.executable, capture.parents[1]
    testbed = [python, "-m", "testbed"]
    words = {
        "dd": ["dd", f"if={capture}", "of=/dev/null", "bs=1M"],
        "walk": [python, "-m", "tests.bench.walk", str(capture)],
        "packets": [*testbed, "packets", str(campaign)],
        "label": [*testbed, "label", str(campaign)],
        "tshark": ["tshark", "-n", "-r", str(capture), "-T", "fields"],
    }
    if tool.name.startswith("features"):
        out = str(campaign / "features.parquet")
        return [*testbed, "features", str(campaign), "--out", out]
    if tool.name in words:
        fields = FIELDS if tool.name == "tshark" else ()
        return words[tool.name] + [word for field in fields for word in ("-e", field)]
    python = python if tool.name == "pyshark" else str(environment.PYTHON)
    return [python, "-P", _OTHERS, tool.name, str(capture)]


def missing(tools: Sequence[Tool]) -> dict[str, str]:
    """Return why a tool cannot be measured here, by its name."""
    found = {}
    faults = environment.faults()
    for tool in tools:
        if tool.name in ("dd", "tshark") and shutil.which(tool.name) is None:
            found[tool.name] = "is not installed"
        elif tool.name in faults:
            found[tool.name] = faults[tool.name]
    return found


def prepare(tool: Tool, campaign: Path) -> list[str]:
    """Bring the campaign folder into the state from which `tool` starts.

    Returns a command that must still run for that, or nothing.
    """
    for name in tool.removes:
        place = campaign / name
        if place.is_file():
            place.unlink()
        shutil.rmtree(place, ignore_errors=True)
    if tool.needs and not (campaign / "packets").exists():
        return [sys.executable, "-m", "testbed", "packets", str(campaign)]
    return []


def written_b(tool: Tool, campaign: Path) -> int:
    """Return the bytes of the files that `tool` made."""
    folder = campaign / tool.writes
    if not tool.writes:
        return 0
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def versions(tools: Sequence[Tool]) -> dict[str, str]:
    """Return the versions of what was measured."""
    found = {"python": sys.version.split()[0]}
    for name in ("numpy", "numba", "polars", "pyarrow", "pyshark"):
        found[name] = importlib.metadata.version(name)
    names = {tool.name for tool in tools}
    for name in sorted(names & {"dpkt", "scapy", "nfstream"}):
        code = f"from importlib.metadata import version; print(version({name!r}))"
        found[name] = _first_line([str(environment.PYTHON), "-c", code])
    if "tshark" in names:
        found["tshark"] = _first_line(["tshark", "--version"])
    found["commit"] = _first_line(["git", "describe", "--always", "--dirty"])
    return found


def _first_line(words: list[str]) -> str:
    try:
        done = subprocess.run(
            words, cwd=environment.ROOT, capture_output=True, text=True
        )
    except OSError as exc:
        return f"unknown: {exc.strerror}"
    return (done.stdout.strip().splitlines() or ["unknown"])[0]
