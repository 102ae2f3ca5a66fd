"""The leak audit: how fast, how much memory, and how often it is wrong on noise.

    python -m tests.bench.leaks [--noise-mb 2048] [--big-mb 2048] [--public FOLDER]
                                [--seed 7] [--seeds 1] [--only big,search]
                                [--out FOLDER]

Four parts. `search`: 500 patterns in noise, in memory. `noise`: 500 identifiers with
all their spellings in noise, as a file is audited; whatever is found is a false alarm.
`foreign`: identifiers of made-up homes in real captures of others (FOLDER or
$TESTBED_PUBLIC_DATA), where they cannot be; both with homes of so many seeds, from the
first one on, at once. `big`: a capture of the virtual lab,
repeated to so many megabytes, all of it in plain text, harvested, anonymised, and
audited with what was harvested; memory is the peak of harvest and audit, without that
of tshark.
Writes FOLDER/leaks.json; parts that were not asked for stay as they are there.
"""

import argparse
import io
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from analysis.exporters.anonymise import Policy, Pseudonyms, anonymise_capture
from analysis.exporters.audit import Finding, audit
from analysis.exporters.audit.looking import Looker, View
from analysis.exporters.identifiers import Identifier, Search, harvest, variants
from tests.bench.payloads import recorded

N_PATTERNS = 500
N_OF_KIND = 100
_MOST_NAMED = 20
PUBLIC = ("vcfp-alexa", "openwrt-scenarios", "iot-sentinel", "fit-iot-week")
Record = dict[str, Any]


def made_up(seed: int) -> list[Identifier]:
    """Return identifiers of a home that does not exist, 100 of each of five kinds."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(N_OF_KIND):
        letters = "".join(chr(97 + c) for c in rng.integers(0, 26, 5 + k % 6))
        six = ":".join(rng.bytes(2).hex() for _ in range(4))
        for kind, value in (
            ("mac", bytes([0x50, 0xC7, 0xBF, *rng.bytes(3)]).hex()),
            ("ipv4", f"10.{int(rng.integers(3, 250))}.{k}.{int(rng.integers(1, 255))}"),
            ("ipv6", f"fd{rng.bytes(1).hex()}::{six}"),
            ("hostname", letters + "x7"),
            ("token", rng.bytes(10).hex()),
        ):
            found.append(Identifier(kind=kind, value=value, source="made up"))
    return found


def homes(seed: int, n: int) -> list[Identifier]:
    """Return identifiers of n homes, of the next seeds."""
    return [each for k in range(n) for each in made_up(seed + k)]


def alarms(findings: Sequence[Finding], seed: int, n: int) -> Record:
    """Say how many identifiers of each seed were found, which none should be."""
    size = len(made_up(seed))
    of_seed = Counter(seed + f.number // size for f in findings if f.number >= 0)
    return {
        "false_alarms": sum(of_seed.values()),
        "of_seeds": {str(seed + k): of_seed[seed + k] for k in range(n)},
        "which": [
            f"{f.kind} {f.encoding} {f.file} {f.place}"
            for f in findings
            if f.number >= 0
        ][:_MOST_NAMED],
        "unread": sum(f.number < 0 for f in findings),
    }


class Noise(io.RawIOBase):
    """Random bytes, as a file of a size."""

    def __init__(self, size_b: int, seed: int) -> None:
        """Begin."""
        self._left, self._rng = size_b, np.random.default_rng(seed)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        n = min(size, self._left)
        self._left -= n
        return self._rng.bytes(n)


def search(seed: int) -> Record:
    """Time the search alone."""
    spelled = [v for each in made_up(seed) for v in variants(each)]
    chosen = np.random.default_rng(seed).permutation(len(spelled))[:N_PATTERNS]
    made = Search([spelled[k] for k in chosen])
    data = np.random.default_rng(seed).integers(0, 256, 1 << 28, dtype=np.uint8)
    made.find(data[:1024])
    begin = time.perf_counter()
    made.find(data)
    took_s = time.perf_counter() - begin
    return {"patterns": len(made), "mb_per_s": round(data.size / 1e6 / took_s)}


def noise(size_mb: int, seed: int, seeds: int) -> Record:
    """Audit noise."""
    looker = Looker(homes(seed, seeds))
    view = View(file="noise", reader="bytes", place=str)
    looker.look_at_file(view, Noise(1000, seed))
    begin = time.perf_counter()
    looker.look_at_file(view, Noise(size_mb * 1_000_000, seed + 1))
    took_s = time.perf_counter() - begin
    return {
        "identifiers": len(looker.identifiers),
        "spellings": looker.looked_at.spellings,
        "mb": size_mb,
        "mb_per_s_with_making_noise": round(size_mb / took_s),
        **alarms(looker.findings(), seed, seeds),
        "weak_hits_left_out": looker.looked_at.chance,
    }


def foreign(public: Path, seed: int, seeds: int) -> list[Record]:
    """Audit real captures in which nothing of ours can be."""
    told, rows = homes(seed, seeds), []
    for name in PUBLIC:
        if not (public / name).is_dir():
            continue
        result = audit(public / name, told)
        looked = result.looked_at
        rows.append(
            {
                "set": name,
                "mb": round(looked.bytes_b / 1e6, 1),
                "packets": looked.packets,
                "dissected": looked.dissected,
                **alarms(result.findings, seed, seeds),
                "weak_hits_left_out": looked.chance,
            }
        )
    return rows


def anonymised(source: Path, target: Path, told: tuple[Identifier, ...]) -> None:
    """Anonymise a capture under a key of the bench."""
    anonymise_capture(
        source,
        target,
        pseudonyms=Pseudonyms(bytes(range(32))),
        identifiers=told,
        policy=Policy(),
    )


def big(folder: Path, size_mb: int, seed: int) -> Record:
    """Harvest and audit a long campaign of the virtual lab."""
    campaign = recorded(folder, seed)
    raw, *others = sorted((campaign / "raw").glob("*.pcapng"))
    data = b"".join(path.read_bytes() for path in (raw, *others))
    for path in others:
        path.unlink()
    with raw.open("wb") as out:
        for _ in range(max(1, size_mb * 1_000_000 // len(data))):
            out.write(data)
    size_b = raw.stat().st_size
    begin = time.perf_counter()
    told = harvest(campaign)
    harvested = time.perf_counter()
    alone = folder / "alone"
    alone.mkdir()
    # in a process of its own, so that the peak is that of the other two
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(anonymised, raw, alone / raw.name, told).result()
    raw.unlink()
    made = time.perf_counter()
    result = audit(alone, told)
    ended = time.perf_counter()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "mb": round(size_b / 1e6),
        "identifiers": len(told),
        "harvest_mb_per_s": round(size_b / 1e6 / (harvested - begin)),
        "audit_mb_per_s": round(size_b / 1e6 / (ended - made)),
        "audit_s": round(ended - made, 1),
        "findings": len(result.findings),
        "packets": result.looked_at.packets,
        "dissected": result.looked_at.dissected,
        "peak_mib": round(peak_kib / 1024),
    }


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--noise-mb", type=int, default=2048)
    parser.add_argument("--big-mb", type=int, default=2048)
    parser.add_argument("--public", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--only", default="big,search,noise,foreign")
    asked = parser.parse_args()
    public = asked.public or os.environ.get("TESTBED_PUBLIC_DATA")
    asked.out.mkdir(parents=True, exist_ok=True)
    target = asked.out / "leaks.json"
    figures = json.loads(target.read_text()) if target.exists() else {}
    figures["seed"], figures["seeds"] = asked.seed, asked.seeds
    wanted = asked.only.split(",")
    if "big" in wanted:
        with tempfile.TemporaryDirectory(prefix="testbed-leaks-") as place:
            figures["big"] = big(Path(place), asked.big_mb, asked.seed)
    if "search" in wanted:
        figures["search"] = search(asked.seed)
    if "noise" in wanted:
        figures["noise"] = noise(asked.noise_mb, asked.seed, asked.seeds)
    if "foreign" in wanted and public:
        figures["foreign"] = foreign(Path(public), asked.seed, asked.seeds)
    target.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(target, file=sys.stderr)


if __name__ == "__main__":
    main()
