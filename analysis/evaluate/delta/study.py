"""Everything about δ of one device of a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from analysis.classifiers.model import Classifier
from analysis.dataset import ActivityLog
from analysis.evaluate.delta.estimate import DeltaEstimate
from analysis.evaluate.delta.heard import GAP_SHARE, listen
from analysis.evaluate.delta.rules import Room, profile_s, shared
from analysis.evaluate.delta.scores import (
    SECONDS,
    DeltaScore,
    room_for,
    score_rules,
    score_seconds,
)
from analysis.evaluate.fits import Told, nobody_told
from analysis.evaluate.samples import Recorded
from analysis.evaluate.splits.folds import SplitRefusedError
from analysis.packets import Cleaned, clean, load_packets
from analysis.packets.cleaning import DEFAULT_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaPlan:
    """What to find out of δ.

    classifiers  whose accuracy is scored by δ; without any, nothing is
    n_idle       windows without an activity among those that are scored
    gap_share    see `analysis.evaluate.delta.heard.listen`
    rules        of cleaning;  seconds  of δ that are scored
    """

    classifiers: tuple[Classifier, ...] = ()
    split: str = "s1"
    n_idle: int = 0
    seed: int = 0
    gap_share: float = GAP_SHARE
    rules: tuple[str, ...] = DEFAULT_RULES
    seconds: tuple[float, ...] = SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaStudy:
    """δ of one device.

    given_s    activity -> δ as the log has it, seconds
    estimates  activity -> δ learnt from all its trials, for people to read; none where
               nothing is heard
    n_trials   activity -> trials that have a label
    n_runs     activity -> those of them that could be followed for long enough to learn
               from; the next act came too soon after the others
    groups     activities that share δ under the rule `group`
    scores     accuracy by rule and by seconds, δ learnt inside each fold; empty where
               `refused` says why, or nothing was asked for
    n_cut      trials that are not scored, because the next act came too soon
    """

    device: str
    given_s: Mapping[str, float]
    estimates: Mapping[str, DeltaEstimate]
    n_trials: Mapping[str, int]
    n_runs: Mapping[str, int]
    groups: Sequence[tuple[str, ...]]
    scores: tuple[DeltaScore, ...] = ()
    n_cut: int = 0
    refused: str = ""


def delta_study(
    recorded: Recorded, device: str, plan: DeltaPlan, told: Told = nobody_told
) -> DeltaStudy:
    """Learn δ of a device of a campaign and score what comes of it."""
    name = recorded.campaign.device(device).name
    cleaned = clean(load_packets(recorded.folder, name), plan.rules)
    return study_delta(cleaned, recorded.log, plan, told)


def study_delta(
    cleaned: Cleaned, log: ActivityLog, plan: DeltaPlan, told: Told = nobody_told
) -> DeltaStudy:
    """Learn δ from packets that are already read, and score what comes of it."""
    name = cleaned.table.device
    heard = listen(cleaned.table, log, gap_share=plan.gap_share)
    given_s = profile_s(heard)
    estimates = heard.estimates(seed=plan.seed)
    found = DeltaStudy(
        device=name,
        given_s=given_s,
        estimates=estimates,
        n_trials=heard.n_labelled(),
        n_runs={name: runs.rows.size for name, runs in heard.followed().items()},
        groups=shared(estimates, given_s),
    )
    if not plan.classifiers:
        return found
    room = room_for(cleaned, log, heard, n_idle=plan.n_idle, seed=plan.seed)
    scores: tuple[DeltaScore, ...] = ()
    refused = ""
    try:
        scores = score_rules(
            room,
            plan.classifiers,
            plan.split,
            seed=plan.seed,
            progress=partial(told, f"{name}: δ by rule"),
        ) + score_seconds(
            room,
            plan.classifiers,
            plan.split,
            plan.seconds,
            seed=plan.seed,
            progress=partial(told, f"{name}: δ in seconds"),
        )
    except SplitRefusedError as exc:
        refused = _reason(exc, room)
    return replace(found, scores=scores, n_cut=room.n_cut, refused=refused)


def _reason(refusal: SplitRefusedError, room: Room) -> str:
    """Say why nothing is scored, and what the next act has to do with it."""
    n_left = int((room.act >= 0).sum())
    if not room.n_cut:
        return str(refusal)
    if not n_left:
        return (
            f"all {room.n_cut} trials are followed by another act within "
            f"{room.longest_s:g} s, the longest δ, so none is left to score"
        )
    return (
        f"{refusal}; {room.n_cut} of {room.n_cut + n_left} trials are left out because "
        f"another act follows within {room.longest_s:g} s, the longest δ"
    )
