import csv
from dataclasses import dataclass, field

import numpy as np
import pytest
import yaml

from analysis.dataset import COLUMNS
from analysis.packets import PacketTable
from analysis.report import write_report
from tests.given import write_packets

# a Monday, so that days and hours are easy to read
MONDAY_NS = 1_767_571_200 * 10**9
SECOND_NS = 10**9
DELTA_NS = 8 * SECOND_NS
SIZES = {"turn_on": (6, 200), "turn_off": (12, 700), "read_state": (3, 90)}


def packet_table(device, time_ns, length_b, outbound):
    order = np.argsort(time_ns, kind="stable")
    n = order.size
    zero = {
        name: np.zeros(n, dtype)
        for name, dtype in {
            "remote": np.int32,
            "src_port": np.uint16,
            "dst_port": np.uint16,
            "payload_b": np.uint32,
            "tcp_flags": np.uint8,
            "seq": np.uint32,
            "ack": np.uint32,
            "capture": np.int32,
            "ethertype": np.uint16,
            "flow": np.int32,
            "retransmission": np.uint8,
            "error": np.uint8,
        }.items()
    }
    return PacketTable(
        device=device,
        time_ns=np.asarray(time_ns, np.int64)[order],
        length_b=np.asarray(length_b, np.uint32)[order],
        outbound=np.asarray(outbound, bool)[order],
        protocol=np.full(n, 6, np.uint8),
        frame=np.arange(n, dtype=np.int64),
        remotes=("203.0.113.9",),
        covered_ns=((MONDAY_NS, MONDAY_NS + 30 * 86_400 * SECOND_NS),),
        **zero,
    )


@dataclass
class Maker:
    """Makes campaign folders without captures: packet tables and a log."""

    root: object
    monday_ns: int = MONDAY_NS
    delta_ns: int = DELTA_NS
    table: object = staticmethod(packet_table)
    rows: list = field(default_factory=list)

    def row(self, number, at_ns, **values):
        row = dict.fromkeys(COLUMNS, "")
        row |= {
            "session": "s1",
            "trial": f"{number:04d}",
            "attempt": 1,
            "device": "lamp",
            "activity": "turn_on",
            "channel": "phone",
            "network": "lan",
            "t_ns": at_ns,
            "t_issue_ns": at_ns,
            "t_return_ns": at_ns,
            "t_uncertainty_ns": 600_000,
            "delta_ns": DELTA_NS,
            "outcome": "confirmed",
            "simulated": "true",
        }
        return row | values

    def folder(self, name, rows, devices=("lamp",), **about):
        folder = self.root / name
        folder.mkdir(parents=True)
        text = {
            "campaign": name,
            "simulated": True,
            "form": "fast",
            "seed": 7,
            "devices": [
                {"device": d, "mac": f"02:00:00:00:00:{i:02x}"}
                for i, d in enumerate(devices)
            ],
        }
        (folder / "campaign.yaml").write_text(yaml.safe_dump(text | about))
        with (folder / "activities.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, tuple(COLUMNS))
            writer.writeheader()
            writer.writerows(rows)
        return folder

    def traffic(self, folder, rows, device="lamp", seed=1):
        """Give each labelled row packets by its activity, and write the table."""
        rng = np.random.default_rng(seed)
        times, sizes = [], []
        for row in rows:
            if row["device"] != device:
                continue
            n, size_b = SIZES.get(row["activity"], (4, 300))
            at_ns = np.sort(rng.integers(0, DELTA_NS, n))
            times.append(row["t_ns"] + at_ns)
            sizes.append(rng.integers(size_b - 20, size_b + 20, n))
        time_ns = np.concatenate(times)
        outbound = rng.random(time_ns.size) < 0.5
        write_packets(
            folder, packet_table(device, time_ns, np.concatenate(sizes), outbound)
        )

    def trained(self, name="house", sessions=3, repeats=4, **about):
        """A campaign with enough sessions and repeats for every split."""
        rows, number = [], 0
        for session in range(sessions):
            for _ in range(repeats):
                for activity in SIZES:
                    number += 1
                    at_ns = MONDAY_NS + (session * 86_400 + number * 60) * SECOND_NS
                    rows.append(
                        self.row(
                            number, at_ns, session=f"s{session}", activity=activity
                        )
                    )
        folder = self.folder(name, rows, **about)
        self.traffic(folder, rows)
        return folder

    def diary(self, name, events, users):
        """A campaign of users; events are (user, day, hour, minute)."""
        rows = []
        for number, (user, day, hour, minute) in enumerate(events, start=1):
            at_ns = MONDAY_NS + ((day * 24 + hour) * 60 + minute) * 60 * SECOND_NS
            rows.append(
                self.row(number, at_ns, user=user, device="cam", activity="stream")
            )
        scenario = {"scenario": name, "users": users} if users else {"scenario": name}
        return self.folder(name, rows, devices=("cam",), scenario=scenario)


@pytest.fixture
def make(tmp_path):
    return Maker(root=tmp_path / "captures")


@pytest.fixture
def quiet():
    return lambda _line: None


@pytest.fixture
def write():
    """Write a report by the classifiers that learn in no time."""

    def _write(folders, out, behaviour=(), **options):
        usual = {"say": lambda _line: None, "classifiers": ("nb",)}
        return write_report(folders, out, behaviour, **(usual | options))

    return _write
