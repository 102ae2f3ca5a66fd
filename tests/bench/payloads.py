"""Payloads in plain text: what is found in real captures, and what is recognised.

    python -m tests.bench.payloads [--public FOLDER] [--seed 101 ...] [--out OUT]

On the public captures of a real plug (FOLDER or $TESTBED_PUBLIC_DATA), every message on
port 9999 that `heard` finds is compared with an oracle of tshark's fields and a naive
cipher. In the fast lab, a campaign per seed of the devices in plain text is recorded
once, and the matcher is scored on payloads that were never said in training, in each of
three meanings (`analysis.evaluate.patterns.new_payloads`), beside 3-grams with logistic
regression; and each activity is left out of training once, by session, to see whether
its windows are called unknown. Writes OUT/payloads.json, in two parts that are never
put together: `real`, and `lab`, which says that it is simulated. OUT is build/bench
unless said otherwise. Campaigns are recorded anew when the code has changed.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.evaluate.patterns.new_payloads import new_payload_study
from analysis.evaluate.patterns.payloads import payload_study
from analysis.evaluate.samples import Samples, cut_of, samples_in
from analysis.evaluate.scores.intervals import session_interval
from analysis.evaluate.splits.folds import Fold
from analysis.evaluate.splits.named import SPLITS
from analysis.packets import find_raw
from analysis.payload import (
    UNKNOWN,
    Captures,
    PayloadMatcher,
    Vocabulary,
    heard,
    masked_all,
    texts_of,
    vocabulary,
)

ROOT = Path(__file__).parents[2]
DEVICES = ("wemo_insight", "iview_bulb", "koogeek_plug", "tplink_hs110")
SEEDS = (101, 102, 103)
SCENARIO = """\
scenario: plain_text
description: devices that speak in plain text, for tests.bench.payloads
seed: {seed}
select:
  - {{device: wemo_insight, channels: [phone]}}
  - {{device: iview_bulb}}
  - {{device: koogeek_plug}}
  - {{device: tplink_hs110}}
repeats: 40
sessions: 6
order: shuffled
rest: {{uniform: [5 s, 20 s]}}
"""
SETS = (
    ("wlan2.4",),
    ("wlan5.0",),
    ("wlan2.4", "wlan5.0"),
    ("lan", "wan", "wlan2.4", "wlan5.0"),
)
FIELDS = ("ip.src", "ip.dst", "tcp.srcport", "udp.srcport", "tcp.dstport")
FIELDS = (*FIELDS, "udp.dstport", "tcp.seq_raw", "tcp.payload", "udp.payload")
RELAY = "set_relay_state"
Record = dict[str, Any]


def plain(data: bytes) -> str:
    """Undo the cipher, one byte after the other."""
    key, out = 171, []
    for byte in data:
        out.append(chr(byte ^ key))
        key = byte
    return "".join(out)


def oracle(captures: Sequence[Path]) -> tuple[Counter[tuple[str, ...]], int]:
    """Return (protocol, source, target, text) on port 9999, as often as each was sent.

    Copies are left out in the plainest way: a TCP message by its ends, sequence number
    and bytes; datagrams, which repeat themselves, as often as the capture has them that
    has them most. Also returns the packets with a relay command, copies counted.
    """
    tcp: set[tuple[str, ...]] = set()
    udp: Counter[tuple[str, ...]] = Counter()
    n_packets = 0
    for path in captures:
        words = [
            "tshark",
            "-n",
            "-r",
            str(path),
            "-Y",
            "tcp.port==9999||udp.port==9999",
        ]
        words += ["-T", "fields", *(w for name in FIELDS for w in ("-e", name))]
        told = subprocess.run(words, capture_output=True, check=True, text=True).stdout
        here: Counter[tuple[str, ...]] = Counter()
        for line in told.splitlines():
            src, dst, tsp, usp, tdp, udp_to, seq, payload, datagram = line.split("\t")
            if payload:
                text = plain(bytes.fromhex(payload)[4:])
                tcp.add(("tcp", f"{src}:{tsp}", f"{dst}:{tdp}", text, seq))
            elif datagram:
                text = plain(bytes.fromhex(datagram))
                here["udp", f"{src}:{usp}", f"{dst}:{udp_to}", text] += 1
            else:
                continue
            n_packets += RELAY in text
        udp |= here
    return Counter(each[:4] for each in tcp) + udp, n_packets


def real(public: Path) -> Iterator[Record]:
    """Compare what is heard of the real plug with the oracle."""
    for condition in ("no-firewall", "base-firewall"):
        folder = public / "openwrt-scenarios" / "tplink-plug" / condition
        for names in SETS:
            captures = [folder / f"{name}.pcap" for name in names]
            want, n_packets = oracle(captures)
            got = Counter(
                (m.protocol, m.source, m.target, m.text)
                for m in heard(captures)
                if "9999" in (m.source.rpartition(":")[2], m.target.rpartition(":")[2])
            )
            missing, invented = want - got, got - want
            yield {
                "capture": condition,
                "interfaces": names,
                "messages": want.total(),
                "found": got.total(),
                "relay_packets": n_packets,
                "relay": sum(n for m, n in want.items() if RELAY in m[3]),
                "relay_found": sum(n for m, n in got.items() if RELAY in m[3]),
                "relay_at_most_once": all(
                    n == 1 for m, n in got.items() if RELAY in m[3]
                ),
                "missing": missing.total(),
                "invented": invented.total(),
            }


def recorded(out: Path, seed: int) -> Path:
    """Return the campaign of a seed, which is made once by the same code."""
    scenario = SCENARIO.format(seed=seed)
    place = out / f"plain_text_{seed}-{digest(scenario)}"
    folder = place / "plain_text"
    if (folder / "MANIFEST.sha256").exists():
        return folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "plain_text.yaml").write_text(scenario)
    words = [sys.executable, "-m", "testbed", "run", "plain_text", "--fast"]
    words += ["--scenarios", str(place.resolve()), "--out", str(place.resolve())]
    done = subprocess.run(
        [*words, "--campaign", "plain_text"], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode}: {done.stderr[-400:]}")
    return folder


def digest(scenario: str) -> str:
    """Return a digest of all that a recorded campaign and its tables depend on."""
    code = [p for name in ("analysis", "testbed") for p in (ROOT / name).rglob("*.py")]
    paths = sorted([*code, *(ROOT / "devices").glob("*.yaml"), ROOT / "lab.yaml"])
    found = hashlib.sha256(scenario.encode())
    for path in paths:
        found.update(f"|{path.relative_to(ROOT)}|".encode() + path.read_bytes())
    return found.hexdigest()[:12]


def lab(folder: Path, seed: int) -> Iterator[Record]:
    """Score the devices of a campaign; `right` and `session` are of each test row."""
    for device in DEVICES:
        made = cut_of(folder, device)
        texts = texts_of(Captures(find_raw(folder)), made.cleaned.table, made.windows)
        samples, masked = samples_in(made), masked_all(texts)
        about = {"seed": seed, "device": device}
        (whole,), _ = payload_study(samples, vocabulary(masked), ["s1"], 0)
        rows, said = whole.answers.rows, whole.answers.said
        yield about | {
            "new": "s1, duplicates too",
            "windows": len(texts),
            "tested": dict(Counter(samples.activity[rows].tolist())),
            "right": (samples.activity[rows] == said).tolist(),
            "session": samples.session[rows].tolist(),
            "answered": whole.answered,
            "null": whole.null_accuracy,
            "grams": None,
            "twins": twins(masked, whole.split.folds),
        }
        yield from left_out(samples, vocabulary(masked), about)
        found, refused = new_payload_study(samples, texts)
        for each in found:
            yield about | {
                "new": str(each.new),
                "windows": each.n_windows,
                "conflicts": each.n_conflicts,
                "tested": dict(each.tested),
                "right": each.right.tolist(),
                "session": each.session.tolist(),
                "answered": each.matcher.answered,
                "null": each.matcher.null_accuracy,
                "grams": each.grams.accuracy,
            }
        for no in refused:
            yield about | {"new": no.split, "refused": no.reason}


def twins(messages: Sequence[Sequence[str]], folds: Sequence[Fold]) -> float:
    """Return the share of test windows of which training has one that says the same."""
    hits = []
    for fold in folds:
        known = {frozenset(messages[row]) for row in fold.train.tolist()}
        hits += [frozenset(messages[row]) in known for row in fold.test.tolist()]
    return float(np.mean(hits))


def left_out(samples: Samples, known: Vocabulary, about: Record) -> Iterator[Record]:
    """Test the windows of each activity by what was learnt from the others alone."""
    for activity in np.unique(samples.activity).tolist():
        right, session = [], []
        for fold in SPLITS["s1"].split(samples, 0).folds:
            other = fold.train[samples.activity[fold.train] != activity]
            tested = fold.test[samples.activity[fold.test] == activity]
            learnt = PayloadMatcher(known)
            learnt.fit(other, samples.activity[other], samples.session[other])
            right += (learnt.predict(tested) == UNKNOWN).tolist()
            session += samples.session[tested].tolist()
        yield about | {
            "new": f"{activity} left out",
            "windows": len(right),
            "tested": {activity: len(right)},
            "right": right,
            "session": session,
            "answered": 1 - float(np.mean(right)),
            "null": 0.0,
        }


def pooled(records: Sequence[Record]) -> Iterator[Record]:
    """Put the seeds together, for each device and meaning of new."""
    for device in DEVICES:
        mine = [each for each in records if each["device"] == device]
        for new in dict.fromkeys(each["new"] for each in mine):
            rows = [each for each in mine if each["new"] == new]
            scored = [each for each in rows if "right" in each]
            refused = Counter(each["refused"] for each in rows if "refused" in each)
            yield {"device": device, "new": new, "refused": dict(refused)} | (
                _together(scored) if scored else {"n": 0}
            )


def _together(records: Sequence[Record]) -> Record:
    right = np.concatenate([np.array(each["right"], np.int64) for each in records])
    session = [f"{r['seed']} {name}" for r in records for name in r["session"]]
    interval = session_interval(right, np.array(session), 0)
    n = [len(each["right"]) for each in records]
    tested: Counter[str] = sum((Counter(r["tested"]) for r in records), Counter())
    mean = {
        key: float(np.average([r[key] for r in records], weights=n))
        for key in ("answered", "null", "grams", "twins")
        if records[0].get(key) is not None
    }
    return {
        "windows": sum(each["windows"] for each in records),
        "conflicts": sum(each.get("conflicts", 0) for each in records),
        "n": right.size,
        "sessions": len(set(session)),
        "tested": dict(tested),
        "accuracy": float(right.mean()),
        "interval": None if interval is None else [interval.low, interval.high],
        **mean,
    }


def lines(record: Record) -> Iterator[str]:
    """Yield the tables."""
    yield "| capture | interfaces | relay packets | relay messages | found | "
    yield "all messages | missing | invented |"
    for each in record["real"]["captures"]:
        yield (
            f"| {each['capture']} | {', '.join(each['interfaces'])} "
            f"| {each['relay_packets']} | {each['relay']} | {each['relay_found']} "
            f"| {each['messages']} | {each['missing']} | {each['invented']} |"
        )
    for each in record["lab"]["pooled"]:
        what = f"| {each['device']} | {each['new']} "
        if not each["n"]:
            yield f"{what}| refused: {'; '.join(each['refused'])} |"
            continue
        low, high = each["interval"] or (float("nan"),) * 2
        grams = f"{each['grams']:.3f}" if "grams" in each else ""
        tested = ", ".join(f"{k} {v}" for k, v in sorted(each["tested"].items()))
        if each["refused"]:
            what += f"({sum(each['refused'].values())} seeds refused) "
        yield (
            f"{what}| {each['windows']} | {each['n']} ({tested}) | {each['sessions']} "
            f"| {each['accuracy']:.3f} [{low:.3f}, {high:.3f}] "
            f"| {each['answered']:.3f} | {each['null']:.2f} | {grams} "
            f"| {each['conflicts']} |"
        )


def parts(public: Sequence[Record], found: Sequence[Record], seeds: Any) -> Record:
    """Return what is written: what is real and what is simulated, apart."""
    return {
        "command": "python -m tests.bench.payloads",
        "real": {"simulated": False, "captures": list(public)},
        "lab": {
            "simulated": True,
            "seeds": list(seeds),
            "pooled": list(pooled(found)),
            "by_seed": list(found),
        },
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Compare, record, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--public", default=os.environ.get("TESTBED_PUBLIC_DATA"))
    parser.add_argument("--seed", type=int, action="append")
    options = parser.parse_args(argv)
    found: list[Record] = []
    for seed in options.seed or SEEDS:
        print(f"payloads: seed {seed}", file=sys.stderr, flush=True)
        found += lab(recorded(options.out, seed), seed)
    public = list(real(Path(options.public))) if options.public else []
    record = parts(public, found, options.seed or SEEDS)
    path = options.out / "payloads.json"
    path.write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
    for line in lines(record):
        print(line)


if __name__ == "__main__":
    main()
