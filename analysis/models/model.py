"""What a trained model is: per device an estimator, and all that its user must know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.classifiers.decision import Decision, Rule
from analysis.classifiers.model import Estimator, Float64, Reads, inputs_of
from analysis.classifiers.novelty import Novelty
from analysis.dataset import Device
from analysis.models.answers import Strange, Tried
from analysis.models.asking import shares_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFigures:
    """How one activity was recognised in trials that were not learnt from."""

    activity: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFigures:
    """What the same classifier scored under one split, fresh in every fold.

    reason    why there is no score, '' when there is one; then all else is 0
    interval  95 % over sessions, None with fewer than two; f1 is the activities' mean
    null      accuracy on labels shuffled in each session;  majority  of one answer
    ece       error of the probabilities as they are, None without any
    """

    split: str
    title: str
    accuracy: float = 0.0
    interval: tuple[float, float] | None = None
    f1: float = 0.0
    f1_interval: tuple[float, float] | None = None
    null: float = 0.0
    confounded: bool = False
    majority: float = 0.0
    ece: float | None = None
    n_trials: int = 0
    n_sessions: int = 0
    digest: str = ""
    note: str = ""
    activities: tuple[ActivityFigures, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """The rows that a device was learnt from.

    trials    activity -> trials, idle windows among them;  n_uncovered  trials outside
              of every capture, which are none of them;  n_too_close  trials that were
              left out to make windows of one length
    sessions  in the order of time;  days  dates in UTC that have a trial
    digest    SHA-256 of the identities of all rows
    """

    trials: Mapping[str, int]
    n_uncovered: int
    sessions: tuple[str, ...]
    days: tuple[str, ...]
    digest: str
    n_too_close: int = 0

    @property
    def n_rows(self) -> int:
        """Trials and idle windows."""
        return sum(self.trials.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """All about a trained device but the estimator itself.

    device      whose packets these are: name, mac, ip, every_packet ...
    activities  classes in the order of the estimator's columns, `idle` among them
    delta_s     activity -> length of its label windows, the median; not of `idle`
    longest_s   of the longest window in training, a part of some features
    reads       what the estimator takes; see `DeviceModel.decide`
    tried       how answers fared in sessions that their estimator had not learnt
    strange     how windows of activities fared that were left out of training
    """

    device: Device
    classifier: str
    settings: str
    reads: Reads
    activities: tuple[str, ...]
    delta_s: Mapping[str, float]
    longest_s: float
    learnt: Learnt
    tried: Tried | None
    strange: Strange | None
    scores: tuple[SplitFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceModel:
    """A trained device: facts, and what answers for windows.

    estimator  gives the probabilities;  novelty  what each activity is known by
    decision   when which answer is given
    """

    facts: DeviceFacts
    estimator: Estimator
    novelty: Novelty
    decision: Rule

    @property
    def device(self) -> Device:
        """Whose packets this model is for."""
        return self.facts.device

    @property
    def activities(self) -> tuple[str, ...]:
        """Classes in the order of the columns of `probabilities`."""
        return self.facts.activities

    @property
    def delta_s(self) -> Mapping[str, float]:
        """Activity -> length of its label windows."""
        return self.facts.delta_s

    @property
    def longest_s(self) -> float:
        """Length of the longest window in training, for `window_features`."""
        return self.facts.longest_s

    def probabilities(self, x: Float64, sequence: Any) -> Float64:
        """Return (k, c) float64, columns as `activities`, each row sums to 1.

        x         (k, f) float64, features in the order of `TrainedModel.features`
        sequence  (k, v) csr_array, see `analysis.features.sequence`
        """
        return shares_of(self.estimator, inputs_of(x, sequence, self.facts.reads))

    def decide(self, x: Float64, sequence: Any) -> list[Decision]:
        """Answer for each of k windows; see `probabilities`."""
        shares = self.probabilities(x, sequence)
        return self.decision.decide(shares, self.novelty.of(x, shares.argmax(axis=1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which data a model was made of, and how.

    data_digest  SHA-256 over the digests of all captures and of the activity log
    by           activity, or activity+channel
    overlap      and rules of cleaning, as the windows were cut
    window_s     one length for all windows of a device, 0 for its longest, or None
    features     names of the columns of `x`, in order
    n_sequence   columns of the block `sequence`
    versions     name -> version of what it was made with
    """

    campaign: str
    simulated: bool
    form: str
    data_digest: str
    seed: int
    idle: int | None
    by: str
    overlap: str
    rules: tuple[str, ...]
    window_s: float | None
    features: tuple[str, ...]
    n_sequence: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What `train` made of a campaign; `devices` by name."""

    origin: Origin
    devices: Mapping[str, DeviceModel]
