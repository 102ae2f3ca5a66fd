"""Name activities by what devices say in plain text (section 3.4 of the paper).

For devices that say little and do not encrypt it. A *message* is what one side sends
in a flow before the other answers, decoded to text, with the fields masked that differ
from time to time. A window's messages go each to the nearest training message by
normalised Levenshtein distance; the window is the activity whose training windows most
often hold these messages and miss the others (Bernoulli naive Bayes over presence).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.packets import PacketTable
from analysis.pcap.decode import decode_frames
from analysis.pcap.reader import Frames, read_frames
from analysis.windows import IDLE_ACTIVITY, Windows

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Labels = NDArray[np.str_]

UNKNOWN = "unknown"  # the answer when no message of a window is like a known one

_TCP, _UDP = 6, 17
_KASA_PORT = 9999
_KASA_KEY = 171
# Random bytes, as in TLS, are printable for 37 in 100; a run of eight is 1 in 2,800.
_RUN = re.compile(rb"[\t\r\n\x20-\x7e]{8,}")
_PLAIN_SHARE = 0.5
_BRACKETED = re.compile(rb"[{\[<].*[}\]>]", re.DOTALL)
# Identifiers in hexadecimal, MAC addresses, and numbers of two digits or more. One
# digit alone is kept: 0 and 1 are off and on.
_VARIABLE = re.compile(
    r"\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*\b"
    r"|\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b"
    r"|-?\d+(?:\.\d+)+|-?\d{2,}|-\d"
)
_LONGEST = 2000  # characters of a message; the edit distance grows with the square
_MOST_OPEN = 2  # captures
_MOST = 2000  # distinct messages; to compare all with all takes some 20 s
_PERCENT = 99.0
# Where training messages are all alike their distances are 0; one field may still vary.
_SMALLEST_RADIUS = 0.05
_PRIOR = 0.5  # windows added with and without each message (Jeffreys)


class TooMuchTextError(AnalysisError):
    """A device says too many different things for distances between all of them."""


class Captures:
    """The raw captures of a campaign, to look up the payload of packets.

    Of the files only the two last asked for are open: windows come in order of time,
    and one may reach from a capture into the next.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._paths = {path.name: path for path in files}
        self._open: dict[str, tuple[Frames, NDArray[np.int32]]] = {}

    def payload(self, capture: str, frame: int, size_b: int) -> bytes:
        """Return what was captured of a packet's payload of `size_b` bytes.

        capture, frame  name of the file and number of the packet in it, from 1

        Raises CaptureError when the file cannot be read or is damaged.
        """
        frames, payload_at = self._opened(capture)
        at = int(payload_at[frame - 1])
        return frames.frame(frame - 1)[at : at + size_b]

    def _opened(self, capture: str) -> tuple[Frames, NDArray[np.int32]]:
        held = self._open.pop(capture, None)
        if held is None:
            while len(self._open) >= _MOST_OPEN:
                del self._open[next(iter(self._open))]
            frames = read_frames(self._paths[capture])
            held = frames, decode_frames(frames).payload_at
        self._open[capture] = held  # those asked for last come last
        return held


def messages_of(
    captures: Captures, table: PacketTable, windows: Windows
) -> tuple[tuple[str, ...], ...]:
    """Return the distinct messages of each window in plain text, masked, in order.

    table  the packets that `windows` were cut from
    """
    pairs = zip(windows.first.tolist(), windows.last.tolist(), strict=True)
    return tuple(_window(captures, table, first, last) for first, last in pairs)


def plain_text(payload: bytes) -> str:
    """Return the text in a payload, '' when less than half of it is text.

    Of text between binary fields only what is in brackets is kept, if any is: the
    characters at its ends are as likely bytes of a length or checksum.
    """
    runs = _RUN.findall(payload)
    if not runs or sum(map(len, runs)) < _PLAIN_SHARE * len(payload):
        return ""
    if len(runs[0]) < len(payload):
        runs = [m.group() if (m := _BRACKETED.search(run)) else run for run in runs]
    return "\n".join(run.decode("ascii") for run in runs)


def masked(text: str) -> str:
    """Return the text with numbers, identifiers and addresses as '#'."""
    return _VARIABLE.sub("#", text)[:_LONGEST]


def decode_kasa(payload: bytes, *, framed: bool) -> bytes:
    """Undo the XOR autokey cipher of TP-Link's Kasa devices (start 171).

    framed  each message has its length in four bytes before it, as over TCP
    """
    if not framed:
        return _autokey(payload)
    out = bytearray()
    at = 0
    while at + 4 < len(payload):
        size_b = int.from_bytes(payload[at : at + 4], "big")
        out += _autokey(payload[at + 4 : at + 4 + size_b])
        at += 4 + size_b
    return bytes(out)


def distances(texts: Sequence[str]) -> Float64:
    """Return (u, u) float64: Levenshtein distances, each over the longer length."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    apart = cdist(
        texts, texts, scorer=Levenshtein.normalized_distance, dtype=np.float64
    )
    return np.asarray(apart, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All distinct messages of some windows, and how far they are from each other.

    texts    the u messages;  apart  (u, u) float64
    present  (k, u) bool, whether window i holds message j
    """

    texts: tuple[str, ...]
    apart: Float64
    present: NDArray[np.bool_]


def vocabulary(messages: Sequence[Sequence[str]]) -> Vocabulary:
    """Deduplicate the messages of k windows and measure their distances, once.

    Raises TooMuchTextError for more than 2,000 distinct messages.
    """
    texts = tuple(sorted({text for window in messages for text in window}))
    if len(texts) > _MOST:
        raise TooMuchTextError(
            f"{len(texts)} different messages in plain text are too many to compare "
            f"all with all (more than {_MOST})"
        )
    number = {text: i for i, text in enumerate(texts)}
    present = np.zeros((len(messages), len(texts)), dtype=bool)
    for i, window in enumerate(messages):
        present[i, [number[text] for text in window]] = True
    apart = distances(texts) if texts else np.zeros((0, 0))
    return Vocabulary(texts=texts, apart=apart, present=present)


class PayloadMatcher:
    """Learns which messages windows of an activity hold; see the module.

    Windows are given as rows of the vocabulary. Distances between texts are not learnt;
    which messages are known, their activities and the radius are, from training rows.

    radius  the farthest that a message may be from the nearest known one: the 99th
            percentile of the distances to the same activity in other sessions
    """

    def __init__(self, known: Vocabulary) -> None:
        self._all = known
        self.classes_: Labels = np.zeros(0, dtype=np.str_)
        self.radius = _SMALLEST_RADIUS

    def fit(self, rows: Int64, activity: Labels, session: Labels) -> "PayloadMatcher":
        """Learn from windows `rows` with (k,) activities and sessions."""
        present = self._all.present[rows]
        self._known = np.flatnonzero(present.any(axis=0))
        self.classes_ = np.unique(activity)
        held = np.array([present[activity == a].sum(axis=0) for a in self.classes_])
        size = np.array([(activity == a).sum() for a in self.classes_])[:, None]
        share = (held[:, self._known] + _PRIOR) / (size + 2 * _PRIOR)
        self._there, self._missing = np.log(share), np.log1p(-share)
        within = self._within(present, activity, session)
        if within.size:
            farthest = float(np.percentile(within, _PERCENT))
            self.radius = max(_SMALLEST_RADIUS, farthest)
        return self

    def predict(self, rows: Int64) -> Labels:
        """Return (k,) str: the activity of each window, or UNKNOWN.

        Where `idle` was learnt, a window without a message is idle.
        """
        return np.array([self._name(row) for row in rows], dtype=np.str_)

    def _name(self, row: int) -> str:
        said = np.flatnonzero(self._all.present[row])
        if not said.size and IDLE_ACTIVITY in self.classes_:
            return IDLE_ACTIVITY
        if not said.size or not self._known.size:
            return UNKNOWN
        apart = self._all.apart[np.ix_(said, self._known)]
        nearest = apart.argmin(axis=1)[apart.min(axis=1) <= self.radius]
        if not nearest.size:
            return UNKNOWN
        there = np.zeros(self._known.size, dtype=bool)
        there[nearest] = True
        likely = np.where(there, self._there, self._missing).sum(axis=1)
        return str(self.classes_[likely.argmax()])

    def _within(
        self, present: NDArray[np.bool_], activity: Labels, session: Labels
    ) -> Float64:
        """Return how far messages are from their activity's in other sessions."""
        found: list[Float64] = []
        for name in self.classes_:
            mine = activity == name
            for day in np.unique(session[mine]):
                here = present[mine & (session == day)].any(axis=0)
                elsewhere = present[mine & (session != day)].any(axis=0)
                if here.any() and elsewhere.any():
                    found.append(self._all.apart[np.ix_(here, elsewhere)].min(axis=1))
        return np.concatenate(found) if found else np.zeros(0)


def _window(
    captures: Captures, table: PacketTable, first: int, last: int
) -> tuple[str, ...]:
    """Join the payloads of each flow while one side speaks; UDP is not joined."""
    turns: list[tuple[bool, bool, bytearray]] = []
    latest: dict[int, int] = {}
    for i in range(first, last):
        protocol = int(table.protocol[i])
        if not table.payload_b[i] or protocol not in (_TCP, _UDP):
            continue
        capture = table.captures[int(table.capture[i])]
        size_b = int(table.payload_b[i])
        payload = captures.payload(capture, int(table.frame[i]), size_b)
        outbound, flow = bool(table.outbound[i]), int(table.flow[i])
        turn = latest.get(flow)
        if protocol == _TCP and turn is not None and turns[turn][0] == outbound:
            turns[turn][2].extend(payload)
            continue
        kasa = _KASA_PORT in (int(table.src_port[i]), int(table.dst_port[i]))
        latest[flow] = len(turns)
        if kasa and protocol == _UDP:
            payload, kasa = decode_kasa(payload, framed=False), False
        turns.append((outbound, kasa, bytearray(payload)))
    said = (_said(*turn) for turn in turns)
    return tuple(dict.fromkeys(text for text in said if text))


def _said(outbound: bool, kasa: bool, payload: bytearray) -> str:
    data = bytes(payload)
    text = masked(plain_text(decode_kasa(data, framed=True) if kasa else data))
    return f"{'>' if outbound else '<'}{text}" if text else ""


def _autokey(data: bytes) -> bytes:
    """Each byte is XORed with the cipher byte before it."""
    cipher = np.frombuffer(data, dtype=np.uint8)
    key = np.concatenate((np.array([_KASA_KEY], dtype=np.uint8), cipher[:-1]))
    return (cipher ^ key[: cipher.size]).tobytes()
