"""Beacons: tiny UDP packets that carry a label's instant into the capture.

The controller sends one across the captured interface before and after each stimulus,
so that the moment is in the capture, on the capture's own clock. The payload is plain
text: `TBB1|campaign|trial|attempt|phase|sent_ns`. Published data hold none.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.pcap.reader import Frames

BEACON_PORT = 47777
MAGIC = b"TBB1"
_PREFIX = MAGIC + b"|"
_MAX_PAYLOAD_B = 512
_UDP_B = 8
_UDP = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Beacon:
    """One moment of a trial.

    campaign  name of the campaign
    trial     id of the trial; empty for a probe that belongs to none
    attempt   number of the attempt
    phase     'before' or 'after' the stimulus, or a word of the sender's own
    sent_ns   stamp of the controller's clock when the packet left
    """

    campaign: str
    trial: str
    attempt: int
    phase: str
    sent_ns: int


def encode(beacon: Beacon) -> bytes:
    """Return the UDP payload of `beacon`; ValueError when a text holds a '|'."""
    texts = (beacon.campaign, beacon.trial, beacon.phase)
    if any("|" in text for text in texts):
        raise ValueError(f"a beacon's texts cannot hold '|', got {texts!r}")
    fields = (beacon.campaign, beacon.trial, beacon.attempt, beacon.phase)
    return _PREFIX + "|".join(map(str, (*fields, beacon.sent_ns))).encode()


def decode(payload: bytes) -> Beacon | None:
    """Return the beacon in a UDP payload, or None when it is not one."""
    if not payload.startswith(_PREFIX):
        return None
    try:
        campaign, trial, attempt, phase, sent_ns = (
            payload[len(_PREFIX) :].decode().split("|")
        )
        return Beacon(
            campaign=campaign,
            trial=trial,
            attempt=int(attempt),
            phase=phase,
            sent_ns=int(sent_ns),
        )
    except ValueError:
        return None


def find_beacons(path: Path) -> list[tuple[int, int, Beacon]]:
    """Return (capture stamp in ns, frame number from 1, beacon) of each beacon.

    In the order of the file. Raises CaptureError when it cannot be read; a file that
    ends inside a packet is read up to there.
    """
    # Late, since kernels are heavy to load, and who only sends beacons needs none.
    from analysis.pcap.reader import read_frames

    return beacons_of(read_frames(path))


def beacons_of(frames: "Frames") -> list[tuple[int, int, Beacon]]:
    """Return the beacons of a capture that is already read; see `find_beacons`."""
    found = []
    at = frames.source.find(_PREFIX)
    while at >= 0:
        row = int(np.searchsorted(frames.offset, at, side="right")) - 1
        if row >= 0:
            start = int(frames.offset[row])
            end = start + int(frames.captured_b[row])
            beacon = _beacon_at(frames.source[start:end], at - start)
            if beacon is not None:
                found.append((int(frames.time_ns[row]), row + 1, beacon))
        at = frames.source.find(_PREFIX, at + 1)
    return found


def _beacon_at(frame: bytes, at: int) -> Beacon | None:
    """Return the beacon whose payload starts at byte `at` of `frame`."""
    udp = at - _UDP_B
    if udp < 0 or at >= len(frame):
        return None
    if int.from_bytes(frame[udp + 2 : udp + 4]) != BEACON_PORT:
        return None
    if not _follows_ip(frame, udp):
        return None
    length_b = int.from_bytes(frame[udp + 4 : udp + 6]) - _UDP_B
    if not 0 < length_b <= min(_MAX_PAYLOAD_B, len(frame) - at):
        return None
    return decode(frame[at : at + length_b])


def _follows_ip(frame: bytes, udp: int) -> bool:
    """Say whether an IPv4 or IPv6 header without options ends where UDP begins."""
    ipv4, ipv6 = udp - 20, udp - 40
    if ipv4 >= 0 and frame[ipv4] == 0x45 and frame[ipv4 + 9] == _UDP:
        return True
    return ipv6 >= 0 and frame[ipv6] >> 4 == 6 and frame[ipv6 + 6] == _UDP
