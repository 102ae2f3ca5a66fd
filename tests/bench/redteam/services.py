"""Secrets in what apps, people and programs say: MQTT, mail, HTTP, calls."""

import base64
import json
import zlib

from tests.bench.redteam.frames import HERE, prefixed, request, tcp, udp
from tests.bench.redteam.home import Home, Plants


def in_mqtt(home: Home) -> Plants:
    """A broker of the home, and what is said to it."""

    def connect(client: str, user: str, word: str) -> list[bytes]:
        body = prefixed("MQTT") + b"\x04\xc2\x00\x3c"
        body += prefixed(client) + prefixed(user) + prefixed(word)
        return tcp(1883, b"\x10" + bytes([len(body)]) + body)

    def publish(topic: str, message: str) -> list[bytes]:
        body = prefixed(topic) + message.encode()
        return tcp(1883, b"\x30" + bytes([len(body)]) + body)

    for kind, values in (
        ("mqtt client", (home.name(2) + home.digits(4), "user", "password")),
        ("mqtt user", ("client", home.name().lower(), "password")),
        ("mqtt password", ("client", "user", home.token(9))),
    ):
        told = max(values, key=lambda v: v not in ("client", "user", "password"))
        yield kind, told, told.encode(), connect(*values)
    name = home.name()
    yield "mqtt topic", name, name.encode(), publish(f"home/{name}/lamp", "on")
    name = home.name(2)
    message = json.dumps({"state": "on", "who": name})
    yield "mqtt message", name, name.encode(), publish("home/lamp", message)


def in_mail(home: Home) -> Plants:
    """FTP, SMTP, POP and IMAP."""
    name = home.name().lower()
    yield "ftp user", name, name.encode(), tcp(21, f"USER {name}\r\n".encode())
    word = home.token(8) + "!"
    yield "ftp password", word, word.encode(), tcp(21, f"PASS {word}\r\n".encode())
    name = home.name()
    yield (
        "ftp file",
        name,
        name.encode(),
        tcp(21, f"STOR {name}-taxes.pdf\r\n".encode()),
    )
    name = home.name().lower()
    packed = base64.b64encode(f"\0{name}\0{home.token(8)}".encode())
    yield "smtp login", name, packed, tcp(25, b"AUTH PLAIN " + packed + b"\r\n")
    name = home.name()
    mail = f"MAIL FROM:<{name}>\r\nRCPT TO:<x>\r\nDATA\r\n".encode()
    yield "smtp sender", name, name.encode(), tcp(25, mail)
    name = home.name()
    text = f"Subject: Alarm\r\n\r\nDear {name}, motion detected\r\n.\r\n".encode()
    yield "mail body", name, name.encode(), tcp(25, b"DATA\r\n", text)
    name = home.name().lower()
    yield "pop user", name, name.encode(), tcp(110, f"USER {name}\r\n".encode())
    word = home.token(10)
    login = f'a1 LOGIN user "{word}"\r\n'.encode()
    yield "imap password", word, word.encode(), tcp(143, login)


def in_http(home: Home) -> Plants:
    """Requests, and what is in them."""

    def get(path: str, *headers: str) -> list[bytes]:
        return tcp(80, request(f"GET {path} HTTP/1.1", *headers))

    def post(body: str | bytes, kind: str = "application/json") -> list[bytes]:
        return tcp(80, request("POST /x HTTP/1.1", f"Content-Type: {kind}", body=body))

    name = home.name().lower()
    basic = base64.b64encode(f"{name}:{home.token(9)}".encode())
    told = f"Authorization: Basic {basic.decode()}"
    yield "http login", name, basic, get("/", told)
    word = home.token(22)
    yield "http key in path", word, word.encode(), get(f"/api/{word}/lights")
    word = home.token(12)
    yield "http key in query", word, word.encode(), get(f"/set?k={word}&on=1")
    word = home.token(16)
    yield "http cookie", word, word.encode(), get("/", f"Cookie: s={word}")
    name = home.name().lower()
    told = f"Referer: http://{name}.dyndns.org/config"
    yield "http referer", name, name.encode(), get("/", told)
    place = home.public_ip()
    yield "home address", place, place.encode(), get("/", f"X-Forwarded-For: {place}")
    name = home.name()
    told = f"User-Agent: Remote/2.1 ({name}s iPhone)"
    yield "phone name", name, name.encode(), get("/", told)
    name = home.name(2)
    yield "name in path", name, name.encode(), get(f"/rooms/{name}/light/on")
    for kind, body in (
        ("name in json", '{"title": "%s"}'),
        ("name in a list", '{"labels": ["on", "%s"]}'),
        ("name as a key", '{"%s": {"on": true}}'),
        ("name in html", "<html><body><h1>Hello %s</h1></body></html>"),
        ("name in xml", "<entry><what>%s</what></entry>"),
        ("name in a form", "step=2&what=%s&on=1"),
    ):
        name = home.name(2)
        yield kind, name, name.encode(), post(body % name)
    name = home.random.choice(("Ida", "Eva", "Ole", "Tom", "Ben", "Kai"))
    text = json.dumps({"greeting": f"hello {name}"})
    yield "short name", name, f"hello {name}".encode(), post(text)
    name = home.name(2)
    text = zlib.compress(json.dumps({"who": name, "on": True}).encode())
    yield "packed body", name, text, post(text, "application/zlib")
    name = home.name(2)
    packed = base64.b64encode(f"owner is {name} today".encode())
    yield "base64 in json", name, packed, post(b'{"blob":"' + packed + b'"}')


def in_numbers(home: Home) -> Plants:
    """What is told by digits."""
    for kind, port, text in (
        ("telephone", 80, f"+49{home.digits(10)}"),
        ("iban", 80, f"DE{home.digits(20)}"),
        ("customer", 80, f"KD-{home.digits(9)}"),
        ("plate", 80, f"{home.name(2)[:3].upper()}-QX {home.digits(4)}"),
    ):
        body = json.dumps({"data": text})
        frames = tcp(port, request("POST /n HTTP/1.1", body=body))
        yield kind, text, text.encode(), frames
    north = f"52.{home.digits(6)}"
    body = json.dumps({"q": [north, f"13.{home.digits(6)}"]})
    yield (
        "place",
        north,
        north.encode(),
        tcp(80, request("POST /n HTTP/1.1", body=body)),
    )
    north = f"48{home.digits(2)}.{home.digits(4)}"
    sentence = f"$GPGGA,101010,{north},N,01131.{home.digits(4)},E,1,08,0.9,545.4,M"
    yield "nmea", north, north.encode(), udp(10110, sentence.encode())


def in_voice(home: Home) -> Plants:
    """RTSP and SIP."""
    word = home.token(9)
    line = f"DESCRIBE rtsp://cam:{word}@{HERE}/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode()
    yield "rtsp password", word, word.encode(), tcp(554, line)
    number, name = home.digits(12), home.name()
    for kind, told in (("sip number", number), ("sip name", name)):
        lines = (
            "REGISTER sip:provider.example SIP/2.0",
            f'From: "{name}" <sip:{number}@provider.example>;tag=1',
            "To: <sip:provider.example>",
            "Call-ID: 1",
            "CSeq: 1 REGISTER",
            *("", ""),
        )
        yield kind, told, told.encode(), udp(5060, "\r\n".join(lines).encode())
