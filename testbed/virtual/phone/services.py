"""What an adb stream can be opened to: shell, exec, sync, framebuffer."""

import asyncio
import struct
from collections.abc import Mapping, MutableMapping

from testbed.virtual.phone import screen
from testbed.virtual.phone.screens import HEIGHT, WIDTH, AppScreens
from testbed.virtual.phone.shell import Printed, Shell
from testbed.virtual.phone.wire import Stream

FEATURES = ("shell_v2", "cmd")
_EXIT = 3  # number of the packet with the exit status in shell,v2
_SYNC_CHUNK_B = 64 * 1024
# version, bits per pixel, colour space, size, width, height, then offset and length
# of red, blue, green, alpha; the order of AOSP's framebuffer_service
_FRAMEBUFFER = struct.pack(
    "<14I", 2, 32, 0, WIDTH * HEIGHT * 4, WIDTH, HEIGHT, 0, 8, 16, 8, 8, 8, 24, 8
)


class Services:
    """All services of one phone."""

    def __init__(
        self, shell: Shell, screens: AppScreens, files: MutableMapping[str, bytes]
    ) -> None:
        self._shell = shell
        self._screens = screens
        self._files = files

    async def __call__(self, stream: Stream, wanted: str) -> None:
        """Serve one stream to its end; a service that is not known is refused."""
        head, _, rest = wanted.partition(":")
        kind, *options = head.split(",")
        await asyncio.sleep(self._screens.troubles.slow_s())
        if kind in ("shell", "exec"):
            await stream.accept()
            result = await self._shell.run(rest)
            await stream.write(_packets(result) if "v2" in options else _plain(result))
        elif kind == "framebuffer":
            await stream.accept()
            picture = screen.pixels(self._screens.view_tree())
            await stream.write(_FRAMEBUFFER + picture)
        elif kind == "sync":
            await stream.accept()
            await _sync(stream, self._files)
        else:
            await stream.refuse()


def _plain(printed: Printed) -> bytes:
    return b"".join(data for _, data in printed.pieces)


def _packets(printed: Printed) -> bytes:
    packets = [struct.pack("<BI", n, len(d)) + d for n, d in printed.pieces]
    return b"".join(packets) + struct.pack("<BIB", _EXIT, 1, printed.status)


async def _sync(stream: Stream, files: MutableMapping[str, bytes]) -> None:
    while True:
        verb, length = struct.unpack("<4sI", await stream.read(8))
        if verb == b"QUIT":
            return
        argument = (await stream.read(length)).decode(errors="replace")
        if verb == b"SEND":
            files[argument.rpartition(",")[0]] = await _receive(stream)
            await stream.write(struct.pack("<4sI", b"OKAY", 0))
        else:
            await stream.write(_sync_answer(verb, argument, files))


def _sync_answer(verb: bytes, path: str, files: Mapping[str, bytes]) -> bytes:
    data = files.get(path)
    if verb == b"STAT":
        mode = 0 if data is None else 0o100644
        return struct.pack("<4sIII", b"STAT", mode, len(data or b""), 0)
    if verb == b"LIST":
        return struct.pack("<4sIIII", b"DONE", 0, 0, 0, 0)
    if verb == b"RECV" and data is not None:
        starts = range(0, len(data), _SYNC_CHUNK_B)
        chunks = [data[s : s + _SYNC_CHUNK_B] for s in starts]
        body = b"".join(struct.pack("<4sI", b"DATA", len(c)) + c for c in chunks)
        return body + struct.pack("<4sI", b"DONE", 0)
    reason = b"No such file or directory"
    return struct.pack("<4sI", b"FAIL", len(reason)) + reason


async def _receive(stream: Stream) -> bytes:
    body = b""
    while True:
        verb, length = struct.unpack("<4sI", await stream.read(8))
        if verb == b"DONE":
            return body  # length is the modification time here
        body += await stream.read(length)
