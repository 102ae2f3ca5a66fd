"""What flows of two homes can have in common: server, domain, shape; as hashes.

A key is a keyed hash of 63 bits: homes that share a secret can compare keys, and who
has the table alone reads no names in it. The space of names is small, so whoever has
the secret can try them all: this is pseudonymisation, not anonymity.

server  name (else prefix: /24, of IPv6 /48) and service
domain  last two labels of the name (else prefix: /16, of IPv6 /32) and service
shape   service, place, direction, whether it opens, and sizes in powers of two
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.detectors.cadesh.flows import (
    DYNAMIC,
    GROUP,
    INTERNET,
    LOW,
    SYN,
    TCP,
    Int64,
    place,
    prefix_of,
    service_port,
)
from analysis.flows import FlowRecords

KINDS = ("server", "domain", "shape")
_SERVICES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """(n,) int64 keys of the flows of a home, by kind."""

    server: Int64
    domain: Int64
    shape: Int64


def keys_of(flows: FlowRecords, secret: str = "") -> Keys:
    """Return the keys of flows; homes with one secret have comparable ones."""
    service = services(flows)
    where = place(flows)
    return Keys(
        server=_parties(flows, where, service, _server, ("server", secret)),
        domain=_parties(flows, where, service, _domain, ("domain", secret)),
        shape=_hashed(_shapes(flows, where), service, str, ("shape", secret)),
    )


def services(flows: FlowRecords) -> Int64:
    """Return (n,) numbers of protocol and port, ports above 1023 as two classes."""
    port = service_port(flows)
    port = np.where(port >= LOW, LOW + (port >= DYNAMIC), port)
    known: Int64 = flows.protocol.astype(np.int64) * 2 * LOW + port
    return known


def _server(name: str, address: str) -> str:
    return name.lower() or prefix_of(address)


def _domain(name: str, address: str) -> str:
    labels = name.lower().rstrip(".").split(".")
    return ".".join(labels[-2:]) if name else prefix_of(address, 16, 32)


def _parties(
    flows: FlowRecords,
    where: Int64,
    service: Int64,
    tell: Callable[[str, str], str],
    by: tuple[str, str],
) -> Int64:
    """Return (n,) keys of the other side: on the LAN all are one, groups are not."""
    names, addresses = flows.server_name, flows.remote_address
    number = names.number.astype(np.int64) * (len(addresses.names) + 1)
    pair = (number + addresses.number) * 3 + where

    def word(code: int) -> str:
        rest, kind = divmod(code, 3)
        name, address = divmod(rest, len(addresses.names) + 1)
        if kind == INTERNET:
            return tell(names.names[name], addresses.names[address])
        if kind == GROUP and not addresses.names[address].endswith(".255"):
            return addresses.names[address]
        # Addresses of a LAN, that of its broadcasts too, are of this home alone.
        return "broadcast" if kind == GROUP else "lan"

    return _hashed(pair, service, word, by)


def _shapes(flows: FlowRecords, where: Int64) -> Int64:
    """Return (n,) numbers that tell sizes, place, direction and openings apart.

    How a connection ends is left out: routers that forget connections differ in it.
    """
    out_b, in_b = (
        np.ceil(np.log2(1 + size_b.astype(np.float64))).astype(np.int64)
        for size_b in (flows.payload_out_b, flows.payload_in_b)
    )
    opens = (flows.tcp_flags_out | flows.tcp_flags_in) & SYN != 0
    code = (out_b * 64 + in_b) * 2 + opens
    outbound = flows.outbound & (opens | (flows.protocol != TCP))
    shape: Int64 = (code * 3 + where) * 2 + outbound
    return shape


def _hashed(
    what: Int64, service: Int64, word: Callable[[int], str], by: tuple[str, str]
) -> Int64:
    """Return (n,) hashes of pairs, each different pair hashed once.

    by  kind of key, and the secret
    """
    kind, secret = by
    key = hashlib.blake2b(secret.encode()).digest()  # of any length, even none
    pairs, row = np.unique(what * _SERVICES + service, return_inverse=True)
    hashes = []
    for pair in pairs.tolist():
        code, number = divmod(pair, _SERVICES)
        hashes.append(_hash(f"{kind}|{word(code)}|{number}", key))
    found: Int64 = np.array([*hashes, 0], dtype=np.int64)[row]
    return found


def _hash(text: str, key: bytes) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") >> 1
