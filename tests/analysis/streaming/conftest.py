"""A small house made by hand: one plug, two activities, a heartbeat, and noise."""

import csv
import struct
from dataclasses import replace

import numpy as np
import pytest
import yaml

from analysis.dataset import COLUMNS
from analysis.pcap.writer import open_capture
from analysis.streaming.fit import TREES, StreamPlan
from analysis.streaming.learn import learn

S = 10**9
START_NS = 1_780_000_000 * S
MAC, ROUTER = "02:00:00:00:00:12", "02:00:00:00:00:01"
IP, CLOUD = bytes((10, 0, 0, 12)), bytes((203, 0, 113, 9))
ACTIVITIES = {"toggle": (8, 300), "stream": (40, 1200)}
DELTA_S = 8


def frame(size_b, outbound, port=40_000):
    """Make a UDP datagram between the plug and its cloud."""
    macs = [bytes.fromhex(each.replace(":", "")) for each in (MAC, ROUTER)]
    ends, ports = (IP, CLOUD), (port, 4433)
    if not outbound:
        macs, ends, ports = macs[::-1], ends[::-1], ports[::-1]
    body_b = size_b - 42
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28 + body_b, 0, 0, 64, 17, 0)
    udp = struct.pack(">HHHH", *ports, 8 + body_b, 0)
    return macs[1] + macs[0] + b"\x08\x00" + ip + b"".join(ends) + udp + bytes(body_b)


def background(begin_s, end_s, rng):
    """Return a heartbeat about every 20 s, and now and then something else."""
    found = []
    at_s = begin_s + float(rng.uniform(0, 20))
    while at_s < end_s:
        found += [(at_s, frame(90, True)), (at_s + 0.04, frame(84, False))]
        at_s += float(rng.normal(20, 1))
    for at_s in rng.uniform(begin_s, end_s, round((end_s - begin_s) / 150)):
        for k in range(int(rng.integers(3, 6))):
            size_b = int(rng.integers(400, 900))
            found.append((at_s + 0.05 * k, frame(size_b, False, 50_000)))
    return found


def act(at_s, activity, rng):
    """Return what an activity causes, from a moment after its instant on."""
    n, size_b = ACTIVITIES[activity]
    times = at_s + 0.4 + np.concatenate(([0], np.sort(rng.uniform(0.1, 6, n))))
    sizes = np.clip(rng.normal(size_b, 30, n + 1), 60, 1500).astype(int)
    pairs = zip(times.tolist(), sizes.tolist(), strict=True)
    return [(t, frame(size, k % 3 != 1)) for k, (t, size) in enumerate(pairs)]


def lived(sessions, each, idle_s, seed, pause_s=(30, 60)):
    """Return packets and (session, instant, activity), seconds from the start."""
    rng = np.random.default_rng(seed)
    packets, acts = [], []
    for session in range(sessions):
        begin_s = at_s = session * 86_400
        at_s += idle_s
        for activity in rng.permutation(list(ACTIVITIES) * each).tolist():
            acts.append((session, at_s, activity))
            packets += act(at_s, activity, rng)
            at_s += DELTA_S + float(rng.uniform(*pause_s))
        packets += background(begin_s, at_s + idle_s, rng)
    return sorted(packets, key=lambda packet: packet[0]), acts


def write(path, packets):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_capture(path) as capture:
        for at_s, data in packets:
            capture.packet(START_NS + round(at_s * S), data)
    return path


@pytest.fixture(scope="session")
def campaign(tmp_path_factory):
    """Return a recorded campaign of four sessions."""
    from analysis.dataset import load_campaign
    from analysis.packets import find_raw, make_tables

    folder = tmp_path_factory.mktemp("streaming") / "week"
    packets, acts = lived(sessions=4, each=6, idle_s=1500, seed=1)
    # names of captures say nothing of their order
    for session, name in enumerate(("b", "d", "a", "c")):
        own = [each for each in packets if session == each[0] // 86_400]
        write(folder / "raw" / f"{name}.pcapng", own)
    about = {
        "campaign": "week",
        "simulated": True,
        "form": "fast",
        "devices": [{"device": "plug", "mac": MAC}],
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        for number, (session, at_s, activity) in enumerate(acts):
            row = {
                "campaign": "week",
                "session": f"day-{session}",
                "trial": f"{number:04d}",
                "attempt": 1,
                "device": "plug",
                "activity": activity,
                "channel": "phone",
                "t_ns": START_NS + round(at_s * S),
                "delta_ns": DELTA_S * S,
                "outcome": "confirmed",
                "simulated": "true",
            }
            writer.writerow(dict.fromkeys(COLUMNS, "") | row)
    make_tables(folder, find_raw(folder), load_campaign(folder).devices)
    return folder


def few_trees(seed):
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(8, random_state=seed, n_jobs=1)


@pytest.fixture(scope="session")
def learnt(campaign):
    quick = replace(TREES, make=few_trees)
    return learn(campaign, ("plug",), StreamPlan(classifier=quick))


@pytest.fixture(scope="session")
def other_day(tmp_path_factory):
    """Return a capture of another day, and when what happened in it."""
    packets, acts = lived(sessions=1, each=8, idle_s=1200, seed=2)
    path = write(tmp_path_factory.mktemp("other") / "day.pcapng", packets)
    return path, [(START_NS + round(at_s * S), name) for _, at_s, name in acts]
