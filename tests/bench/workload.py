"""Make a capture to measure with: seeded, of any size, as a campaign folder.

    python -m tests.bench.workload FOLDER [--gb 1.2] [--seed 1] [--form pcapng]

A block of about 1 GB is thought out and rendered; longer captures repeat it with
later stamps and other client ports. The same seed and size give the same bytes.
"""

import argparse
import csv
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.bench.habits import N_DEVICES, Activity, mac, simulate
from tests.bench.plan import TIME, FlowTable, frame_lengths
from tests.bench.render import OPTIONS, random_pool, render
from tests.bench.templates import build_templates, padded_table

FORMS = ("pcap", "pcapng")
BLOCK_B = 1_000_000_000
CAPTURE = "raw/lan-00001"
DEVICES = tuple(f"device_{k + 1:02}" for k in range(N_DEVICES))
MACS = tuple(mac(k).hex(":") for k in range(N_DEVICES))

_PAUSE_NS = 60 * 10**9
_BUFFER_B = 1 << 24
_HEADS = {
    "pcap": struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1),
    "pcapng": struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    + struct.pack("<IIHHI", 1, 32, 1, 0, 262_144)
    + struct.pack("<HHB3xHHI", 9, 1, 9, 0, 0, 32),
}
_LOG = (
    *("campaign", "session", "trial", "attempt", "home"),
    *("device", "unit", "firmware", "app_version", "activity"),
    *("parameters", "channel", "network", "user"),
    *("t_ns", "t_issue_ns", "t_return_ns", "t_uncertainty_ns"),
    *("delta_ns", "outcome", "simulated"),
)


class Workload:
    """A block of traffic, ready to be written as often as needed."""

    def __init__(self, size_b: int, seed: int) -> None:
        house = simulate(seed, size_b)
        rows = house.plan.rows()
        self.rows = rows[np.argsort(rows[:, TIME], kind="stable")]
        self.flows = house.plan.flows()
        self.lengths = frame_lengths(self.rows, self.flows)
        self.activities = sorted(house.activities)
        self.span_ns = int(np.ptp(self.rows[:, TIME])) + _PAUSE_NS
        self._made = (OPTIONS, random_pool(seed), padded_table(build_templates()))

    def write(
        self, path: Path, *, pcapng: bool, repeats: int = 1, packets: int | None = None
    ) -> int:
        """Write a capture, of the first `packets` of the block if given.

        Returns the number of packets.
        """
        rows = self.rows[:packets]
        with path.open("wb") as file:
            file.write(_HEADS["pcapng" if pcapng else "pcap"])
            for k in range(repeats):
                flows = self.flows.with_other_ports(4_057 * k)
                for piece in self._pieces(rows, flows, k * self.span_ns, pcapng):
                    file.write(piece)
        return len(rows) * repeats

    def _pieces(self, rows: np.ndarray, flows: FlowTable, shift_ns: int, pcapng: bool):
        tables = (flows.ends, flows.ports, flows.shape)
        buffer = np.zeros(_BUFFER_B, np.uint8)
        at = 0
        while at < len(rows):
            at, used = render(
                buffer, rows, self.lengths, at, shift_ns, pcapng, tables, self._made
            )
            yield memoryview(buffer)[:used]


def write_campaign(
    folder: Path,
    size_b: int,
    *,
    seed: int = 1,
    form: str = "pcapng",
    slices: Sequence[int] = (),
):
    """Write a campaign folder whose one capture has about `size_b` bytes.

    slices  captures of so many packets of the beginning, beside the campaign's own

    Returns its facts, which are written as `workload.json`, too.
    """
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    repeats = max(1, round(size_b / BLOCK_B))
    block = Workload(size_b // repeats, seed)
    capture = folder / f"{CAPTURE}.{form}"
    packets = block.write(capture, pcapng=form == "pcapng", repeats=repeats)
    activities = [
        activity._replace(t_ns=activity.t_ns + k * block.span_ns)
        for k in range(repeats)
        for activity in block.activities
    ]
    _write_log(folder, activities)
    _write_campaign_file(folder)
    facts = {
        "capture": str(capture),
        "bytes": capture.stat().st_size,
        "packets": packets,
        "packet_b_mean": round(float(block.lengths.mean()), 1),
        "seconds_of_traffic": repeats * block.span_ns // 10**9,
        "flows": repeats * len(block.flows.ports),
        "activities": len(activities),
        "seed": seed,
        "repeats": repeats,
        "slices": _write_slices(folder, block, slices, form),
    }
    text = json.dumps(facts, indent=2) + "\n"
    (folder / "workload.json").write_text(text, encoding="utf-8")
    return facts


def _write_slices(
    folder: Path, block: Workload, slices: Sequence[int], form: str
) -> dict[str, str]:
    """Write those that are shorter than the capture; return their places."""
    places = {}
    for packets in slices:
        if packets < len(block.rows):
            path = folder / "slices" / f"{packets}.{form}"
            path.parent.mkdir(exist_ok=True)
            block.write(path, pcapng=form == "pcapng", packets=packets)
            places[str(packets)] = str(path)
    return places


def _write_log(folder: Path, activities: Sequence[Activity]) -> None:
    with (folder / "activities.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_LOG)
        for number, (t_ns, device, kind) in enumerate(activities):
            session = f"s{1 + number * 10 // len(activities):02}"
            head = (folder.name, session, f"{number + 1:06}", 1, "made")
            what = (DEVICES[device], "1", "1.0", "", kind.name, "", "phone", "lan", "")
            stamps = (t_ns, t_ns - 5_000_000, t_ns + 25_000_000, 1_500_000)
            tail = (kind.delta_s * 10**9, "unchecked", "true")
            writer.writerow((*head, *what, *stamps, *tail))


def _write_campaign_file(folder: Path) -> None:
    lines = [f"campaign: {folder.name}", "simulated: true", "form: imported"]
    lines.append("devices:")
    for name, address in zip(DEVICES, MACS, strict=True):
        lines.append(f"- {{device: {name}, mac: '{address}', unit: '1'}}")
    text = "\n".join(lines) + "\n"
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")


def main() -> None:
    """Make one from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gb", type=float, default=1.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--form", choices=FORMS, default="pcapng")
    parser.add_argument("--slice", type=int, action="append", default=[])
    given = parser.parse_args()
    facts = write_campaign(
        given.folder,
        int(given.gb * 1e9),
        seed=given.seed,
        form=given.form,
        slices=given.slice,
    )
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
