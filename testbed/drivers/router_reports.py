"""What a router and its capture tools say, as values. Pure functions, no I/O."""

import re
import struct
from dataclasses import dataclass

from testbed.model.protocols import CaptureFile

# what each tool prints on stderr when it is about to capture
READY = {"tshark": "Capture started", "dumpcap": "File: ", "tcpdump": "listening on"}

_PCAP_MAGIC = (
    b"\xd4\xc3\xb2\xa1",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\xa1\xb2\x3c\x4d",
)
_SECTION = b"\x0a\x0d\x0d\x0a"
_PACKET_BLOCKS = (2, 3, 6)  # packet (obsolete), simple packet, enhanced packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Packets that a tool says it saw and lost; None when it did not say."""

    received: int | None
    dropped: int | None


def parse_pairs(text: str) -> dict[str, str]:
    """Return `key=value` lines as a mapping; other lines are left out."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def parse_index(text: str) -> tuple[CaptureFile, ...]:
    """Return the files of an index; a last line without its end is still in writing.

    The last line of a name counts: a file is noted again when a power cut spoiled it.
    """
    files = {}
    for line in text.splitlines(keepends=True):
        match = re.fullmatch(r"(\S+) (\d+) ([0-9a-f]{64})\n", line)
        if match:
            files[match[1]] = CaptureFile(
                name=match[1], size_b=int(match[2]), sha256=match[3]
            )
    return tuple(files.values())


def parse_counts(tool: str, log: str) -> Counts:
    """Return what a tool said about the packets it saw and lost, from its stderr."""
    if tool == "dumpcap":
        return _dumpcap_counts(log)
    if tool == "tcpdump":
        return Counts(
            received=_sum(r"^(\d+) packets? captured", log),
            dropped=_sum(r"^(\d+) packets? dropped by (?:kernel|interface)", log),
        )
    received = _sum(r"^(\d+) packets? captured", log)
    dropped = _sum(r"(\d+) packets? dropped from ", log)
    if received is not None and dropped is None:
        dropped = 0  # tshark is silent when nothing was lost
    return Counts(received=received, dropped=dropped)


def _dumpcap_counts(log: str) -> Counts:
    found = re.findall(r"received/dropped on interface .*: (\d+)/(\d+) ", log)
    if not found:
        return Counts(received=None, dropped=None)
    return Counts(
        received=sum(int(received) for received, _ in found),
        dropped=sum(int(dropped) for _, dropped in found),
    )


def _sum(pattern: str, log: str) -> int | None:
    found = re.findall(pattern, log, flags=re.MULTILINE)
    return sum(map(int, found)) if found else None


def holds_packet(head: bytes) -> bool:
    """Say whether the beginning of a pcap or pcapng file holds a whole packet."""
    if head[:4] in _PCAP_MAGIC:
        order = "<" if head[0] in (0xD4, 0x4D) else ">"
        if len(head) < 40:
            return False
        (size,) = struct.unpack_from(f"{order}I", head, 32)
        return len(head) >= 40 + int(size)
    if head[:4] != _SECTION or len(head) < 12:
        return False
    order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    at = 0
    while at + 8 <= len(head):
        kind, size = struct.unpack_from(f"{order}II", head, at)
        if size < 12 or at + size > len(head):
            return False
        if kind in _PACKET_BLOCKS:
            return True
        at += size
    return False


def explain(log: str, interface: str, tool_path: str) -> str:
    """Return why a tool gave up, as one clause with its remedy, from its stderr."""
    lines = [x.strip() for x in log.splitlines() if x.strip()]
    said = [x for x in lines if not x.startswith(("Running as user", "Capturing on"))]
    text = "\n".join(said).lower()
    if "permission" in text or "not permitted" in text:
        return (
            "it may not capture; as root on the router run "
            f"`setcap cap_net_raw,cap_net_admin=eip {tool_path}`, or log in as root"
        )
    if "no such device" in text or "no device named" in text:
        return f"there is no interface {interface!r}; see router.interface in lab.yaml"
    if "filter" in text or "syntax error" in text:
        return f"it does not take the filter: {said[0]}; see router.filter in lab.yaml"
    return f"it gave up: {said[-1] if said else 'without a word'}"
