"""Streaming: activities found in continuous captures that nobody labelled.

    python -m tests.bench.stream [--out FOLDER] [--page docs/streaming-results.md]
                                 [--days valid|test]

Records, once, with the fast form of the virtual lab into FOLDER (default
build/bench/stream): a campaign to train on, and continuous captures of other days and
other seeds, in which residents act at random times, or nobody is at home. Learns from
the campaign (once as well: FOLDER/learnt), classifies the captures, and writes
FOLDER/stream-<days>.json. Days for validation are for trying things out; the test days
are for the figure in the end. All of it is simulated.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.evaluate.patterns.events import (
    EventScore,
    Happening,
    collar_curve,
    f1_interval,
    false_rate,
    score_events,
)
from tests.bench.measure import machine
from tests.bench.stream_lab import load_days, record_days
from tests.bench.stream_page import page_of

ROOT = Path(__file__).parents[2]
SCENARIO = """\
scenario: stream_train
description: What the stream bench trains on
seed: 61
devices: [arlo_q, omna_180, echo_dot, home_mini, samsung_tv, wemo_insight, iview_bulb, \
koogeek_plug, tplink_hs110]
repeats: 40
sessions: 8
order: shuffled
rest: {uniform: [5 s, 20 s]}
idle: 3 h
"""
NAME = "stream_train"
# seed, first session, days, hours; other sessions than those of training (0 to 7)
DAYS = {
    "valid": {"lived": (71, 100, 3, 4.0), "idle": (72, 110, 2, 24.0)},
    # 2026 and 2027 were scored before the answers changed last
    "test": {"lived": (60331, 400, 6, 4.0), "idle": (60332, 500, 4, 24.0)},
}
SILENT = "power_off"  # a device without power sends nothing at all
SEED = 0
Record = dict[str, Any]


def say(text: str) -> None:
    """Tell the one who waits."""
    print(f"stream: {text}", file=sys.stderr, flush=True)


def train_campaign(out: Path) -> Path:
    """Return the campaign to train on, recorded where it is not there."""
    folder = out / "train" / NAME
    if (folder / "MANIFEST.sha256").exists():
        return folder
    say("recording the campaign; a few minutes")
    scenario = out / f"{NAME}.yaml"
    scenario.parent.mkdir(parents=True, exist_ok=True)
    scenario.write_text(SCENARIO, encoding="utf-8")
    words = [sys.executable, "-m", "testbed", "run", str(scenario), "--fast"]
    words += ["--out", str(out / "train"), "--campaign", NAME]
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


def learnt_from(folder: Path, out: Path) -> tuple[Any, float]:
    """Return what is learnt of all devices, and how long that took; learnt once."""
    from analysis.dataset import load_campaign
    from analysis.errors import ModelError
    from analysis.streaming.fit import StreamPlan
    from analysis.streaming.learn import learn
    from analysis.streaming.store import of_parts, to_parts

    place = out / "learnt"
    with suppress(ModelError, KeyError, FileNotFoundError):  # of another version
        parts = {path.name: path.read_bytes() for path in place.iterdir()}
        return of_parts(parts), float(parts["took_s"])
    shutil.rmtree(place, ignore_errors=True)
    begun = time.perf_counter()
    devices = [device.name for device in load_campaign(folder).devices]
    plan = StreamPlan(seed=SEED)
    made = learn(folder, devices, plan, on_device=lambda name: say(f"for {name}"))
    took_s = time.perf_counter() - begun
    place.mkdir()
    for name, data in to_parts(made).items():
        (place / name).write_bytes(data)
    (place / "took_s").write_text(f"{took_s}", encoding="utf-8")
    return made, took_s


def detected_in(
    captures: Mapping[str, Sequence[Path]], learnt: Any
) -> tuple[list[Happening], list[Happening], Record]:
    """Return detections, told by packet and by clock, and what reading took.

    took_s  processor time of one core
    """
    from analysis.pcap.stream import open_capture_stream
    from analysis.streaming.classify import Watch

    by_packet, by_clock = [], []
    n_packets, took_s, most_kept = 0, 0.0, 0
    for day, paths in captures.items():
        watch, begun = Watch(learnt), time.process_time()
        events = []
        for path in paths:
            with open_capture_stream(path) as stream:
                for batch in stream:
                    events += watch.take(batch)
                    most_kept = max(most_kept, watch.n_kept)
        events += watch.finish()
        took_s += time.process_time() - begun
        n_packets += watch.n_packets
        for event in events:
            found = Happening(
                device=event.device,
                activity=event.likeliest or event.activity,
                start_ns=event.start_ns,
                end_ns=event.end_ns,
                told_ns=event.told_ns,
                group=day,
            )
            by_packet.append(found)
            by_clock.append(replace(found, told_ns=event.due_ns))
    facts = {"packets": n_packets, "took_s": took_s, "most_kept": most_kept}
    return by_packet, by_clock, facts


def figures(score: EventScore) -> Record:
    """Return a score as values that JSON knows."""
    interval = f1_interval(score, SEED)
    return {
        "events": len(score.pairs) + len(score.missed),
        "found": len(score.pairs),
        "false": len(score.false),
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
        "interval": interval,
        "onset_p50_s": score.onset_error_s(0.5),
        "onset_p95_s": score.onset_error_s(0.95),
        "latency_p50_s": score.latency_s(0.5),
        "latency_p95_s": score.latency_s(0.95),
    }


def in_groups(events: Sequence[Happening], learnt: Any) -> list[Happening]:
    """Return events named by the group of activities that cannot be told apart."""
    group = {
        (name, activity): "|".join(each)
        for name, device in learnt.items()
        for each in device.groups
        for activity in each
    }
    return [
        replace(each, activity=group.get((each.device, each.activity), each.activity))
        for each in events
    ]


def scores(
    happened: Sequence[Happening], detected: Sequence[Happening], learnt: Any
) -> Record:
    """Return how well events were found, in three ways of naming them."""
    grouped = (in_groups(happened, learnt), in_groups(detected, learnt))
    return {
        "any": figures(score_events(happened, detected, class_aware=False)),
        "group": figures(score_events(*grouped)),
        "activity": figures(score_events(happened, detected)),
    }


def lived(out: Path, days: str, learnt: Any) -> Record:
    """Return all figures of the days on which residents act."""
    from testbed.model.load import load_profiles

    seed, first, n, hours = DAYS[days]["lived"]
    folder = out / days
    record_days(folder, seed=seed, first_session=first, days=n, hours=hours, acts=True)
    delta_s = {
        (name, activity): profile.delta_s(activity)
        for name, profile in load_profiles(ROOT / "devices").items()
        for activity in profile.activities
    }
    recorded = load_days(folder, delta_s)
    by_packet, by_clock, facts = detected_in(recorded.captures, learnt)
    shown = [each for each in recorded.happened if each.activity != SILENT]
    clock = score_events(shown, by_clock, class_aware=False)
    found: Record = {
        "seed": seed,
        "days": n,
        "hours": hours,
        "silent": len(recorded.happened) - len(shown),
        "all": scores(shown, by_packet, learnt),
        "with_silent": scores(recorded.happened, by_packet, learnt),
        "clock_latency_p50_s": clock.latency_s(0.5),
        "clock_latency_p95_s": clock.latency_s(0.95),
        "curve": {
            "any": collar_curve(shown, by_packet, class_aware=False),
            "group": collar_curve(
                in_groups(shown, learnt), in_groups(by_packet, learnt)
            ),
        },
        "unknown": sum(each.activity == "unknown" for each in by_packet),
        "packets_per_s": facts["packets"] / facts["took_s"],
        **facts,
    }
    found["devices"] = {
        name: scores(
            [each for each in shown if each.device == name],
            [each for each in by_packet if each.device == name],
            learnt,
        )
        for name in learnt
    }
    return found


def idle(out: Path, days: str, learnt: Any) -> Record:
    """Return the false events of days on which nobody is at home."""
    seed, first, n, hours = DAYS[days]["idle"]
    folder = out / f"{days}_idle"
    record_days(folder, seed=seed, first_session=first, days=n, hours=hours, acts=False)
    found, _by_clock, facts = detected_in(load_days(folder, {}).captures, learnt)
    spans = [(0, round(hours * 3600e9))] * (n * len(learnt))
    rate = false_rate(len(found), spans)
    return {
        "seed": seed,
        "days": n,
        "device_days": rate.device_days,
        "false": rate.n_false,
        "per_device_day": rate.per_device_day,
        "high": rate.high,
        "which": sorted(f"{each.device} {each.activity}" for each in found),
        "packets_per_s": facts["packets"] / facts["took_s"],
        **facts,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Record, learn, classify, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/bench/stream"))
    parser.add_argument("--page", type=Path)
    parser.add_argument("--days", choices=sorted(DAYS), default="test")
    options = parser.parse_args(argv)
    from analysis.streaming.fit import best_namer

    learnt, learn_s = learnt_from(train_campaign(options.out), options.out)
    facts = {
        "command": f"python -m tests.bench.stream --days {options.days}",
        "days": options.days,
        "simulated": True,
        "form": "fast",
        "classifier": best_namer().name,
        "seed": SEED,
        "learn_s": learn_s,
        "groups": {name: each.groups for name, each in learnt.items()},
        "heartbeats": {
            name: len(each.background.heartbeats) for name, each in learnt.items()
        },
        "lived": lived(options.out, options.days, learnt),
        "idle": idle(options.out, options.days, learnt),
        "machine": machine(),
    }
    path = options.out / f"stream-{options.days}.json"
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    page = page_of(facts)
    print(page)
    if options.page:
        options.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
