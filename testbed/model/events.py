"""The facts of a campaign, one frozen record per kind.

A fact is written before the act that it announces. State is a fold over the facts;
nothing is ever updated. Stamps of the facts themselves are given by the journal.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from testbed.model.types import Channel, Network


class Outcome(StrEnum):
    """How a trial ended. CONFIRMED and UNCHECKED trials become labels by default."""

    CONFIRMED = "confirmed"  # the device was seen to change state
    UNCHECKED = "unchecked"  # the stimulus was issued; the profile has no check
    NO_EFFECT = "no_effect"  # the stimulus was issued; the check saw no change
    FAILED = "failed"  # an instrument failed before the trial was over
    ABORTED = "aborted"  # Ctrl-C, a crash, a voided attempt, or a bug of ours


LABELLED = frozenset({Outcome.CONFIRMED, Outcome.UNCHECKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlanned:
    """The plan, before the first act. `plan_json` is the whole plan."""

    scenario: str
    seed: int
    n_trials: int
    plan_json: str
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsInserted:
    """Trials were put into the plan, just before the trial `before`.

    trials_json  these trials, in their order
    """

    before: str
    trials_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted:
    """One uninterrupted run of the controller begins."""

    session: str
    host: str
    pid: int
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The run ended; `reason` is 'done', 'interrupted' or a sentence."""

    session: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStarted:
    """The rolling capture was proven to record."""

    capture: str
    session: str
    tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFileFetched:
    """A finished file is on this machine, with its checksum verified."""

    capture: str
    name: str
    size_b: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStopped:
    """The capture ended; see `testbed.model.protocols.CaptureEnd`."""

    capture: str
    tool: str
    version: str
    received: int | None
    dropped: int | None
    stopped_by: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMeasured:
    """Capture clock minus controller clock at `at_ns` (controller clock).

    stepped_ns  by how much this machine's clock has jumped since the session began;
                the stamps of the session did not
    """

    session: str
    at_ns: int
    offset_ns: int
    error_ns: int
    stepped_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A trial is about to act on the lab."""

    trial: str
    attempt: int
    session: str
    device: str
    activity: str
    channel: Channel
    network: Network | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeaconSent:
    """A beacon left for the captured interface.

    phase  'before' or 'after' the stimulus, or 'rest': after the label window
    """

    trial: str
    attempt: int
    phase: str
    sent_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusIssued:
    """The stimulus is about to leave."""

    trial: str
    attempt: int
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StimulusReturned:
    """The stimulus has been given; its instant lies in [issue_ns, return_ns]."""

    trial: str
    attempt: int
    issue_ns: int
    return_ns: int
    instant_ns: int
    detail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceKept:
    """A picture or view tree was written into `evidence/`."""

    trial: str
    attempt: int
    moment: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptVoided:
    """What an attempt produced must not be used; says why."""

    trial: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """The attempt is over."""

    trial: str
    attempt: int
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspended:
    """Trials that need something wait, because it is bad.

    condition  'phone', 'device', 'router', 'internet', 'disk', 'clock', 'app', 'plug'
               or 'voice'
    target     the device or plug, or '' where there is but one
    detail     what was seen
    since_ns   ns UTC (controller) of the last look that saw it good: what happened
               after it may have been touched; 0 when it was never seen good
    """

    condition: str
    target: str
    detail: str
    since_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was suspended is good again; it was bad for `down_s` seconds."""

    condition: str
    target: str
    down_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignClosed:
    """The folder is complete and its manifest is written."""

    n_labelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleAdded:
    """A scenario is to be run again and again, or at one time.

    trigger  kind of trigger -> its text, such as {'cron': '0 3 * * *'}
    missed   what to do about a missed start: 'skip', 'late' or 'reschedule'
    options  with what it is run: folders, seed, form, and how late a start may be
    """

    schedule: str
    scenario: str
    lab: str
    trigger: dict[str, str]
    missed: str
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRemoved:
    """A schedule starts nothing any more."""

    schedule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDecided:
    """What was decided about one start that was due at `due_ns` (ns UTC).

    moved_to_ns  when a moved start is due instead, ns UTC
    """

    schedule: str
    due_ns: int
    decision: str
    campaign: str
    detail: str = ""
    moved_to_ns: int | None = None


Event = (
    CampaignPlanned
    | TrialsInserted
    | SessionStarted
    | SessionEnded
    | CaptureStarted
    | CaptureFileFetched
    | CaptureStopped
    | ClockMeasured
    | TrialStarted
    | BeaconSent
    | StimulusIssued
    | StimulusReturned
    | EvidenceKept
    | AttemptVoided
    | TrialEnded
    | Suspended
    | Cleared
    | CampaignClosed
    | ScheduleAdded
    | ScheduleRemoved
    | StartDecided
)
