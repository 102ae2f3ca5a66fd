"""Compare conversations and classes of TCP segments with tshark, packet by packet.

    python -m tests.bench.tcp [FILE|FOLDER...] [--links N] [--seconds S] [--seed S]

Without a file, all captures of the folder TESTBED_PUBLIC_DATA are compared. `--links`
makes N pairs of captures of two Linux hosts over a lossy link (in namespaces; needs
root), before and after the loss. Each file with a difference is listed with the first
frames; the exit code is 1 when one is not among the reasons known here, or when there
was nothing to compare.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import decode_batch
from analysis.pcap.errors import CaptureError
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.tcp import Retransmission

LINK = Path(__file__).parents[1] / "analysis" / "conversations" / "lossy_link.py"
ENTER = ("unshare", "-n", "-m", "-p", "-f", "--mount-proc", "--kill-child")
MAGICS = {bytes.fromhex(m) for m in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")}
MAGICS.add(b"\x0a\x0d\x0d\x0a")
SETTINGS = ("tcp.desegment_tcp_streams", "ip.defragment", "ipv6.defragment")
# in order: a later one wins, for tshark marks fast and spurious as the first as well
CLASSES = {
    "keep_alive": Retransmission.KEEP_ALIVE,
    "out_of_order": Retransmission.OUT_OF_ORDER,
    "retransmission": Retransmission.RETRANSMISSION,
    "fast_retransmission": Retransmission.FAST,
    "spurious_retransmission": Retransmission.SPURIOUS,
}
FIELDS = ("tcp.stream", "udp.stream", "icmp.type", "icmpv6.type", "sdp.media.port")
FIELDS += tuple(f"tcp.analysis.{name}" for name in CLASSES)
TCP, UDP = 6, 17


@dataclass(slots=True)
class Ours:
    """What the project says of the packets of a file, and how long it took."""

    protocol: np.ndarray
    flow: np.ndarray
    code: np.ndarray
    spent_s: float


@dataclass(slots=True)
class Total:
    """Sums over files; `classes` are tshark's, by number."""

    files: int = 0
    packets: int = 0
    spent_s: float = 0.0
    tcp: int = 0
    udp: int = 0
    classes: np.ndarray = field(default_factory=lambda: np.zeros(6, dtype=np.int64))
    known: int = 0
    unknown: int = 0


def read(path: Path) -> Ours:
    """Decode a file and number its conversations; stop where it is damaged."""
    conversations, spent_s = Conversations(), 0.0
    protocol, flow, code = ([np.zeros(0, np.int64)] for _ in range(3))
    try:
        with open_capture_stream(path) as stream:
            for batch in stream:
                decoded = decode_batch(batch)
                begin_s = time.thread_time()
                analysed = conversations.add(batch.time_ns, decoded)
                spent_s += time.thread_time() - begin_s
                protocol.append(decoded.protocol)
                flow.append(analysed.flow)
                code.append(analysed.retransmission)
    except CaptureError as fault:
        print(f"{path.name}: {fault}")
    columns = [np.concatenate(parts) for parts in (protocol, flow, code)]
    return Ours(*columns, spent_s)


def ask_tshark(path: Path) -> pl.DataFrame:
    """Return tshark's streams and classes, one row per packet."""
    argv = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f"]
    argv += [word for name in SETTINGS for word in ("-o", f"{name}:FALSE")]
    # the number keeps a packet without any of the fields from being an empty line
    argv += [word for name in ("frame.number", *FIELDS) for word in ("-e", name)]
    done = subprocess.run(argv, capture_output=True, check=False)
    names = ("frame.number", *FIELDS)
    schema = dict.fromkeys(names, pl.String)
    if not done.stdout:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(
        io.BytesIO(done.stdout), separator="\t", has_header=False, schema=schema
    )


def compare(path: Path, total: Total) -> None:
    """Count the packets of a file, and print where the two differ."""
    table = ask_tshark(path)
    ours = read(path)
    n = min(table.height, ours.flow.size)
    if n == 0:
        return
    there = {name: table[name].is_not_null().to_numpy()[:n] for name in FIELDS}
    quoted = there["icmp.type"] | there["icmpv6.type"]
    truth = np.zeros(n, dtype=np.int64)
    for name, number in CLASSES.items():
        truth[there[f"tcp.analysis.{name}"]] = number
    faults = {}
    for name, number in (("tcp", TCP), ("udp", UDP)):
        rows = (ours.protocol[:n] == number) & there[f"{name}.stream"] & ~quoted
        stream = table[f"{name}.stream"].cast(pl.Int64).to_numpy()[:n]
        faults[name] = np.flatnonzero(rows)[differ(ours.flow[:n][rows], stream[rows])]
        setattr(total, name, getattr(total, name) + int(rows.sum()))
        if number == TCP:
            wrong = rows & (ours.code[:n] != truth)
            faults["class"] = np.flatnonzero(wrong)
            total.classes += np.bincount(truth[rows], minlength=6)
    total.files += 1
    total.packets += n
    total.spent_s += ours.spent_s
    for what, rows in faults.items():
        # media that SIP announced: tshark puts it into the stream of the announcement
        known = what == "udp" and there["sdp.media.port"].any()
        total.known += rows.size * known
        total.unknown += rows.size * (not known)
        if rows.size:
            why = "announced by SDP" if known else "UNKNOWN"
            print(f"{path}: {rows.size} {what}, {why}, frames {rows[:5] + 1}")


def differ(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Say where two numberings, in order of appearance, are not one and the same."""
    ranks = []
    for numbers in (ours, theirs):
        _, first, group = np.unique(numbers, return_index=True, return_inverse=True)
        ranks.append(np.argsort(np.argsort(first))[group])
    return ranks[0] != ranks[1]


def captures(given: list[Path]) -> Iterator[Path]:
    """Yield files, and of folders those that begin like a capture."""
    for path in given:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as opened:
                    if file == path or opened.read(4) in MAGICS:
                        yield file


def main() -> int:
    """Compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--links", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    total = Total()
    if not given.paths and not given.links:
        given.paths = [Path(os.environ["TESTBED_PUBLIC_DATA"])]
    for path in captures(given.paths):
        compare(path, total)
    for number in range(given.links):
        with tempfile.TemporaryDirectory() as name:
            seed = str(given.seed + number)
            link = [sys.executable, str(LINK), name, seed, str(given.seconds)]
            subprocess.run([*ENTER, *link], check=True)
            for path in captures([Path(name)]):
                compare(path, total)
    report(total)
    return 1 if total.unknown or not total.packets else 0


def report(total: Total) -> None:
    """Print the sums."""
    names = [member.name.lower() for member in Retransmission]
    found = ", ".join(f"{n} {c}" for n, c in zip(names, total.classes, strict=True))
    print(f"{total.files} files, {total.packets} packets: {total.tcp} TCP ({found})")
    print(f"and {total.udp} UDP; {total.known} known differences, {total.unknown} not")
    rate = total.packets / max(total.spent_s, 1e-9) / 1e6
    print(f"{rate:.1f} million packets/s of processor time, with compiling")


if __name__ == "__main__":
    sys.exit(main())
