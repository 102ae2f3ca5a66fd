"""Learn from a campaign what detection needs, device by device.

model = learn(folder, devices, plan)

How sure an answer must be is set with sessions that were not trained on: so high that
their idle stretches stay quiet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Classifier, Float64, Reads
from analysis.dataset import load_activities, load_campaign
from analysis.errors import DatasetError
from analysis.packets import find_raw, load_index
from analysis.streaming.front import Due
from analysis.streaming.gather import (
    Acts,
    Quiet,
    acts_of,
    background_of,
    bursts_of,
    quiet_of,
    windows_of,
)
from analysis.streaming.model import Stage, StreamDevice, Timing, inputs, is_act
from analysis.streaming.windows import Seen
from analysis.windows import IDLE_ACTIVITY

Int64 = NDArray[np.int64]
Text = NDArray[np.str_]
Bool = NDArray[np.bool_]

_NS = 1_000_000_000
_SHORTEST_NS = 4 * _NS  # a burst is judged within 3 s
_FIND_NS = 6 * _NS  # the opening of an activity comes within
_EARLY_NS = _NS // 2
_SAME_NS = 2 * _NS  # openings so soon after the right one are as good, and not learnt
_FOLDS = 4
_FALSE_PER_DAY = 0.5  # of one device
_LEAST_EVENT, _MOST_EVENT = 0.5, 0.98
_KNOWN_SHARE = 0.95
_COVERAGE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """How to learn."""

    classifier: Classifier
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Windows of one length with their labels.

    start_ns  (k,) int64;  seen  k rows
    label     (k,) text, idle where no activity begins;  session  (k,) text
    is_kept   (k,) bool, False for what has no clear label
    is_quiet  (k,) bool, far from all that was done
    """

    start_ns: Int64
    seen: Seen
    label: Text
    session: Text
    is_kept: Bool
    is_quiet: Bool


def learn(
    folder: Path,
    devices: Sequence[str],
    plan: StreamPlan,
    *,
    on_device: Callable[[str], None] = lambda name: None,
) -> dict[str, StreamDevice]:
    """Learn devices of a campaign whose captures are there.

    on_device  told the name of each device before it is learnt

    Raises DatasetError when the folder cannot be read or a device has no activity that
    shows in its packets.
    """
    campaign, log = load_campaign(folder), load_activities(folder)
    wanted = [campaign.device(name) for name in dict.fromkeys(devices)]
    captures = sorted(find_raw(folder))
    acts = {device.name: acts_of(log, device.name) for device in wanted}
    covered_ns = _joined(load_index(folder).covered_ns)
    quiet = {name: quiet_of(each, covered_ns) for name, each in acts.items()}
    bursts = bursts_of(captures, wanted)
    backgrounds = {
        name: background_of(bursts.pop(name), each, quiet[name])
        for name, each in acts.items()
    }
    lengths = {name: _lengths_ns(each) for name, each in acts.items()}
    windows = windows_of(captures, wanted, backgrounds, lengths)
    made = {}
    for device in wanted:
        on_device(device.name)
        name = device.name
        rows = _rows(windows.pop(name), acts[name], quiet[name], len(lengths[name]))
        timings = _timings(rows[-1], acts[name])
        if not timings:
            message = f"{folder}: {name}: has no activity that shows in its packets"
            raise DatasetError(message)
        made[name] = StreamDevice(
            device=device,
            background=backgrounds[name],
            timings=timings,
            stages=tuple(
                _stage(each, length_ns, plan, quiet[name].total_s / 86_400)
                for each, length_ns in zip(rows, lengths[name], strict=True)
            ),
        )
    return made


def _joined(covered_ns: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what captures cover, those that follow each other as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(covered_ns):
        if found and first - found[-1][1] < 5 * _NS:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _lengths_ns(acts: Acts) -> list[int]:
    lengths = np.maximum(acts.end_ns - acts.start_ns, _SHORTEST_NS)
    return sorted(set(lengths[acts.is_label].tolist())) or [_SHORTEST_NS]


def _rows(due: Sequence[Due], acts: Acts, quiet: Quiet, n: int) -> list[Rows]:
    from scipy.sparse import vstack

    found = []
    for stage in range(n):
        own = [each for each in due if each.stage == stage]
        if not own:
            raise DatasetError("no window opens in the captures")
        start_ns = np.array([s for each in own for s in each.start_ns], dtype=np.int64)
        seen = Seen(
            x=np.vstack([each.seen.x for each in own]),
            sequence=vstack([each.seen.sequence for each in own], format="csr"),
        )
        found.append(_labelled(start_ns, seen, acts, quiet))
    return found


def _labelled(start_ns: Int64, seen: Seen, acts: Acts, quiet: Quiet) -> Rows:
    """Name the first opening after each label's instant; all others are idle."""
    label = np.full(start_ns.size, IDLE_ACTIVITY, dtype="<U64")
    kept = np.ones(start_ns.size, dtype=np.bool_)
    first = np.searchsorted(start_ns, acts.start_ns - _EARLY_NS)
    for number, row in enumerate(first.tolist()):
        begin, end = int(acts.start_ns[number]), int(acts.end_ns[number])
        if not acts.is_label[number]:
            kept[(start_ns > begin - (end - begin)) & (start_ns < end)] = False
            continue
        if row < start_ns.size and start_ns[row] < min(begin + _FIND_NS, end):
            label[row] = acts.activity[number]
            near = (start_ns > start_ns[row]) & (start_ns < start_ns[row] + _SAME_NS)
            kept[near] = False
    before = np.searchsorted(acts.start_ns, start_ns, side="right") - 1
    session = acts.session[np.maximum(before, 0)]
    longest_ns = int((acts.end_ns - acts.start_ns).max(initial=0))
    far = quiet.holds(start_ns) & quiet.holds(start_ns + longest_ns)
    return Rows(
        start_ns=start_ns,
        seen=seen,
        label=label,
        session=session,
        is_kept=kept,
        is_quiet=far & (label == IDLE_ACTIVITY),
    )


def _timings(rows: Rows, acts: Acts) -> dict[str, Timing]:
    found = {}
    for name in np.unique(rows.label[rows.is_kept]):
        if not is_act(str(name)):
            continue
        opened = rows.start_ns[rows.label == name]
        own = acts.start_ns[acts.activity == name]
        at = np.searchsorted(own, opened + _EARLY_NS, side="right") - 1
        lengths = (acts.end_ns - acts.start_ns)[acts.activity == name]
        found[str(name)] = Timing(
            length_ns=int(np.median(lengths)),
            lag_ns=int(np.median(opened - own[np.maximum(at, 0)])),
        )
    return found


def _stage(rows: Rows, length_ns: int, plan: StreamPlan, days: float) -> Stage:
    shares, names = _held_out(rows, plan)
    idle = names.index(IDLE_ACTIVITY) if IDLE_ACTIVITY in names else None
    event = 1 - shares[:, idle] if idle is not None else np.ones(len(shares))
    is_event = rows.label != IDLE_ACTIVITY
    event_from = _quiet_from(event[rows.is_quiet], days)
    x = _taken(rows.seen, rows.is_kept, plan.classifier.reads)
    estimator = plan.classifier.make(plan.seed)
    estimator.fit(x, rows.label[rows.is_kept])
    acted = is_event & rows.is_kept
    best = np.delete(shares, idle, axis=1).max(axis=1) if idle is not None else event
    known = (best / np.maximum(event, 1e-12))[acted & (event >= event_from)]
    column = [names.index(str(label)) for label in rows.label[acted]]
    right = shares[acted, column]
    return Stage(
        length_ns=length_ns,
        estimator=estimator,
        reads=plan.classifier.reads,
        event_from=event_from,
        known_from=float(np.quantile(known, 1 - _KNOWN_SHARE)) if known.size else 0.0,
        choice_from=_choice_from(right),
    )


def _quiet_from(event: Float64, days: float) -> float:
    """Return from which probability so few idle windows are told as is wanted."""
    allowed = int(_FALSE_PER_DAY * days)
    worst = np.sort(event)[::-1]
    level = float(worst[allowed]) + 1e-6 if worst.size > allowed else 0.0
    return min(max(level, _LEAST_EVENT), _MOST_EVENT)


def _choice_from(right: Float64) -> float:
    """Return the conformal level (LAC) for the share of sets that hold the truth."""
    if not right.size:
        return 0.0
    rank = min(1.0, _COVERAGE * (right.size + 1) / right.size)
    return float(1 - np.quantile(1 - right, rank, method="higher"))


def _held_out(rows: Rows, plan: StreamPlan) -> tuple[Float64, list[str]]:
    """Return the probabilities of each row, by estimators without its session."""
    from sklearn.model_selection import GroupKFold

    names = sorted({*rows.label.tolist()})
    shares = np.zeros((rows.label.size, len(names)))
    groups: NDArray[Any] = rows.session
    n_groups = np.unique(groups).size
    if n_groups < 2:
        groups, n_groups = np.arange(rows.label.size) * 8 // rows.label.size, 8
    folds = GroupKFold(min(_FOLDS, n_groups))
    for train, test in folds.split(rows.label, rows.label, groups):
        kept = np.zeros(rows.label.size, dtype=np.bool_)
        kept[train] = True
        kept &= rows.is_kept
        reads = plan.classifier.reads
        estimator = plan.classifier.make(plan.seed)
        estimator.fit(_taken(rows.seen, kept, reads), rows.label[kept])
        chosen = np.zeros(rows.label.size, dtype=np.bool_)
        chosen[test] = True
        found = np.asarray(estimator.predict_proba(_taken(rows.seen, chosen, reads)))
        columns = [names.index(str(name)) for name in estimator.classes_]
        shares[np.flatnonzero(chosen)[:, None], columns] = found
    return shares, names


def _taken(seen: Seen, rows: Bool, reads: Reads) -> Any:
    at = np.flatnonzero(rows)
    return inputs(Seen(x=seen.x[at], sequence=seen.sequence[at]), reads)
