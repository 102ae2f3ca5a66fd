"""Continuous captures of the virtual house, in which residents act at random times.

Nothing is scheduled around an activity, nothing marks it in the capture, and the days
are others than those of any campaign. What truly happened is the lab's own record.
"""

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.evaluate.patterns.events import Happening

START_NS = 1_786_000_000 * 10**9
_MEAN_PAUSE_S = 240.0
_LEAST_PAUSE_S = 10.0
_NS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Continuous captures and what truly happened in them.

    captures  files of each day, in order of time
    happened  events, with the day as their group
    """

    captures: Mapping[str, tuple[Path, ...]]
    happened: tuple[Happening, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One thing that a resident can do."""

    activity: str
    channel: str
    network: str | None


def record_days(
    folder: Path, *, seed: int, first_session: int, days: int, hours: float, acts: bool
) -> None:
    """Record so many days from `first_session` on; what is there already is kept.

    acts  whether residents do anything, or nobody is at home
    """
    if (folder / "done").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    from testbed.model.load import load_lab, load_profiles
    from testbed.virtual.fast.lab import open_fast_lab

    profiles = load_profiles(Path("devices"))
    lab = load_lab(Path("lab.yaml"), profiles)
    rng = np.random.default_rng([seed, first_session])
    with open_fast_lab(
        lab, profiles, seed=seed, truth=folder / "truth", start_ns=START_NS
    ) as fast:
        for session in range(first_session, first_session + days):
            fast.next_session(session)
            fast.capture_point.start_capture(f"day{session}", None)
            begin_ns = fast.clock.now_ns()
            end_ns = begin_ns + round(hours * 3600 * _NS)
            if acts:
                _live(fast, lab, profiles, rng, end_ns)
            fast.clock.sleep(max(0.0, (end_ns - fast.clock.now_ns()) / _NS))
            fast.capture_point.stop_capture()
            for file in fast.capture_point.finished_files():
                place = folder / f"day{session}"
                place.mkdir(parents=True, exist_ok=True)
                fast.capture_point.fetch(file, place / file.name)
    (folder / "done").touch()


def load_days(folder: Path, delta_s: Mapping[tuple[str, str], float]) -> Recorded:
    """Return what was recorded.

    delta_s  (device, activity) -> seconds that an activity lasts
    """
    from analysis.pcap.stream import open_capture_stream

    captures, spans = {}, {}
    for place in sorted(folder.glob("day*")):
        captures[place.name] = tuple(sorted(place.iterdir()))
        with open_capture_stream(captures[place.name][0]) as stream:
            spans[place.name] = int(next(iter(stream)).time_ns[0])
    names = sorted(spans, key=lambda name: spans[name])
    begins = np.array([spans[name] for name in names])
    happened = []
    with (folder / "truth" / "activities.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            start_ns = int(row["true_capture_ns"])
            day = int(np.searchsorted(begins, start_ns, side="right")) - 1
            length_s = delta_s[row["device"], row["activity"]]
            happened.append(
                Happening(
                    device=row["device"],
                    activity=row["activity"],
                    start_ns=start_ns,
                    end_ns=start_ns + round(length_s * _NS),
                    group=names[max(day, 0)],
                )
            )
    return Recorded(captures=captures, happened=tuple(happened))


def kinds_of(profile: Any) -> Iterator[Kind]:
    """Yield all that can be done to a device."""
    for name, activity in profile.activities.items():
        for channel in activity.channels:
            networks: Sequence[str | None] = (None,)
            if str(channel) == "phone" and activity.phone is not None:
                networks = [str(each) for each in activity.phone.networks]
            for network in networks:
                yield Kind(activity=name, channel=str(channel), network=network)


def _live(
    fast: Any, lab: Any, profiles: Mapping[str, Any], rng: Any, end_ns: int
) -> None:
    """Let residents act at random times until `end_ns`."""
    due = {
        name: fast.clock.now_ns() + round(rng.exponential(_MEAN_PAUSE_S) * _NS)
        for name in profiles
    }
    while True:
        device = min(due, key=lambda name: due[name])
        profile = profiles[device]
        if due[device] >= end_ns - 60 * _NS:
            return
        fast.clock.sleep(max(0.0, (due[device] - fast.clock.now_ns()) / _NS))
        state = fast.scene.state(device)
        able = [
            kind
            for kind in kinds_of(profile)
            if all(
                state.get(key) == value
                for key, value in profile.activities[kind.activity].needs.items()
            )
        ]
        kind = able[int(rng.integers(len(able)))]
        _act(fast, lab, device, kind, profile)
        pause_s = profile.delta_s(kind.activity) + _LEAST_PAUSE_S
        pause_s += float(rng.exponential(_MEAN_PAUSE_S))
        due[device] = fast.clock.now_ns() + round(pause_s * _NS)


def _act(fast: Any, lab: Any, device: str, kind: Kind, profile: Any) -> None:
    """Do one thing as a resident would."""
    if kind.channel == "voice":
        words = profile.activities[kind.activity].voice.say
        fast.voice.play(fast.voice.render(words))
        return
    on = kind.activity in ("turn_on", "power_on")
    if kind.channel in ("api", "power"):
        wanted = "is_device" if kind.channel == "api" else "feeds"
        plug = next(
            name for name, at in lab.plugs.items() if getattr(at, wanted) == device
        )
        fast.plugs[plug].set_power(on)
        return
    fast.scene.begin(
        device,
        kind.activity,
        channel=kind.channel,
        network=kind.network,
        parameters=dict(profile.activities[kind.activity].parameters),
        instant_ns=fast.clock.now_ns(),
    )
