"""A plug that speaks in plain text: its frames, its campaigns, what is said in them."""

import csv
import json
import struct

import numpy as np
import yaml

from analysis.dataset import COLUMNS
from analysis.evaluate.samples import cut_of
from analysis.packets import find_raw
from analysis.payload import (
    Captures,
    PayloadMatcher,
    messages_of,
    vocabulary,
)
from analysis.pcap.writer import open_capture

PLUG, PHONE = "50:c7:bf:00:00:19", "02:00:00:00:00:20"


START_NS = 1_780_000_000 * 10**9


ON = '{"system":{"set_relay_state":{"state":1}}}'


OFF = '{"system":{"set_relay_state":{"state":0}}}'


DONE = '{"system":{"set_relay_state":{"err_code":0}}}'


def encode_kasa(text, *, framed=True):
    key, out = 171, bytearray()
    for byte in text.encode():
        key ^= byte
        out.append(key)
    return (struct.pack(">I", len(out)) if framed else b"") + bytes(out)


def checksum(data):
    words = sum(struct.unpack(f">{len(data) // 2}H", data))
    while words >> 16:
        words = (words & 0xFFFF) + (words >> 16)
    return ~words & 0xFFFF


def frame(payload, *, outbound, port=9999, seq=1, udp=False, tagged=False, phone=40000):
    """Make a frame between phone and plug; what the plug sends is outbound."""
    ends = [(PHONE, "10.77.0.20", phone), (PLUG, "10.77.0.19", port)]
    src, dst = reversed(ends) if outbound else ends
    ports = struct.pack(">HH", src[2], dst[2])
    if udp:
        above = ports + struct.pack(">HH", 8 + len(payload), 0) + payload
    else:
        above = ports + struct.pack(">IIBBHHH", seq, 1, 5 << 4, 24, 64, 0, 0) + payload
    ip = struct.pack(
        ">BBHHHBBH", 0x45, 0, 20 + len(above), 1, 0, 64, 17 if udp else 6, 0
    )
    ip += b"".join(bytes(map(int, end[1].split("."))) for end in (src, dst))
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    macs = bytes.fromhex((dst[0] + src[0]).replace(":", ""))
    tag = struct.pack(">HH", 0x8100, 7) if tagged else b""
    whole = macs + tag + struct.pack(">H", 0x0800) + ip + above
    return whole.ljust(60, b"A")  # Ethernet pads short frames


def row(number, at_s, activity, session):
    t_ns = START_NS + round(at_s * 1e9)
    return dict.fromkeys(COLUMNS, "") | {
        "campaign": "c",
        "session": session,
        "trial": f"{number:04d}",
        "attempt": 1,
        "device": "plug",
        "activity": activity,
        "channel": "phone",
        "t_ns": t_ns,
        "delta_ns": 8 * 10**9,
        "outcome": "confirmed",
        "simulated": "true",
    }


def campaign(folder, packets, rows, *, plaintext=True, form="fast"):
    """Write a campaign folder of (seconds, frame) and (seconds, activity, session)."""
    (folder / "raw").mkdir(parents=True)
    with open_capture(folder / "raw" / "lan-00001.pcapng") as capture:
        for at_s, data in packets:
            capture.packet(START_NS + round(at_s * 1e9), data)
    device = {"device": "plug", "mac": PLUG, "plaintext": plaintext}
    about = {"campaign": "c", "simulated": True, "form": form, "devices": [device]}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(about))
    with (folder / "activities.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tuple(COLUMNS))
        writer.writeheader()
        writer.writerows(row(i, *each) for i, each in enumerate(rows))
    return folder


def said_in(folder):
    made = cut_of(folder, "plug")
    captures = Captures(find_raw(folder))
    return messages_of(captures, made.cleaned.table, made.windows)


def trials(n_sessions=3, repeats=6):
    """Make packets and rows of a plug that is switched on and off."""
    packets, rows = [], []
    rng = np.random.default_rng(4)
    for i in range(n_sessions * repeats):
        at_s, state = 30.0 * i, i % 2
        sysinfo = {"relay_state": state, "on_time": int(rng.integers(10, 10**6))}
        answer = json.dumps({"system": {"get_sysinfo": sysinfo}})
        turns = [(OFF, ON)[state], DONE, '{"system":{"get_sysinfo":{}}}', answer]
        packets += [
            (
                at_s + 0.1 * (k + 1) + 0.05 * rng.random(),
                frame(
                    encode_kasa(text),
                    outbound=bool(k % 2),
                    seq=k * 5000,
                    phone=4000 + i,
                ),
            )
            for k, text in enumerate(turns)
        ]
        rows.append((at_s, ("turn_off", "turn_on")[state], f"s{i // repeats}"))
    return packets, rows


def matcher(windows, activity, session, rows):
    known = vocabulary(windows)
    learnt = PayloadMatcher(known)
    return learnt.fit(np.array(rows), np.array(activity)[rows], np.array(session)[rows])
