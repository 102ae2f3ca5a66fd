"""Learn from a campaign what detection needs, device by device.

model = learn(folder, devices, plan)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.dataset import Device, load_activities, load_campaign
from analysis.errors import DatasetError
from analysis.packets import load_index
from analysis.streaming.background import Background
from analysis.streaming.bursts import Burst
from analysis.streaming.captures import in_order_of_time
from analysis.streaming.fit import Gathered, Rows, StreamPlan, fitted_stage
from analysis.streaming.folds import Folds, folds_of
from analysis.streaming.gather import (
    Acts,
    Opened,
    Quiet,
    acts_of,
    background_of,
    bursts_of,
    openings_of,
    quiet_of,
    windows_of,
)
from analysis.streaming.model import TOGETHER_NS, StreamDevice, Timing
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
_SHOWS = 0.3  # share of its trials in which an activity must show, to be learnt


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
    shows in its packets, or captures overlap.
    """
    campaign = load_campaign(folder)
    wanted = [campaign.device(name) for name in dict.fromkeys(devices)]
    known = _known(folder, wanted)
    windows = windows_of(
        in_order_of_time(folder),
        wanted,
        {name: (each.background, *each.held) for name, each in known.items()},
        {name: each.lengths_ns for name, each in known.items()},
    )
    made = {}
    for device in wanted:
        on_device(device.name)
        each = known[device.name]
        rows = _rows(windows.pop(device.name), each)
        days = each.quiet.total_s / 86_400
        fitted = [
            fitted_stage(own, length_ns, plan, days)
            for own, length_ns in zip(rows, each.lengths_ns, strict=True)
        ]
        made[device.name] = StreamDevice(
            device=device,
            background=each.background,
            timings=each.timings,
            groups=fitted[-1].groups,
            stages=tuple(stage.stage for stage in fitted),
        )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a device before windows are looked at.

    acts        labels are those of activities that show
    folds       what is held out together;  held  backgrounds learnt without each fold
    lengths_ns  of the windows, increasing
    """

    acts: Acts
    quiet: Quiet
    folds: Folds
    background: Background
    held: tuple[Background, ...]
    timings: dict[str, Timing]
    lengths_ns: list[int]


def _known(folder: Path, devices: Sequence[Device]) -> dict[str, _Known]:
    log, captures = load_activities(folder), in_order_of_time(folder)
    covered_ns = _joined(load_index(folder).covered_ns)
    bursts = bursts_of(captures, devices)
    found = {}
    for device in devices:
        own, acts = bursts.pop(device.name), acts_of(log, device.name)
        quiet = quiet_of(acts, covered_ns)
        background = background_of(own, acts, quiet)
        timings = _timings(openings_of(own, background), acts)
        if not timings:
            reason = "has no activity that shows in its packets"
            raise DatasetError(f"{folder}: {device.name}: {reason}")
        shown = replace(acts, is_label=_shows(acts, timings))
        folds = folds_of(shown)
        found[device.name] = _Known(
            acts=shown,
            quiet=quiet,
            folds=folds,
            background=background,
            held=_held(own, acts, quiet, folds),
            timings=timings,
            lengths_ns=_lengths_ns(timings),
        )
    return found


def _held(
    bursts: Sequence[Burst], acts: Acts, quiet: Quiet, folds: Folds
) -> tuple[Background, ...]:
    """Return, for each fold, what the others tell of the background."""
    stamps = np.array([burst.start_ns for burst in bursts], dtype=np.int64)
    of_burst = folds.at(stamps)
    return tuple(
        background_of(
            [bursts[row] for row in np.flatnonzero(of_burst != number).tolist()],
            *folds.without(number, acts, quiet),
        )
        for number in range(folds.n)
    )


def _joined(covered_ns: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what captures cover, those that follow each other as one."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(covered_ns):
        if found and first - found[-1][1] < 5 * _NS:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _lengths_ns(timings: Mapping[str, Timing]) -> list[int]:
    """Return how long after an opening each activity is over, the first of equals.

    Those that are over within a second of each other are looked at together.
    """
    over = sorted({max(each.shown_ns, _SHORTEST_NS) for each in timings.values()})
    found: list[int] = []
    for length_ns in over:
        if not found or length_ns - found[-1] > TOGETHER_NS:
            found.append(length_ns)
    return found


def _rows(opened: Opened, known: _Known) -> list[Gathered]:
    from scipy.sparse import vstack

    found = []
    for stage in range(len(known.lengths_ns)):
        own = [each for each in opened.due if each.stage == stage]
        if not own:
            raise DatasetError("no window opens in the captures")
        start_ns = np.array([s for each in own for s in each.start_ns], dtype=np.int64)
        seen = Seen(
            x=np.vstack([each.seen.x for each in own]),
            sequence=vstack([each.seen.sequence for each in own], format="csr"),
        )
        whole, *held = (
            _labelled(start_ns[here], seen.take(here), known)
            for here in (np.isin(start_ns, list(each)) for each in opened.of)
        )
        found.append(Gathered(whole=whole, held=tuple(held)))
    return found


def _labelled(start_ns: Int64, seen: Seen, known: _Known) -> Rows:
    """Name the first opening after each label's instant; all others are idle."""
    acts, quiet = known.acts, known.quiet
    label = np.full(start_ns.size, IDLE_ACTIVITY, dtype="<U64")
    kept = np.ones(start_ns.size, dtype=np.bool_)
    before = np.searchsorted(acts.start_ns, start_ns, side="right") - 1
    owner = np.maximum(before, 0)
    for number, row in enumerate(_opened(start_ns, acts)):
        begin, end = int(acts.start_ns[number]), int(acts.end_ns[number])
        if not acts.is_label[number]:
            kept[(start_ns > begin - (end - begin)) & (start_ns < end)] = False
        elif row is not None:
            label[row] = acts.activity[number]
            owner[row] = number  # also of one that opens a little before its instant
            near = (start_ns > start_ns[row]) & (start_ns < start_ns[row] + _SAME_NS)
            kept[near] = False
    longest_ns = int((acts.end_ns - acts.start_ns).max(initial=0))
    far = quiet.holds(start_ns) & quiet.holds(start_ns + longest_ns)
    return Rows(
        start_ns=start_ns,
        seen=seen,
        label=label,
        session=acts.session[owner],
        fold=known.folds.fold[owner],
        is_kept=kept,
        is_quiet=far & (label == IDLE_ACTIVITY),
    )


def _shows(acts: Acts, timings: Mapping[str, Timing]) -> Bool:
    """Say which labels are of activities that show."""
    shown: Bool = acts.is_label & np.isin(acts.activity, list(timings))
    return shown


def _opened(start_ns: Int64, acts: Acts) -> list[int | None]:
    """Return the row of the opening of each act, None where nothing shows."""
    first = np.searchsorted(start_ns, acts.start_ns - _EARLY_NS)
    until = np.minimum(acts.start_ns + _FIND_NS, acts.end_ns)
    return [
        row if row < start_ns.size and start_ns[row] < end else None
        for row, end in zip(first.tolist(), until.tolist(), strict=True)
    ]


def _timings(start_ns: Int64, acts: Acts) -> dict[str, Timing]:
    """Return when each labelled activity shows; not those that seldom do."""
    rows = _opened(start_ns, acts)
    found = {}
    for name in np.unique(acts.activity[acts.is_label]).tolist():
        own = np.flatnonzero((acts.activity == name) & acts.is_label).tolist()
        lags = [
            int(start_ns[row]) - int(acts.start_ns[i])
            for i in own
            if (row := rows[i]) is not None
        ]
        if len(lags) < max(2, _SHOWS * len(own)):
            continue
        lengths = acts.end_ns[own] - acts.start_ns[own]
        found[str(name)] = Timing(
            length_ns=int(np.median(lengths)), lag_ns=int(np.median(lags))
        )
    return found
