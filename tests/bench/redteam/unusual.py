"""Secrets in what few have heard of, and in odd frames."""

import struct

from tests.bench.redteam.frames import ethernet, ipv4, prefixed, tcp, udp
from tests.bench.redteam.home import Home, Plants


def in_databases(home: Home) -> Plants:
    """Servers that someone runs at home."""
    word = home.token(11)
    said = f"*2\r\n$4\r\nAUTH\r\n${len(word)}\r\n{word}\r\n".encode()
    yield "redis password", word, word.encode(), tcp(6379, said)
    name = home.name().lower()
    body = b"\0\x03\0\0user\0" + name.encode() + b"\0database\0home\0\0"
    yield "postgres user", name, name.encode(), tcp(5432, prefixed(body, ">I"))
    name = home.name().lower()
    body = b"\x05\x01" + prefixed(name, ">B") + prefixed("password", ">B")
    said = tcp(1080, b"\x05\x01\x02", body)
    yield "socks user", name, name.encode(), said
    name = home.name(2).lower()
    said = f"NICK {name}\r\nUSER {name} 0 * :x\r\n".encode()
    yield "irc nick", name, name.encode(), tcp(6667, said)
    name = home.name()
    yield "tftp file", name, name.encode(), udp(69, f"\0\1{name}.cfg\0octet\0".encode())
    name = home.name().lower()
    said = f"<stream:stream to='home' from='{name}@home'>".encode()
    yield "xmpp user", name, name.encode(), tcp(5222, said)
    name = home.name()
    body = b"\x40\x01\0\1" + bytes([0xB0 | len(name)]) + name.encode()
    yield "coap path", name, name.encode(), udp(5683, body)
    name = home.name(2).lower()
    keys = [bytes([byte]) for byte in f"login: {name}\r\n".encode()]
    yield "telnet, key by key", name, name.encode(), tcp(23, *keys)


def in_unknown(home: Home) -> Plants:
    """Protocols that nobody has heard of."""
    name = home.name()
    yield "own text", name, name.encode(), tcp(7331, f"SET owner {name};".encode())
    name = home.name()
    body = b"\x02\0\x01\x0a" + prefixed(name, ">B") + b"\x10\0\0\x01\x12\x02on"
    yield "own binary", name, name.encode(), tcp(7332, body)
    name = home.name()
    wide = name.encode("utf-16-le")
    yield "wide letters", name, wide, udp(7333, b"\x01\0\0\x02" + wide + bytes(4))
    name = home.name(2)
    text = f"room={name}\n".encode()
    yield "unknown udp", name, name.encode(), udp(7334, text)
    name = home.name()
    half = len(name) // 2
    said = (f"owner {name[:half]}".encode(), f"{name[half:]} here".encode())
    yield "cut in two", name, name[:half].encode(), tcp(7335, *said)
    name = home.name()
    yield (
        "ping",
        name,
        name.encode(),
        [ipv4(1, b"\x08\0\0\0\0\1\0\1" + name.encode() * 3)],
    )
    name = home.name()
    yield (
        "own ethertype",
        name,
        name.encode(),
        [ethernet(0x88B5, b"\0\1" + name.encode() * 2)],
    )
    name = home.name()
    inner = udp(7336, f"owner {name}".encode())[0][14:]
    yield "tunnel", name, name.encode(), [ipv4(47, b"\0\0\x08\0" + inner)]
    name = home.name()
    whole = struct.pack(">HHHH", 40123, 7337, 108, 0) + b"data " * 8
    rest = f"owner {name} is at home now, says the second half".encode()
    pieces = [ipv4(17, whole[:48], fragment=0x2000), ipv4(17, rest, fragment=6)]
    yield "fragment", name, name.encode(), pieces
    plain, key = f'{{"owner":"{home.name()}"}}'.encode(), 171
    said = bytearray()
    for byte in plain:
        key ^= byte
        said.append(key)
    frames = tcp(9999, prefixed(bytes(said), ">I"))
    yield "autokey", plain.decode(), bytes(said), frames
    unit = home.mac()
    body = b"\0\0\0\x04\x01\x02" + unit + bytes(6)
    yield "mac in bytes", unit.hex(), unit, udp(7338, body)
