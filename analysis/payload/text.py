"""What is text in a payload, without the fields that differ from time to time."""

import json
import re
from itertools import islice

import numpy as np

_KASA_KEY = 171
# Random bytes, as in TLS, are printable for 37 in 100; a run of eight is 1 in 2,800.
_RUN = re.compile(rb"[\t\r\n\x20-\x7e]{8,}")
_PLAIN_SHARE = 0.5
_BRACKET = re.compile(r"[{\[]")
# JSON is looked for at so many brackets of a run: each look may read the whole run.
_MOST_TRIED = 20
_OPENING = re.compile(r"[{\[<]")
# Identifiers in hexadecimal, MAC addresses, and numbers of two digits or more. One
# digit alone is kept: 0 and 1 are off and on.
_VARIABLE = re.compile(
    r"\b(?=[0-9a-fA-F-]{0,64}\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*\b"
    r"|\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b"
    r"|-?\d+(?:\.\d+)+|-?\d{2,}|-\d"
)
_LONGEST = 2000  # characters of a message; the edit distance grows with the square
_MASKED = 10 * _LONGEST  # characters that are masked; what is left is shorter


def plain_text(payload: bytes) -> str:
    """Return the text in a payload, '' when less than half of it is text.

    Of text between binary fields only the JSON is kept, or else what is in brackets, if
    there is any: the characters at its ends are as likely bytes of a length or
    checksum.
    """
    runs = _RUN.findall(payload)
    if not runs or sum(map(len, runs)) < _PLAIN_SHARE * len(payload):
        return ""
    texts = [run.decode("ascii") for run in runs]
    if len(runs[0]) < len(payload):
        texts = [_enclosed(text) for text in texts]
    return "\n".join(texts)


def masked(text: str) -> str:
    """Return the text with numbers, identifiers and addresses as '#'."""
    return _VARIABLE.sub("#", text[:_MASKED])[:_LONGEST]


def decode_kasa(payload: bytes, *, framed: bool) -> bytes:
    """Undo the XOR autokey cipher of TP-Link's Kasa devices (start 171).

    framed  each message has its length in four bytes before it, as over TCP
    """
    return b"".join(kasa_messages(payload)) if framed else _autokey(payload)


def kasa_messages(stream: bytes) -> list[bytes]:
    """Return the messages, decoded, that one side of a TCP connection sent.

    The last is as long as there is of it.
    """
    found = []
    at = 0
    while at + 4 < len(stream):
        size_b = int.from_bytes(stream[at : at + 4], "big")
        found.append(_autokey(stream[at + 4 : at + 4 + size_b]))
        at += 4 + size_b
    return found


def _enclosed(text: str) -> str:
    """Return the first JSON object or list in a text, else what is in brackets."""
    decoder = json.JSONDecoder()
    for bracket in islice(_BRACKET.finditer(text), _MOST_TRIED):
        start = bracket.start()
        try:
            value, end = decoder.raw_decode(text, start)
        except RecursionError:  # the next bracket is hardly less deep
            break
        except ValueError:
            continue
        if value:
            return text[start:end]
    opening = _OPENING.search(text)
    first = opening.start() if opening else len(text)
    end = max(map(text.rfind, "}]>")) + 1
    return text[first:end] if first < end else text


def _autokey(data: bytes) -> bytes:
    """Each byte is XORed with the cipher byte before it."""
    if not data:  # zeros on Kasa's port are many messages of no length
        return b""
    cipher = np.frombuffer(data, dtype=np.uint8)
    key = np.concatenate((np.array([_KASA_KEY], dtype=np.uint8), cipher[:-1]))
    return (cipher ^ key[: cipher.size]).tobytes()
