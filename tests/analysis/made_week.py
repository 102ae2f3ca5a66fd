"""A week of two devices, simulated by hand: three activities, a session a day."""

import csv
import struct

import numpy as np
import yaml
from typer.testing import CliRunner

from analysis.dataset import COLUMNS
from analysis.pcap.writer import open_capture
from testbed.cli import build

S = 10**9


START_NS = 1_780_000_000 * S


DAY_S = 86_400


MACS = {
    "camera": "02:00:00:00:00:11",
    "plug": "02:00:00:00:00:12",
    "speaker": "02:00:00:00:00:13",
}


PAIR = ("camera", "speaker")


CLOUD = bytes.fromhex("020000000001")


BURSTS = {"stream": (40, 1300), "snapshot": (12, 700), "settings": (6, 180)}


def frame(mac, size_b, *, outbound):
    """Make an Ethernet frame of a kind that has no checksums to be wrong."""
    ends = (CLOUD, bytes.fromhex(mac.replace(":", "")))
    dst, src = ends if outbound else reversed(ends)
    return dst + src + struct.pack(">H", 0x88B5) + bytes(size_b - 14)


def recorded(device, n_sessions, repeats, rng, *, apart_s, channels):
    """Return packets and rows of one device, a session a day."""
    packets, rows = [], []
    for session in range(n_sessions):
        order = rng.permutation(np.repeat(list(BURSTS), repeats))
        for k, activity in enumerate(order):
            at_s = session * DAY_S + apart_s * k + (3 if device == "speaker" else 0)
            n, size_b = BURSTS[str(activity)]
            for offset_s in np.sort(rng.uniform(0.05, 7, n)):
                length_b = int(np.clip(rng.normal(size_b, 60), 60, 1514))
                outbound = bool(rng.random() < 0.7)
                data = frame(MACS[device], length_b, outbound=outbound)
                packets.append((at_s + offset_s, data))
            channel = channels[k % len(channels)]
            rows.append((at_s, device, str(activity), f"day-{session}", channel))
    return packets, rows


def make(
    folder,
    n_sessions,
    repeats,
    *,
    devices=PAIR,
    told=PAIR,
    about=None,
    name="week",
    apart_s=30,
    channels=("phone", "voice"),
):
    """Write a campaign folder.

    devices  that are recorded;  told  those of campaign.yaml, and about: of each
    apart_s  between activities; channels take turns
    """
    rng = np.random.default_rng(6)
    how = {"apart_s": apart_s, "channels": channels}
    made = [recorded(device, n_sessions, repeats, rng, **how) for device in devices]
    packets = sorted((p for part, _ in made for p in part), key=lambda p: p[0])
    (folder / "raw").mkdir(parents=True)
    with open_capture(folder / "raw" / "lan-00001.pcapng") as capture:
        for at_s, data in packets:
            capture.packet(START_NS + round(at_s * S), data)
    inputs = {
        "campaign": name,
        "simulated": True,
        "form": "fast",
        "devices": [{"device": d, "mac": MACS[d], **(about or {})} for d in told],
    }
    (folder / "campaign.yaml").write_text(yaml.safe_dump(inputs))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        for number, row in enumerate(r for _, rows in made for r in rows):
            writer.writerow(described(number, *row))
    return folder


def described(number, at_s, device, activity, session, channel):
    return dict.fromkeys(COLUMNS, "") | {
        "campaign": "week",
        "session": session,
        "trial": f"{number:04d}",
        "attempt": 1,
        "device": device,
        "activity": activity,
        "channel": channel,
        "t_ns": START_NS + at_s * S,
        "delta_ns": 8 * S,
        "outcome": "confirmed",
        "simulated": "true",
    }


def command(*arguments):
    return CliRunner().invoke(build(), [str(a) for a in arguments])
