"""Everything that is scored on the trials of one device."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from analysis.classifiers.model import Classifier
from analysis.evaluate.fits import Progress, Told, nobody_told
from analysis.evaluate.samples import By, Cut, Samples
from analysis.evaluate.splits.folds import Split
from analysis.evaluate.study import Refusal, Result, scored
from analysis.evaluate.trust.canaries import Canary, canaries_of
from analysis.evaluate.trust.compare import Comparison, Gap, comparisons, gaps
from analysis.evaluate.trust.curves import CurvePoint, earliness, learning_curve
from analysis.evaluate.trust.groups import GroupScore, group_score, identifiable_groups
from analysis.labelling import Overlap
from analysis.packets import Index, removed_in
from analysis.packets.cleaning import DEFAULT_RULES

Parted: TypeAlias = tuple[tuple[Split, ...], tuple[Refusal, ...]]
Extra: TypeAlias = tuple[tuple[Result, ...], tuple[Refusal, ...]]

_CURVES_UNDER = ("s2", "s1", "transfer")  # the first that there is
_NOTHING: Extra = ((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """What to score. Names are checked by `campaign.plan_of`.

    with_payload  whether payloads of devices in plain text are matched
    rules         of cleaning, by name; see `analysis.packets.cleaning`
    canaries, groups, curves  whether these are made; see the modules of these names
    groupers      classifiers that say which activities can be told apart
    jobs          processes that fit side by side
    window_s      δ for all windows of a device alike, 0 for its longest, None for
                  each activity's own
    """

    classifiers: tuple[Classifier, ...]
    with_payload: bool
    splits: tuple[str, ...]
    seed: int = 0
    by: By = By.ACTIVITY
    overlap: Overlap = Overlap.REFUSE
    n_idle: int = 0
    rules: tuple[str, ...] = DEFAULT_RULES
    canaries: bool = True
    groups: bool = False
    curves: bool = False
    groupers: tuple[Classifier, ...] = ()
    jobs: int = 1
    window_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """How many packets scores rest on.

    n        before cleaning
    removed  rule -> packets that it removed, of which some may be those of another
             rule as well
    """

    n: int
    removed: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStudy:
    """All scores of one device.

    n_windows  label windows;  n_empty  those of them without a packet
    n_uncovered  label windows that no capture covers; they are not among n_windows
    unpowered_ns captured time without power, from which no idle window is cut
    canaries   split -> its canaries;  groups, curves  empty unless asked for
    window_s   δ of all windows, None where each activity has its own
    n_too_close  acts that were left out to make windows of that length
    """

    device: str
    results: tuple[Result, ...]
    refusals: tuple[Refusal, ...]
    n_windows: int
    n_empty: int
    n_uncovered: int
    unpowered_ns: int
    packets: Packets
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Gap, ...]
    canaries: Mapping[str, tuple[Canary, ...]]
    groups: tuple[GroupScore, ...]
    curves: tuple[CurvePoint, ...]
    window_s: float | None = None
    n_too_close: int = 0

    @property
    def n_packets(self) -> int:
        """Packets before cleaning."""
        return self.packets.n

    @property
    def removed(self) -> Mapping[str, int]:
        """Packets that each rule of cleaning removed."""
        return self.packets.removed


def packets_of(held: Iterable[tuple[Index, str]], rules: Sequence[str]) -> Packets:
    """Count the packets of a device in one campaign or several, by its name in each."""
    found = list(held)
    parts = [removed_in(index, device, rules) for index, device in found]
    return Packets(
        n=sum(index.n_packets(device) for index, device in found),
        removed={rule: sum(part[rule] for part in parts) for rule in parts[0]},
    )


def study_device(
    samples: Samples,
    parted: Parted,
    plan: StudyPlan,
    packets: Packets,
    *,
    extra: Extra = _NOTHING,
    made: Cut | None = None,
    told: Told = nobody_told,
) -> DeviceStudy:
    """Score one device under splits that are already made.

    parted  splits, and refusals of others;  extra  results and refusals of others
    made    the windows of `samples` and their packets, for the curve of earliness
    """
    splits, refusals = parted
    device, seed = samples.device, plan.seed
    results = extra[0]
    if plan.classifiers:
        progress: Progress = partial(told, f"{device}: scores")
        found = scored(
            samples,
            plan.classifiers,
            splits,
            seed=seed,
            jobs=plan.jobs,
            progress=progress,
        )
        results = found + results
    return DeviceStudy(
        device=device,
        results=results,
        refusals=refusals + tuple(r for r in extra[1] if r not in refusals),
        n_windows=len(samples),
        n_empty=int((samples.n_packets == 0).sum()),
        n_uncovered=samples.n_uncovered,
        unpowered_ns=samples.unpowered_ns,
        packets=packets,
        comparisons=comparisons(results, seed),
        gaps=gaps(results, seed),
        canaries=_canaries(samples, splits, plan, told),
        groups=_groups(samples, splits, results, plan, told) if plan.groups else (),
        curves=_curves(samples, splits, made, plan, told) if plan.curves else (),
    )


def _canaries(
    samples: Samples, splits: Sequence[Split], plan: StudyPlan, told: Told
) -> Mapping[str, tuple[Canary, ...]]:
    found = {}
    for number, split in enumerate(splits if plan.canaries else (), 1):
        found[split.name] = canaries_of(samples, split, plan.seed)
        told(f"{samples.device}: canaries", number, len(splits))
    return found


def _groups(
    samples: Samples,
    splits: Sequence[Split],
    results: Sequence[Result],
    plan: StudyPlan,
    told: Told,
) -> tuple[GroupScore, ...]:
    scores = []
    for split in splits:
        groups = identifiable_groups(
            samples,
            split,
            plan.groupers,
            seed=plan.seed,
            jobs=plan.jobs,
            progress=partial(told, f"{samples.device}: groups of {split.name}"),
        )
        scores += [
            group_score(result, groups, plan.seed)
            for result in results
            if result.split.name == split.name
        ]
    return tuple(scores)


def _curves(
    samples: Samples,
    splits: Sequence[Split],
    made: Cut | None,
    plan: StudyPlan,
    told: Told,
) -> tuple[CurvePoint, ...]:
    by_name = {split.name: split for split in splits}
    split = next((by_name[name] for name in _CURVES_UNDER if name in by_name), None)
    if split is None:
        return ()
    points = learning_curve(
        samples,
        plan.classifiers,
        split,
        seed=plan.seed,
        jobs=plan.jobs,
        progress=partial(told, f"{samples.device}: learning curve"),
    )
    if made is None:
        return points
    return points + earliness(
        made,
        plan.classifiers,
        split,
        by=plan.by,
        seed=plan.seed,
        jobs=plan.jobs,
        progress=partial(told, f"{samples.device}: earliness"),
    )
