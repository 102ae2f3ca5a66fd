"""Compare what tshark calls identity in captures as recorded and as published.

It rests on no list of what was found: a value of such a field that is the same before
and after, and is not public by its form, is a finding, whoever overlooked it.
"""

import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from analysis.exporters.audit import certificates
from analysis.exporters.audit.fields import (
    ADDRESS,
    BYTES,
    CREDENTIALS,
    FIELDS,
    NAME,
    PUBLIC_WHOLE,
    WHOLE,
)
from analysis.exporters.audit.judging import (
    Judge,
    is_public_ip,
    is_public_mac,
    is_public_name,
)
from analysis.exporters.audit.model import SAME, Finding, shown
from analysis.exporters.audit.pairs import Progress, Step, Task
from analysis.exporters.audit.second import MOST_OF_PART, Frames, demand, parts
from analysis.exporters.audit.tshark import (
    Lines,
    TsharkError,
    known_fields,
    said_by,
)
from analysis.pcap.errors import CaptureError

_FIRST = (
    *("frame.number", "frame.protocols", "tcp.port", "udp.port"),
    *certificates.FIELDS,
)
_DATA = b":data"
_OPAQUE = {b":tcp:data": "tcp", b":udp:data": "udp"}
_FILLED = re.compile(rb"[^\t]+")
_TOLD_EACH = 1 << 10  # packets
_MOST_WAITING = 1 << 16  # different cells of a table that wait to be judged
_MOST_ROWS = 1 << 13  # different ones that are known again
_CERTIFICATE = ("x509sat.", "x509ce.", "x509af.")
_AND = "\x1f"  # between values of one field
_MOST = 1 << 20  # different values that are kept
# fields whose addresses the anonymiser replaces, be they harvested or not
_REWRITTEN = (
    *("eth.", "sll.", "arp.", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "igmp."),
    *("icmp", "wlan.addr", "wlan.bssid", "wlan.sa", "wlan.da", "wlan.ta", "wlan.ra"),
    *("dhcp", "dns.a", "stun."),
)
_LEAST_WHOLE = 2
_LEAST_HEX = 12
_FEW = 3
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}:?){4,}")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?:[:\-][0-9a-fA-F]{2}){5}")
Key = tuple[str, str]  # field's sort, value
_InField = tuple[str, Key]  # field, where it is told apart
_Cell = tuple[int, bytes]  # column, what it holds


class Same(NamedTuple):
    """A value that is published as it was recorded, and where it is first."""

    sort: str
    value: str
    field: str
    file: str
    place: str
    n: int


@dataclass(slots=True, kw_only=True)
class Compared:
    """What came of the fields of some captures.

    same        values that were published as recorded
    identities  number of values as published
    opaque      ports, as 'udp/7338', behind which tshark knows no protocol
    unknown     (field that this tshark does not know, though its protocol is there,
                capture)
    unread      (capture, why it was not looked at)
    """

    same: Sequence[Same] = ()
    identities: int = 0
    opaque: Sequence[str] = ()
    unknown: Sequence[Sequence[str]] = ()
    unread: Sequence[Sequence[str]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "Compared":
        """Return what `as_json` made of it."""
        return cls(**{**value, "same": [Same(*each) for each in value["same"]]})


@dataclass(slots=True)
class _Asked:
    """What is asked of tshark, and what it does not know.

    names    fields that it knows
    unknown  protocol -> one of its fields that it does not know
    told     field that it does not know -> capture in which its protocol occurs
    opaque   ports, as 'udp/7338', behind which it knows no protocol
    unread   (capture, why it was not looked at)
    """

    names: tuple[str, ...]
    unknown: Mapping[str, str]
    told: dict[str, str] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)
    unread: list[tuple[str, str]] = field(default_factory=list)
    heard: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, known: Sequence[str]) -> "_Asked":
        """Return what to ask a tshark that knows some of the fields."""
        unknown = [name for name in FIELDS if name not in frozenset(known)]
        protocols = {name.partition(".")[0]: name for name in unknown}
        return cls(names=tuple(known), unknown=protocols)

    def hear(self, protocols: bytes, ports: bytes, file: str) -> None:
        """Take note of protocols and ports of a packet."""
        if protocols.endswith(_DATA) and (kind := _OPAQUE.get(protocols[-9:])):
            self.opaque.update(f"{kind}/{p}" for p in ports.decode().split(_AND))
        if protocols not in self.heard:
            self.heard.add(protocols)
            for each in set(protocols.decode().split(":")) & self.unknown.keys():
                self.told.setdefault(self.unknown[each], file)


@dataclass(slots=True)
class _Kept:
    """A value, and where it was published first."""

    field: str
    frame: tuple[str, str]  # file, place
    n: int = 0


def askable() -> tuple[str, ...]:
    """Return the fields that this tshark knows. Raises TsharkError."""
    known = known_fields()
    return tuple(name for name in FIELDS if name in known)


def compared(task: Task, step: Step) -> Compared:
    """Return each value of identity that was published as it was recorded."""
    progress = Progress(task.size_b, step)
    try:
        return _compared(task, progress)
    except CaptureError as exc:
        why = f"cannot be read as a capture: {exc.reason}"
        files = [file for file, *both in task.pairs if exc.path in both]
        return Compared(unread=[(file, why) for file in files])
    finally:
        progress.at(1)


def _compared(task: Task, progress: Progress) -> Compared:
    asked, judge = _Asked.of(task.known), task.campaign.judge()
    published: dict[_InField, _Kept] = {}
    captures = [(file, path) for file, _, path in task.pairs]
    for name, value, frame, n in _values(captures, asked, progress.within(0, 0.5)):
        for key in keys(name, value, judge):
            if len(published) >= _MOST:
                why = f"holds more than {_MOST} values of identity"
                return Compared(unread=[(frame[0], why)])
            published.setdefault(_in_field(name, key), _Kept(name, frame)).n += n
    values = {key for _, key in published}
    originals: set[Key] = set()
    captures = [(file, path) for file, path, _ in task.pairs]
    for name, value, _, _ in _values(captures, asked, progress.within(0.5, 1)):
        originals.update(key for key in keys(name, value, judge) if key in values)
    return Compared(
        same=[
            Same(*key, kept.field, *kept.frame, kept.n)
            for (_, key), kept in published.items()
            if key in originals
        ],
        identities=len(values),
        opaque=sorted(asked.opaque),
        unknown=sorted(asked.told.items()),
        unread=asked.unread,
    )


def findings_of(all_compared: Iterable[Compared]) -> Iterator[Finding]:
    """Yield a finding for each field of captures that roll on, where it is first."""
    first: dict[_InField, Same] = {}
    for each in (same for one in all_compared for same in one.same):
        key = _in_field(each.field, (each.sort, each.value))
        before = first.get(key)
        first[key] = before._replace(n=before.n + each.n) if before else each
    of_field: dict[tuple[str, str], list[Same]] = {}
    for _, each in sorted(first.items()):
        of_field.setdefault((each.file, each.field), []).append(each)
    for found in of_field.values():
        yield _finding(found)


def _in_field(name: str, key: Key) -> _InField:
    """Return a value and its field, for who lets a field pass lets no other one pass.

    An address is the same in whatever field.
    """
    return "" if key[0] == ADDRESS else name, key


def _finding(found: Sequence[Same]) -> Finding:
    """Return what is to say of the values of one field in one capture."""
    longest = max(found, key=lambda same: len(same.value))
    accept = f"{SAME}:{longest.field}"
    mend = "name in --secrets what must go"
    if longest.sort == ADDRESS:
        mend = "another --key gives other addresses: this one gives one that is there"
        if not longest.field.startswith(_REWRITTEN):
            mend = "nothing replaces it there: --payload headers, or leave it out"
    remedy = f"{mend}; who knows that such a field tells nothing: --accept '{accept}'"
    more = f" and {len(found) - 1} more values" if len(found) > 1 else ""
    return Finding(
        file=longest.file,
        place=longest.place,
        kind=SAME,
        encoding=longest.field,
        shown=f"{shown(longest.value)}{more}",
        reader="tshark",
        n=sum(same.n for same in found),
        accept=(accept,),
        remedy=remedy,
        words=tuple(same.value for same in found),
    )


def keys(name: str, value: str, judge: Judge) -> Iterator[Key]:
    """Yield what of the value of a field could tell of somebody."""
    sort = FIELDS[name]
    if sort == ADDRESS:
        yield from _of_address(value)
    elif sort == NAME:
        yield from _of_name(value, judge)
    else:
        yield from _of_text(name, sort, value, judge)
        if _HEX.fullmatch(value):
            text = bytes.fromhex(value.replace(":", "")).rstrip(b"\0")
            if text.isascii() and text.decode().isprintable():
                yield from _of_text(name, sort, text.decode(), judge)


def _of_address(value: str) -> Iterator[Key]:
    if _MAC.fullmatch(value):
        if not is_public_mac(value):
            yield ADDRESS, value.lower()
    elif not is_public_ip(value):
        yield ADDRESS, value.lower()


def _of_name(value: str, judge: Judge) -> Iterator[Key]:
    bare = value.strip("[]").partition("]:")[0]
    if bare.replace(".", "").replace(":", "").isdigit() and "." in bare:
        yield from _of_address(bare.partition(":")[0])
    elif value.lower().endswith(".arpa"):
        yield NAME, value.lower()
    elif not is_public_name(value.partition(":")[0]):
        labels = (each for each in value.split(".") if not each.startswith("_"))
        for word in judge.telling(".".join(labels)):  # without sorts of services
            yield WHOLE, word


def _of_text(name: str, sort: str, value: str, judge: Judge) -> Iterator[Key]:
    words = list(judge.telling(value))
    for word in words:
        yield WHOLE, word
    if sort == BYTES:
        digits = value.replace(":", "")
        if len(digits) >= _LEAST_HEX and len(set(digits)) > _FEW:
            yield BYTES, value
    elif sort == WHOLE and len(value) >= _LEAST_WHOLE:
        told = bool(words) or any(word in name for word in CREDENTIALS)
        if told and value.lower() not in PUBLIC_WHOLE:
            yield WHOLE, value


def _values(
    captures: Sequence[tuple[str, Path]], asked: _Asked, step: Callable[[float], None]
) -> Iterator[tuple[str, str, tuple[str, str], int]]:
    """Yield (field, value, (file, place), times) of all that tshark says of captures.

    step  is told shares of all, as they are read
    """
    arguments = ["-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={_AND}"]
    for name in (*_FIRST, *asked.names):
        arguments += ["-e", name]
    done = 0.0
    with tempfile.TemporaryDirectory(prefix="testbed-audit-") as place:
        for part, frames in parts(captures, Path(place)):
            # how many parts will follow one that is full nobody knows yet
            end = 1.0 if len(frames) < MOST_OF_PART else (1 + done) / 2
            try:
                with said_by(arguments, part) as lines:
                    good = Lines(lines, len(_FIRST) + len(asked.names))
                    told = _telling(good, step, (done, end), len(frames))
                    yield from _read(told, frames, asked)
                demand(frames, good.told, whole=good.whole)
            except TsharkError as exc:
                why = f"fields of identity: {exc}"
                asked.unread.append((frames.of(1)[0], why))
            done = end


def _telling(
    lines: Iterable[bytes],
    step: Callable[[float], None],
    span: tuple[float, float],
    n: int,
) -> Iterator[bytes]:
    """Yield lines, and tell how many of n there were, as shares of a span."""
    for number, line in enumerate(lines):
        if number % _TOLD_EACH == 0:
            step(span[0] + (span[1] - span[0]) * number / n)
        yield line


def _read(
    lines: Iterable[bytes], frames: Frames, asked: _Asked
) -> Iterator[tuple[str, str, tuple[str, str], int]]:
    """Yield values in the order in which they come first; most come in most packets."""
    of_certificates = {
        column
        for column, name in enumerate(asked.names)
        if name.startswith(_CERTIFICATE)
    }
    counted: dict[_Cell, list[int]] = {}
    rows: dict[bytes, list[list[int]]] = {}  # packets of a conversation tell the same
    for line in lines:
        number, protocols, tcp, udp, tls, dtls, rest = line.rstrip(b"\r\n").split(
            b"\t", len(_FIRST)
        )
        frame = int(number)
        if protocols not in asked.heard or protocols.endswith(_DATA):
            asked.hear(protocols, tcp or udp, frames.of(frame)[0])
        told = tls or dtls
        row = None if told else rows.get(rest)
        if row is None:
            cells = _cells(rest)
            if told:
                public = certificates.public_values(told)
                cells = _private(cells, of_certificates, public)
            row = [counted.setdefault(cell, [frame, 0]) for cell in cells]
            if not told and len(rows) < _MOST_ROWS:
                rows[rest] = row
        times = frames.count(frame)
        for count in row:
            count[1] += times
        if len(counted) > _MOST_WAITING:
            yield from _said(counted, frames, asked.names)
            counted, rows = {}, {}
    yield from _said(counted, frames, asked.names)


def _cells(row: bytes) -> Iterator[_Cell]:
    """Yield (column, what it holds) of those that hold something: few of hundreds."""
    column = last = 0
    for found in _FILLED.finditer(row):
        at = found.start()
        column += row.count(b"\t", last, at)
        yield column, found.group()
        last = at


def _said(
    counted: Mapping[_Cell, Sequence[int]], frames: Frames, names: Sequence[str]
) -> Iterator[tuple[str, str, tuple[str, str], int]]:
    for (column, raw), (frame, n) in counted.items():
        where = frames.of(frame)
        for value in raw.decode(errors="replace").split(_AND):
            yield names[column], value, where, n


def _private(
    cells: Iterable[_Cell], columns: Collection[int], public: frozenset[str]
) -> Iterator[_Cell]:
    """Yield cells without what certificates of public servers say."""
    for column, raw in cells:
        left = certificates.without(raw, public) if column in columns else raw
        if left:
            yield column, left
