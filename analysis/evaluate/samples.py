"""The label windows of one device as rows of features, ready to be split.

samples = samples_of(folder, "arlo_q")
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Reads, inputs_of
from analysis.dataset import (
    ActivityLog,
    Campaign,
    Times,
    load_activities,
    load_campaign,
)
from analysis.features.chunks import features_over
from analysis.features.matrix import features_of
from analysis.features.model import Float64, Int64
from analysis.features.sequence import sequence_of
from analysis.labelling import Overlap, labelled_as, refuse_outside
from analysis.packets import (
    Cleaned,
    Index,
    PacketTable,
    clean,
    find_raw,
    is_current,
    iter_traffic,
    load_index,
    load_packets,
    make_tables,
)
from analysis.packets.cleaning import DEFAULT_RULES
from analysis.packets.table import empty_table
from analysis.windows import IDLE_ACTIVITY, Windows, cut

Strings = NDArray[np.str_]


def _unsaid() -> Strings:
    return np.zeros(0, dtype=np.str_)


class By(StrEnum):
    """What makes a class."""

    ACTIVITY = "activity"  # the same whether by voice or by phone
    ACTIVITY_AND_CHANNEL = "activity+channel"  # told apart


_COLUMNS = (
    "x",
    "session",
    "trial",
    "start_ns",
    "n_packets",
    "channel",
    "length_ns",
    "unit",
    "home",
    "network",
    "user",
    "day",
    "recording",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Rows of one device, one per trial, in the order of time.

    x          (k, f) float64, the features;  names  their f names
    activity   (k,) str, what caused the traffic
    session    (k,) str, session of the trial
    trial      (k,) str, identity of the trial, each once
    start_ns   (k,) int64, start of the label window, for the order of sessions only
    n_packets  (k,) int64, packets that the features were computed from
    channel    (k,) str, how it was caused, '' for idle; a label only when asked for
    n_uncovered  label windows that no capture covers; they are not among the k
    unpowered_ns captured time without power, from which no idle window is cut
    sequence   (k, v) csr_array, see `analysis.features.sequence`; empty where not made
    length_ns  (k,) int64, length of the label window
    unit, home, network, user  (k,) str, as in the activity log, '' where it is silent
    day        (k,) str, the date in UTC on which the session began
    recording  (k,) str, the campaign that a row is of, where there are several
    times      what is real of the times; splits and canaries by others are refused
    """

    device: str
    names: tuple[str, ...]
    x: Float64
    activity: Strings
    session: Strings
    trial: Strings
    start_ns: Int64
    n_packets: Int64
    channel: Strings
    n_uncovered: int = 0
    unpowered_ns: int = 0
    sequence: Any = None
    length_ns: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    unit: Strings = field(default_factory=_unsaid)
    home: Strings = field(default_factory=_unsaid)
    network: Strings = field(default_factory=_unsaid)
    user: Strings = field(default_factory=_unsaid)
    day: Strings = field(default_factory=_unsaid)
    recording: Strings = field(default_factory=_unsaid)
    times: Times = Times.RECORDED

    def __post_init__(self) -> None:
        k = self.activity.size
        if not self.length_ns.size:
            object.__setattr__(self, "length_ns", np.zeros(k, np.int64))
        for name in ("unit", "home", "network", "user", "recording"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.full(k, "", dtype=np.str_))
        if not self.day.size:
            object.__setattr__(self, "day", days_of(self.session, self.start_ns))
        for name in _COLUMNS:
            if len(getattr(self, name)) != k:
                size = len(getattr(self, name))
                raise ValueError(f"{name}: has {size} rows for {k} windows")

    def __len__(self) -> int:
        return int(self.activity.size)

    def inputs(self, reads: Reads) -> Any:
        """Return what a classifier is given: (k, f) array, or (k, f + v) csr_array."""
        return inputs_of(self.x, self.sequence, reads)

    def sessions(self) -> tuple[str, ...]:
        """Return the names of the sessions in the order of their first trial."""
        names, first = np.unique(self.session, return_index=True)
        order = np.argsort(self.start_ns[first], kind="stable")
        return tuple(str(n) for n in names[order])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The label windows of one device over its cleaned packets.

    cleaned  the packets, with what cleaning took away;  windows  rows of its table
    """

    cleaned: Cleaned
    windows: Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A campaign that is ready to be cut: read once, with packet tables in place."""

    folder: Path
    campaign: Campaign
    log: ActivityLog
    index: Index
    widen: bool  # as the captures were labelled


def open_recorded(folder: Path) -> Recorded:
    """Read a campaign folder; packet tables that are missing are made first.

    Raises DatasetError when it cannot be read or there are no captures to make tables
    of, LabelError when no activity lies in a capture.
    """
    campaign, log = load_campaign(folder), load_activities(folder)
    if not is_current(folder, campaign.devices):
        make_tables(folder, find_raw(folder), campaign.devices)
    index = load_index(folder)
    held = sorted(
        ((each.first_ns, each.last_ns or 0), each.name)
        for each in index.captures
        if each.first_ns is not None
    )
    refuse_outside(log, [span for span, _name in held], [name for _span, name in held])
    _overlap, widen = labelled_as(folder)
    return Recorded(folder=folder, campaign=campaign, log=log, index=index, widen=widen)


def samples_of(
    source: Path | Recorded,
    device: str,
    *,
    by: By = By.ACTIVITY,
    overlap: Overlap = Overlap.REFUSE,
    n_idle: int = 0,
    seed: int = 0,
    rules: Sequence[str] = DEFAULT_RULES,
    longest_s: float | None = None,
) -> Samples:
    """Return one row of features per confirmed or unchecked trial of a device.

    source   a campaign folder, or what `open_recorded` returned for it
    by       whether channels are told apart
    overlap  what to do when two label windows overlap
    n_idle   windows without an activity to draw with `seed`, labelled `idle`
    rules    of cleaning, by name
    longest_s  delay of a packet that does not come: the longest of the windows that are
             learnt from, where these are others; by default the longest of these

    Packets are read in pieces; memory does not grow with them. Raises DatasetError when
    the folder cannot be read, LabelError when windows overlap, AnalysisError for a rule
    that does not exist.
    """
    recorded = _opened(source)
    windows = windows_of(recorded, device, overlap=overlap, n_idle=n_idle, seed=seed)
    return samples_over(
        recorded.folder, windows, by=by, rules=rules, longest_s=longest_s
    )


def samples_over(
    folder: Path,
    windows: Windows,
    *,
    by: By = By.ACTIVITY,
    rules: Sequence[str] = DEFAULT_RULES,
    longest_s: float | None = None,
) -> Samples:
    """Compute the features of windows, whose packets are looked for on the way."""
    traffic = iter_traffic(folder, windows.device, rules)
    names, x, n_packets, sequence = features_over(traffic, windows, longest_s=longest_s)
    return _samples(windows, by, names, x, n_packets, sequence)


def windows_of(
    source: Path | Recorded,
    device: str,
    *,
    overlap: Overlap = Overlap.REFUSE,
    n_idle: int = 0,
    seed: int = 0,
) -> Windows:
    """Return when a device's windows begin and end, without looking for their packets.

    See `samples_of`; rows of packets (`first`, `last`) are all 0.
    """
    recorded = _opened(source)
    nothing = empty_table(
        recorded.campaign.device(device).name, covered_ns=recorded.index.covered_ns
    )
    return _cut(nothing, recorded, overlap, n_idle, seed)


def cut_of(
    source: Path | Recorded,
    device: str,
    *,
    overlap: Overlap = Overlap.REFUSE,
    n_idle: int = 0,
    seed: int = 0,
    rules: Sequence[str] = DEFAULT_RULES,
) -> Cut:
    """Return cleaned packets and label windows of a device; see `samples_of`."""
    recorded = _opened(source)
    name = recorded.campaign.device(device).name
    cleaned = clean(load_packets(recorded.folder, name), rules)
    windows = _cut(cleaned.table, recorded, overlap, n_idle, seed)
    return Cut(cleaned=cleaned, windows=windows)


def _opened(source: Path | Recorded) -> Recorded:
    return source if isinstance(source, Recorded) else open_recorded(source)


def _cut(
    table: PacketTable, recorded: Recorded, overlap: Overlap, n_idle: int, seed: int
) -> Windows:
    windows = cut(
        table,
        recorded.log,
        table.device,
        overlap=overlap,
        widen=recorded.widen,
        n_idle=n_idle,
        rng=np.random.default_rng(seed) if n_idle else None,
    )
    return replace(windows, times=recorded.campaign.times)


def samples_in(made: Cut, *, by: By = By.ACTIVITY) -> Samples:
    """Compute the features of windows that are already cut."""
    names, x = features_of(made.cleaned.table, made.windows)
    sequence = sequence_of(made.cleaned.table, made.windows)
    return _samples(made.windows, by, names, x, made.windows.n_packets, sequence)


def _samples(
    windows: Windows,
    by: By,
    names: tuple[str, ...],
    x: Float64,
    n_packets: Int64,
    sequence: Any,
) -> Samples:
    return Samples(
        device=windows.device,
        names=names,
        x=x,
        activity=labels_of(windows, by),
        session=_sessions(windows),
        trial=_identities(windows),
        start_ns=windows.start_ns,
        n_packets=n_packets,
        channel=windows.channel,
        n_uncovered=windows.n_uncovered,
        unpowered_ns=windows.unpowered_ns,
        sequence=sequence,
        length_ns=windows.end_ns - windows.start_ns,
        unit=windows.unit,
        home=windows.home,
        network=windows.network,
        user=windows.user,
        times=windows.times,
    )


def days_of(session: Strings, start_ns: Int64) -> Strings:
    """Return (k,) str, the date in UTC of the first trial of each row's session."""
    names, number = np.unique(session, return_inverse=True)
    first_ns = np.full(names.size, np.iinfo(np.int64).max)
    np.minimum.at(first_ns, number, start_ns)
    days = [
        datetime.fromtimestamp(at_ns // 10**9, UTC).date().isoformat()
        for at_ns in first_ns.tolist()
    ]
    return np.array(days, dtype=np.str_)[number]


def labels_of(windows: Windows, by: By) -> Strings:
    """Return the class of each window, (k,) str."""
    if by is By.ACTIVITY:
        return windows.activity
    pairs = zip(windows.activity, windows.channel, strict=True)
    return np.array([f"{a} by {c}" if c else str(a) for a, c in pairs], dtype=np.str_)


def _sessions(windows: Windows) -> Strings:
    """Return the session of each window; one name in two homes is two sessions."""
    homes: dict[str, set[str]] = {}
    pairs = list(zip(windows.session.tolist(), windows.home.tolist(), strict=True))
    for session, home in pairs:
        homes.setdefault(session, set()).add(home)
    names = [f"{home}: {s}" if len(homes[s]) > 1 else s for s, home in pairs]
    return np.array(names, dtype=np.str_)


def _identities(windows: Windows) -> Strings:
    """Return a name per window that no other has, drawn windows by their start.

    An activity of the log may be called idle as well; it has a trial.
    """
    idle = (windows.activity == IDLE_ACTIVITY) & (windows.trial == "")
    names = [
        f"idle-{start}" if none else str(trial)
        for none, trial, start in zip(
            idle, windows.trial, windows.start_ns, strict=True
        )
    ]
    return np.array(names, dtype=np.str_)
