"""One study of behaviour: what is learnt, what is scored, and what is true of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.dataset import load_activities
from analysis.detectors.events import Events, events_of_log, make_events
from analysis.evaluate.behaviour.curves import threshold_at
from analysis.evaluate.watched.spans import (
    Split,
    learn_elsewhere,
    split_days,
    whole_days,
)
from analysis.evaluate.watched.truth import (
    Attack,
    attacks_of,
    malicious_hours,
    score_hours,
)
from analysis.evaluate.watched.verdicts import Verdict, detectors_of, judged, learnt
from analysis.importers.event_lists import read_events
from testbed.model.acts import Act, draw_acts
from testbed.model.load import load_profiles, load_scenario
from testbed.model.scenario import Scenario
from tests.bench.study_lab import EVENTS, ROOT

MONDAY_NS = 1_767_571_200 * 10**9  # at which day 0 of the fast form begins
RATE = 0.1  # of false discoveries
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A household watched.

    owner     scenario to learn from; empty where the days before `from_day` are
    watched   scenario that is scored
    """

    title: str
    watched: str
    owner: str = ""
    from_day: int | None = None


STUDIES = (
    Study(title="camera, 7 days", owner="week_camera_owner", watched="week_camera"),
    Study(title="voice, 7 days", owner="week_voice_owner", watched="week_voice"),
    Study(title="camera, 30 days", watched="month_camera", from_day=21),
    Study(title="voice, 30 days", watched="month_voice", from_day=21),
    Study(title="household, 30 days", watched="month_intruders", from_day=16),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hours to learn from and to score, and the attacks in the latter."""

    split: Split
    attacks: tuple[Attack, ...]


@cache
def scenario_of(name: str) -> Scenario:
    """Return a scenario that ships."""
    profiles = load_profiles(ROOT / "devices")
    return load_scenario(ROOT / "scenarios" / f"{name}.yaml", profiles)


def kinds_of(name: str) -> dict[str, str]:
    """Return what kind of intruder each malicious user of a scenario is."""
    return {
        user.name: "stranger" if user.attack is None else str(user.attack.kind)
        for user in scenario_of(name).users
        if user.malicious
    }


def drawn(study: Study, seed: int) -> Case:
    """Return a study at activity depth: acts as they are drawn, no packets."""
    acts = draw_acts(scenario_of(study.watched), seed)
    events = _events(acts)
    owners = []
    if study.owner:
        owners = [_events(draw_acts(scenario_of(study.owner), seed + 1))]
    bad: dict[str, list[int]] = {}
    for act in acts:
        if act.malicious:
            bad.setdefault(act.user, []).append(_stamp(act))
    return _case(study, events, owners, bad)


def campaigns_of(study: Study, kept: Mapping[str, Path]) -> list[dict[str, Path]]:
    """Return scenario -> folder of each campaign of a study that was recorded.

    kept  folders by scenario, or by SCENARIO-SEED; an owner has the seed after
    """
    found = []
    for name in sorted(kept):
        scenario, _, seed = name.partition("-")
        owner = f"{study.owner}-{int(seed) + 1}" if seed else study.owner
        if scenario != study.watched or (study.owner and owner not in kept):
            continue
        folders = {scenario: kept[name]}
        found.append(folders | ({study.owner: kept[owner]} if study.owner else {}))
    return found


def logged(study: Study, kept: Mapping[str, Path]) -> Case:
    """Return a study from activity logs.

    kept  scenario -> folder of `record_and_classify`
    """
    log = load_activities(kept[study.watched])
    owners = [events_of_log(load_activities(kept[study.owner]))] if study.owner else []
    return _case(study, events_of_log(log), owners, _bad(study, kept))


def classified(study: Study, kept: Mapping[str, Path]) -> Case:
    """Return a study from what `classify` found in the packets; truth from the log."""
    events = read_events(kept[study.watched] / EVENTS)
    owners = [read_events(kept[study.owner] / EVENTS)] if study.owner else []
    return _case(study, events, owners, _bad(study, kept))


def bad_users(folder: Path) -> frozenset[str]:
    """Return the malicious users of a recorded campaign."""
    text = (folder / "campaign.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    users = yaml.load(text, loader)["scenario"]["users"]  # noqa: S506
    return frozenset(u["name"] for u in users if u.get("malicious") or u.get("attack"))


def _bad(study: Study, kept: Mapping[str, Path]) -> dict[str, list[int]]:
    folder = kept[study.watched]
    frame = load_activities(folder).labelled().frame
    users = bad_users(folder)
    found: dict[str, list[int]] = {}
    for user, at in frame.select("user", "t_ns").iter_rows():
        if user in users:
            found.setdefault(user, []).append(at)
    return found


def _case(
    study: Study,
    events: Events,
    owners: Sequence[Events],
    bad: Mapping[str, Sequence[int]],
) -> Case:
    if owners:
        split = learn_elsewhere(owners, whole_days(events))
    else:
        split = split_days(events, study.from_day)
    kinds = kinds_of(study.watched)
    slow = [user for user, kind in kinds.items() if kind == "low_and_slow"]
    return Case(split=split, attacks=attacks_of(bad, whole=slow))


def _events(acts: Sequence[Act]) -> Events:
    stamps = np.array([_stamp(act) for act in acts], dtype=np.int64)
    return make_events(stamps, [(act.device, act.activity) for act in acts])


def _stamp(act: Act) -> int:
    return MONDAY_NS + round(act.at_s * 1e9)


def scores(
    case: Case, names: Sequence[str], kinds: Mapping[str, str], seed: int = 0
) -> Record:
    """Return the figures of each detector.

    At its own threshold, at `RATE`, and at one false alarm a week: the lowest threshold
    that leaves no more, which only who knows the truth can choose.
    """
    found: Record = {}
    for detector in detectors_of(names):
        detection = learnt(detector, case.split.learn, seed)
        own = judged(detector, detection, case.split.score, None)
        at_rate = judged(detector, detection, case.split.score, RATE)
        bad = malicious_hours(own.hours, case.attacks)
        limit = threshold_at(bad[None], own.scores[None])
        at_one = replace(own, alarms=own.scores > limit)
        found[detector.name] = {
            "one": _figures(at_one, case.attacks, kinds),
            "own": _figures(own, case.attacks, kinds),
            "fdr": _figures(at_rate, case.attacks, kinds),
        }
    return found


def _figures(
    found: Verdict, attacks: Sequence[Attack], kinds: Mapping[str, str]
) -> Record:
    record = asdict(score_hours(found.hours, found.scores, found.alarms, attacks))
    record["kinds"] = {}
    for kind in sorted(set(kinds.values())):
        of_kind = [a for a in attacks if kinds[a.user] == kind]
        part = score_hours(found.hours, found.scores, found.alarms, of_kind)
        record["kinds"][kind] = [part.caught, part.attacks]
    return record
