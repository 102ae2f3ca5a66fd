"""Framing of the adb device protocol: messages, one connection, its streams.

Facts of the protocol (adb 29): a message is a header of six little-endian words
(command, two arguments, length, checksum, inverted command) and a payload. A stream
has one WRTE in flight and waits for its OKAY. From version 0x01000001 on, nobody
checks the checksum and both sides send 0.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

VERSION, VERSION_WITH_CHECKSUM = 0x01000001, 0x01000000
MAX_PAYLOAD_B = 1 << 20
_HEADER = struct.Struct("<6I")
_COMMANDS = ("CNXN", "OPEN", "OKAY", "WRTE", "CLSE", "AUTH", "STLS")
_CODE = {name: int.from_bytes(name.encode(), "little") for name in _COMMANDS}
_NAME = {code: name for name, code in _CODE.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `command` is '' when the code is unknown."""

    command: str
    arg0: int
    arg1: int
    payload: bytes = b""


def pack(message: Message, *, checksum: bool = False) -> bytes:
    """Return the bytes of a message."""
    code, payload = _CODE[message.command], message.payload
    check = sum(payload) & 0xFFFFFFFF if checksum else 0
    inverted = code ^ 0xFFFFFFFF
    words = (code, message.arg0, message.arg1, len(payload), check, inverted)
    return _HEADER.pack(*words) + payload


async def read_message(reader: asyncio.StreamReader) -> Message:
    """Read one message; raises IncompleteReadError at the end, ValueError on junk."""
    head = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    code, arg0, arg1, length, _, inverted = head
    if inverted != code ^ 0xFFFFFFFF or length > MAX_PAYLOAD_B:
        raise ValueError("these bytes are not an adb message")
    payload = await reader.readexactly(length) if length else b""
    return Message(command=_NAME.get(code, ""), arg0=arg0, arg1=arg1, payload=payload)


class StreamClosedError(Exception):
    """The other side closed the stream, or the connection went away."""


class Stream:
    """One stream of a connection, as the service behind it sees it."""

    def __init__(self, connection: "Connection", local: int, remote: int) -> None:
        self.local = local
        self.remote = remote
        self._connection = connection
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._buffer = b""
        self._acknowledged = asyncio.Event()
        self._open = True

    async def accept(self) -> None:
        """Say yes to the OPEN."""
        await self._connection.send("OKAY", self.local, self.remote)

    async def refuse(self) -> None:
        """Say no to the OPEN; adb wants 0 for a stream that never was."""
        self.drop()
        await self._connection.send("CLSE", 0, self.remote)

    async def write(self, data: bytes) -> None:
        """Send all of `data`; return once the other side has taken it."""
        size = self._connection.max_payload_b
        for start in range(0, len(data), size):
            if not self._open:
                raise StreamClosedError
            self._acknowledged.clear()
            part = data[start : start + size]
            await self._connection.send("WRTE", self.local, self.remote, part)
            await self._acknowledged.wait()

    async def read(self, n_bytes: int) -> bytes:
        """Return exactly `n_bytes`."""
        while len(self._buffer) < n_bytes:
            if not self._open and self._inbox.empty():
                raise StreamClosedError
            self._buffer += await self._inbox.get()
        data, self._buffer = self._buffer[:n_bytes], self._buffer[n_bytes:]
        return data

    async def close(self) -> None:
        """Tell the other side, once, that nothing more comes."""
        if self._open:
            self.drop()
            await self._connection.send("CLSE", self.local, self.remote)

    def deliver(self, data: bytes) -> None:
        """Take what the other side wrote."""
        self._inbox.put_nowait(data)

    def acknowledge(self) -> None:
        """Take the OKAY to the last write."""
        self._acknowledged.set()

    def drop(self) -> None:
        """Forget the other side; wakes whoever waits on this stream."""
        self._open = False
        self._acknowledged.set()
        self._inbox.put_nowait(b"")


Service = Callable[[Stream, str], Awaitable[None]]


class Connection:
    """One transport from an adb server; every OPEN starts `service` in a task."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        banner: str,
        service: Service,
    ) -> None:
        self.max_payload_b = 4096
        self._reader, self._writer = reader, writer
        self._banner = banner
        self._service = service
        self._version = VERSION_WITH_CHECKSUM
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_local = 1

    async def serve(self) -> None:
        """Answer until the other side leaves or `close` is called."""
        try:
            while True:
                await self._take(await read_message(self._reader))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass  # the adb server left, or something else than adb called
        finally:
            self.close()

    def close(self) -> None:
        """Cut the connection; running services end."""
        for stream in self._streams.values():
            stream.drop()
        for task in self._tasks:
            task.cancel()
        self._writer.close()

    async def send(
        self, command: str, arg0: int, arg1: int, payload: bytes = b""
    ) -> None:
        """Write one message."""
        message = Message(command=command, arg0=arg0, arg1=arg1, payload=payload)
        with_sum = self._version < VERSION
        self._writer.write(pack(message, checksum=with_sum))
        await self._writer.drain()

    async def _take(self, message: Message) -> None:
        match message.command:
            case "CNXN":
                self._version = min(VERSION, message.arg0)
                self.max_payload_b = min(MAX_PAYLOAD_B, message.arg1)
                banner = self._banner.encode()
                await self.send("CNXN", self._version, MAX_PAYLOAD_B, banner)
            case "OPEN":
                self._open(message)
            case "OKAY" | "WRTE" | "CLSE" if message.arg1 in self._streams:
                await self._pass_on(self._streams[message.arg1], message)

    async def _pass_on(self, stream: Stream, message: Message) -> None:
        if message.command == "OKAY":
            stream.acknowledge()
        elif message.command == "WRTE":
            stream.deliver(message.payload)
            await stream.accept()
        else:
            del self._streams[stream.local]
            await stream.close()

    def _open(self, message: Message) -> None:
        stream = Stream(self, self._next_local, message.arg0)
        self._next_local += 1
        self._streams[stream.local] = stream
        wanted = message.payload.rstrip(b"\0").decode(errors="replace")
        task = asyncio.get_running_loop().create_task(self._run(stream, wanted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, stream: Stream, wanted: str) -> None:
        try:
            await self._service(stream, wanted)
            await stream.close()
        except (StreamClosedError, ConnectionError):
            pass  # nobody is left to tell
        finally:
            self._streams.pop(stream.local, None)
