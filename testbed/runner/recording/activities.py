"""The activity log: one row per ended attempt, on the capture's clock."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from testbed.model.events import LABELLED
from testbed.model.plan import PlannedTrial
from testbed.runner.journal.fold import Attempt, CampaignState
from testbed.runner.journal.sessions import DAY_ENDED
from testbed.runner.recording.clockwork import ClockMap, Stamp, fit
from testbed.runner.recording.witness import Seen

NO_CLOCK = "clock: "  # begins the reason to void what cannot be put on the capture
_MOST = 0.5  # when more than this share of a campaign is in doubt, all of it is

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
    """The clock map of each session in which the offset was measured."""

    maps: Mapping[str, ClockMap]

    def of_window(self, attempt: Attempt, delta_s: float) -> Stamp | None:
        """Map the label instant of an attempt, None where no map leads there."""
        clock = self.maps.get(attempt.started.session)
        if clock is None:
            return None
        return clock.of_window(_instant_ns(attempt), round(delta_s * 1e9))

    def to_capture_ns(self, attempt: Attempt, stamp_ns: int) -> int | str:
        """Map another stamp of an attempt; '' where no map leads there."""
        clock = self.maps.get(attempt.started.session)
        return "" if clock is None else clock.to_capture(stamp_ns).capture_ns


def clocks_of(state: CampaignState, seen: Mapping[str, Iterable[Seen]]) -> Clocks:
    """Return the clock maps of a campaign's sessions.

    A run of the controller has stamps that come from one start; its captures come from
    one router, whose clock may be stepped. At midnight a run begins another session and
    goes on with its capture, so sessions of one run have one map.
    """
    maps = {}
    found = _beacons(state, seen)
    for run in _runs(state):
        beacons = [beacon for session in run for beacon in found[session]]
        samples = [s for s in state.clock if s.session in run]
        if samples:  # without any, it ended before its first trial
            maps.update(dict.fromkeys(run, fit(samples, beacons)))
    return Clocks(maps=maps)


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
                **_of_attempt(attempt, clocks, trial.delta_s),
            }
        )
    return text.getvalue()


def doubtful(
    state: CampaignState, clocks: Clocks, limit_s: float
) -> list[tuple[Attempt, str]]:
    """Return the labelled attempts whose instant is not known well enough, and why.

    None when these are most of all: then it is no matter of some of them, nothing is
    won by doing them again, and `why_no_labels` says so.
    """
    found = _uncertain(state, clocks, limit_s)
    n_labelled = sum(a.final in LABELLED for a in state.all_attempts())
    if len(found) > _MOST * n_labelled:
        return []
    return [(attempt, f"{NO_CLOCK}{_known(s, limit_s)}") for attempt, s in found]


def why_no_labels(state: CampaignState, clocks: Clocks, limit_s: float) -> str:
    """Return why the clock of a campaign is not good enough for labels, or ''."""
    found = _uncertain(state, clocks, limit_s)
    if not found:
        return ""
    worst_s = max(s for _, s in found)
    return (
        f"for {len(found)} activities {_known(worst_s, limit_s)}; look at the link to "
        "the router, or raise limits.clock_uncertainty in lab.yaml"
    )


def _uncertain(
    state: CampaignState, clocks: Clocks, limit_s: float
) -> list[tuple[Attempt, float]]:
    """Return labelled attempts above the limit, and how far they may be wrong (s)."""
    if state.plan is None:
        return []
    delta_s = {t.trial: t.delta_s for t in state.plan.trials}
    found = []
    for attempt in state.all_attempts():
        if attempt.final in LABELLED and attempt.returned is not None:
            stamp = clocks.of_window(attempt, delta_s[attempt.started.trial])
            unsure_s = inf if stamp is None else stamp.uncertainty_ns / 1e9
            if unsure_s > limit_s:
                found.append((attempt, unsure_s))
    return found


def _known(unsure_s: float, limit_s: float) -> str:
    known = "not known" if unsure_s == inf else f"known to {unsure_s:.3f} s only"
    return f"the clock of the capture is {known} and the limit is {limit_s:g} s"


def _runs(state: CampaignState) -> list[list[str]]:
    """Return the sessions of each run of the controller."""
    runs: list[list[str]] = []
    goes_on = False
    for session in state.sessions.values():
        if goes_on:
            runs[-1].append(session.session)
        else:
            runs.append([session.session])
        goes_on = session.reason == DAY_ENDED
    return runs


def _beacons(
    state: CampaignState, seen: Mapping[str, Iterable[Seen]]
) -> dict[str, list[tuple[int, int]]]:
    """Return (sent, captured) of the beacons of each session.

    Those of trials say to which they belong. A file may be listed with a later capture
    than its own, so probes count only where they lie between a session's stamps.
    """
    session_of = {
        (a.started.trial, a.started.attempt): a.started.session
        for a in state.all_attempts()
    }
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in state.sessions}
    for capture, beacons in seen.items():
        own = state.sessions.get(state.captures[capture].session)
        for one in beacons:
            beacon = one.beacon
            session = session_of.get((beacon.trial, beacon.attempt), "")
            if not session and own is not None and not beacon.trial:
                end_ns = own.ended_ns or state.last_ns
                inside = own.started_ns <= beacon.sent_ns <= end_ns
                session = own.session if inside else ""
            if session:
                found[session].append((beacon.sent_ns, one.captured_ns))
    return found


def _of_trial(trial: PlannedTrial) -> dict[str, Any]:
    return {
        "device": trial.device,
        "activity": trial.activity,
        "channel": trial.channel.value,
        "network": trial.network.value if trial.network is not None else "",
        "user": trial.user,
        "delta_ns": round(trial.delta_s * 1e9),
    }


def _instant_ns(attempt: Attempt) -> int:
    if attempt.returned is not None:
        return attempt.returned.instant_ns
    return attempt.issued_ns or attempt.started_ns


def _of_attempt(attempt: Attempt, clocks: Clocks, delta_s: float) -> dict[str, Any]:
    """Stamps of an attempt that gave no stimulus span all of it: it was in there."""
    issue_ns = attempt.issued_ns or attempt.started_ns
    return_ns = attempt.ended_ns or issue_ns
    if attempt.returned is not None:
        issue_ns, return_ns = attempt.returned.issue_ns, attempt.returned.return_ns
    instant = clocks.of_window(attempt, delta_s)
    parameters = sorted(attempt.parameters.items())
    return {
        "trial": attempt.started.trial,
        "attempt": attempt.started.attempt,
        "parameters": ";".join(f"{key}={value}" for key, value in parameters),
        "t_ns": instant.capture_ns if instant is not None else "",
        "t_issue_ns": clocks.to_capture_ns(attempt, issue_ns),
        "t_return_ns": clocks.to_capture_ns(attempt, return_ns),
        "t_uncertainty_ns": instant.uncertainty_ns if instant is not None else "",
        "outcome": attempt.final.value if attempt.final is not None else "",
    }
