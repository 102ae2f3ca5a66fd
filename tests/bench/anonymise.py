"""The anonymiser: megabytes a second, and memory, by size of packets and identifiers.

    python -m tests.bench.anonymise [--mb 2000] [--frame-b 1454,200] [--known 400]
                                    [--seed 7] [--shift] [--out FOLDER]

Writes captures of TCP segments of random bytes, in 200 streams, and rewrites them. One
in a thousand segments holds an identifier, and a moment beside it, which moves with
`--shift`. Both passes are timed, as seconds of the processor and of the clock; memory
is the peak of this process. Writes FOLDER/anonymise.json.
"""

import argparse
import json
import resource
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from analysis.exporters.anonymise import (
    Policy,
    Pseudonyms,
    anonymise_capture_with,
    patterns_of,
)
from analysis.exporters.identifiers import Identifier

STREAMS, HEADS_B = 200, 54
_POOL_B = 32 << 20
Record = dict[str, Any]


def known(n: int) -> list[Identifier]:
    """Return n identifiers of a home that does not exist, of four kinds."""
    makers = (
        lambda k: Identifier(kind="mac", value=f"50c7bf{k * 7919 % (1 << 24):06x}"),
        lambda k: Identifier(kind="ipv4", value=f"10.77.{k // 250}.{1 + k % 250}"),
        lambda k: Identifier(kind="serial", value=f"LMP-{k * 7919:08d}-X81"),
        lambda k: Identifier(kind="hostname", value=f"lamp-{k}-of-tom"),
    )
    return [makers[k % 4](k) for k in range(n)]


def write(path: Path, size_b: int, frame_b: int, words: list[bytes], seed: int) -> None:
    """Write a capture of about so many bytes."""
    rng = np.random.default_rng(seed)
    pool, body_b = rng.bytes(_POOL_B), frame_b - HEADS_B
    sequence = [1] * STREAMS
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for k in range(size_b // (frame_b + 16)):
            s = k % STREAMS
            at = k * body_b % (_POOL_B - body_b)
            body = pool[at : at + body_b]
            if k % 1000 == 0:
                word = words[k // 1000 % len(words)]
                said = word + b" Tue, 14 Nov 2023 22:13:20 GMT"
                body = said + body[len(said) :]
            ends = bytes((10, 77, 0, 1 + s % 20, 34, 1, s, 9))
            ip = struct.pack(">BBHHHBBH", 0x45, 0, frame_b - 14, 1, 0, 64, 6, 0) + ends
            head = (443, 40_000 + s, sequence[s], 1, 0x50, 0x18, 500, 0, 0)
            sequence[s] = (sequence[s] + body_b) & 0xFFFFFFFF
            frame = bytes.fromhex("50c7bf6be01944650d7b20130800") + ip
            frame += struct.pack(">HHIIBBHHH", *head) + body
            stamp = (1_700_000_000 + k // 1000, k % 1000 * 1000, frame_b, frame_b)
            file.write(struct.pack("<IIII", *stamp) + frame)


def measured(folder: Path, mb: int, frame_b: int, n: int, asked: Any) -> Record:
    """Rewrite one capture; return what it took."""
    pseudonyms, identifiers = Pseudonyms(bytes(range(32))), known(n)
    policy = Policy(shift_ns=pseudonyms.shift_ns if asked.shift else 0)
    patterns = patterns_of(identifiers, pseudonyms)
    words = [each.value.encode() for each in identifiers if each.kind == "serial"]
    source, target = folder / "a.pcap", folder / "b.pcap"

    def once() -> Record:
        cpu, wall = time.process_time(), time.perf_counter()
        counts = anonymise_capture_with(
            source, target, pseudonyms=pseudonyms, patterns=patterns, policy=policy
        )
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        size_mb = source.stat().st_size / 1e6
        return {
            "mb": round(size_mb),
            "frame_b": frame_b,
            "patterns": len(patterns),
            "mb_per_cpu_s": round(size_mb / cpu, 1),
            "mb_per_s": round(size_mb / wall, 1),
            "replaced": dict(counts.replaced),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        }

    write(source, 1 << 20, frame_b, words, asked.seed)
    once()  # kernels are compiled, or read
    write(source, mb * 1_000_000, frame_b, words, asked.seed)
    return once()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=2000)
    parser.add_argument("--frame-b", default="1454,200")
    parser.add_argument("--known", type=int, default=400)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shift", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    asked = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        for frame_b in map(int, asked.frame_b.split(",")):
            one = measured(Path(name), asked.mb, frame_b, asked.known, asked)
            print(one, flush=True)
            found.append(one)
    asked.out.mkdir(parents=True, exist_ok=True)
    told = {"seed": asked.seed, "shift": asked.shift, "runs": found}
    text = json.dumps(told, indent=2) + "\n"
    (asked.out / "anonymise.json").write_text(text)


if __name__ == "__main__":
    main()
