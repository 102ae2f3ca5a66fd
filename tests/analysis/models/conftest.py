"""A small campaign, simulated by hand: two devices, four days, three activities."""

import csv
import shutil
import struct

import numpy as np
import pytest
import yaml

from analysis.dataset import COLUMNS
from analysis.evaluate.samples import samples_of
from analysis.models import TrainPlan, save, train, train_plan_of
from analysis.pcap.writer import open_capture

S = 10**9
START_NS = 1_780_000_000 * S
DAY_S = 86_400
MACS = {"camera": "02:00:00:00:00:11", "plug": "02:00:00:00:00:12"}
CLOUD = bytes.fromhex("020000000001")
BURSTS = {"stream": (40, 1300), "snapshot": (12, 700), "settings": (6, 180)}


def frame(mac, size_b, outbound):
    """Make an Ethernet frame of a kind that has no checksums to be wrong."""
    ends = (CLOUD, bytes.fromhex(mac.replace(":", "")))
    dst, src = ends if outbound else reversed(ends)
    return dst + src + struct.pack(">H", 0x88B5) + bytes(size_b - 14)


def recorded(device, sessions, repeats, rng):
    """Return packets and rows of one device, a session a day."""
    packets, rows = [], []
    for session in range(sessions):
        order = rng.permutation(np.repeat(list(BURSTS), repeats))
        for k, activity in enumerate(order):
            at_s = session * DAY_S + 40 * k
            n, size_b = BURSTS[str(activity)]
            for offset_s in np.sort(rng.uniform(0.05, 7, n)):
                size = int(np.clip(rng.normal(size_b, 60), 60, 1514))
                data = frame(MACS[device], size, bool(rng.random() < 0.7))
                packets.append((at_s + offset_s, data))
            rows.append((at_s, device, str(activity), f"day-{session}"))
    return packets, rows


def make(folder, *, sessions=4, repeats=4, name="week"):
    rng = np.random.default_rng(6)
    made = [recorded(device, sessions, repeats, rng) for device in MACS]
    packets = sorted((p for part, _ in made for p in part), key=lambda p: p[0])
    (folder / "raw").mkdir(parents=True)
    with open_capture(folder / "raw" / "lan-00001.pcapng") as capture:
        for at_s, data in packets:
            capture.packet(START_NS + round(at_s * S), data)
    about = {
        "campaign": name,
        "simulated": True,
        "form": "fast",
        "devices": [{"device": d, "mac": MACS[d], "firmware": "1.10"} for d in MACS],
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        for number, row in enumerate(r for _, rows in made for r in rows):
            writer.writerow(described(number, *row))
    return folder


def described(number, at_s, device, activity, session):
    return dict.fromkeys(COLUMNS, "") | {
        "campaign": "week",
        "session": session,
        "trial": f"{number:04d}",
        "attempt": 1,
        "device": device,
        "activity": activity,
        "channel": "phone",
        "t_ns": START_NS + at_s * S,
        "delta_ns": 8 * S,
        "outcome": "confirmed",
        "simulated": "true",
    }


@pytest.fixture(scope="session")
def make_campaign():
    return make


@pytest.fixture(scope="session")
def campaign(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models") / "week")


@pytest.fixture(scope="session")
def plan() -> TrainPlan:
    """Return the quickest plan there is."""
    return train_plan_of("nb", n_idle=8)


@pytest.fixture(scope="session")
def model(campaign, plan):
    return train(campaign, ("camera", "plug"), plan)


@pytest.fixture(scope="module")
def samples(campaign):
    return samples_of(campaign, "camera", n_idle=8)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    size_b = save(model, folder)
    assert size_b == sum(p.stat().st_size for p in folder.iterdir())
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """Return a copy that a test may spoil."""
    return shutil.copytree(saved, tmp_path / "model")
