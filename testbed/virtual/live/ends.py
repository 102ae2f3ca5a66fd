"""One end of a TCP connection, plain or TLS, that counts every byte it sends."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from testbed.virtual.live import places

Sent = Callable[[int, int], None]  # first and last byte of a write, after the SYN
Began = Callable[[int | None], None]  # sequence number of the first byte


class End(asyncio.Protocol):
    """Encrypts by itself, so that it knows which bytes on the wire a write became.

    `established` is done when this end may write; it fails when the connection ends
    before that. `gone` is set when the connection has ended.
    """

    def __init__(
        self, tls: ssl.SSLContext | None, name: str | None, sent: Sent, began: Began
    ) -> None:
        self.established = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self.changed = asyncio.Event()
        self.sent_b = 0
        self.received_b = 0
        self._sent = sent
        self._began = began
        self._transport: asyncio.Transport | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if tls is not None:
            self._tls = tls.wrap_bio(
                self._incoming,
                self._outgoing,
                server_side=name is None,
                server_hostname=name,
            )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the TLS handshake, if there is one."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            sock = transport.get_extra_info("socket")
            # As devices do, and as the fast form does: a record is not held back for
            # the next one. asyncio sets it only for sockets of a named protocol.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._began(places.next_sequence(sock))
        if self._tls is None:
            self._establish()
        else:
            self._shake_hands(self._tls)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the wire; what they say was only filler."""
        self.received_b += len(data)
        self.changed.set()
        if self._tls is None:
            return
        self._incoming.write(data)
        try:
            if self.established.done():
                while self._tls.read(65536):
                    pass
            else:
                self._shake_hands(self._tls)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.drop()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended."""
        self.gone.set()
        self.changed.set()
        if not self.established.done():
            self.established.set_exception(exc or ConnectionResetError("closed"))
            self.established.exception()  # nobody has to ask

    def write(self, data: bytes) -> None:
        """Send application bytes."""
        if self.gone.is_set():
            return
        if self._tls is None:
            self._put(data)
        else:
            self._tls.write(data)
            self._flush()

    def finish(self) -> None:
        """Say goodbye and close this direction."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._tls is not None:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        with contextlib.suppress(OSError):
            self._transport.write_eof()

    def drop(self) -> None:
        """Be gone without a word."""
        if self._transport is not None and not self.gone.is_set():
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                places.forget(sock)
            self._transport.abort()

    def _establish(self) -> None:
        if not self.established.done():
            self.established.set_result(None)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        self._flush()
        self._establish()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            self._put(data)

    def _put(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        first = self.sent_b
        self.sent_b += len(data)
        self._sent(first, self.sent_b)
        self._transport.write(data)
