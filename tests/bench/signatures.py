"""Packet-length signatures: on plugs and a bulb of the lab, and on PingPong's captures.

    python -m tests.bench.signatures [--public FOLDER] [--seed 121 ...] [--out FOLDER]

The lab's part is simulated: campaigns as of `tests.bench.payloads`, by session, with
idle windows. An *event* counts as found when any signature of the device is in its
window, and as named when the signature is of its activity, or of one that the
signature says it cannot be told from. The real part leaves one event out of PingPong's
five captures of a TP-Link HS110 (FOLDER or $TESTBED_PUBLIC_DATA); one of the five is an
excerpt of another, so there are four events. Writes FOLDER/signatures.json, in two
parts that are never put together: `lab`, which says that it is simulated, and `real`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.dataset import Device
from analysis.evaluate.samples import cut_of, samples_in
from analysis.evaluate.scores.intervals import session_interval
from analysis.evaluate.splits.named import SPLITS
from analysis.packets import clean, load_packets, make_tables
from analysis.packets.cleaning import DEFAULT_RULES
from analysis.signatures import Pairs, SignatureMatcher, pairs_in, pairs_of, spot
from analysis.windows import IDLE_ACTIVITY
from tests.bench.payloads import DEVICES, recorded

N_IDLE = 80
SEEDS = (121, 122, 123)
EVENTS = {
    "LOCAL_ON": ("TP_LINK_LOCAL_ON", "TP_LINK_LOCAL_ON_SUBSET"),
    "LOCAL_OFF": ("TP_LINK_LOCAL_OFF",),
    "REMOTE_CHARGING_ON": ("TP_LINK_REMOTE_CHARGING_ON",),
    "REMOTE_ON": ("TP_LINK_REMOTE_ON",),
}
PINGPONG = Device(name="plug", mac="50:c7:bf:33:1f:09")
OPENWRT = Device(name="plug", mac="50:c7:bf:ed:0a:54")
Record = dict[str, Any]


def lab(folder: Path, seed: int, device: str) -> Record:
    """Score one device of a campaign, by session."""
    made = cut_of(folder, device, n_idle=N_IDLE)
    pairs, samples = pairs_of(made.cleaned.table, made.windows), samples_in(made)
    columns: dict[str, list[Any]] = {"truth": [], "said": [], "near": [], "session": []}
    for fold in SPLITS["s1"].split(samples, 0).folds:
        learnt = SignatureMatcher(pairs).fit(fold.train, samples.activity[fold.train])
        truth = samples.activity[fold.test].tolist()
        said = learnt.predict(fold.test).tolist()
        alike = {name: {name, *s.also} for name, s in learnt.signatures.items()}
        columns["truth"] += truth
        columns["said"] += said
        columns["near"] += [
            t in alike.get(s, {s}) for t, s in zip(truth, said, strict=True)
        ]
        columns["session"] += [f"{seed} {s}" for s in samples.session[fold.test]]
    rows = np.arange(len(samples))
    whole = SignatureMatcher(pairs).fit(rows, samples.activity).signatures
    return columns | {"signatures": [str(each) for each in whole.values()]}


def together(parts: Sequence[Record]) -> Record:
    """Pool the seeds of a device."""
    truth, said, near, session = (
        np.array([value for part in parts for value in part[name]])
        for name in ("truth", "said", "near", "session")
    )
    event = truth != IDLE_ACTIVITY
    shares = {
        "found": (said != IDLE_ACTIVITY)[event],
        "named, or one that looks alike": near[event],
        "named": (said == truth)[event],
    }
    record: Record = {
        "n_events": int(event.sum()),
        "n_idle": int((~event).sum()),
        "n_sessions": np.unique(session).size,
        "idle_taken_for_an_event": int((said != IDLE_ACTIVITY)[~event].sum()),
        "signatures": parts[0]["signatures"],
    }
    for name, right in shares.items():
        interval = session_interval(right.astype(np.int64), session[event], 0)
        record[name] = [
            float(right.mean()),
            *((interval.low, interval.high) if interval else ()),
        ]
    return record


def pairs_of_capture(paths: Sequence[Path], device: Device) -> Pairs:
    """Return all pairs of a device in some captures."""
    with tempfile.TemporaryDirectory() as place:
        make_tables(Path(place), paths, (device,))
        table = clean(load_packets(Path(place), device.name), DEFAULT_RULES).table
        return pairs_in(table)


def pingpong(public: Path) -> Iterator[Record]:
    """Leave each event out; look for what was learnt from the other three."""
    folder = public / "pingpong-tplink"
    held = {
        event: [pairs_of_capture([folder / f"{name}.pcap"], PINGPONG) for name in names]
        for event, names in EVENTS.items()
    }
    for event in EVENTS:
        others = [pairs[0] for other, pairs in held.items() if other != event]
        signature = _learnt(others)
        yield {
            "event": event,
            "signature": str(signature),
            "found_in": [bool(spot(signature, each).size) for each in held[event]],
        }
    signature = _learnt([pairs[0] for pairs in held.values()])
    for condition in ("no-firewall", "base-firewall"):
        path = public / "openwrt-scenarios" / "tplink-plug" / condition / "wlan2.4.pcap"
        pairs = pairs_of_capture([path], OPENWRT)
        times = spot(signature, pairs)
        yield {
            "event": f"another HS110, {condition}, scenario of 14 switches and idle",
            "signature": str(signature),
            "found_at_s": [
                round(t, 1) for t in ((times - pairs.time_ns[0]) / 1e9).tolist()
            ],
        }


def _learnt(windows: Sequence[Pairs]) -> Any:
    matcher = SignatureMatcher(windows)
    labels = np.array(["switched"] * len(windows))
    return matcher.fit(np.arange(len(windows)), labels).signatures["switched"]


def parts(found: Record, public: Sequence[Record], seeds: Sequence[int]) -> Record:
    """Return what is written: what is simulated and what is real, apart."""
    return {
        "command": "python -m tests.bench.signatures",
        "lab": {"simulated": True, "seeds": list(seeds), "devices": found},
        "real": {"simulated": False, "captures": list(public)},
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Score and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--public", default=os.environ.get("TESTBED_PUBLIC_DATA"))
    parser.add_argument("--seed", type=int, action="append")
    options = parser.parse_args(argv)
    seeds = options.seed or list(SEEDS)
    found: dict[str, Record] = {}
    folders = [recorded(options.out, seed) for seed in seeds]
    for device in DEVICES:
        print(f"signatures: {device}", file=sys.stderr, flush=True)
        scored = [
            lab(folder, seed, device)
            for folder, seed in zip(folders, seeds, strict=True)
        ]
        found[device] = together(scored)
    public = list(pingpong(Path(options.public))) if options.public else []
    record = parts(found, public, seeds)
    path = options.out / "signatures.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
