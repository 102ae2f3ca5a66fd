"""Look into any file: as bytes, and as what its name says that it is."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from analysis.exporters.audit.captures import (
    is_capture,
    look_at_capture,
    place_in_capture,
)
from analysis.exporters.audit.chance import take_back_packed
from analysis.exporters.audit.looking import BYTE, Looker, View, fixed
from analysis.exporters.audit.second import SecondReader
from analysis.exporters.audit.tables import (
    DOCUMENTS,
    TABLES,
    look_at_document,
    look_at_table,
)
from analysis.pcap.errors import CaptureError

_DEPTH = 3
_DAMAGED = (
    *(OSError, EOFError, zlib.error, zstandard.ZstdError, zipfile.BadZipFile),
    RuntimeError,  # of a zip: a password, or a packing that is not known
)
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_UNKNOWN_PACKING = {
    b"\xfd7zX": "xz",
    b"BZh9": "bzip2",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"\x04\x22\x4d\x18": "LZ4",
}


def look_at_path(
    looker: Looker,
    second: SecondReader,
    folder: Path,
    path: Path,
    step: Callable[[int], None],
    *,
    searched: bool = False,
) -> None:
    """Search one file of a folder, its name too.

    step      is told bytes as they are read: of a capture, 4 of 10 as they are searched
              and 3 of 10 as its packets are read; the rest is the second reader's
    searched  whether the bytes are searched elsewhere, by `look_at_part`; then findings
              are placed by whoever has them all
    """
    file = path.relative_to(folder).as_posix()
    size_b = path.stat().st_size
    looker.looked_at.files += 1
    looker.looked_at.bytes_b += size_b
    named = View(file=file, reader="name", place=fixed("the name of the file"))
    looker.look(named, file.encode())
    captured = is_capture(file) and size_b > 0
    told = _tenths(step, 4 if captured else 10)
    if not searched:
        with path.open("rb") as opened:
            _look_within(looker, file, cast(BinaryIO, opened), _DEPTH, told)
    if path.suffix in TABLES:
        take_back_packed(looker, file)
        look_at_table(looker, file, path)
    elif path.suffix in DOCUMENTS:
        look_at_document(looker, file, path)
    if captured:
        _look_at_packets(looker, second, (file, path), _tenths(step, 3), searched)


def look_at_part(
    looker: Looker,
    folder: Path,
    path: Path,
    part: tuple[int, int],
    step: Callable[[int], None],
) -> None:
    """Search bytes of a capture that is not packed, of what begins in a part of it."""
    file = path.relative_to(folder).as_posix()
    view = View(file=file, reader="bytes", place=lambda n: f"{BYTE}{n}")
    with path.open("rb") as opened:
        told = _tenths(step, 4)
        looker.look_at_file(view, cast(BinaryIO, opened), part=part, step=told)


def is_plain(path: Path) -> bool:
    """Say whether the bytes of a file are searched as they lie there."""
    with path.open("rb") as opened:
        start = opened.read(4)
    return start[:2] != _GZIP and start not in (_ZSTD, _ZIP, *_UNKNOWN_PACKING)


def place_findings(looker: Looker, folder: Path, path: Path) -> None:
    """Name the packets of what was found in the bytes of a capture."""
    file = path.relative_to(folder).as_posix()
    with suppress(CaptureError):  # whoever read its packets told
        place_in_capture(looker, file, path)


def _look_at_packets(
    looker: Looker,
    second: SecondReader,
    capture: tuple[str, Path],
    step: Callable[[int], None],
    searched: bool,
) -> None:
    file, path = capture
    try:
        look_at_capture(looker, file, path, step)
        if not searched:
            place_in_capture(looker, file, path)
        second.add(file, path)
    except CaptureError as exc:
        looker.unread(file, f"cannot be read as a capture: {exc.reason}")


def _tenths(step: Callable[[int], None], share: int) -> Callable[[int], None]:
    """Return what tells so many tenths of the bytes that it is told."""
    seen = 0

    def told(size_b: int) -> None:
        nonlocal seen
        before, seen = seen, seen + size_b
        step(seen * share // 10 - before * share // 10)

    return told


def _look_within(
    looker: Looker,
    file: str,
    opened: BinaryIO,
    depth: int,
    step: Callable[[int], None] | None = None,
) -> None:
    """Search an open file; unpack it first where its bytes say that it is packed."""
    start = opened.read(4)
    opened.seek(0)
    try:
        if start[:2] == _GZIP:
            with gzip.open(opened) as inner:
                _bytes(looker, f"{file}", cast(BinaryIO, inner), " in gzip")
        elif start == _ZSTD:
            reader = zstandard.ZstdDecompressor().stream_reader(opened)
            with io.BufferedReader(reader) as unpacked:
                _bytes(looker, file, unpacked, " in zstd")
        else:
            _bytes(looker, file, opened, "", step)
            if start == _ZIP and depth:
                _members(looker, file, opened, depth)
            elif start == _ZIP:
                looker.unread(file, "is packed in too many layers")
            elif start in _UNKNOWN_PACKING:
                looker.unread(file, f"is packed as {_UNKNOWN_PACKING[start]}")
    except _DAMAGED as exc:
        looker.unread(file, f"cannot be unpacked: {exc}")


def _members(looker: Looker, file: str, opened: BinaryIO, depth: int) -> None:
    opened.seek(0)
    with zipfile.ZipFile(opened) as archive:
        for member in archive.infolist():
            name = f"{file}/{member.filename}"
            view = View(file=name, reader="name", place=fixed("a name inside"))
            looker.look(view, member.filename.encode())
            if member.is_dir():
                continue
            with archive.open(member) as inner:
                looker.looked_at.unpacked_b += member.file_size
                _look_within(looker, name, cast(BinaryIO, inner), depth - 1)


def _bytes(
    looker: Looker,
    file: str,
    opened: BinaryIO,
    layer: str,
    step: Callable[[int], None] | None = None,
) -> None:
    view = View(file=file, reader="bytes", place=lambda n: f"{BYTE}{n}", layer=layer)
    looker.look_at_file(view, opened, step=step)
