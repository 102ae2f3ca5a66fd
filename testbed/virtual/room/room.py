"""The air of the room: sound comes in over TCP, speakers hear it and act.

One connection is one loudspeaker that plays, s16le mono 16 kHz in real time. An
utterance ends with the connection or with a pause. While one plays, the room takes no
second one: it closes that connection at once.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from testbed.clock import Clock
from testbed.errors import LabError
from testbed.virtual.room.ears import SAMPLE_RATE_HZ, Hypothesis
from testbed.virtual.room.hearing import Hearing, understand
from testbed.virtual.room.microphone import Microphone
from testbed.virtual.stage import Stage

PAUSE_S = 1.5
MIN_SOUND_S = 0.3
MAX_SOUND_S = 30.0
READ_B = 4096
REMEMBERED = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One sound in the room, and what came of it.

    instant_ns  first sample, lab clock
    device      which speaker was addressed, '' when none
    verdict     'began'; or why nothing happened: 'nothing', 'incomplete', 'unsure'
                (both false activations when there are words), 'nobody', 'deaf', 'off'
    decode_s    how long recognition took
    """

    instant_ns: int
    device: str
    verdict: str
    hypothesis: Hypothesis
    decode_s: float


Record = Callable[[Heard], None]


class Room:
    """A running room; `heard` holds the last thousand sounds, oldest first."""

    def __init__(
        self,
        stage: Stage,
        hearing: Hearing,
        *,
        clock: Clock,
        speakers: Mapping[str, str],
        record: Record | None = None,
        microphone: Microphone | None = None,
    ) -> None:
        self.heard: deque[Heard] = deque(maxlen=REMEMBERED)
        self._stage = stage
        self._hearing = hearing
        self._clock = clock
        self._speakers = dict(speakers)
        self._record = record
        self._microphone = microphone
        self._playing = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, sock: socket.socket) -> None:
        """Take connections on a bound socket."""
        self._server = await asyncio.start_server(self._play, sock=sock)

    async def close(self) -> None:
        """Stop listening; return when no task and no process is left."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._microphone is not None:
            await self._microphone.close()
        await asyncio.to_thread(self._hearing.close)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _play(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is None or self._playing:
            writer.transport.abort()
            return
        self._playing = True
        self._tasks.add(task)
        try:
            await self._listen(reader)
        except ConnectionError as exc:
            _log.info("a loudspeaker broke off: %s", exc)
        finally:
            self._playing = False
            self._tasks.discard(task)
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Cut the stream into utterances; each is recognised beside the next."""
        while chunk := await self._read(reader):
            instant_ns = self._clock.now_ns()
            sound = bytearray(chunk)
            ended = await self._rest_of(reader, sound)
            task = asyncio.create_task(self._recognise(bytes(sound), instant_ns))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            if ended:
                return

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Read what is played just now; the microphone hears it, too."""
        chunk = await reader.read(READ_B)
        if self._microphone is not None:
            self._microphone.hear(chunk)
        return chunk

    async def _rest_of(self, reader: asyncio.StreamReader, sound: bytearray) -> bool:
        """Read to the end of the utterance; say whether the connection ended."""
        while len(sound) < MAX_SOUND_S * SAMPLE_RATE_HZ * 2:
            try:
                chunk = await asyncio.wait_for(self._read(reader), PAUSE_S)
            except TimeoutError:
                return False
            if not chunk:
                return True
            sound += chunk
        return False

    async def _recognise(self, sound: bytes, instant_ns: int) -> None:
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        hypothesis = Hypothesis(text="", score=0.0, wake_s=0.0)
        if len(sound) >= MIN_SOUND_S * SAMPLE_RATE_HZ * 2:
            try:
                hypothesis = await asyncio.to_thread(self._hearing.hear, sound)
            except LabError:
                _log.exception("nobody listens in the room")
        decode_s = loop.time() - start_s
        device, verdict = self._react(hypothesis, instant_ns)
        heard = Heard(
            instant_ns=instant_ns,
            device=device,
            verdict=verdict,
            hypothesis=hypothesis,
            decode_s=decode_s,
        )
        self.heard.append(heard)
        _log.info("heard %r: %s", hypothesis.text, verdict)
        if self._record is not None:
            self._record(heard)

    def _react(self, hypothesis: Hypothesis, instant_ns: int) -> tuple[str, str]:
        """Let the addressed speaker act; return it and the verdict."""
        command, reason = understand(hypothesis)
        if command is None:
            return "", reason
        for device, wake_word in self._speakers.items():
            if wake_word != command.wake_word:
                continue
            if self._stage.fault("deaf_speaker", device) is not None:
                return device, "deaf"
            if self._stage.state(device).get("power") == "off":
                return device, "off"
            self._stage.begin(
                device,
                command.activity,
                channel="voice",
                network=None,
                parameters={"utterance": command.utterance},
                instant_ns=instant_ns,
            )
            return device, "began"
        return "", "nobody"


async def start_room(
    stage: Stage,
    sock: socket.socket,
    *,
    clock: Clock,
    seed: int,
    speakers: Mapping[str, str],
    record: Record | None = None,
    microphone: socket.socket | None = None,
) -> Room:
    """Host the room on a bound TCP socket; return once the speakers listen.

    speakers  device -> its wake word
    record    called with every sound heard, in the event loop's thread
    microphone  a second bound socket, which gives what sounds in the room

    Raises LabError when the recogniser does not start. `await room.close()` ends it.
    """
    hearing = Hearing(seed)
    ear = Microphone(seed)
    room = Room(
        stage,
        hearing,
        clock=clock,
        speakers=speakers,
        record=record,
        microphone=ear,
    )
    try:
        await asyncio.to_thread(hearing.start)
        await room.serve(sock)
        if microphone is not None:
            await ear.serve(microphone)
    except BaseException:
        hearing.close()
        raise
    return room
