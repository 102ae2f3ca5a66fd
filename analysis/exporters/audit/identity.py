"""Compare what tshark calls identity in captures as recorded and as published.

It rests on no list of what was found: a value of such a field that is the same before
and after, and is not public by its form, is a finding, whoever overlooked it.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

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
from analysis.exporters.audit.looking import Looker
from analysis.exporters.audit.model import SAME, Finding, shown
from analysis.exporters.audit.second import Frames, parts, series
from analysis.exporters.audit.tshark import (
    TsharkError,
    fault_of_tshark,
    known_fields,
    said_by,
)

_FIRST = ("frame.number", "frame.protocols", "tcp.port", "udp.port")
_OPAQUE = {":tcp:data": "tcp", ":udp:data": "udp"}
_CERTIFICATE = ("x509sat.", "x509ce.")
_AND = "\x1f"  # between values of one field
_MOST = 1 << 20  # different values that are kept
_LEAST_WHOLE = 2
_LEAST_HEX = 12
_FEW = 3
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}:?){4,}")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?:[:\-][0-9a-fA-F]{2}){5}")
Key = tuple[str, str]  # field's sort, value
Pair = tuple[str, Path, Path]  # name of the published capture, source, published


@dataclass(slots=True)
class _Kept:
    """A value, and where it was published first."""

    field: str
    file: str
    place: str
    n: int = 0


@dataclass(slots=True)
class _Asked:
    """What is asked of tshark, and what it does not know.

    names    fields that it knows
    unknown  protocol -> one of its fields that it does not know
    opaque   ports, as 'udp/7338', behind which it knows no protocol
    """

    names: tuple[str, ...]
    unknown: dict[str, str] = field(default_factory=dict)
    opaque: set[str] = field(default_factory=set)


def compare(looker: Looker, pairs: Sequence[Pair], judge: Judge) -> frozenset[str]:
    """Add to findings each value of identity that was published as it was recorded.

    Returns ports behind which tshark knows no protocol, as 'udp/7338'.
    """
    if fault_of_tshark():
        return frozenset()  # which is a finding already
    try:
        asked = _asked()
    except TsharkError as exc:
        looker.unread("all captures", f"{exc}")
        return frozenset()
    for group in _series(pairs):
        _compare(looker, group, judge, asked)
    return frozenset(asked.opaque)


def _compare(
    looker: Looker, pairs: Sequence[Pair], judge: Judge, asked: _Asked
) -> None:
    published: dict[Key, _Kept] = {}
    captures = [(file, path) for file, _, path in pairs]
    for name, value, file, place in _values(looker, captures, asked):
        for key in keys(name, value, judge):
            if len(published) >= _MOST:
                why = f"holds more than {_MOST} values of identity"
                looker.unread(file, why)
                return
            kept = published.setdefault(key, _Kept(name, file, place))
            kept.n += 1
    originals: set[Key] = set()
    for name, value, _, _ in _values(looker, [(f, p) for f, p, _ in pairs], asked):
        originals.update(key for key in keys(name, value, judge) if key in published)
    looker.looked_at.identities += len(published)
    of_field: dict[tuple[str, str], list[Key]] = {}
    for key in sorted(originals):
        kept = published[key]
        of_field.setdefault((kept.file, kept.field), []).append(key)
    for found in of_field.values():
        looker.others.append(_finding(found, published))


def _finding(found: Sequence[Key], published: Mapping[Key, _Kept]) -> Finding:
    """Return what is to say of the values of one field in one capture."""
    longest = max(found, key=lambda key: len(key[1]))
    kept = published[longest]
    accept = f"{SAME}:{kept.field}"
    mend = "name in --secrets what must go"
    if longest[0] == ADDRESS:
        mend = "another --key gives other addresses: this one gives one that is there"
    remedy = f"{mend}; who knows that such a field tells nothing: --accept '{accept}'"
    more = f" and {len(found) - 1} more values" if len(found) > 1 else ""
    return Finding(
        file=kept.file,
        place=kept.place,
        kind=SAME,
        encoding=kept.field,
        shown=f"{shown(longest[1])}{more}",
        reader="tshark",
        n=sum(published[key].n for key in found),
        accept=(accept,),
        remedy=remedy,
        words=tuple(key[1] for key in found),
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
    looker: Looker, captures: Sequence[tuple[str, Path]], asked: _Asked
) -> Iterator[tuple[str, str, str, str]]:
    """Yield (field, value, file, place) of all that tshark says of captures."""
    arguments = ["-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={_AND}"]
    for name in (*_FIRST, *asked.names):
        arguments += ["-e", name]
    with tempfile.TemporaryDirectory(prefix="testbed-audit-") as place:
        for part, frames in parts(captures, Path(place)):
            try:
                with said_by(arguments, part) as lines:
                    yield from _read(looker, lines, frames, asked)
            except TsharkError as exc:
                looker.unread(frames.of(1)[0], f"fields of identity: {exc}")


def _read(
    looker: Looker, lines: BinaryIO, frames: Frames, asked: _Asked
) -> Iterator[tuple[str, str, str, str]]:
    for line in lines:
        number, protocols, tcp, udp, *columns = (
            line.decode(errors="replace").rstrip("\n").split("\t")
        )
        file, place = frames.of(int(number))
        if opaque := _OPAQUE.get(protocols[-len(":tcp:data") :]):
            asked.opaque.update(f"{opaque}/{p}" for p in (tcp or udp).split(_AND))
        for protocol in sorted(set(protocols.split(":")) & asked.unknown.keys()):
            name = asked.unknown.pop(protocol)  # it is told once
            looker.unread(file, f"this tshark does not know {name}", name=name)
        said = {
            name: column.split(_AND)
            for name, column in zip(asked.names, columns, strict=False)
            if column
        }
        of_public = any(map(is_public_name, _of_certificates(said)))
        for name, values in said.items():
            if not (of_public and name.startswith(_CERTIFICATE)):
                for value in values:
                    yield name, value, file, place


def _of_certificates(said: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield whose certificates a packet holds: those of public servers tell nobody."""
    for name, values in said.items():
        if name.startswith(_CERTIFICATE):
            yield from (value.removeprefix("*.") for value in values)


def _asked() -> _Asked:
    """Return what can be asked of this tshark. Raises TsharkError."""
    known = known_fields()
    unknown = [name for name in FIELDS if name not in known]
    return _Asked(
        names=tuple(name for name in FIELDS if name in known),
        unknown={name.partition(".")[0]: name for name in unknown},
    )


def _series(pairs: Sequence[Pair]) -> Iterable[list[Pair]]:
    """Group captures that are one rolling capture."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(series(pair[0]), []).append(pair)
    return groups.values()
