"""Secrets that are spelled otherwise: encodings, scripts, numbers in pieces."""

import base64
import json
import struct
from ipaddress import ip_address

from tests.bench.redteam.frames import ethernet, ipv4, prefixed, request, tcp, udp
from tests.bench.redteam.home import Home, Plants


def in_disguise(home: Home) -> Plants:
    """Names that are spelled otherwise, or lie deeper than usual."""

    def post(body: str | bytes) -> list[bytes]:
        return tcp(8080, request("POST /x HTTP/1.1", body=body))

    name = home.name()
    text = name.encode().hex()
    yield "hex", name, text.encode(), post(f'{{"blob":"{text}"}}')
    name = home.name()
    text = "".join(f"\\u{ord(letter):04x}" for letter in name)
    yield "escapes of json", name, text.encode(), post(f'{{"state":"{text}"}}')
    name = home.name()
    text = "".join(f"%{ord(letter):02X}" for letter in name)
    yield "percent", name, text.encode(), post(f"state={text}")
    name = home.name()
    text = "".join(f"&#{ord(letter)};" for letter in name)
    yield "entities", name, text.encode(), post(f"<state>{text}</state>")
    name = home.name()
    wide = name.encode("utf-16-be")
    yield "wide letters, big end first", name, wide, udp(7340, b"\x01\0" + wide)
    name = f"{home.name(2)}\u00fc{home.name(2).lower()}"
    yield (
        "umlaut",
        name,
        name.encode(),
        post(json.dumps({"state": name}, ensure_ascii=False)),
    )
    yield "umlaut of old", name, name.encode("latin-1"), post(name.encode("latin-1"))
    name = home.name().upper()
    text = base64.b32encode(f"owner {name}".encode())
    yield "base32", name, text, post(b'{"blob":"' + text + b'"}')
    name = home.name()
    inner = udp(7341, f"owner {name}".encode())[0][14:]
    tagged = ethernet(0x8100, b"\0\x05\x08\x00" + inner)
    yield "tagged frame", name, name.encode(), [tagged]
    body = (
        struct.pack(">HHHH", 40555, 7342, 8 + 6 + len(name), 0)
        + f"owner {name}".encode()
    )
    ends = ip_address("fd12::31").packed + ip_address("fd12::1").packed
    six = ethernet(
        0x86DD, struct.pack(">IHBB", 6 << 28, len(body), 17, 64) + ends + body
    )
    yield "over ipv6", name, name.encode(), [six]
    name = home.name()
    session = b"\x11\0\0\x01" + struct.pack(">H", 2 + len(inner)) + b"\0\x21"
    inner = udp(7343, f"owner {name}".encode())[0][14:]
    yield "pppoe", name, name.encode(), [ethernet(0x8864, session + inner)]
    name = home.name()
    sctp = struct.pack(">HHII", 7344, 7344, 1, 0) + b"\0\x03" + prefixed(f"own {name}")
    yield "sctp", name, name.encode(), [ipv4(132, sctp)]


SCRIPTS = {
    "cyrillic": "ка ро ми на ле ту во же ши да пе зу",
    "greek": "κα ρο μι να λε του πε ζη θα δω φι ξε",
    "arabic": "كا رو مي نا لي تو بي زا شا دو في جا",
    "chinese": "王 芳 张 伟 李 娜 陈 静 刘 洋 赵 敏",
    "korean": "김 철 수 박 영 희 이 민 준 최 서 연",
}


def in_any_script(home: Home) -> Plants:
    """Names that no ASCII spells, in texts and among bytes."""

    def name_in(script: str, n: int) -> str:
        return "".join(home.random.choices(SCRIPTS[script].split(), k=n))

    for script in SCRIPTS:
        n = 2 if script == "chinese" else 3
        name = name_in(script, n)
        text = json.dumps({"scene": name, "state": "on"}, ensure_ascii=False)
        yield f"{script} in json", name, name.encode(), tcp(7350, text.encode())
        name = name_in(script, n)
        body = b"\x0a" + prefixed(name, ">B") + b"\x10\x01"
        yield f"{script} in fields", name, name.encode(), udp(7351, body)
    for script, encoding in (
        ("cyrillic", "cp1251"),
        ("cyrillic", "koi8-r"),
        ("greek", "cp1253"),
        ("chinese", "gbk"),
        ("korean", "euc-kr"),
    ):
        name = name_in(script, 4)
        raw = name.encode(encoding)
        yield f"{script} as {encoding}", name, raw, tcp(7352, b'{"x":"' + raw + b'"}')
    for encoding in ("utf-16-le", "utf-16-be"):
        name = name_in("cyrillic", 4)
        raw = name.encode(encoding)
        body = b"\0\x01\x02\x03" + raw
        yield f"cyrillic as {encoding}", name, raw, udp(7353, body)


def in_pieces(home: Home) -> Plants:
    """Telephone numbers that look like times, or are parted."""
    for kind, text in (
        ("mobile", f"0176{home.digits(7)}"),
        ("like an epoch", f"175{home.digits(7)}"),
        ("like a date", f"2046{home.digits(4)}"),
        ("parted", f"0176 {home.digits(7)}"),
        ("parted by a slash", f"0731/{home.digits(6)}"),
    ):
        frames = tcp(7354, json.dumps({"notifyTo": text}).encode())
        yield f"telephone, {kind}", text, text.encode(), frames
