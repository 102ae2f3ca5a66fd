"""Read what is said in plain: a datagram, or one side of a connection."""

from collections.abc import Iterator

from analysis.exporters.identifiers import wire
from analysis.exporters.identifiers.announced import mikrotik, ubiquiti, wake_up
from analysis.exporters.identifiers.certificates import certificates
from analysis.exporters.identifiers.dialogues import dialogue, typed
from analysis.exporters.identifiers.headers import spoken
from analysis.exporters.identifiers.hidden import wide
from analysis.exporters.identifiers.layers import dechunked, unkeyed, unpacked
from analysis.exporters.identifiers.leased import dhcp, dhcp6
from analysis.exporters.identifiers.messages import (
    OF_PORT,
    kerberos,
    ldap,
    mqtt,
    mqtt_topics,
    ntlm,
    stun,
)
from analysis.exporters.identifiers.sealed import opened_by_all
from analysis.exporters.identifiers.streams import Stretch
from analysis.exporters.identifiers.texts import Candidate, candidates, text_runs
from analysis.pcap.names import server_name

DEPTH = 2
KEYED = b"\xd0\xf2"
_DNS, _DHCP, _DHCP6, _NETBIOS = (53, 5353, 5355), (67, 68), (546, 547), (137,)
_MORE = {
    **{138: wire.datagram, 5678: mikrotik, 10001: ubiquiti},
    **dict.fromkeys((7, 9), wake_up),
    **OF_PORT,
}
# datagrams of these are read whatever they begin with
PORTS = (*_DNS, *_DHCP, *_DHCP6, *_NETBIOS, 514, 1900, 9999, *_MORE)
_READERS = {
    **dict.fromkeys(_DNS, wire.dns),
    **dict.fromkeys(_DHCP, dhcp),
    **dict.fromkeys(_DHCP6, dhcp6),
    **dict.fromkeys(_NETBIOS, wire.netbios),
}
_TELNET, _KERBEROS = (23, 2323), (88, 464)
_SESSIONS = 139
_BROKERS = (1883, 1884)
_CONNECTED = b"\x20\x02\x00\x00"


def of_message(data: bytes, ports: tuple[int, int]) -> Iterator[Candidate]:
    """Yield what a datagram tells."""
    for port in ports:
        if port in _READERS:
            yield from _READERS[port](data)
            return
    for port in ports:
        if port in _MORE:
            yield from _MORE[port](data)
            break
    for each in opened_by_all(data):
        yield from opened(each.inner)
        if each.name == "quic":
            yield from _of_hello(each.inner)
    if data[:2] == KEYED:
        data = unkeyed(data)
    if data[:1] == b"\x10":
        yield from mqtt(data)
    yield from opened(data)


def _of_hello(inner: bytes) -> Iterator[Candidate]:
    """Yield the server that a ClientHello names, which no record is around."""
    name = server_name(b"\x16\x03\x01" + len(inner).to_bytes(2) + inner)
    if name:
        yield "name", name


def of_stretch(stretch: Stretch) -> Iterator[Candidate]:
    """Yield what one side of a connection tells."""
    data = stretch.data
    if stretch.tls:
        name = server_name(data)
        if name:
            yield "name", name
        yield from certificates(data)
        return
    if not stretch.old_b:
        yield from _begun(data, stretch.ports)
    yield from opened(data)
    for _, body in dechunked(data):
        yield from opened(body)


def _begun(data: bytes, ports: tuple[int, int]) -> Iterator[Candidate]:
    """Yield what protocols tell that are known by how a connection begins."""
    if data[:1] == b"\x10":
        yield from mqtt(data)
    elif data[:4] == _CONNECTED or set(ports) & set(_BROKERS):
        yield from mqtt_topics(data)
    elif data[:1] == b"\x30":
        yield from ldap(data)
    elif ports[1] in _TELNET:
        yield from typed(data)
    elif set(ports) & set(_KERBEROS):
        yield from kerberos(data)
    elif ports[1] == _SESSIONS:
        yield from wire.netbios(b"\0" * 12 + data[4:])
    elif set(ports) & {53}:
        yield from wire.dns(data[2:])


def opened(data: bytes, depth: int = DEPTH) -> Iterator[Candidate]:
    """Yield what bytes say, and what is packed in them."""
    text = text_runs(data)
    if text:
        yield from candidates(text)
        yield from spoken(text)
        yield from dialogue(text)
    if b"\0" in data:
        yield from wide(data)
        yield from ntlm(data)
        yield from stun(data)
    if depth:
        for _, _, inner in unpacked(data):
            yield from opened(inner, depth - 1)
