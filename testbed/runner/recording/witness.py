"""What the captures themselves say: which beacons are in them, and what that proves.

A trial is proven recorded when its own three beacons are in one capture: before the
stimulus, after it, and after the label window. Nothing died in between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.pcap.beacons import Beacon, find_beacons
from analysis.pcap.errors import CaptureError
from testbed.model.events import LABELLED, Outcome
from testbed.runner.journal.fold import Attempt, CampaignState, CaptureFold

_PROVEN = LABELLED | {Outcome.NO_EFFECT}
_PHASES = ("before", "after", "rest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One beacon in a capture. captured_ns: capture clock; frame: from 1."""

    file: str
    frame: int
    captured_ns: int
    beacon: Beacon


class Witness:
    """Reads the beacons of one campaign; a file is read once.

    unreadable  file -> why its beacons are not known
    """

    def __init__(self, raw: Path, campaign: str) -> None:
        self._raw = raw
        self._campaign = campaign
        self._files: dict[str, tuple[Seen, ...]] = {}
        self.unreadable: dict[str, str] = {}

    def of_capture(self, capture: CaptureFold) -> list[Seen]:
        """Return the beacons in the files of one capture, in the order of sending."""
        found = [s for name in capture.files for s in self._of_file(name.name)]
        return sorted(found, key=lambda s: s.beacon.sent_ns)

    def of_campaign(self, state: CampaignState) -> dict[str, list[Seen]]:
        """Return the beacons of every capture."""
        return {name: self.of_capture(c) for name, c in state.captures.items()}

    def _of_file(self, name: str) -> tuple[Seen, ...]:
        if name not in self._files:
            try:
                beacons = find_beacons(self._raw / name)
            except (CaptureError, OSError) as exc:
                self.unreadable[name] = str(exc)
                beacons = []
            self._files[name] = tuple(
                Seen(file=name, frame=frame, captured_ns=at_ns, beacon=beacon)
                for at_ns, frame, beacon in beacons
                if beacon.campaign == self._campaign
            )
        return self._files[name]


def unproven(
    state: CampaignState,
    seen: Mapping[str, Iterable[Seen]],
    unreadable: Mapping[str, str],
) -> list[tuple[Attempt, str]]:
    """Return the attempts with an outcome that nothing proves recorded, with reasons.

    seen        capture -> its beacons
    unreadable  file of a capture -> why it says nothing
    """
    places: dict[tuple[str, int, str], set[str]] = {}
    for capture, beacons in seen.items():
        for beacon in (one.beacon for one in beacons):
            key = (beacon.trial, beacon.attempt, beacon.phase)
            places.setdefault(key, set()).add(capture)
    wrong = []
    for attempt in state.all_attempts():
        if attempt.final not in _PROVEN or attempt.returned is None:
            continue
        trial, number = attempt.started.trial, attempt.started.attempt
        before, after, rest = (places.get((trial, number, p), set()) for p in _PHASES)
        if not before or not after:
            reason = "its beacons are not in the capture"
        elif not before & after & rest:
            reason = "the capture ended before its label window did"
        else:
            continue
        wrong.append((attempt, f"{reason}{_damaged(state, attempt, unreadable)}"))
    return wrong


def _damaged(
    state: CampaignState, attempt: Attempt, unreadable: Mapping[str, str]
) -> str:
    """Return which unreadable files might have proven an attempt, or ''."""
    running = [
        c
        for c in state.captures.values()
        if c.started_ns <= attempt.started_ns
        and (c.ended_ns is None or attempt.started_ns <= c.ended_ns)
    ]
    names = [f.name for c in running for f in c.files if f.name in unreadable]
    return "".join(f"; {name} cannot be read: {unreadable[name]}" for name in names)
