"""A loudspeaker that says a sentence: cache, then gTTS where allowed, then espeak-ng.

Which engine speaks:

- offline: espeak-ng, from the cache where it is there. A cached gTTS rendering is not
  used, so that what is played depends on the lab file and not on the cache's past.
- online: gTTS from the cache, else from the service within a deadline, else espeak-ng
  (from the cache where it is there). A cached espeak-ng rendering is thus no reason not
  to ask for the better voice.
- A text keeps its first engine as long as the loudspeaker is open: repeats of one
  activity sound alike within a session, whatever the service does meanwhile. After a
  failure the service is left alone for a minute, so that a dead line costs one deadline
  and not one per sentence.

The engine is in `Utterance.engine`, and in `Bracket.detail` with the reason of a
fall-back, because a reader of the dataset must know who spoke.
"""

import hashlib
import logging
import threading
from pathlib import Path

from testbed.clock import Clock, basic_time
from testbed.drivers.registry import Driver
from testbed.drivers.voice_cache import Recipe, VoiceCache
from testbed.drivers.voice_engines import (
    ask_espeak,
    ask_gtts,
    decode,
    espeak_recipe,
    gtts_recipe,
)
from testbed.drivers.voice_playback import PcmOverTcp, Playback, PlayerCommand
from testbed.errors import ConfigError, DriverError, DriverRefusedError
from testbed.model.lab import VoiceAt
from testbed.model.protocols import Bracket, Utterance

ONLINE_DEADLINE_S = 8.0
LEFT_ALONE_S = 60.0

_log = logging.getLogger(__name__)


class Loudspeaker:
    """A loudspeaker in the room of the devices under test; implements `Voice`.

    Plays of several threads are serialised: the room hears one sentence at a time.
    """

    def __init__(
        self,
        name: str,
        at: VoiceAt,
        playback: Playback,
        clock: Clock,
        *,
        online_deadline_s: float = ONLINE_DEADLINE_S,
    ) -> None:
        self._name = name
        self._at = at
        self._playback = playback
        self._clock = clock
        self._online_deadline_s = online_deadline_s
        self._cache = VoiceCache(Path(at.cache).expanduser())
        self._rendered: dict[str, Utterance] = {}
        self._fallbacks: dict[str, str] = {}  # sha256 of the WAV -> why not gTTS
        self._ask_again_s = 0.0
        self._rendering = threading.Lock()
        self._playing = threading.Lock()

    def render(self, text: str) -> Utterance:
        """Return the sentence as audio; blocks for a deadline at most when online.

        Raises DriverRefusedError when no engine can speak, with the remedy.
        """
        sentence = " ".join(text.split())
        if not sentence:
            raise DriverRefusedError(self._name, "speak", "there is no text to speak")
        with self._rendering:
            known = self._rendered.get(sentence)
            if known is None or not known.wav.is_file():
                known = self._render_anew(sentence)
                self._rendered[sentence] = known
            return known

    def play(self, utterance: Utterance) -> Bracket:
        """Play to the end; `instant_ns` is the first sample written to the player."""
        if not utterance.wav.is_file():
            reason = "its audio is gone from the cache; render it again"
            raise DriverRefusedError(self._name, f"play {utterance.text!r}", reason)
        with self._playing:
            played = self._playback.play(utterance.wav, utterance.duration_s)
        detail = {
            "engine": utterance.engine,
            "utterance": utterance.text,
            "wav_sha256": utterance.sha256,
        }
        if utterance.sha256 in self._fallbacks:
            detail["fallback"] = self._fallbacks[utterance.sha256]
        return Bracket(
            issue_ns=played.issue_ns,
            return_ns=played.return_ns,
            instant_ns=played.first_sample_ns,
            detail=detail,
        )

    def alive(self) -> bool:
        """Say whether sound would be taken, without making any."""
        return self._playback.alive()

    def online_trouble(self) -> str:
        """Return why gTTS does not speak, '' when it does; fills no cache."""
        recipe = gtts_recipe("testing", self._at.language)
        try:
            sound = ask_gtts(self._name, recipe, self._online_deadline_s)
            decode(self._name, recipe, sound)
        except DriverError as exc:
            return exc.reason
        return ""

    def close(self) -> None:
        """Leave; there is nothing to give back."""

    def _render_anew(self, text: str) -> Utterance:
        if not self._at.online:
            return self._with_espeak(text)
        recipe = gtts_recipe(text, self._at.language)
        found = self._cache.find(recipe)
        if found is not None:
            return found
        try:
            return self._with_gtts(recipe)
        except DriverError as exc:
            _log.warning("%s; espeak-ng speaks instead", exc)
            utterance = self._with_espeak(text)
            self._fallbacks[utterance.sha256] = exc.reason
            return utterance

    def _with_gtts(self, recipe: Recipe) -> Utterance:
        if self._clock.monotonic_s() < self._ask_again_s:
            reason = f"gTTS failed less than {LEFT_ALONE_S:g} s ago"
            raise DriverRefusedError(self._name, f"speak {recipe.text!r}", reason)
        try:
            sound = ask_gtts(self._name, recipe, self._online_deadline_s)
            return self._keep(recipe, sound)
        except DriverError:
            self._ask_again_s = self._clock.monotonic_s() + LEFT_ALONE_S
            raise

    def _with_espeak(self, text: str) -> Utterance:
        recipe = espeak_recipe(self._name, text, self._at.language)
        found = self._cache.find(recipe)
        if found is not None:
            return found
        return self._keep(recipe, ask_espeak(self._name, recipe))

    def _keep(self, recipe: Recipe, sound: bytes) -> Utterance:
        pcm = decode(self._name, recipe, sound)
        more = {
            "made": basic_time(self._clock.now_ns()),
            "source_sha256": hashlib.sha256(sound).hexdigest(),
        }
        try:
            return self._cache.put(recipe, pcm, more)
        except OSError as exc:
            request = f"keep {recipe.text!r} in {self._at.cache}"
            reason = f"{exc.strerror or exc}; set 'cache' of the voice elsewhere"
            raise DriverRefusedError(self._name, request, reason) from exc


def open_voice(at: VoiceAt, clock: Clock, *, name: str = "voice") -> Loudspeaker:
    """Return the loudspeaker of a lab; asks nobody yet.

    Raises ConfigError unless exactly one of `pcm_tcp` and `command` is given.
    """
    if (at.pcm_tcp is None) == (not at.command):
        raise ConfigError(f"{name}: give either pcm_tcp or command, and not both")
    if at.pcm_tcp is None:
        playback: Playback = PlayerCommand(name, at.command, clock)
        return Loudspeaker(name, at, playback, clock)
    host, _, port = at.pcm_tcp.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{name}: pcm_tcp must be host:port, got {at.pcm_tcp!r}")
    return Loudspeaker(name, at, PcmOverTcp(name, host, int(port), clock), clock)


DRIVER = Driver(kind="voice", name="tts", open=open_voice)
