"""The router's name server for whoever is not played: the controller, the phone."""

import contextlib
import socket
import struct
from collections.abc import Callable

from testbed.virtual.house.hosts import CLOUD, NODES
from testbed.virtual.live import topology
from testbed.virtual.live.datagrams import PostOffice

SPEECH_HOST = "translate.google.com"
SPEECH_IP = "203.0.113.200"
EXTRA = {SPEECH_HOST: SPEECH_IP}  # real names that stand-ins of the cloud answer to
_LIFETIME_S = 300
_TYPE_A, _CLASS_IN = 1, 1
_NO_SUCH_NAME, _BAD_QUESTION = 3, 1
_HEADER = struct.Struct(">HHHHHH")


def serve_names(post: PostOffice, dark: Callable[[], bool] = lambda: False) -> None:
    """Answer questions on port 53 of the router, home and management side.

    dark  whether the router reaches no name server, so that nobody gets an answer
    """

    def answer_to(
        sock: socket.socket, question: bytes, sender: tuple[str, int]
    ) -> None:
        if dark():
            return
        with contextlib.suppress(OSError):
            sock.sendto(answer(question), sender)

    for ip in (topology.LAN_ROUTER, topology.MGMT_ROUTER):
        post.welcome(ip, 53, answer_to)


def answer(question: bytes) -> bytes:
    """Return the reply to one DNS question; names of the lab have one address."""
    if len(question) < _HEADER.size:
        return question
    number, flags, *_ = _HEADER.unpack_from(question)
    try:
        name, end = _name(question, _HEADER.size)
        kind, _ = struct.unpack_from(">HH", question, end)
    except (IndexError, struct.error, UnicodeDecodeError):
        return _HEADER.pack(number, 0x8180 | _BAD_QUESTION, 0, 0, 0, 0)
    asked = question[_HEADER.size : end + 4]
    ip = lookup(name)
    code = 0 if ip is not None else _NO_SUCH_NAME
    records = b""
    if ip is not None and kind == _TYPE_A:
        records = struct.pack(">HHHIH", 0xC00C, _TYPE_A, _CLASS_IN, _LIFETIME_S, 4)
        records += socket.inet_aton(ip)
    flags = 0x8080 | (flags & 0x0100) | code
    return _HEADER.pack(number, flags, 1, 1 if records else 0, 0, 0) + asked + records


def lookup(name: str) -> str | None:
    """Return the address of a name, or None; any Google speech domain is the same."""
    name = name.lower().rstrip(".")
    if name.startswith("translate.google."):
        return SPEECH_IP
    if name in NODES:
        return NODES[name].ip
    return CLOUD.get(name)


def _name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(labels), at + 1
