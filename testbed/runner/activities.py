"""The activity log: one row per ended attempt, on the capture's clock."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.errors import LabError
from testbed.model.events import ClockMeasured
from testbed.model.plan import PlannedTrial
from testbed.runner.clockwork import ClockMap, fit
from testbed.runner.fold import Attempt, CampaignState, CaptureFold
from testbed.runner.witness import Seen

COLUMNS = (
    "campaign",
    "session",
    "trial",
    "attempt",
    "home",
    "device",
    "unit",
    "firmware",
    "app_version",
    "activity",
    "parameters",
    "channel",
    "network",
    "user",
    "t_ns",
    "t_issue_ns",
    "t_return_ns",
    "t_uncertainty_ns",
    "delta_ns",
    "outcome",
    "simulated",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The clock map of each capture, and from when on (controller) it is valid."""

    maps: tuple[tuple[int, ClockMap], ...]

    def at(self, stamp_ns: int) -> ClockMap:
        """Return the map of the capture that ran at a stamp of the controller."""
        if not self.maps:
            raise LabError("the campaign has no capture, so its clock is not known")
        chosen = self.maps[0][1]
        for since_ns, one in self.maps:
            if since_ns <= stamp_ns:
                chosen = one
        return chosen


def clocks_of(state: CampaignState, seen: Mapping[str, Iterable[Seen]]) -> Clocks:
    """Return the clock maps of a campaign's captures."""
    captures = sorted(state.captures.values(), key=lambda c: c.started_ns)
    maps = []
    for capture, following in zip(captures, [*captures[1:], None], strict=True):
        samples = _samples(state, capture, following)
        beacons = [(s.beacon.sent_ns, s.captured_ns) for s in seen[capture.capture]]
        if samples:  # without any, the capture ended before its first trial
            maps.append((capture.started_ns, fit(samples, beacons)))
    return Clocks(maps=tuple(maps))


def activities_csv(
    state: CampaignState,
    clocks: Clocks,
    devices: Mapping[str, Mapping[str, Any]],
    *,
    campaign: str,
    home: str,
) -> str:
    """Return `activities.csv`, one row per ended attempt in the order of starts.

    devices  device -> unit, firmware, app_version as in campaign.yaml
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    if state.plan is None or state.planned is None:
        return text.getvalue()
    planned = {t.trial: t for t in state.plan.trials}
    for attempt in state.all_attempts():
        if attempt.final is None:
            continue
        trial = planned[attempt.started.trial]
        device = devices[trial.device]
        writer.writerow(
            {
                "campaign": campaign,
                "session": attempt.started.session,
                "home": home,
                "unit": device["unit"],
                "firmware": device["firmware"],
                "app_version": device["app_version"],
                "simulated": "true" if state.planned.simulated else "false",
                **_of_trial(trial),
                **_of_attempt(attempt, clocks),
            }
        )
    return text.getvalue()


def why_no_labels(state: CampaignState, clocks: Clocks, limit_s: float) -> str:
    """Return why the clock of a campaign is not good enough for labels, or ''."""
    stamps = [a.returned.instant_ns for a in state.all_attempts() if a.returned]
    errors_ns = (clocks.at(s).to_capture(s).uncertainty_ns for s in stamps)
    worst_s = max(errors_ns, default=0) / 1e9
    if worst_s <= limit_s:
        return ""
    return (
        f"the clock of the capture is known to {worst_s:.3f} s only and the limit is "
        f"{limit_s:g} s; look at the link to the router, or raise "
        "limits.clock_uncertainty in lab.yaml"
    )


def _samples(
    state: CampaignState, capture: CaptureFold, following: CaptureFold | None
) -> list[ClockMeasured]:
    end_ns = following.started_ns if following is not None else None
    return [
        s
        for s in state.clock
        if s.at_ns >= capture.started_ns and (end_ns is None or s.at_ns < end_ns)
    ]


def _of_trial(trial: PlannedTrial) -> dict[str, Any]:
    return {
        "device": trial.device,
        "activity": trial.activity,
        "channel": trial.channel.value,
        "network": trial.network.value if trial.network is not None else "",
        "user": trial.user,
        "delta_ns": round(trial.delta_s * 1e9),
    }


def _of_attempt(attempt: Attempt, clocks: Clocks) -> dict[str, Any]:
    """Stamps of an attempt that gave no stimulus span all of it: it was in there."""
    issue_ns = attempt.issued_ns or attempt.started_ns
    return_ns = attempt.ended_ns or issue_ns
    instant_ns = issue_ns
    if attempt.returned is not None:
        issue_ns, return_ns = attempt.returned.issue_ns, attempt.returned.return_ns
        instant_ns = attempt.returned.instant_ns
    clock = clocks.at(instant_ns)
    instant = clock.to_capture(instant_ns)
    parameters = sorted(attempt.parameters.items())
    return {
        "trial": attempt.started.trial,
        "attempt": attempt.started.attempt,
        "parameters": ";".join(f"{key}={value}" for key, value in parameters),
        "t_ns": instant.capture_ns,
        "t_issue_ns": clock.to_capture(issue_ns).capture_ns,
        "t_return_ns": clock.to_capture(return_ns).capture_ns,
        "t_uncertainty_ns": instant.uncertainty_ns,
        "outcome": attempt.final.value if attempt.final is not None else "",
    }
