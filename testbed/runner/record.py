"""Record what an instrument answers, without what would say whose it is.

    exchanges = listen(order, clock)
    dialogue = redacted(order, exchanges, clock.now_ns())

Asked is what drivers ask: a phone describes itself and walks through an app up to the
button that would do something, a plug is read and set to what it is set to already, a
router says what it offers and what time it is. With `passive` nothing is set, opened or
touched; what would all the same be in a running campaign's captures, or in its voices,
is refused.
"""

import getpass
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from testbed.clock import Clock
from testbed.drivers import tap
from testbed.drivers.phone_facts import PROPERTIES
from testbed.drivers.registry import open_driver
from testbed.errors import ConfigError, DriverRefusedError
from testbed.model.dialogue import Dialogue, Exchange, texts
from testbed.model.lab import Lab, PhoneAt, PlugAt
from testbed.model.profile import DeviceProfile
from testbed.model.redaction import SECRET, Redactor
from testbed.runner.apps.walk import walk
from testbed.runner.bench import Opener, expanded

INSTRUMENTS = ("phone", "plug", "router", "voice")
_POLL_S = 1.0
_SHORTEST = 2  # characters of a word that somebody names
_COMMON = {"root", "admin", "user", "localhost", "testbed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrder:
    """What is to be recorded.

    profile   of the device whose app a phone walks through, or None
    plug      name of the plug
    length_s  how long to go on looking; 0 for once
    passive   set, open and touch nothing
    secrets   words that must not be in the file, beside those of the lab file
    """

    instrument: str
    lab: Lab
    profiles: Mapping[str, DeviceProfile]
    profile: DeviceProfile | None = None
    plug: str = ""
    length_s: float = 0.0
    passive: bool = False
    secrets: Sequence[str] = ()


def listen(
    order: RecordOrder, clock: Clock, opener: Opener = open_driver
) -> list[Exchange]:
    """Hold the conversation; return what was said, with all secrets in it.

    Raises ConfigError as `check_order` does, DriverError as drivers do.
    """
    check_order(order)
    began_s = clock.monotonic_s()
    heard: list[Exchange] = []

    def hears(request: str, answer: str, status: int, took_s: float) -> None:
        exchange = Exchange(
            at_s=round(clock.monotonic_s() - began_s, 3),
            took_s=round(took_s, 3),
            request=request,
            answer=answer,
            status=status,
        )
        heard.append(exchange)

    section = _section(order)
    talk = _TALKS[order.instrument]
    with tap.listening(hears), ExitStack() as closing:
        ready = opener(order.instrument, section.driver, section, clock)
        closing.callback(getattr(ready, "close", lambda: None))
        looks = talk(ready, order)
        end_s = began_s + order.length_s
        while clock.monotonic_s() < end_s:
            looks()
            clock.sleep(_POLL_S)
    return heard


def check_order(order: RecordOrder) -> None:
    """Raise ConfigError when the lab has no such instrument, or this is not allowed."""
    if short := [word for word in order.secrets if len(word.strip()) < _SHORTEST]:
        raise ConfigError(
            f"--secret: {short[0]!r} would be in every other word; "
            f"name at least {_SHORTEST} characters"
        )
    at = _named(order)
    if not order.passive:
        return
    if isinstance(at, PlugAt) and at.is_device is not None:
        raise ConfigError(
            f"--passive: {order.plug} is a device under test ({at.is_device}), "
            "and what it is asked would be in its label windows; leave --passive out, "
            "which holds the lab"
        )
    if order.instrument == "voice":
        raise ConfigError(
            "--passive: sentences are rendered into the cache from which a campaign "
            "speaks; leave --passive out, which holds the lab"
        )


def redacted(order: RecordOrder, exchanges: Sequence[Exchange], at_ns: int) -> Dialogue:
    """Return the dialogue without secrets.

    at_ns  when it was recorded, ns UTC
    """
    exchanges = [_without_properties(e) for e in exchanges]
    redactor = Redactor(secret_words(order))
    redactor.learn(texts(exchanges))
    clean = tuple(
        replace(e, request=redactor.redact(e.request), answer=redactor.redact(e.answer))
        for e in exchanges
    )
    return Dialogue(
        instrument=order.instrument,
        driver=_section(order).driver,
        simulated=order.lab.virtual is not None,
        recorded=datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d"),
        redacted=redactor.counts,
        exchanges=clean,
    )


def secret_words(order: RecordOrder) -> dict[str, str]:
    """Return value -> kind of what lab file, profiles and machine say of somebody."""
    lab = order.lab
    words = {p.mac: "mac" for p in order.profiles.values()}
    if lab.phone is not None:
        words[lab.phone.serial] = "serial"
    for plug in lab.plugs.values():
        words[plug.udn.rpartition("-")[2]] = "serial"
        words[plug.host] = "host"
    with suppress(ConfigError):  # a variable that is not set here hides nothing
        router = expanded(lab.router)
        words |= {router.host: "host", router.user: "user"}
        if router.host_key:
            words[router.host_key.rpartition(" ")[2]] = "key"
    words |= {getpass.getuser(): "user", socket.gethostname(): "host"}
    found = {word: kind for word, kind in words.items() if word not in _COMMON}
    return found | {word.strip(): SECRET for word in order.secrets}


def _without_properties(exchange: Exchange) -> Exchange:
    """Leave out the properties of a phone that nobody reads: networks, radio, owner."""
    if exchange.request != "getprop":
        return exchange
    lines = exchange.answer.splitlines(keepends=True)
    read = tuple(f"[{name}]: [" for name in PROPERTIES)
    return replace(exchange, answer="".join(x for x in lines if x.startswith(read)))


def _named(order: RecordOrder) -> Any:
    """Return the section of the lab file, with its variables as they stand there."""
    lab = order.lab
    sections: dict[str, Any] = {
        "phone": lab.phone,
        "voice": lab.voice,
        "router": lab.router,
        "plug": lab.plugs.get(order.plug),
    }
    found = sections[order.instrument]
    if found is None and order.instrument == "plug":
        known = ", ".join(sorted(lab.plugs)) or "none"
        raise ConfigError(f"--plug: {order.plug!r} is not a plug; there are: {known}")
    if found is None:
        raise ConfigError(f"the lab file has no {order.instrument}")
    return found


def _section(order: RecordOrder) -> Any:
    at = expanded(_named(order))
    if order.passive and isinstance(at, PhoneAt):
        at = at.model_copy(update={"adb_port": _free_port()})  # the other is taken
    return at


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _talk_to_phone(phone: Any, order: RecordOrder) -> Callable[[], object]:
    phone.describe()
    profile = order.profile
    if profile is not None and profile.app is not None:
        phone.describe_app(profile.app.package)
    if order.passive:
        return lambda: phone.describe()  # a second dump would end the first one's
    if profile is not None:
        walk(phone, profile)
        phone.evidence()
    return lambda: phone.sight(())


def _talk_to_plug(plug: Any, order: RecordOrder) -> Callable[[], object]:
    is_on = plug.read_power()
    with suppress(DriverRefusedError):  # a model without a meter
        plug.read_power_w()
    if not order.passive:
        plug.set_power(is_on)
    return lambda: plug.read_power()


def _talk_to_router(router: Any, order: RecordOrder) -> Callable[[], object]:
    router.describe()
    router.is_recording()
    return lambda: router.clock_offset()


def _talk_to_voice(voice: Any, order: RecordOrder) -> Callable[[], object]:
    for sentence in _sentences(order):
        said = voice.render(sentence)
        answer = {"engine": said.engine, "duration_s": said.duration_s}
        tap.tell(f"render {sentence}", json.dumps(answer), 0, 0.0)
    return lambda: None


def _sentences(order: RecordOrder) -> list[str]:
    chosen = [order.profile] if order.profile is not None else order.profiles.values()
    voices = [a.voice for p in chosen for a in p.activities.values()]
    return list(dict.fromkeys(v.say for v in voices if v is not None))


_TALKS: Mapping[str, Callable[[Any, RecordOrder], Callable[[], object]]] = {
    "phone": _talk_to_phone,
    "plug": _talk_to_plug,
    "router": _talk_to_router,
    "voice": _talk_to_voice,
}
