"""The real gTTS against the stand-in of its service, on loopback."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testbed.clock import SystemClock, VirtualClock
from testbed.drivers import voice_tts
from testbed.drivers.voice_engines import ask_gtts, gtts_recipe
from testbed.drivers.voice_tts import Loudspeaker, open_voice
from testbed.errors import DriverRefusedError, DriverTimeoutError
from testbed.model.lab import VoiceAt
from testbed.virtual.rehearsal import LoopThread
from testbed.virtual.room import mp3
from testbed.virtual.room.speech_service import PATH, start_speech_service

TEXT = "alexa what is the weather"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day.replace(year=2046))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "service.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return pem


@pytest.fixture
def redirected(monkeypatch):
    """Point gTTS at a port of this machine; without it, gTTS is pointed at nothing."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def to(port):
        def url(tld="com", path=""):
            assert f"/{path}" == PATH
            return f"https://127.0.0.1:{port}/{path}"

        monkeypatch.setattr("gtts.tts._translate_url", url)

    to(9)
    return to


class Cloud:
    is_down = False
    service = None


@pytest.fixture
def cloud(tmp_path, redirected):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    sock = socket.create_server(("127.0.0.1", 0))
    redirected(sock.getsockname()[1])
    cloud = Cloud()
    with LoopThread() as loop:
        cloud.service = loop.run(
            start_speech_service(sock, context, down=lambda: cloud.is_down)
        )
        yield cloud
        loop.run(cloud.service.close())


def online(folder):
    at = VoiceAt(cache=str(folder / "cache"), online=True, command=("true",))
    return open_voice(at, SystemClock())


def test_gtts_speaks_through_the_stand_in(cloud, tmp_path):
    utterance = online(tmp_path).render(TEXT)
    assert utterance.engine.startswith("gtts 2.")
    assert 1.0 < utterance.duration_s < 5.0
    assert cloud.service.spoken == 1


def test_a_second_loudspeaker_needs_no_service(cloud, tmp_path):
    first = online(tmp_path).render(TEXT)
    cloud.is_down = True
    assert online(tmp_path).render(TEXT) == first
    assert cloud.service.spoken == 1


@pytest.mark.skipif(not mp3.is_available(), reason="needs libmp3lame")
def test_the_sound_comes_as_mp3_as_from_the_original(cloud):
    sound = ask_gtts("voice", gtts_recipe(TEXT, "en"), 8.0)
    assert sound[0] == 0xFF
    assert sound[1] & 0xE6 == 0xE2  # MPEG layer III


def test_a_service_that_is_down_falls_back_and_says_so(cloud, tmp_path):
    cloud.is_down = True
    loudspeaker = online(tmp_path)
    detail = loudspeaker.play(loudspeaker.render(TEXT)).detail
    assert detail["engine"].startswith("espeak-ng ")
    assert "503" in detail["fallback"]
    assert not [path for path in Path(tmp_path).rglob("*") if path.suffix == ".mp3"]


def test_no_service_at_all_is_refused(redirected):
    with pytest.raises(DriverRefusedError, match="gTTS: Failed to connect"):
        ask_gtts("voice", gtts_recipe(TEXT, "en"), 8.0)


def test_a_service_that_says_nothing_costs_the_deadline_and_no_more(redirected):
    clock = SystemClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        redirected(silent.getsockname()[1])
        start_s = clock.monotonic_s()
        with pytest.raises(DriverTimeoutError, match=r"no answer within 0\.3 s"):
            ask_gtts("voice", gtts_recipe(TEXT, "en"), 0.3)
        assert clock.monotonic_s() - start_s < 15.0
        # The thread that was left behind is amid the handshake when its peer goes: were
        # it still before it, Python would forget to close the socket.
        link, _ = silent.accept()
        with link:
            assert link.recv(1)
    for thread in threading.enumerate():
        if thread.name == "gtts":
            thread.join(60)


def test_a_language_that_gtts_lacks_is_refused(redirected):
    with pytest.raises(DriverRefusedError, match="Language not supported: xx"):
        ask_gtts("voice", gtts_recipe(TEXT, "xx"), 8.0)


def test_the_deadline_of_the_loudspeaker_reaches_the_engine(tmp_path, monkeypatch):
    asked = []

    def ask(name, recipe, deadline_s):
        asked.append(deadline_s)
        raise DriverTimeoutError(name, "speak", "late")

    monkeypatch.setattr(voice_tts, "ask_gtts", ask)
    at = VoiceAt(cache=str(tmp_path), online=True, command=("true",))
    Loudspeaker("voice", at, None, VirtualClock(), online_deadline_s=3.5).render(TEXT)
    assert asked == [3.5]
