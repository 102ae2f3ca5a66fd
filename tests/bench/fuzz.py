"""Damage captures, and see that the reader gives packets or one clear error.

    python -m tests.bench.fuzz [--n 100000] [--seed 0] [--keep FOLDER] [--json]

Runs in a process of its own, whose kernels check every index. An input is a crash when
anything but CaptureError comes out, when it takes longer than a second or when it lets
the memory grow by more than 200 MiB; it is kept under its digest. What a single input
is follows from its number and the seed alone: `--only NUMBER` makes one again.
NUMBA_CHECKED_CACHE_DIR names a folder that keeps the checked kernels between runs.
"""

import argparse
import hashlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import Decoded, decode_batch
from analysis.pcap.errors import CaptureError
from analysis.pcap.stream import Batch, open_capture_stream
from tests.bench.seeds import crafted, small_files

ROOT = Path(__file__).parents[2]
LIMIT_S = 1.0
LIMIT_B = 200 << 20
# one input that takes this long is a hang, and ends the run
HANG_S = 60
# packets of each batch that are decoded again without those behind them
ALONE = 8
_OF_PACKET = ("captured_b", "length_b", "time_ns", "interface", "link")
_OF_PACKET += ("block", "block_b")
_VALUES = (0, 1, 2, 3, 4, 7, 8, 11, 12, 15, 16, 28, 31, 32, 0x7F, 0x80, 0xFF, 0x100)
_VALUES += (0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x40000, 0x40001, 0x7FFFFFFF)
_VALUES += (0x80000000, 0xFFFFFFF0, 0xFFFFFFFC, 0xFFFFFFFE, 0xFFFFFFFF, 0x0A0D0D0A)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of the seeds after one to six kinds of damage."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if data:
            rng.choice(_DAMAGE)(rng, data, seeds)
    return bytes(data)


def _flip(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    data[rng.randrange(len(data))] = rng.choice((0, 0xFF, 0x7F, rng.randrange(256)))


def _value(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    """Write a number that is often at an edge, where fields begin."""
    size = rng.choice((2, 4, 4))
    at = rng.randrange(len(data)) & ~(size - 1)
    value = rng.choice(_VALUES) & (1 << 8 * size) - 1
    data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _length(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    """Make a number a little larger or smaller, as lengths that lie do."""
    at = rng.randrange(len(data)) & ~3
    order = rng.choice(("little", "big"))
    value = int.from_bytes(data[at : at + 4], order) + rng.choice((-8, -4, -1, 1, 4, 8))
    data[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, order)


def _cut(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    del data[rng.randrange(len(data)) :]


def _remove(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 40)]


def _double(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randrange(1, 200)] * rng.choice((1, 1, 2, 20))


def _insert(rng: random.Random, data: bytearray, _seeds: Sequence[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    what = bytes(rng.randrange(200)) if rng.random() < 0.5 else rng.randbytes(16)
    data[at:at] = what


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    at = rng.randrange(len(other))
    data[rng.randrange(len(data)) :] = other[at:]


_Damage = Callable[[random.Random, bytearray, Sequence[bytes]], None]
_DAMAGE: tuple[_Damage, ...] = (_flip, _set, _value, _value, _value, _length, _length)
_DAMAGE += (_cut, _remove, _double, _insert, _splice)


def read_all(data: bytes) -> tuple[str, int]:
    """Read and decode a capture; return what came of it, and its packets."""
    packets = 0
    conversations = Conversations()
    try:
        with open_capture_stream(Path("fuzzed"), io.BytesIO(data)) as stream:
            for batch in stream:
                decoded = decode_batch(batch)
                conversations.add(batch.time_ns, decoded)
                _check(batch, decoded)
                packets += len(batch)
            cut = stream.truncated_at
    except CaptureError:
        return "refused", packets
    return ("whole" if cut is None else "cut"), packets


def _check(batch: Batch, decoded: Decoded) -> None:
    """See that packets lie inside the bytes at hand, and are decoded by theirs alone.

    The first packets are decoded again with nothing behind them, so that to read over
    the end of a packet is to read outside.
    """
    if not len(batch):
        return
    ends = batch.start + batch.captured_b
    assert ends.max() <= batch.data.size, "a packet reaches out of its batch"
    assert batch.start.min() >= 0, "a packet begins before its batch"
    assert batch.captured_b.min() >= 0, "a packet of less than nothing"
    for row in range(min(len(batch), ALONE)):
        one = slice(row, row + 1)
        columns = {name: getattr(batch, name)[one] for name in _OF_PACKET}
        alone = replace(
            batch,
            data=batch.data[batch.start[row] : ends[row]].copy(),
            start=batch.start[one] * 0,
            **columns,
        )
        again = decode_batch(alone)
        for column in fields(Decoded):
            got, had = getattr(again, column.name), getattr(decoded, column.name)
            same = np.array_equal(got, had[one])
            assert same, f"{column.name} of packet {row} hangs on what lies behind it"


def peak_b() -> int:
    """Return the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Run:
    """Counts what comes of inputs, and keeps those that crash."""

    def __init__(self, keep: Path) -> None:
        self._keep = keep
        self.results: Counter[str] = Counter()
        self.packets = 0
        self.slowest_s = 0.0
        self.largest_growth_b = 0
        self.crashes: list[dict[str, object]] = []

    def take(self, number: int, data: bytes) -> None:
        """Read one input."""
        before_b, begun = peak_b(), time.perf_counter()
        why = ""
        try:
            result, packets = read_all(data)
            self.results[result] += 1
            self.packets += packets
        except BaseException as exc:  # whatever comes out is what is looked for
            if isinstance(exc, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(exc.__traceback__)[-1]
            why = f"{type(exc).__name__}: {exc} ({where.name}:{where.lineno})"
        took_s, grown_b = time.perf_counter() - begun, peak_b() - before_b
        self.slowest_s = max(self.slowest_s, took_s)
        self.largest_growth_b = max(self.largest_growth_b, grown_b)
        if took_s > LIMIT_S:
            why = why or f"took {took_s:.1f} s"
        if grown_b > LIMIT_B:
            why = why or f"grew by {grown_b} bytes"
        if why:
            self._save(number, data, why)

    def _save(self, number: int, data: bytes, why: str) -> None:
        self.results["crash"] += 1
        self._keep.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(data).hexdigest()[:16]
        (self._keep / name).write_bytes(data)
        self.crashes.append({"number": number, "file": name, "why": why})


def run_here(given: argparse.Namespace) -> dict[str, object]:
    """Read all inputs in this process."""
    folder = os.environ.get("TESTBED_PUBLIC_DATA")
    files = [] if given.crafted else small_files(Path(folder) if folder else None)
    seeds = crafted(given.seed) + [data for data in files if data]
    run = Run(given.keep)
    for data in seeds[:50]:  # compile, and let buffers grow to their size
        read_all(data)
    started_b, begun = peak_b(), time.perf_counter()
    numbers = range(given.n) if given.only is None else [given.only]
    for number in numbers:
        data = mutated(random.Random(f"{given.seed} {number}"), seeds)
        run.take(number, data)
    return {
        "n": len(numbers),
        "seed": given.seed,
        "seeds": len(seeds),
        "bounds_checked": os.environ.get("NUMBA_BOUNDSCHECK") == "1",
        "results": dict(run.results),
        "packets": run.packets,
        "seconds": round(time.perf_counter() - begun, 1),
        "slowest_s": round(run.slowest_s, 3),
        "largest_growth_b": run.largest_growth_b,
        "growth_of_all_b": peak_b() - started_b,
        "crashes": run.crashes,
    }


def run_checked(arguments: Sequence[str], n: int) -> int:
    """Run in a process whose kernels check every index; return its exit code."""
    cache = os.environ.get("NUMBA_CHECKED_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        more = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache or folder}
        command = [sys.executable, "-m", "tests.bench.fuzz", "--here", *arguments]
        limit_s = HANG_S + 120 + n * LIMIT_S / 20
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | more, timeout=limit_s, check=False
        )
        return done.returncode


def main() -> int:
    """Fuzz as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="NUMBER")
    parser.add_argument("--keep", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--json", action="store_true", help="nothing but JSON")
    parser.add_argument("--crafted", action="store_true", help="no public captures")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.here:
        return run_checked(sys.argv[1:], given.n)
    found = run_here(given)
    print(json.dumps(found, indent=2))
    if not given.json:
        print(f"fuzz: {found['n']} inputs, {len(run_crashes(found))} crashes")
    return 1 if found["crashes"] else 0


def run_crashes(found: dict[str, object]) -> Sequence[object]:
    """Return the crashes of a run."""
    crashes = found["crashes"]
    assert isinstance(crashes, list)
    return crashes


if __name__ == "__main__":
    sys.exit(main())
