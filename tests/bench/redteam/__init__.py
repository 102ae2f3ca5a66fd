"""The red team: secrets of a made-up home, planted in protocols of all sorts."""

from tests.bench.redteam.attack import EXAMPLE, attacked, plants, summary
from tests.bench.redteam.frames import (
    START_NS,
    ethernet,
    ipv4,
    labels,
    prefixed,
    request,
    tcp,
    udp,
)

__all__ = [
    "EXAMPLE",
    "START_NS",
    "attacked",
    "ethernet",
    "ipv4",
    "labels",
    "plants",
    "prefixed",
    "request",
    "summary",
    "tcp",
    "udp",
]
