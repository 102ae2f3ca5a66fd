"""A capture tool on a router whose clock is wrong.

    python -I -S skew.py SKEW.json REAL_TOOL [ARGUMENT...]

All namespaces share one real clock, so the virtual router's is made wrong afterwards:
the real tool runs as told, and the stamps of each file are rewritten in place before
anyone learns that the file is finished. Files are finished when the tool opens the
next one, or ends; their names are then given to whom the command line says (`-b
printname:stdout`, tcpdump's `-z`). With nothing but the standard library, since it is
started for every capture.
"""

import contextlib
import ctypes
import json
import mmap
import os
import selectors
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1
_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_RESOLUTION, _START, _END = 9, 2, 3  # options
_PCAP_MAGICS = {0xA1B2C3D4: 10**6, 0xA1B23C4D: 10**9}


@dataclass(frozen=True)
class Skew:
    """How wrong the clock is: an offset, a drift since `start_ns`, and steps.

    steps  (true instant, by how much), ns
    drops  [from, to) in true ns: packets that the tool is to have lost
    """

    start_ns: int
    offset_ns: int
    drift_ppm: float
    steps: tuple[tuple[int, int], ...] = ()
    drops: tuple[tuple[int, int], ...] = ()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it from a JSON file."""
        values = json.loads(path.read_text(encoding="ascii"))
        for key in ("steps", "drops"):
            values[key] = tuple((a, b) for a, b in values.get(key, ()))
        return cls(**values)

    def at(self, true_ns: int) -> int:
        """Return what the router's clock shows at a true instant."""
        elapsed_us = (true_ns - self.start_ns) / 1e3
        drifted_ns = round(elapsed_us * self.drift_ppm / 1e3)
        stepped_ns = sum(by_ns for at_ns, by_ns in self.steps if at_ns <= true_ns)
        return true_ns + self.offset_ns + drifted_ns + stepped_ns

    def is_lost(self, true_ns: int) -> bool:
        """Say whether a packet of a true instant was dropped."""
        return any(first <= true_ns < last for first, last in self.drops)


def correct(path: Path, values: Path) -> int:
    """Make a finished file what the router would have made; return packets dropped.

    It is noted beside `values`, since a stamp must not be moved twice.
    """
    skew = Skew.load(values)
    n_dropped = drop(path, skew) if skew.drops else 0
    rewrite(path, skew)
    with noted(values).open("a", encoding="utf-8") as file:
        file.write(f"{path}\n")
    return n_dropped


def noted(values: Path) -> Path:
    """Return the file that lists the captures that were corrected."""
    return values.with_name("corrected")


def drop(path: Path, skew: Skew) -> int:
    """Take packets out of a pcapng file that was not rewritten yet; return how many."""
    data = path.read_bytes()
    if data[:4] != _SECTION.to_bytes(4, "little"):
        return 0
    kept, n_dropped, at = bytearray(), 0, 0
    while at + 28 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or at + length > len(data):
            break
        high, low = struct.unpack_from("<II", data, at + 12)
        # dumpcap's stamps are in ns
        lost = kind == _PACKET and skew.is_lost(_as_ns(high << 32 | low))
        n_dropped += lost
        kept += b"" if lost else data[at : at + length]
        at += length
    if n_dropped:
        path.write_bytes(bytes(kept) + data[at:])
    return n_dropped


def _as_ns(stamp: int) -> int:
    """Return ns since 1970 of a stamp in ns or us, which cannot be confused."""
    return stamp if stamp > 10**17 else stamp * 1000


def rewrite(path: Path, skew: Skew) -> None:
    """Rewrite all stamps of a pcap or pcapng file in place; a cut end is left."""
    with path.open("r+b") as file:
        if os.fstat(file.fileno()).st_size < 24:
            return
        with mmap.mmap(file.fileno(), 0) as data:
            (magic,) = struct.unpack_from("<I", data)
            if magic == _SECTION:
                _rewrite_pcapng(data, skew)
            else:
                _rewrite_pcap(data, skew)


def _rewrite_pcap(data: mmap.mmap, skew: Skew) -> None:
    for order in ("<", ">"):
        (magic,) = struct.unpack_from(f"{order}I", data)
        if magic in _PCAP_MAGICS:
            break
    else:
        return
    ticks = _PCAP_MAGICS[magic]
    head = struct.Struct(f"{order}IIII")
    at = 24
    while at + head.size <= len(data):
        seconds, rest, kept, length = head.unpack_from(data, at)
        stamp_ns = skew.at(seconds * 10**9 + rest * (10**9 // ticks))
        seconds, rest_ns = divmod(stamp_ns, 10**9)
        head.pack_into(data, at, seconds, rest_ns // (10**9 // ticks), kept, length)
        at += head.size + kept


def _rewrite_pcapng(data: mmap.mmap, skew: Skew) -> None:
    order, ticks = "<", list[int]()
    at = 0
    while at + 12 <= len(data):
        (kind,) = struct.unpack_from(f"{order}I", data, at)
        if kind == _SECTION:
            (mark,) = struct.unpack_from("<I", data, at + 8)
            order, ticks = ("<" if mark == 0x1A2B3C4D else ">"), []
        (length,) = struct.unpack_from(f"{order}I", data, at + 4)
        if length < 12 or at + length > len(data):
            return
        if kind == _INTERFACE:
            ticks.append(_ticks_per_s(data, at, length, order))
        elif kind in (_PACKET, _STATISTICS):
            (interface,) = struct.unpack_from(f"{order}I", data, at + 8)
            rate = ticks[interface] if interface < len(ticks) else 10**6
            _move(data, at + 12, order, rate, skew)
            if kind == _STATISTICS:
                for code, where in _options(data, at + 20, at + length - 4, order):
                    if code in (_START, _END):
                        _move(data, where, order, rate, skew)
        at += length


def _move(data: mmap.mmap, at: int, order: str, rate: int, skew: Skew) -> None:
    high, low = struct.unpack_from(f"{order}II", data, at)
    true_ns = (high << 32 | low) * 10**9 // rate
    stamp = -(-skew.at(true_ns) * rate // 10**9) if rate < 10**9 else skew.at(true_ns)
    struct.pack_into(f"{order}II", data, at, stamp >> 32, stamp & 0xFFFFFFFF)


def _ticks_per_s(data: mmap.mmap, at: int, length: int, order: str) -> int:
    for code, where in _options(data, at + 16, at + length - 4, order):
        if code == _RESOLUTION:
            power = data[where]
            return int(2 ** (power & 0x7F) if power & 0x80 else 10**power)
    return 10**6


def _options(
    data: mmap.mmap, at: int, end: int, order: str
) -> Iterator[tuple[int, int]]:
    while at + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", data, at)
        if code == 0:
            return
        yield code, at + 4
        at += 4 + length + (-length) % 4


@dataclass(frozen=True)
class Order:
    """What a command line asks of a capture tool."""

    command: list[str]  # without what we do in the tool's place
    target: Path | None
    prints: bool
    after: str | None


def understand(command: list[str]) -> Order:
    """Read what matters here from a capture tool's command line."""
    tool = Path(command[0]).name
    kept, target, prints, after = [command[0]], None, False, None
    words = iter(command[1:])
    for word in words:
        if word == "-w":
            name = next(words, "")
            target = Path(name) if name not in ("", "-") else None
            kept += [word, name]
        elif word == "-z" and tool == "tcpdump":
            after = next(words, None)
        elif word == "-b" and tool != "tcpdump":
            rule = next(words, "")
            prints = prints or rule == "printname:stdout"
            kept += [] if rule == "printname:stdout" else [word, rule]
        else:
            kept.append(word)
    return Order(kept, target, prints, after)


class Desk:
    """Finished files pass here: their stamps are rewritten, then they are told."""

    def __init__(self, order: Order, target: Path, values: Path) -> None:
        self.n_dropped = 0
        self._order = order
        self._values = values
        self._folder = target.parent
        # tcpdump's names are strftime patterns, dumpcap's have a number in between
        self._prefix = target.name.split("%")[0] if "%" in target.name else target.stem
        self._known = {path.name for path in self._files()}

    def _files(self) -> list[Path]:
        return [p for p in self._folder.iterdir() if p.name.startswith(self._prefix)]

    def collect(self, *, ended: bool) -> None:
        """Deal with all files but the one that is being written."""
        found = []
        for path in self._files():
            if path.name not in self._known:
                with contextlib.suppress(FileNotFoundError):
                    found.append((path.stat().st_mtime_ns, path.name, path))
        found.sort()
        for _, name, path in found if ended else found[:-1]:
            self._known.add(name)
            with contextlib.suppress(FileNotFoundError):
                self.n_dropped += correct(path, self._values)
            self._tell(path)

    def _tell(self, path: Path) -> None:
        if self._order.prints:
            sys.stdout.write(f"{path}\n")
            sys.stdout.flush()
        if self._order.after is not None:
            subprocess.run([self._order.after, str(path)], check=False)


def main(arguments: list[str]) -> NoReturn:
    """Run a capture tool; end as it ends."""
    order = understand(arguments[1:])
    if order.target is None:
        os.execv(arguments[1], arguments[1:])  # noqa: S606 - full path of a tool
    desk = Desk(order, order.target, Path(arguments[0]))
    child = subprocess.Popen(order.command, stdout=subprocess.PIPE, preexec_fn=_tied)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda n, _: child.send_signal(n))
    with selectors.DefaultSelector() as selector:
        if child.stdout is not None:
            selector.register(child.stdout, selectors.EVENT_READ)
        while child.poll() is None:
            for key, _ in selector.select(_POLL_S):
                text = os.read(key.fd, 65536)
                if text:
                    os.write(1, text)
                else:
                    selector.unregister(key.fileobj)
            desk.collect(ended=False)
    desk.collect(ended=True)
    if desk.n_dropped:
        sys.stderr.write(f"{desk.n_dropped} packets dropped from the interface\n")
    code = child.returncode
    sys.exit(code if code >= 0 else 128 - code)


def _tied() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
