"""What a virtual device sends, as pure values.

The house model turns an activity into `Exchange`s. The live lab plays them over real
sockets; the fast lab writes them straight into a capture. Both read the same values,
so the two forms differ only by what TCP/IP makes of them.

Sizes are application bytes, before TLS and TCP/IP framing. Times are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    """How the bytes of an exchange travel."""

    TLS = "tls"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One write of one side.

    at_s      seconds after the exchange's start at which the sender writes; open loop,
              but never before the connection is up or an earlier message was written
    upstream  True when the client (opener) of the connection writes
    size_b    application bytes
    payload   the bytes themselves for plaintext protocols; None means random bytes
    """

    at_s: float
    upstream: bool
    size_b: int
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Messages on one connection (or one UDP port pair).

    at_s        seconds after the start of what caused it
    client      node that opens: a device name, 'phone' or 'controller'
    server      a cloud host name, a device name, 'router', or a multicast address
    port        server's port
    connection  name of a connection that is kept open and shared by exchanges of the
                client; None for one of its own, closed after the last message
    """

    at_s: float
    client: str
    server: str
    port: int
    transport: Transport
    messages: tuple[Message, ...]
    connection: str | None = None
