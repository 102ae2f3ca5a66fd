"""Which δ each label window has: by profile, learnt, shared, or one for the device.

A window whose length follows its activity tells something of its label before a packet
is looked at. Where δ differs much between activities, `longest` and fixed lengths are
the rules that cannot: all windows of a device are equally long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.dataset import ActivityLog
from analysis.evaluate.delta.estimate import DeltaEstimate
from analysis.evaluate.delta.heard import Heard
from analysis.evaluate.delta.responses import Int64
from analysis.evaluate.samples import Cut
from analysis.labelling import Overlap
from analysis.packets import Cleaned
from analysis.windows import IDLE_ACTIVITY, Windows, cut, rows_between

_S = 10**9


class DeltaRule(StrEnum):
    """Where δ comes from."""

    PROFILE = "profile"  # as the log says
    GROUP = "group"  # learnt; activities of one profile δ share it where it is alike
    ESTIMATED = "estimated"  # learnt, per activity
    LONGEST = "longest"  # learnt, the longest of the device for all its windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Windows of one device that are as long as any rule may want them.

    made     windows of `longest_s` beyond their uncertainty, idle ones among them, that
             no other act cuts short
    slack_s  (k,) by how much each was widened, both ends together
    act      (k,) row of `heard.acts` of each window, -1 for idle ones
    n_cut    windows that were left out because the next act came too soon
    """

    heard: Heard
    made: Cut
    longest_s: float
    slack_s: NDArray[np.float64]
    act: Int64
    n_cut: int

    def shaped(self, delta_s: Mapping[str, float], *, seed: int = 0) -> Cut:
        """Return the windows with these lengths; idle ones draw theirs from the rest.

        delta_s  activity -> seconds, at most `longest_s`
        """
        windows = self.made.windows
        idle = self.act < 0
        lengths = np.zeros(len(windows))
        lengths[~idle] = [delta_s[str(name)] for name in windows.activity[~idle]]
        if (~idle).any():
            rng = np.random.default_rng(seed)
            lengths[idle] = rng.choice(lengths[~idle], size=int(idle.sum()))
        whole_s = np.minimum(lengths, self.longest_s) + self.slack_s
        end_ns = windows.start_ns + np.round(whole_s * _S).astype(np.int64)
        table = self.made.cleaned.table
        first, last = rows_between(table.time_ns, windows.start_ns, end_ns)
        shorter = replace(windows, first=first, last=last, end_ns=end_ns)
        return replace(self.made, windows=shorter)


def make_room(
    cleaned: Cleaned,
    log: ActivityLog,
    heard: Heard,
    longest_s: float,
    *,
    n_idle: int = 0,
    seed: int = 0,
) -> Room:
    """Cut windows of one length, and leave out those that another act cuts short."""
    longest = log.frame.with_columns(delta_ns=pl.lit(round(longest_s * _S)))
    windows = cut(
        cleaned.table,
        ActivityLog(path=log.path, frame=longest),
        cleaned.table.device,
        overlap=Overlap.CUT,
        n_idle=n_idle,
        rng=np.random.default_rng(seed),
    )
    act = _acts(windows, heard)
    end_ns = _next_start(heard, act, windows)
    whole = (windows.end_ns - windows.start_ns >= longest_s * _S) & (
        windows.end_ns <= end_ns
    )
    slack_s = (windows.end_ns - windows.start_ns) / _S - longest_s
    # idle windows are as long as some label window was, with its slack
    return Room(
        heard=heard,
        made=Cut(cleaned=cleaned, windows=windows.take(whole)),
        longest_s=longest_s,
        slack_s=slack_s[whole],
        act=act[whole],
        n_cut=int((~whole & (act >= 0)).sum()),
    )


def _acts(windows: Windows, heard: Heard) -> Int64:
    """Return the row of the log of each window, -1 for idle ones."""
    keys = zip(
        heard.acts.frame["trial"].to_list(),
        heard.acts.frame["attempt"].to_list(),
        strict=True,
    )
    row = {key: number for number, key in enumerate(keys)}
    found = [
        -1 if name == IDLE_ACTIVITY else row[trial, attempt]
        for name, trial, attempt in zip(
            windows.activity.tolist(),
            windows.trial.tolist(),
            windows.attempt.tolist(),
            strict=True,
        )
    ]
    return np.array(found, dtype=np.int64)


def _next_start(heard: Heard, act: Int64, windows: Windows) -> Int64:
    """Return when the next act of the device begins, whatever its outcome."""
    at_ns = np.append(heard.acts.frame["t_ns"].to_numpy(), 2**62).astype(np.int64)
    # idle windows keep away from every act as they are drawn
    return np.where(act >= 0, at_ns[act + 1], windows.end_ns)


def profile_s(heard: Heard) -> Mapping[str, float]:
    """Return δ by activity as the log has it; the longest where it differs."""
    frame = heard.acts.frame
    pairs = zip(frame["activity"].to_list(), frame["delta_ns"].to_list(), strict=True)
    found: dict[str, float] = {}
    for name, delta_ns in pairs:
        found[name] = max(found.get(name, 0.0), delta_ns / _S)
    return found


def deltas_by(
    rule: DeltaRule,
    estimates: Mapping[str, DeltaEstimate],
    given_s: Mapping[str, float],
) -> Mapping[str, float]:
    """Return δ by activity in seconds.

    Learnt δ is the upper end of its interval. An activity without an answer keeps what
    is given.
    """
    if rule is DeltaRule.PROFILE:
        return dict(given_s)
    learnt = {name: each.high_s for name, each in estimates.items()}
    if rule is DeltaRule.GROUP:
        for group in shared(estimates, given_s):
            together = max(learnt[name] for name in group)
            learnt |= dict.fromkeys(group, together)
    found = {name: learnt.get(name, given) for name, given in given_s.items()}
    if rule is DeltaRule.LONGEST:
        longest = max(learnt.values(), default=max(given_s.values(), default=0.0))
        return dict.fromkeys(given_s, longest)
    return found


def shared(
    estimates: Mapping[str, DeltaEstimate], given_s: Mapping[str, float]
) -> Sequence[tuple[str, ...]]:
    """Return groups of activities that share δ: alike by profile, and as learnt.

    Those to which the profile gives the same δ are of similar nature; among them, those
    share whose intervals all have a length in common.
    """
    groups: list[tuple[str, ...]] = []
    for given in dict.fromkeys(given_s.values()):
        names = [n for n in estimates if given_s.get(n) == given]
        names.sort(key=lambda name: (estimates[name].low_s, name))
        group: list[str] = []
        reach = np.inf
        for name in names:
            if group and estimates[name].low_s > reach:
                groups.append(tuple(group))
                group, reach = [], np.inf
            group.append(name)
            reach = min(reach, estimates[name].high_s)
        if group:
            groups.append(tuple(group))
    return tuple(groups)
