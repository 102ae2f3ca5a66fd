"""A microphone in the room: what is played there comes out again, over TCP.

s16le mono 16 kHz in real time for as long as one is connected, as `parec` through
PulseAudio's simple protocol would give it: softer than it was played, a little later,
and with the noise of a room.
"""

import asyncio
import socket
from dataclasses import dataclass, field

import numpy as np

from testbed.virtual.room.ears import SAMPLE_RATE_HZ

CHUNK_S = 0.02
AWAY_S = 0.015  # sound takes so long over five metres
GAIN = 0.25
NOISE = 12.0  # standard deviation; a quiet room at some -69 dBFS
_CHUNK_B = 2 * int(SAMPLE_RATE_HZ * CHUNK_S)


@dataclass(slots=True, eq=False)
class _Listener:
    pending: bytearray = field(default_factory=bytearray)


class Microphone:
    """Gives every listener what the room hears."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 0x6D6963])
        self._listeners: set[_Listener] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._half = b""  # of a sample whose other byte is still on its way

    async def serve(self, sock: socket.socket) -> None:
        """Take listeners on a bound socket."""
        self._server = await asyncio.start_server(self._give, sock=sock)

    async def close(self) -> None:
        """Send everybody away."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hear(self, sound: bytes) -> None:
        """Let a piece of a loudspeaker's sound be in the room, from now on."""
        sound = self._half + sound
        whole = len(sound) - len(sound) % 2
        sound, self._half = sound[:whole], sound[whole:]
        for listener in self._listeners:
            if not listener.pending:
                listener.pending += bytes(2 * int(SAMPLE_RATE_HZ * AWAY_S))
            listener.pending += sound

    async def _give(
        self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        listener = _Listener()
        self._listeners.add(listener)
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        try:
            while True:
                next_s += CHUNK_S
                await asyncio.sleep(next_s - loop.time())
                writer.write(self._sample(listener))
                await writer.drain()
        except ConnectionError:
            pass  # it has heard enough
        finally:
            self._listeners.discard(listener)
            writer.close()

    def _sample(self, listener: _Listener) -> bytes:
        sound = bytes(listener.pending[:_CHUNK_B]).ljust(_CHUNK_B, b"\0")
        del listener.pending[:_CHUNK_B]
        played = np.frombuffer(sound, dtype="<i2") * GAIN
        mixed = played + self._rng.normal(0.0, NOISE, played.size)
        return np.clip(mixed, -32768, 32767).astype("<i2").tobytes()
