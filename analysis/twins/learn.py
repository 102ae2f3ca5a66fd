"""Learn the shapes of a device's trials from a campaign folder."""

from collections import Counter
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.errors import DatasetError
from analysis.evaluate.samples import Recorded, open_recorded
from analysis.labelling import Overlap
from analysis.packets import PacketTable, clean, load_packets
from analysis.twins.idle import learn_idle
from analysis.twins.model import Idle, LearntTwin, Trials
from analysis.twins.shapes import Int32, groups_of, mark_rare, shapes_of
from analysis.windows import Windows, cut

_MOST_PACKETS = 4_000_000  # of a twin, whose readers bound what they unpack
_MOST_TRIALS = 64  # of one activity in one session: the first
Int64 = NDArray[np.int64]


def learn_twin(
    source: Path | Recorded,
    device: str,
    *,
    trials: Collection[str] | None = None,
    activities: Collection[str] | None = None,
) -> LearntTwin:
    """Learn a device's trials and what it sends between them.

    source              a campaign folder, or what `open_recorded` returned for it
    trials, activities  only these; all by default

    Raises DatasetError when the folder cannot be read, holds no such device, no trial
    of it with one of the activities, or none with a packet.
    """
    recorded = open_recorded(source) if isinstance(source, Path) else source
    about = recorded.campaign.device(device)
    _require_known(recorded, device, activities or ())
    table = clean(load_packets(recorded.folder, device)).table
    # overlapping windows have packets of both: neither is learnt
    windows = cut(
        table, recorded.log, device, overlap=Overlap.DROP, widen=recorded.widen
    )
    chosen = windows.take(_chosen(windows, trials, activities))
    _require_fitting(recorded, device, chosen)
    starts = _label_instants(recorded, chosen)
    group = groups_of(table)
    found, names, sessions = _trials(table, chosen, starts, group)
    idle = learn_idle(table, windows, group)
    return LearntTwin(
        device=device,
        category=about.category,
        mac=about.mac,
        firmware=about.firmware,
        source=_told(recorded, len(chosen), idle),
        activities=names,
        sessions=sessions,
        delta_ns=_longest(found, len(names)),
        remotes=list(table.remotes),
        trials=found,
        idle=idle,
    )


def _require_known(
    recorded: Recorded, device: str, activities: Collection[str]
) -> None:
    """Raise DatasetError with a line for each activity that no trial of it has."""
    held = recorded.log.of_device(device).frame["activity"].unique().sort().to_list()
    faults = []
    for name in dict.fromkeys(activities):
        if name not in held:
            near = get_close_matches(name, held, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            has = f"{hint}it has {', '.join(held) or 'none at all'}"
            reason = f"no trial of {device} has the activity {name!r}"
            faults.append(f"{recorded.folder}: {reason}; {has}")
    if faults:
        raise DatasetError("\n".join(faults))


def _require_fitting(recorded: Recorded, device: str, chosen: Windows) -> None:
    if not len(chosen):
        raise DatasetError(
            f"{recorded.folder}: no trial of {device} has a packet; a twin is learnt "
            "from trials that were recorded and labelled"
        )
    if int(chosen.n_packets.sum()) > _MOST_PACKETS:
        raise DatasetError(
            f"{recorded.folder}: {device} has more than {_MOST_PACKETS} packets in its "
            "trials; learn fewer activities, with --activity"
        )


def _trials(
    table: PacketTable, chosen: Windows, starts: Int64, group: Int32
) -> tuple[Trials, list[str], list[str]]:
    """Return the trials, and the names of their activities and sessions."""
    names = sorted(set(chosen.activity.tolist()))
    sessions = list(dict.fromkeys(chosen.session.tolist()))
    shapes = shapes_of(table, chosen.first, chosen.last, starts, group)
    activity = np.searchsorted(np.array(names), chosen.activity).astype(np.int32)
    mark_rare(shapes, activity)
    number = {name: k for k, name in enumerate(sessions)}
    session = np.array([number[s] for s in chosen.session.tolist()], dtype=np.int32)
    found = Trials(
        shapes=shapes,
        activity=activity,
        session=session,
        length_ns=chosen.end_ns - starts,
    )
    return found, names, sessions


def _longest(found: Trials, n: int) -> list[int]:
    """Return the longest label window of each activity."""
    return [int(found.length_ns[found.activity == k].max()) for k in range(n)]


def _told(recorded: Recorded, n_trials: int, idle: Idle) -> dict[str, object]:
    return {
        "campaign": recorded.campaign.name,
        "simulated": recorded.campaign.simulated,
        "form": recorded.campaign.form,
        "times": str(recorded.campaign.times),
        "trials": n_trials,
        "idle_s": round(idle.observed_s, 3),
    }


def _chosen(
    windows: Windows,
    trials: Collection[str] | None,
    activities: Collection[str] | None,
) -> NDArray[np.bool_]:
    keep = windows.n_packets > 0
    if trials is not None:
        keep &= np.isin(windows.trial, list(trials))
    if activities is not None:
        keep &= np.isin(windows.activity, list(activities))
    seen: Counter[tuple[str, str]] = Counter()
    for row in np.flatnonzero(keep).tolist():
        place = (str(windows.activity[row]), str(windows.session[row]))
        seen[place] += 1
        keep[row] = seen[place] <= _MOST_TRIALS
    return keep


def _label_instants(recorded: Recorded, windows: Windows) -> Int64:
    """Return the label instant of each window, which may begin before it."""
    frame = recorded.log.of_device(windows.device).labelled().frame
    keys = zip(frame["trial"], frame["attempt"], frame["t_ns"], strict=True)
    at = {(trial, attempt): t_ns for trial, attempt, t_ns in keys}
    pairs = zip(windows.trial.tolist(), windows.attempt.tolist(), strict=True)
    return np.array([at[pair] for pair in pairs], dtype=np.int64)
