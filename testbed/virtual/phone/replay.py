"""A stand-in for a phone: it answers adb as a recorded dialogue says.

    async with replayed_phone(dialogue, sock, name) as unknown: ...

What was never recorded is refused with the name of the dialogue, and noted.
"""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from testbed.model.dialogue import Answers, Dialogue, UnknownRequestError
from testbed.virtual.phone.wire import Connection, Stream

_BANNER = "device::ro.product.name=replayed;ro.product.model=Replayed;features=cmd"
_STATUS = re.compile(r"; echo (\S+)=\$\?$")  # by which the driver asks for the status
_NOT_FOUND = 127


class _Service:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def __call__(self, stream: Stream, wanted: str) -> None:
        """Serve one stream."""
        kind, _, rest = wanted.partition(":")
        if kind == "framebuffer":
            await stream.accept()
            await stream.write(self._picture())
        elif kind.partition(",")[0] in ("shell", "exec"):
            await stream.accept()
            await stream.write(self._shell(rest))
        else:
            await stream.refuse()

    def _shell(self, line: str) -> bytes:
        marked = _STATUS.search(line)
        command = line[: marked.start()] if marked else line
        try:
            exchange = self._answers.to(command)
            text, status = exchange.answer, exchange.status
        except UnknownRequestError as exc:
            text, status = f"{exc}\n", _NOT_FOUND
        end = f"{marked[1]}={status}\n" if marked else ""
        return (text + end).encode()

    def _picture(self) -> bytes:
        """Return a grey picture of the size that was recorded."""
        width, height = map(int, self._answers.to("framebuffer:").answer.split("x"))
        size_b = width * height * 4
        head = (2, 32, 0, size_b, width, height, 0, 8, 16, 8, 8, 8, 24, 8)
        return struct.pack("<14I", *head) + b"\x80" * size_b


@asynccontextmanager
async def replayed_phone(
    dialogue: Dialogue, sock: socket.socket, name: str
) -> AsyncIterator[list[str]]:
    """Answer on a bound socket; gives the requests that had no answer.

    name  of the dialogue, for what it says to a request that it does not know
    """
    answers = Answers(dialogue.exchanges, name)
    connections: set[Connection] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = writer.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(
            reader, writer, banner=_BANNER, service=_Service(answers)
        )
        connections.add(connection)
        await connection.serve()

    server = await asyncio.start_server(serve, sock=sock)
    try:
        yield answers.unknown
    finally:
        server.close()
        for connection in connections:
            connection.close()
        await asyncio.sleep(0)
