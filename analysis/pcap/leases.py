"""Messages of DHCP (IPv4), as far as they tell who has which address until when."""

from dataclasses import dataclass

from analysis.pcap.dhcp import ETHERNET, is_dhcp, options

SERVER_PORT, CLIENT_PORT = 67, 68
REQUEST, ACK, RELEASE = 3, 5, 7
_NAME, _LEASE, _KIND, _FULL_NAME = 12, 51, 53, 81


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseMessage:
    """One message.

    kind         `REQUEST`, `ACK`, `RELEASE` or another of option 53
    transaction  number that question and answer share
    mac          of the client, as a number
    address      IPv4 address that the client gets or has, as a number; 0 for none
    name         that the client goes by, '' when the message does not say it
    lease_s      for how long, None when the message does not say it
    """

    kind: int
    transaction: int
    mac: int
    address: int
    name: str
    lease_s: int | None


def lease_message(payload: bytes) -> LeaseMessage | None:
    """Return what a message of DHCP says, None for what is none."""
    if not is_dhcp(payload) or payload[1:3] != bytes((ETHERNET, 6)):
        return None
    said: dict[int, bytes] = {}
    for code, begin, end in options(payload):
        # a part that comes later belongs to the first
        said[code] = said.get(code, b"") + payload[begin:end]
    kind = said.get(_KIND, b"")
    if len(kind) != 1:
        return None
    lease = said.get(_LEASE, b"")
    own, given = int.from_bytes(payload[12:16]), int.from_bytes(payload[16:20])
    return LeaseMessage(
        kind=kind[0],
        transaction=int.from_bytes(payload[4:8]),
        mac=int.from_bytes(payload[28:34]),
        address=given or own,
        name=_name(said),
        lease_s=int.from_bytes(lease) if len(lease) == 4 else None,
    )


def _name(said: dict[int, bytes]) -> str:
    raw = said.get(_NAME) or b""
    full = said.get(_FULL_NAME, b"")
    if not raw and len(full) > 3 and not full[0] & 4:  # written as text
        raw = full[3:]
    name = raw.rstrip(b"\0").decode(errors="replace")
    return name if name.isprintable() else ""
