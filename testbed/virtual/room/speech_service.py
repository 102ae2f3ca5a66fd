"""Stand-in for the speech service behind gTTS, for the virtual cloud.

It answers the one request that gTTS 2.5 makes of translate.google.com: a POST to
`batchexecute` with the remote procedure jQ1olc, whose answer holds base64 MP3. What is
unlike the original: espeak-ng speaks, with another voice and speed than the offline
engine of the drivers, so that the two can be told apart. The sound is MP3 of 24 kHz and
64 kbit/s where LAME is on the machine, else a WAV in its place; gTTS hands on
either, and the driver decodes either.
"""

import asyncio
import base64
import json
import logging
import re
import socket
import ssl
import subprocess
from collections.abc import Callable
from urllib.parse import parse_qs

import miniaudio

from testbed.virtual.plain_http import Answer, Request, answer_bytes, read_request
from testbed.virtual.room import mp3

HOST = "translate.google.com"
PATH = "/_/TranslateWebserverUi/data/batchexecute"
PROCEDURE = "jQ1olc"
SAMPLE_RATE_HZ = 24_000
SPEED_WPM = 150
VOICES = {"en": "en-gb"}
SYNTHESIS_S = 10.0
MAX_CHARACTERS = 200
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{2,4})?")

_log = logging.getLogger(__name__)


class SpeechService:
    """A running service; `spoken` counts its answers with sound."""

    def __init__(self, down: Callable[[], bool]) -> None:
        self.spoken = 0
        self._down = down
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take connections on a bound socket."""
        self._server = await asyncio.start_server(self._connection, sock=sock, ssl=tls)

    async def close(self) -> None:
        """Stop listening; return when no task is left."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            peer = str(writer.get_extra_info("peername")[0])
            request = await read_request(reader, peer)
            answer = await self._answer(request)
            writer.write(answer_bytes(answer))
            await writer.drain()
        except (OSError, TimeoutError) as exc:
            _log.info("a client broke off: %s", exc)
        finally:
            writer.close()

    async def _answer(self, request: Request | None) -> Answer:
        if self._down():
            return Answer(status=503)
        if request is None or request.method != "POST":
            return Answer(status=400)
        if request.path.partition("?")[0] != PATH:
            return Answer(status=404)
        asked = parse_request(request.body)
        if asked is None:
            return Answer(status=400)
        try:
            sound = await asyncio.to_thread(speak, *asked)
        except (OSError, subprocess.SubprocessError, miniaudio.MiniaudioError) as exc:
            _log.warning("the speech service cannot speak: %s", exc)
            return Answer(status=503)
        self.spoken += 1
        headers = {"CONTENT-TYPE": "application/json; charset=utf-8"}
        return Answer(body=rpc_answer(sound), headers=headers)


async def start_speech_service(
    sock: socket.socket,
    ssl_context: ssl.SSLContext | None,
    *,
    down: Callable[[], bool] = lambda: False,
) -> SpeechService:
    """Host the service on a bound TCP socket; `await service.close()` ends it.

    ssl_context  a server's, with any certificate: gTTS does not check it
    down         asked at each request; True means it is answered with 503
    """
    service = SpeechService(down)
    await service.serve(sock, ssl_context)
    return service


def parse_request(body: str) -> tuple[str, str] | None:
    """Return (text, language) of a request's body, or None when it is another."""
    try:
        [[[procedure, parameters, *_]]] = json.loads(parse_qs(body)["f.req"][0])
        text, language, *_ = json.loads(parameters)
    except (KeyError, ValueError, TypeError):
        return None
    if procedure != PROCEDURE or not isinstance(text, str) or not text:
        return None
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        return None
    return text[:MAX_CHARACTERS], language


def rpc_answer(sound: bytes) -> str:
    """Return the sound as the remote procedure's answer."""
    payload = json.dumps([base64.b64encode(sound).decode()])
    parts = [["wrb.fr", PROCEDURE, payload, None, None, None, "generic"]]
    line = json.dumps(parts, separators=(",", ":"))
    return f")]}}'\n\n{len(line)}\n{line}\n"


def speak(text: str, language: str) -> bytes:
    """Return text as MP3, or as WAV on a machine without LAME. Blocks.

    Raises OSError or SubprocessError when espeak-ng does not do its part.
    """
    voice = VOICES.get(language, language)
    command = ["espeak-ng", "-v", voice, "-s", str(SPEED_WPM), "--stdout", "--", text]
    made = subprocess.run(
        command, capture_output=True, timeout=SYNTHESIS_S, check=True
    ).stdout
    if not mp3.is_available():
        return made
    sound = miniaudio.decode(made, nchannels=1, sample_rate=SAMPLE_RATE_HZ)
    return mp3.encode(sound.samples.tobytes(), SAMPLE_RATE_HZ)
