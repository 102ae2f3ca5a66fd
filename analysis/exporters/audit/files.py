"""Look into any file: as bytes, and as what its name says that it is."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from analysis.exporters.audit.captures import is_capture, look_at_capture
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
) -> None:
    """Search one file of a folder, its name too.

    step  is told bytes as they are read, each once
    """
    file = path.relative_to(folder).as_posix()
    size_b = path.stat().st_size
    looker.looked_at.files += 1
    looker.looked_at.bytes_b += size_b
    named = View(file=file, reader="name", place=fixed("the name of the file"))
    looker.look(named, file.encode())
    with path.open("rb") as opened:
        _look_within(looker, file, cast(BinaryIO, opened), _DEPTH)
    if path.suffix in TABLES:
        look_at_table(looker, file, path)
    elif path.suffix in DOCUMENTS:
        look_at_document(looker, file, path)
    if not is_capture(file) or not size_b:
        step(size_b)
        return
    try:
        look_at_capture(looker, file, path, step)
    except CaptureError as exc:
        looker.unread(file, f"cannot be read as a capture: {exc.reason}")
    else:
        second.add(file, path)


def _look_within(looker: Looker, file: str, opened: BinaryIO, depth: int) -> None:
    """Search an open file; unpack it first where its bytes say that it is packed."""
    start = opened.read(4)
    opened.seek(0)
    try:
        if start[:2] == b"\x1f\x8b":
            with gzip.open(opened) as inner:
                _bytes(looker, f"{file}", cast(BinaryIO, inner), " in gzip")
        elif start == b"\x28\xb5\x2f\xfd":
            reader = zstandard.ZstdDecompressor().stream_reader(opened)
            with io.BufferedReader(reader) as unpacked:
                _bytes(looker, file, unpacked, " in zstd")
        else:
            _bytes(looker, file, opened, "")
            if start == b"PK\x03\x04" and depth:
                _members(looker, file, opened, depth)
            elif start == b"PK\x03\x04":
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


def _bytes(looker: Looker, file: str, opened: BinaryIO, layer: str) -> None:
    view = View(file=file, reader="bytes", place=lambda n: f"{BYTE}{n}", layer=layer)
    looker.look_at_file(view, opened)
