"""Messages of DHCP and DHCPv6 as they are built: where each option lies.

What the options mean is for who reads them. Bytes may be anything: an option that does
not fit ends the message.
"""

from collections.abc import Iterator

SERVER_PORT, CLIENT_PORT = 67, 68
PORTS, PORTS6 = (67, 68), (546, 547)
ETHERNET = 1
HEAD_B, MAGIC = 236, b"\x63\x82\x53\x63"
SERVER_NAME, FILE = (44, 108), (108, 236)  # fields before the options
_PAD, _END, _OVERLOAD = 0, 255, 52
_RELAYED6 = (12, 13)
_HEAD6_B, _RELAY6_B = 4, 34
_MOST = 512

Option = tuple[int, int, int]  # code, first byte of its data, byte behind it


def is_dhcp(payload: bytes) -> bool:
    """Say whether a message is one of DHCP, with options."""
    return payload[HEAD_B : HEAD_B + 4] == MAGIC


def options(payload: bytes) -> Iterator[Option]:
    """Yield the options of a message of DHCP, in the fields before them, too."""
    if not is_dhcp(payload):
        return
    overload = 0
    for code, begin, end in suboptions(payload, HEAD_B + 4):
        if code == _OVERLOAD and end - begin == 1:
            overload = payload[begin]
        yield code, begin, end
    for bit, (begin, end) in ((1, FILE), (2, SERVER_NAME)):
        if overload & bit:
            yield from suboptions(payload, begin, end)


def suboptions(payload: bytes, at: int, end: int | None = None) -> Iterator[Option]:
    """Yield options of a code and a length, a byte each."""
    last = len(payload) if end is None else min(end, len(payload))
    while at < last and payload[at] != _END:
        if payload[at] == _PAD:
            at += 1
            continue
        size = payload[at + 1] if at + 1 < last else 0
        if at + 2 + size > last:
            return
        yield payload[at], at + 2, at + 2 + size
        at += 2 + size


def options6(payload: bytes) -> Iterator[Option]:
    """Yield the options of a message of DHCPv6; those of relays lie within theirs."""
    head_b = _RELAY6_B if payload[:1] and payload[0] in _RELAYED6 else _HEAD6_B
    yield from suboptions6(payload, head_b, len(payload))


def suboptions6(payload: bytes, at: int, end: int) -> Iterator[Option]:
    """Yield options of a code and a length, two bytes each."""
    for _ in range(_MOST):
        if at + 4 > end:
            return
        code = int.from_bytes(payload[at : at + 2])
        begin = at + 4
        at = begin + int.from_bytes(payload[at + 2 : at + 4])
        if at > end:
            return
        yield code, begin, at
