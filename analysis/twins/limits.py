"""What a twin has not learnt, of what a campaign tells of its device."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from analysis.dataset import load_activities, load_campaign
from analysis.twins.model import LearntTwin

# trials of an activity in the smaller of the sides that the figures were measured with
MEASURED_WITH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One activity of the log.

    n_learnt, n_recorded  trials; those that are not learnt have no packet, overlap
                          another label window, were not asked for, or are too many
    n_sessions            sessions that were learnt
    ways                  channels, networks and parameters that are one mixture
    """

    activity: str
    n_learnt: int
    n_recorded: int
    n_sessions: int
    ways: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What was learnt of each activity; `plaintext` says whether payloads were."""

    activities: Sequence[Known]
    plaintext: bool
    idle_s: float

    def few(self) -> list[Known]:
        """Return what was learnt from fewer trials than the figures of the page."""
        return [each for each in self.activities if 0 < each.n_learnt < MEASURED_WITH]

    def left_out(self) -> list[Known]:
        """Return what the campaign has and the twin has not."""
        return [each for each in self.activities if not each.n_learnt]


def limits_of(folder: Path, learnt: LearntTwin) -> Limits:
    """Compare a twin with the log of the campaign that it was learnt from."""
    log = load_activities(folder).of_device(learnt.device).labelled().frame
    about = load_campaign(folder).device(learnt.device)
    trials = learnt.trials
    found = []
    for (name,), rows in sorted(log.group_by("activity")):
        number = (
            list(learnt.activities).index(name) if name in learnt.activities else -1
        )
        mine = trials.activity == number
        found.append(
            Known(
                activity=str(name),
                n_learnt=int(np.count_nonzero(mine)),
                n_recorded=rows.height,
                n_sessions=int(np.unique(trials.session[mine]).size),
                ways=_ways(rows),
            )
        )
    return Limits(
        activities=found, plaintext=about.plaintext, idle_s=learnt.idle.observed_s
    )


def _ways(rows: pl.DataFrame) -> list[str]:
    """Return the channels, networks and parameters, of each where there are several."""
    found = []
    for column in ("channel", "network", "parameters"):
        values = sorted({str(value) for value in rows[column].to_list() if value})
        found += values if len(values) > 1 else []
    return found
