"""Start tshark, and say in one sentence why it did not come to its end.

with said_by(tshark, ["-V"], capture) as lines:
    for line in lines: ...

Its answers stream, so that memory stays flat here; it is stopped when it takes longer
than anyone would wait, and what it did not read is told. Settings and plugins of users
do not count: a protocol that somebody has switched off is read all the same.
"""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from analysis.wireshark import undisturbed

LEAST = (3, 0)  # older ones call many fields differently
REMEDY = f"install tshark {LEAST[0]}.{LEAST[1]} or later"
MOST_S = 1800.0  # for one part of a capture
_BUFFER_B = 1 << 16
_VERSION = re.compile(rb"TShark[^\d]*(\d+)\.(\d+)")


class TsharkError(Exception):
    """It did not read all: why, in words that follow 'was not dissected: '."""


def fault_of_tshark() -> str:
    """Say why tshark cannot be used here; '' when it can."""
    path = shutil.which("tshark")
    return "tshark is not installed" if path is None else _fault_of(path)


@cache
def _fault_of(path: str) -> str:
    try:
        asked = _answer(path, "--version")
    except OSError as exc:
        return f"tshark cannot be started: {exc.strerror}"
    found = _VERSION.search(asked.stdout)
    if asked.returncode or found is None:
        return f"tshark does not tell its version (code {asked.returncode})"
    version = (int(found[1]), int(found[2]))
    return "" if version >= LEAST else f"tshark {version[0]}.{version[1]} is too old"


def _answer(*command: str) -> subprocess.CompletedProcess[bytes]:
    with undisturbed() as environment:
        return subprocess.run(
            command, env=environment, capture_output=True, check=False
        )


def known_fields() -> frozenset[str]:
    """Return the names of all fields of this tshark. Raises TsharkError."""
    return _fields_of(shutil.which("tshark") or "tshark")


@cache
def _fields_of(path: str) -> frozenset[str]:
    asked = _answer(path, "-G", "fields")
    if asked.returncode:
        raise TsharkError(f"tshark does not tell its fields (code {asked.returncode})")
    rows = (line.split(b"\t") for line in asked.stdout.splitlines())
    return frozenset(row[2].decode() for row in rows if len(row) > 2 and row[0] == b"F")


@contextmanager
def said_by(arguments: Sequence[str], capture: Path) -> Iterator[BinaryIO]:
    """Give what tshark says of a capture, as a stream of bytes.

    Raises TsharkError at the end when it stopped early, for whatever reason.
    """
    command = ["tshark", "-r", str(capture), "-n", *arguments]
    late = threading.Event()
    with (
        undisturbed() as environment,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=_BUFFER_B,
        ) as asked,
        _limited(asked, late),
    ):
        errors = _Drain(cast(BinaryIO, asked.stderr))
        try:
            yield cast(BinaryIO, asked.stdout)
        except BaseException:
            asked.kill()
            raise
        code = asked.wait()
        said = errors.end()
    if late.is_set():
        raise TsharkError(f"tshark did not end within {MOST_S:g} s")
    if code:
        raise TsharkError(f"tshark stopped with code {code}{said}")


class Lines:
    """Lines of tshark, one of fields for each packet, of which it counts the good ones.

    told   packets that it told of
    whole  whether each line has all fields, and is of the packet whose turn it is
    """

    def __init__(self, lines: Iterable[bytes], n_fields: int) -> None:
        self._lines = lines
        self._marks = n_fields - 1
        self.told, self.whole = 0, True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the good ones, the first field of which is the number of the packet."""
        for line in self._lines:
            turn = line.startswith(b"%d\t" % (self.told + 1))
            if turn and line.endswith(b"\n") and line.count(b"\t") == self._marks:
                self.told += 1
                yield line
            else:
                self.whole = False


@contextmanager
def _limited(asked: subprocess.Popen[bytes], late: threading.Event) -> Iterator[None]:
    def stop() -> None:
        late.set()
        asked.kill()

    timer = threading.Timer(MOST_S, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Drain:
    """Reads what goes to the error stream, and keeps its last line."""

    def __init__(self, stream: BinaryIO) -> None:
        self._last = b""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            self._last = line.strip() or self._last

    def end(self) -> str:
        """Return the last line, behind a colon; '' where there was none."""
        self._thread.join()
        text = self._last.decode(errors="replace").split(": ")[-1][:120]
        return f": {text}" if text else ""
