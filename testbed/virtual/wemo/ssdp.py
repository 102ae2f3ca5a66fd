"""Answer searches for plugs (SSDP). Only in a namespace of the lab: it is multicast."""

import asyncio
import socket
from typing import cast

_WANTED = (b"urn:Belkin:", b"upnp:rootdevice", b"ssdp:all")


class Responder(asyncio.DatagramProtocol):
    """Answers M-SEARCH for Belkin devices from the socket that took the search."""

    def __init__(self, location: str, udn: str) -> None:
        self._location = location
        self._udn = udn
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a search that means us."""
        if self._transport is None or not data.startswith(b"M-SEARCH "):
            return
        if any(wanted in data for wanted in _WANTED):
            self._transport.sendto(search_answer(self._location, self._udn), addr)

    async def close(self) -> None:
        """Stop answering; return when the socket is closed."""
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)


async def start_ssdp(sock: socket.socket, *, location: str, udn: str) -> Responder:
    """Answer on a socket that is bound and has joined 239.255.255.250.

    location  URL of the plug's description

    `await responder.close()` ends it.
    """
    loop = asyncio.get_running_loop()
    _, responder = await loop.create_datagram_endpoint(
        lambda: Responder(location, udn), sock=sock
    )
    return responder


def search_answer(location: str, udn: str) -> bytes:
    """Return the answer to a search, with the headers of a WeMo."""
    service = "urn:Belkin:service:basicevent:1"
    lines = (
        "HTTP/1.1 200 OK",
        "CACHE-CONTROL: max-age=86400",
        "EXT:",
        f"LOCATION: {location}",
        'OPT: "http://schemas.upnp.org/upnp/1/0/"; ns=01',
        "SERVER: Unspecified, UPnP/1.0, Unspecified",
        "X-User-Agent: redsonic",
        f"ST: {service}",
        f"USN: {udn}::{service}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
