"""Simulated homes beside captured ones: are the benign flows of the kind that exists?

    python -m tests.bench.homes [--data FOLDER] [--homes 8] [--days 7] [--seed 6301]
        [--json homes-bench.json] [--page docs/homes-results.md]

Reads the benign flows of iot-23 (Zeek) and CESNET SIoT (Joy) of the public data, which
is not shipped (default: $TESTBED_PUBLIC_DATA), as `flows convert` does; meters
simulated homes with the timeouts of the program that made each, and writes both, in
columns of their own. Beside it: how far the short way to records agrees with that by
packets, and what it costs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from analysis.flows.foreign import ETHERNET_B
from analysis.flows.tables import Told, read_table
from testbed.model.load import load_profile
from testbed.virtual.homes.habits import households
from testbed.virtual.homes.life import Life
from testbed.virtual.homes.meter import Meter
from testbed.virtual.homes.places import draw_homes
from testbed.virtual.homes.simulate import START
from testbed.virtual.homes.span import Span
from tests.bench import measure
from tests.bench.homes_agreement import both, figures
from tests.bench.homes_page import page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "homes-results.md"
_AGREE_ON = (("echo_dot", 24), ("home_mini", 24), ("iview_bulb", 24))
_COST_HOMES, _COST_DAYS, _LIMIT_S = 8, 21, 1_800.0
_QUANTILES = (0.1, 0.5, 0.9, 0.99)
_TCP, _UDP = 6, 17


class Flow(NamedTuple):
    """What Zeek, Joy and our meter all say of a flow; bytes are IP bytes.

    first, last  s; sent, got: packets, IP bytes of opener and other
    """

    first: float
    last: float
    protocol: int
    ports: tuple[int, int]
    remote: str
    packets: tuple[int, int]
    size_b: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A benign public set: its files and the timeouts of the program that made it."""

    name: str
    what: str
    files: tuple[str, ...]
    device: str  # whose simulated homes it stands beside
    idle_s: float
    active_s: float


SETS = (
    Captured(
        name="iot-23, capture 5-1",
        what="Amazon Echo, Zeek",
        files=("iot-23/CTU-Honeypot-Capture-5-1/conn.log.labeled",),
        device="echo_dot",
        idle_s=300.0,
        active_s=1e6,
    ),
    Captured(
        name="iot-23, capture 4-1",
        what="Philips Hue bridge, Zeek",
        files=("iot-23/CTU-Honeypot-Capture-4-1/conn.log.labeled",),
        device="iview_bulb",
        idle_s=300.0,
        active_s=1e6,
    ),
    Captured(
        name="CESNET SIoT, voice assistant",
        what="Google Home Mini, Joy",
        files=("cesnet-siot-flows/voice-assistant/**/*.json",),
        device="home_mini",
        idle_s=10.0,
        active_s=30.0,
    ),
    Captured(
        name="CESNET SIoT, camera",
        what="Edimax camera, Joy",
        files=("cesnet-siot-flows/ipcam/**/*.json",),
        device="omna_180",
        idle_s=10.0,
        active_s=30.0,
    ),
)


def captured(data: Path, wanted: Captured) -> list[list[Flow]]:
    """Return the benign IPv4 flows of a set, file by file."""
    files = [f for pattern in wanted.files for f in sorted(data.glob(pattern))]
    return [[flow for told in read_table(f) for flow in of_told(told)] for f in files]


def of_told(told: Told) -> Iterator[Flow]:
    """Yield the flows of a table of others that are not said to be an attack's."""
    records = told.records
    names = ("start_ns", "end_ns", "protocol", "device_port", "remote_port")
    sizes = ("packets_out", "packets_in", "bytes_out", "bytes_in")
    columns = (getattr(records, name).tolist() for name in (*names, *sizes))
    texts = (told.causes, records.device_address, records.remote_address)
    for cause, opener, remote, *row in zip(*texts, *columns, strict=True):
        if cause not in ("", "benign") or ":" in opener:
            continue
        first, last, protocol, own, other, sent, got, sent_b, got_b = row
        yield Flow(
            first / 1e9,
            last / 1e9,
            protocol,
            (own, other),
            remote,
            (sent, got),
            (sent_b - ETHERNET_B * sent, got_b - ETHERNET_B * got),
        )


def simulated(wanted: Captured, n: int, days: int, seed: int) -> list[list[Flow]]:
    """Return the flows of simulated homes, each metered as the set was."""
    profile = load_profile(ROOT / "devices" / f"{wanted.device}.yaml")
    span = Span(start=START, days=days)
    homes = draw_homes(n, days, seed)
    found = []
    for home, uses in zip(
        homes, households(homes, wanted.device, span, seed), strict=True
    ):
        meter = Meter(active_s=wanted.active_s, idle_s=wanted.idle_s)
        life = Life(home, profile, span, seed, uses, meter=meter)
        found.append([flow for day in life.days() for flow in _flows(day, life)])
    return found


def _flows(day, life: Life) -> Iterator[Flow]:
    ip_b = day.bytes - ETHERNET_B * day.packets
    for k, number in enumerate(day.number.tolist()):
        ends = life.sheet.ends[number]
        way = 1 if ends.outbound else -1
        yield Flow(
            day.start_ns[k] / 1e9,
            day.end_ns[k] / 1e9,
            ends.protocol,
            (ends.device_port, ends.remote_port)[::way],
            ends.remote,
            tuple(day.packets[::way, k].tolist()),
            tuple(ip_b[::way, k].tolist()),
        )


def statistics(parts: Sequence[Sequence[Flow]]) -> dict[str, object]:
    """Return what is written of one column."""
    flows = [flow for part in parts for flow in part]
    hours = sum((p[-1].first - p[0].first) / 3600 for p in map(sorted, parts) if p)
    packets = np.array([f.packets for f in flows])
    size_b = np.array([f.size_b for f in flows])
    protocol = np.array([f.protocol for f in flows])
    share = {
        "TCP": float((protocol == _TCP).mean()),
        "UDP": float((protocol == _UDP).mean()),
        "DNS": float(np.mean([53 in f.ports for f in flows])),
        "one side only": float(((packets == 0).any(axis=1)).mean()),
        "a single packet": float((packets.sum(axis=1) == 1).mean()),
    }
    lasts_s = np.array([max(0.0, f.last - f.first) for f in flows])
    gaps_s = np.concatenate([np.diff(sorted(f.first for f in p)) for p in parts if p])
    return {
        "flows": len(flows),
        "captures": len(parts),
        "hours": round(hours, 2),
        "flows an hour": round(len(flows) / hours, 1),
        "distinct remote addresses": len({f.remote for f in flows}),
        "distinct ports of servers": len({f.ports[1] for f in flows}),
        "share": {name: round(value, 3) for name, value in share.items()},
        "duration_s": _spread(lasts_s),
        "packets": _spread(packets.sum(axis=1)),
        "ip_bytes_of_the_opener": _spread(size_b[:, 0]),
        "ip_bytes_of_the_other": _spread(size_b[:, 1]),
        "s_from_flow_to_flow": _spread(gaps_s),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    found = np.quantile(values, _QUANTILES)
    return {
        f"p{round(100 * q)}": float(f"{value:.4g}")
        for q, value in zip(_QUANTILES, found, strict=True)
    }


def compare(data: Path, n: int, days: int, seed: int) -> list[Mapping[str, object]]:
    """Return each set beside the homes of its kind of device."""
    rows = []
    for wanted in SETS:
        print(f"homes: {wanted.name}", file=sys.stderr, flush=True)
        real = captured(data, wanted)
        own = simulated(wanted, n, days, seed)
        rows.append(
            {
                "set": wanted.name,
                "of": wanted.what,
                "idle_s": wanted.idle_s,
                "active_s": wanted.active_s,
                "captured": statistics(real),
                "simulated_device": wanted.device,
                "simulated": statistics(own),
            }
        )
    return rows


def agreement(seed: int) -> list[Mapping[str, object]]:
    """Return how the two ways to records agree, on a day of some devices."""
    rows = []
    for device, hours in _AGREE_ON:
        print(f"homes: {device} by packets", file=sys.stderr, flush=True)
        profile = load_profile(ROOT / "devices" / f"{device}.yaml")
        found = figures(both(profile, hours, seed))
        rows.append({"device": device, "hours": hours, "figures": found})
    return rows


def cost(seed: int) -> Mapping[str, object]:
    """Return what a whole simulation takes, as a process of its own."""
    words = [f"--homes={_COST_HOMES}", f"--days={_COST_DAYS}", f"--seed={seed}"]
    words += ["--attack=botnet", "--attack=coin_mining"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "homes"
        command = [sys.executable, "-m", "testbed", "lab", "homes", *words]
        run = measure.run([*command, f"--out={out}"], cwd=ROOT, limit_s=_LIMIT_S)
        if run.fault:
            raise SystemExit(f"homes: {run.fault}")
        files = list(out.rglob("*.parquet"))
        records = sum(pq.ParquetFile(f).metadata.num_rows for f in files) // 2
        return {
            "command": f"testbed lab homes {' '.join(words)}",
            "records": records,
            "wall_s": round(run.wall_s, 1),
            "cpu_s": round(run.cpu_s, 1),
            "peak_mib": round(run.peak_b / 2**20),
            "written_mb": round(sum(f.stat().st_size for f in files) / 1e6, 1),
        }


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return told.stdout.strip()


def main(words: Sequence[str] | None = None) -> None:
    """Write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("TESTBED_PUBLIC_DATA", "")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--homes", type=int, default=8)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=6301)
    parser.add_argument("--json", type=Path, default=Path("homes-bench.json"))
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args(words)
    if not (asked.data / "iot-23").is_dir():
        parser.error("no public data: say --data or set TESTBED_PUBLIC_DATA")
    found = {
        "homes": asked.homes,
        "days": asked.days,
        "seed": asked.seed,
        "commit": _commit(),
        # first of all: a process is said to need as much as the one that starts it
        "cost": cost(asked.seed),
        "sets": compare(asked.data, asked.homes, asked.days, asked.seed),
        "agreement": agreement(asked.seed),
    }
    asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    asked.page.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
