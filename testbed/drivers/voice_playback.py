"""Two ways to make sound: raw PCM over TCP, or a player command.

A playback gives two stamps, the issue and the first sample. Over TCP the first sample
is exact to the socket; a command is stamped when it has been started, and what it and
its sound card then take is unknown (some 50-200 ms with ALSA or PulseAudio: a guess).
"""

import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from testbed.clock import Clock
from testbed.drivers.voice_cache import SAMPLE_B, SAMPLE_RATE_HZ, pcm_of
from testbed.errors import DriverError, DriverRefusedError, DriverTimeoutError

CHUNK_S = 0.02
CHUNK_B = int(SAMPLE_RATE_HZ * CHUNK_S) * SAMPLE_B
CONNECT_S = 3.0
STALL_S = 5.0
PLAYER_GRACE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Stamps of one playback, in ns UTC on the controller's clock."""

    issue_ns: int
    first_sample_ns: int
    return_ns: int


class Playback(Protocol):
    """A way to make sound."""

    def play(self, wav: Path, duration_s: float) -> Played:
        """Play a cached WAV to the end."""

    def alive(self) -> bool:
        """Say whether sound would be taken, without making any."""


class PcmOverTcp:
    """Raw s16le mono 16 kHz to host:port in real time, as a sound server takes it."""

    def __init__(self, name: str, host: str, port: int, clock: Clock) -> None:
        self._name = name
        self._address = (host, port)
        self._clock = clock

    def play(self, wav: Path, duration_s: float) -> Played:
        """Stream the file in chunks of 20 ms; return when the last one has sounded."""
        pcm = pcm_of(wav)
        request = "play over TCP to {}:{}".format(*self._address)
        issue_ns = self._clock.now_ns()
        try:
            with socket.create_connection(self._address, timeout=CONNECT_S) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(STALL_S)
                first_sample_ns = self._stream(sock, pcm)
                sock.shutdown(socket.SHUT_WR)
        except TimeoutError as exc:
            reason = "no answer; is the loudspeaker on?"
            raise DriverTimeoutError(self._name, request, reason) from exc
        except ConnectionRefusedError as exc:
            reason = "connection refused; is a sound server listening there?"
            raise DriverRefusedError(self._name, request, reason) from exc
        except OSError as exc:
            reason = f"the connection broke ({exc.strerror or exc}); is it in use?"
            raise DriverRefusedError(self._name, request, reason) from exc
        return Played(
            issue_ns=issue_ns,
            first_sample_ns=first_sample_ns,
            return_ns=self._clock.now_ns(),
        )

    def alive(self) -> bool:
        """Say whether a sound server takes a connection; nothing is sent."""
        try:
            socket.create_connection(self._address, timeout=CONNECT_S).close()
        except OSError:
            return False
        return True

    def _stream(self, sock: socket.socket, pcm: bytes) -> int:
        start_s = self._clock.monotonic_s()
        first_sample_ns = self._clock.now_ns()
        for n, offset in enumerate(range(0, len(pcm), CHUNK_B)):
            self._clock.sleep(start_s + n * CHUNK_S - self._clock.monotonic_s())
            sock.sendall(pcm[offset : offset + CHUNK_B])
        end_s = start_s + len(pcm) / SAMPLE_B / SAMPLE_RATE_HZ
        self._clock.sleep(end_s - self._clock.monotonic_s())
        return first_sample_ns


class PlayerCommand:
    """A program that plays a WAV file and ends when it has been played."""

    def __init__(self, name: str, command: Sequence[str], clock: Clock) -> None:
        self._name = name
        self._command = tuple(command)
        self._clock = clock

    def play(self, wav: Path, duration_s: float) -> Played:
        """Run the player; return when it has ended well."""
        argv = [part.replace("{wav}", str(wav)) for part in self._command]
        issue_ns = self._clock.now_ns()
        try:
            player = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as exc:
            reason = f"cannot be started ({exc.strerror or exc}); is it installed?"
            raise self._refused(argv, reason) from exc
        with player:
            first_sample_ns = self._clock.now_ns()
            try:
                _, stderr = player.communicate(timeout=duration_s + PLAYER_GRACE_S)
            except subprocess.TimeoutExpired as exc:
                player.kill()
                reason = f"still playing {PLAYER_GRACE_S:g} s after its end"
                raise DriverTimeoutError(
                    self._name, f"play with {argv[0]}", reason
                ) from exc
            except BaseException:
                player.kill()
                raise
        if player.returncode != 0:
            lines = stderr.strip().splitlines() or ["it said nothing"]
            raise self._refused(argv, f"exit status {player.returncode}: {lines[-1]}")
        return Played(
            issue_ns=issue_ns,
            first_sample_ns=first_sample_ns,
            return_ns=self._clock.now_ns(),
        )

    def alive(self) -> bool:
        """Say yes: a program is there or not, and says so when it is run."""
        return True

    def _refused(self, argv: Sequence[str], reason: str) -> DriverError:
        return DriverRefusedError(self._name, f"play with {argv[0]}", reason)
