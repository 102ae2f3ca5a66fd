"""From the packets of one device to one event per activity.

An opening that a stage calls an activity which is over by then becomes an event. While
it lasts, no other opening does; before that, every opening is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.streaming.arrivals import Arrivals
from analysis.streaming.front import Front
from analysis.streaming.model import TOGETHER_NS, Answer, StreamDevice
from analysis.streaming.openings import Openings


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One activity that was noticed.

    start_ns, end_ns  from its instant to its end, ns UTC on the capture's clock
    activity          its name, names of several as `turn_off|turn_on` where training
                      could not tell them apart, or `unknown`;  probability  of these
    likeliest         one of them, '' where unknown;  likeliest_probability  of it alone
    choices           the activities that it may be (conformal set)
    due_ns            capture's clock when all that it is told from was over
    told_ns           stamp of the packet at which it was told; without one, `due_ns`
    """

    start_ns: int
    end_ns: int
    device: str
    activity: str
    probability: float
    likeliest: str
    likeliest_probability: float
    choices: tuple[str, ...]
    due_ns: int
    told_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    due_ns: int
    opened_ns: int
    stage: int
    answer: Answer


class Detector:
    """Notices the activities of one device."""

    def __init__(self, learnt: StreamDevice) -> None:
        self._learnt = learnt
        self._front = Front(
            Openings(learnt.background), [stage.length_ns for stage in learnt.stages]
        )
        self._busy_until_ns = 0
        lags = [timing.lag_ns for timing in learnt.timings.values()]
        self._usual_lag_ns = int(np.median(lags))

    @property
    def n_kept(self) -> int:
        """Packets that are remembered."""
        return self._front.n_kept

    def take(self, packets: Arrivals) -> None:
        """Take packets that follow those before."""
        self._front.take(packets)

    def advance(self, now_ns: int) -> list[Event]:
        """Return the events that can be told by `now_ns`, in order of time."""
        candidates = []
        for due in self._front.due(now_ns):
            stage = self._learnt.stages[due.stage]
            answers = stage.answers(due.seen)
            candidates += [
                _Candidate(
                    due_ns=opened_ns + stage.length_ns,
                    opened_ns=opened_ns,
                    stage=due.stage,
                    answer=answer,
                )
                for opened_ns, answer in zip(due.start_ns, answers, strict=True)
                if answer is not None
            ]
        candidates.sort(key=lambda each: (each.due_ns, each.opened_ns))
        return list(self._chosen(candidates))

    def _chosen(self, candidates: Sequence[_Candidate]) -> list[Event]:
        found = []
        for each in candidates:
            if each.opened_ns < self._busy_until_ns:
                continue
            stage = self._learnt.stages[each.stage]
            shown_ns = self._shown_ns(each.answer.likeliest)
            is_last = each.stage + 1 == len(self._learnt.stages)
            if shown_ns > stage.length_ns + TOGETHER_NS and not is_last:
                continue  # it is not over yet
            self._busy_until_ns = each.opened_ns + shown_ns
            found.append(self._event(each))
        return found

    def _shown_ns(self, activity: str) -> int:
        timing = self._learnt.timings.get(activity)
        if timing is not None:
            return timing.shown_ns
        return self._learnt.stages[-1].length_ns  # of what is unknown

    def _event(self, each: _Candidate) -> Event:
        timing = self._learnt.timings.get(each.answer.likeliest)
        lag_ns = self._usual_lag_ns if timing is None else timing.lag_ns
        start_ns = each.opened_ns - lag_ns
        length_ns = self._shown_ns(each.answer.likeliest) + lag_ns
        return Event(
            start_ns=start_ns,
            end_ns=start_ns + length_ns,
            device=self._learnt.device.name,
            activity=each.answer.activity,
            probability=each.answer.probability,
            likeliest=each.answer.likeliest,
            likeliest_probability=each.answer.likeliest_probability,
            choices=each.answer.choices,
            due_ns=each.due_ns,
            told_ns=each.due_ns,
        )
