"""Building exchanges, message by message."""

from typing import Self

from numpy.random import Generator

from testbed.virtual.traffic import Exchange, Message, Transport

DATAGRAM_B = 1350  # QUIC's usual payload of one datagram
_FRAME_B = 1472  # more in one datagram would be sent in fragments, as nobody does


class Talk:
    """One exchange in the making: a cursor in time and the messages so far."""

    def __init__(
        self,
        client: str,
        server: str,
        *,
        at_s: float = 0.0,
        port: int = 443,
        transport: Transport = Transport.TLS,
        connection: str | None = None,
    ) -> None:
        self._client = client
        self._server = server
        self._at_s = at_s
        self._port = port
        self._transport = transport
        self._connection = connection
        self._now_s = 0.0
        self._messages: list[Message] = []

    @property
    def now_s(self) -> float:
        """Where the cursor is, in seconds after the start of the exchange."""
        return self._now_s

    def up(self, size_b: int, *, after_s: float = 0.0, payload: bytes = b"") -> Self:
        """Let the client write, `after_s` after the message before."""
        return self._write(True, size_b, after_s, payload)

    def down(self, size_b: int, *, after_s: float = 0.0, payload: bytes = b"") -> Self:
        """Let the server write, `after_s` after the message before."""
        return self._write(False, size_b, after_s, payload)

    def wait(self, duration_s: float) -> Self:
        """Move the cursor without a message."""
        self._now_s += duration_s
        return self

    def done(self) -> Exchange:
        """Return the exchange."""
        return Exchange(
            at_s=self._at_s,
            client=self._client,
            server=self._server,
            port=self._port,
            transport=self._transport,
            messages=tuple(self._messages),
            connection=self._connection,
        )

    def _write(
        self, upstream: bool, size_b: int, after_s: float, payload: bytes
    ) -> Self:
        self._now_s += after_s
        if self._transport is Transport.UDP:
            size_b = min(size_b, _FRAME_B)
        self._messages.append(
            Message(
                at_s=self._now_s,
                upstream=upstream,
                size_b=len(payload) if payload else max(1, int(size_b)),
                payload=payload or None,
            )
        )
        return self


def stream(
    talk: Talk,
    rng: Generator,
    *,
    total_b: int,
    chunk_b: int,
    duration_s: float,
    upstream: bool,
) -> None:
    """Spread `total_b` over `duration_s` in chunks of about `chunk_b` (gamma sizes).

    Chunk sizes and gaps vary; their sums are exact up to rounding.
    """
    n_chunks = max(1, round(total_b / chunk_b))
    sizes = rng.gamma(6.0, 1.0, n_chunks)
    gaps = rng.gamma(2.0, 1.0, n_chunks)
    sizes *= total_b / sizes.sum()
    gaps *= duration_s / gaps.sum()
    write = talk.up if upstream else talk.down
    for size_b, gap_s in zip(sizes, gaps, strict=True):
        write(int(size_b), after_s=float(gap_s))


def hang_up(client: str, server: str, connection: str, port: int = 443) -> Exchange:
    """Return the exchange that closes a named connection: one without messages."""
    return Exchange(
        at_s=0.0,
        client=client,
        server=server,
        port=port,
        transport=Transport.TLS,
        messages=(),
        connection=connection,
    )
