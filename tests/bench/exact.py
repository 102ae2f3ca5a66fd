"""Compare every packet of captures, and every field, with tshark.

    python -m tests.bench.exact [FILE|FOLDER...] [--odd N] [--seed S] [--out FILE]

Without a file, all captures of the folder TESTBED_PUBLIC_DATA are compared. `--odd`
makes N odd packets and compares them too. Each difference is listed by file and by a
reason of `tests.bench.reasons`; one without a reason makes the exit code 1.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from analysis.pcap.decode import UDP, Decoded, Error, decode_batch
from analysis.pcap.errors import CaptureError
from analysis.pcap.stream import Batch, open_capture_stream
from tests.bench import oracle
from tests.bench.odd import write_odd
from tests.bench.reasons import Difference, reason_of

MAGICS = tuple(bytes.fromhex(m) for m in ("a1b2c3d4", "d4c3b2a1", "4d3cb2a1"))
MAGICS += (b"\xa1\xb2\x3c\x4d", b"\x0a\x0d\x0d\x0a", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_PLAIN = ("src_mac", "dst_mac", "protocol", "src_port", "dst_port")
_PLAIN += ("tcp_flags", "seq", "ack", "window")
_OF_BATCH = ("time_ns", "length_b", "captured_b", "link")
_AROUND = ("link", "captured_b", "length_b", "ethertype")
Numbers = dict[str, np.ndarray]


@dataclass(slots=True)
class Report:
    """What comes of one file.

    packets  compared with tshark
    values   fields of theirs that tshark has a value for
    links    link types, with their packets
    reasons  reason -> field -> how often
    example  reason -> the first packet of it, in words
    fault    why reading stopped, with the byte; '' when it went to the end
    """

    name: str
    packets: int = 0
    values: int = 0
    links: Counter[int] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    example: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    def add(self, difference: Difference) -> None:
        """Count a difference under its reason."""
        reason = reason_of(difference)
        self.reasons.setdefault(reason, Counter())[difference.field] += 1
        self.example.setdefault(reason, difference.words())


class _Ours:
    """The reader's columns of one file, taken in pieces of any size."""

    def __init__(self, path: Path) -> None:
        self._parts = _read(path, self)
        self._held: Numbers = {}
        self.fault = ""

    def take(self, n: int) -> Numbers:
        """Return the next `n` packets; fewer when there are no more."""
        while self._size() < n and (part := next(self._parts, None)) is not None:
            self._held = (
                {k: np.concatenate((v, part[k])) for k, v in self._held.items()}
                if self._held
                else part
            )
        out = {name: column[:n] for name, column in self._held.items()}
        self._held = {name: column[n:] for name, column in self._held.items()}
        return out

    def _size(self) -> int:
        return self._held["link"].size if self._held else 0


def _read(path: Path, ours: _Ours) -> Iterator[Numbers]:
    try:
        with open_capture_stream(path) as stream:
            for batch in stream:
                if len(batch):
                    yield _columns(batch, decode_batch(batch))
            if stream.truncated_at is not None:
                ours.fault = f"ends inside a packet at byte {stream.truncated_at}"
    except CaptureError as exc:
        ours.fault = f"byte {exc.offset}: {exc.reason}"


def _columns(batch: Batch, decoded: Decoded) -> Numbers:
    out = {name: getattr(batch, name).copy() for name in _OF_BATCH}
    out |= {name: getattr(decoded, name).copy() for name in _PLAIN}
    out |= {"payload_b": decoded.payload_b.copy(), "error": decoded.error.copy()}
    out |= {"ethertype": decoded.ethertype.copy()}
    for side in ("src", "dst"):
        halves = getattr(decoded, side)
        out |= {f"{side}_high": halves[:, 0].copy(), f"{side}_low": halves[:, 1].copy()}
    out["bad_checksum"] = decoded.error & Error.CHECKSUM != 0
    out["bad_ip_checksum"] = decoded.error & Error.IP_CHECKSUM != 0
    return out


def compare(path: Path, name: str) -> Report:
    """Compare one capture with tshark, packet by packet."""
    report = Report(name)
    ours = _Ours(path)
    extra = 0
    with oracle.ask(path) as asked:
        for table in asked.tables:
            mine = ours.take(len(table))
            n = mine["link"].size if mine else 0
            extra += len(table) - n
            if n:
                _compare_rows(report, mine, table.head(n))
    extra -= len(ours.take(1 << 40).get("link", ()))
    report.fault = ours.fault
    if extra:
        what = f"tshark: {extra:+} packets ({asked.failed}); reader: {ours.fault}"
        lost = Difference(path=name, field="packets", note=what)
        report.add(lost)
    return report


def _compare_rows(report: Report, mine: Numbers, table: "oracle.pl.DataFrame") -> None:
    theirs, shapes = oracle.numbers(table, mine["link"])
    own = dict(mine)
    own["tcp_len"] = np.where(theirs["tcp_len"] > 0, mine["payload_b"], 0)
    headed = (theirs["udp_length"] >= 8) & (mine["protocol"] == UDP)
    own["udp_length"] = np.where(headed, mine["payload_b"] + np.uint64(8), 0)
    # less than a header is not kept as a length, but as an error
    lies = (theirs["udp_length"] < 8) & (mine["protocol"] == UDP)
    own["udp_length"] = np.where(lies, theirs["udp_length"], own["udp_length"])
    for name, values in theirs.items():
        report.values += int(np.count_nonzero(values))
        wrong = np.flatnonzero(values != own[name].astype(values.dtype))
        for row in wrong:
            found = Difference(
                path=report.name,
                field=name,
                frame=report.packets + int(row) + 1,
                theirs=int(values[row]),
                ours=int(own[name][row]),
                shape=shapes[row],
                error=Error(int(mine["error"][row])),
                said=table.row(int(row), named=True),
                **{each: int(mine[each][row]) for each in _AROUND},
            )
            report.add(found)
    kinds, counts = np.unique(mine["link"], return_counts=True)
    report.links.update(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
    report.packets += mine["link"].size


def captures_in(places: Sequence[Path]) -> list[Path]:
    """Return all files that begin as a capture does, whatever they are called."""
    files = [f for p in places for f in (sorted(p.rglob("*")) if p.is_dir() else [p])]
    return [f for f in files if f.is_file() and _head(f).startswith(MAGICS)]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def summary(reports: Sequence[Report]) -> dict[str, object]:
    """Return all figures as they are written into the JSON file."""
    links: Counter[int] = Counter()
    reasons: dict[str, dict[str, object]] = {}
    for report in reports:
        links.update(report.links)
        for reason, fields in report.reasons.items():
            entry = reasons.setdefault(reason, {"values": 0, "files": {}})
            entry["values"] += sum(fields.values())  # type: ignore[operator]
            entry["files"][report.name] = {  # type: ignore[index]
                "fields": dict(fields),
                "first": report.example[reason],
            }
    return {
        "files": len(reports),
        "packets": sum(report.packets for report in reports),
        "values": sum(report.values for report in reports),
        "links": {str(link): n for link, n in sorted(links.items())},
        "faults": {r.name: r.fault for r in reports if r.fault},
        "unexplained": reasons.get("", {"values": 0})["values"],
        "differences": reasons,
    }


def compare_all(paths: Sequence[Path], root: Path | None) -> list[Report]:
    """Compare each capture; names are as below `root`."""
    reports = []
    for path in paths:
        inside = root is not None and path.is_relative_to(root)
        reports.append(
            compare(path, str(path.relative_to(root)) if inside else path.name)
        )
    return reports


def main() -> int:
    """Compare what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", type=Path, nargs="*")
    parser.add_argument("--odd", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    root = os.environ.get("TESTBED_PUBLIC_DATA")
    places = given.places or ([Path(root)] if root and not given.odd else [])
    begun = time.perf_counter()
    reports = compare_all(captures_in(places), Path(root) if root else None)
    if given.odd:
        with tempfile.TemporaryDirectory() as folder:
            for path in write_odd(Path(folder), given.odd, given.seed):
                found = compare(path, path.name)
                reports.append(replace(found, name=f"odd, seed {given.seed}"))
    found = summary(reports) | {"seconds": round(time.perf_counter() - begun, 1)}
    text = json.dumps(found, indent=2)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if found["unexplained"] else 0


if __name__ == "__main__":
    sys.exit(main())
