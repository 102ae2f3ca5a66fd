"""Scores as tables for people: one per split, Table 1 side by side, and the rest."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from testbed.cli.reading import counted
from testbed.cli.score_extras import (
    print_better,
    print_curves,
    print_groups,
    print_open_set,
    print_trust,
    show,
    signed,
    with_interval,
)

if TYPE_CHECKING:
    from analysis.evaluate.device_study import DeviceStudy, StudyPlan
    from analysis.evaluate.study import Result

_CONFOUNDED = (
    "each session holds one activity only: what is recognised may be the session, and "
    "there is no null"
)
_TABLE_1 = ("s0_folds", "s0_holdout", "s1", "s2")


def print_origin(about: Mapping[str, Any]) -> None:
    """Print which campaign, or which two, the scores are of."""
    print(f"campaign {_origin(about)}; seed {about['seed']}")
    if "test" in about:
        print(f"tested on {_origin(about['test'])}")
    for one, two in about.get("called", {}).items():
        print(f"{one}: tested on {two}")
    for line in about.get("left_out", ()):
        print(line)


def _origin(about: Mapping[str, Any]) -> str:
    kind = "simulated" if about["simulated"] else "captured"
    return f"{about['campaign']}: {kind}, {about['form']}"


def print_scores(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> None:
    """Print everything that was scored, as far as it was asked for."""
    titles = _titles(found, plan)
    for name in _splits(found, plan):
        _print_split(name, found, titles)
    _print_side_by_side(found, titles)
    print_trust(found, titles)
    print_open_set(found, titles)
    print_groups(found, titles)
    print_curves(found, titles)
    print_better(found, titles)
    print_canaries(found)
    _print_notes(found, plan)


def _titles(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> dict[str, str]:
    """Return classifier -> title; the matcher only where it has something to say."""
    from analysis.evaluate.patterns.payloads import NAME, TITLE

    titles = {c.name: c.title for c in plan.classifiers}
    heard = any(r.classifier == NAME for study in found for r in study.results)
    return titles | ({NAME: TITLE} if heard or not titles else {})


def _splits(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> list[str]:
    """Return the names of splits in the order asked for, then others there are."""
    seen = [r.split.name for study in found for r in study.results]
    seen += [r.split for study in found for r in study.refusals]
    return [n for n in dict.fromkeys((*plan.splits, *seen)) if n in seen]


def _print_split(
    name: str, found: "Sequence[DeviceStudy]", titles: Mapping[str, str]
) -> None:
    """Print one table: a row per device, a column per classifier, as in the paper."""
    print(f"\n{_head(name, found)}")
    rows, asides = [], []
    for study in found:
        scored = {r.classifier: r for r in study.results if r.split.name == name}
        if scored:
            rows.append(_row(study.device, scored, list(titles)))
            asides += [f"{study.device}: {each}" for each in _asides(scored)]
        asides += [
            f"{study.device}: refused: {r.reason}"
            for r in study.refusals
            if r.split == name
        ]
    show(("device", *titles.values(), "majority", "trials", "sessions"), rows)
    for line in asides:
        print(line)


def _head(name: str, found: "Sequence[DeviceStudy]") -> str:
    from analysis.evaluate.splits.named import SPLITS
    from analysis.evaluate.splits.names import HEADLINE

    made = [r.split for study in found for r in study.results if r.split.name == name]
    if name not in SPLITS and not made:
        return name
    split = made[0] if made else SPLITS[name]
    mark = " (LEAKY)" if split.leaky else ""
    if name == HEADLINE:
        mark = ", THE HEADLINE"
    return f"{split.title}{mark}: {split.description}"


def _asides(scored: "dict[str, Result]") -> Iterator[str]:
    """Say what the numbers of a row do not."""
    for note in sorted({r.split.note for r in scored.values() if r.split.note}):
        yield f"left out: {note}"
    if any(r.confounded for r in scored.values()):
        yield _CONFOUNDED
    for result in scored.values():
        if not result.confounded and not result.null.by_chance:
            low, high = result.null.interval.low, result.null.interval.high
            yield (
                f"{result.classifier}: {result.null_accuracy:.2f} on shuffled labels "
                f"is not what chance gives, {low:.2f}–{high:.2f}: a leak"
            )
        if result.answered < 1:
            n_answered = round(result.answered * result.n_trials)
            n_right = round(result.accuracy * result.n_trials)
            yield (
                f"{result.classifier} answers {n_answered} of {result.n_trials} "
                f"windows, {n_right} of them right; the others have no known message"
            )


def _row(device: str, scored: "dict[str, Result]", names: list[str]) -> list[str]:
    one = next(iter(scored.values()))
    return [
        device,
        *(_cell(scored.get(name)) for name in names),
        f"{one.majority:.3f}",
        str(one.n_trials),
        str(one.n_sessions),
    ]


def _cell(result: "Result | None") -> str:
    if result is None:
        return "-"
    null = "-" if result.confounded else f"{result.null_accuracy:.2f}"
    return f"{with_interval(result.accuracy, result.interval)} ∅{null}"


def _print_side_by_side(
    found: "Sequence[DeviceStudy]", titles: Mapping[str, str]
) -> None:
    """Print Table 1 of the paper with what leaky and honest splits make of it."""
    here = {r.split.name for study in found for r in study.results}
    names = [name for name in _TABLE_1 if name in here]
    if len(names) < 2:
        return
    print("\nTable 1 of the paper, split by split: accuracy, and how far S0 flatters")
    heads = [name.upper().replace("_", " ") for name in names]
    rows = [
        [study.device, title, *cells]
        for study in found
        for classifier, title in titles.items()
        if (cells := _beside(study, classifier, names))
    ]
    if len({row[0] for row in rows}) > 1:
        rows += [
            ["mean", title, *_means(found, classifier, names)]
            for classifier, title in titles.items()
        ]
    show(("device", "classifier", *heads, "S0-S1", "under", "macro-F1", "ECE"), rows)


def _beside(study: "DeviceStudy", classifier: str, names: Sequence[str]) -> list[str]:
    """Return accuracies by split, the gap, and more of the last split there is."""
    by_split = {r.split.name: r for r in study.results if r.classifier == classifier}
    mine = [by_split.get(name) for name in names]
    scored = [result for result in mine if result is not None]
    if not scored:
        return []
    gap = next((gap for gap in study.gaps if gap.classifier == classifier), None)
    last = scored[-1]
    return [
        *("-" if r is None else f"{r.accuracy:.3f}" for r in mine),
        "-" if gap is None else signed(gap.difference, gap.interval),
        last.split.name,
        with_interval(last.f1, last.f1_interval),
        "-" if last.calibration is None else f"{last.calibration.ece:.3f}",
    ]


def _means(
    found: "Sequence[DeviceStudy]", classifier: str, names: Sequence[str]
) -> list[str]:
    """Return the mean over devices of each split's accuracy, and of the gap."""
    results = [r for study in found for r in study.results]
    gaps = [g.difference for s in found for g in s.gaps if g.classifier == classifier]
    cells = []
    for name in names:
        mine = [
            r.accuracy
            for r in results
            if (r.classifier, r.split.name) == (classifier, name)
        ]
        cells.append(f"{sum(mine) / len(mine):.3f}" if mine else "-")
    return [*cells, f"{sum(gaps) / len(gaps):+.3f}" if gaps else "-", "", "", ""]


def print_canaries(found: "Sequence[DeviceStudy]") -> None:
    """Print how many canaries found nothing, and those above their limits."""
    from analysis.evaluate.trust.canaries import ABOVE, OWN_LENGTHS

    judged = [
        (study.device, split, canary)
        for study in found
        for split, canaries in study.canaries.items()
        for canary in canaries
        if canary.sound is not None
    ]
    if not judged:
        return
    loud = [each for each in judged if not each[2].sound]
    unsure = [each for each in judged if each[2].unsure]
    found_none = len(judged) - len(loud) - len(unsure)
    print(f"\ncanaries: {found_none} of {len(judged)} found no leak")
    for device, split, canary in (*loud, *unsure):
        doubt = f", {ABOVE}" if canary.unsure else ""
        print(
            f"{device}, {split}: {canary.name} {canary.value:.2f}, more than "
            f"{canary.limit:.2f}{doubt}: {canary.note}"
        )
    if loud or unsure:
        print("a leak is above its limit, and by more than luck would make of it")
    if any(each[2].name == "length_only" for each in (*loud, *unsure)):
        print(OWN_LENGTHS)
    every = (c for study in found for held in study.canaries.values() for c in held)
    for each in dict.fromkeys(c for c in every if c.note.startswith("not measured")):
        print(f"{each.name}: {each.note}")


def _print_notes(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> None:
    print("\naccuracy over the test windows of all folds; 95 % interval over sessions,")
    print("never narrower than over trials (none for a single session)")
    print("∅         the same when labels are shuffled in each session: chance")
    print("majority  always naming the commonest activity")
    for each in plan.classifiers:
        print(f"{each.title}: {each.settings}")
    if plan.with_payload:
        print("Payload: devices in plain text only; no known message counts as wrong")
        print("         most repeat a known window; `testbed payloads` scores new ones")
    for study in found:
        if study.window_s is not None:
            print(f"{study.device}: {_windows(study)}")
        if study.n_empty:
            print(
                f"{study.device}: {study.n_empty} of {study.n_windows} windows hold no "
                "packet"
            )
        if study.n_uncovered:
            print(
                f"{study.device}: {counted(study.n_uncovered, 'window')} outside every "
                "capture left out"
            )
    print(f"cleaning: {_cleaning(found, plan.rules)}")


def _windows(study: "DeviceStudy") -> str:
    """Say how long all windows are, and what was left out for it."""
    told = f"all windows are {study.window_s:g} s"
    if study.n_too_close:
        return f"{told}; {study.n_too_close} acts left out, another follows too soon"
    return told


def _cleaning(found: "Sequence[DeviceStudy]", rules: Sequence[str]) -> str:
    """Say what each rule removed; one packet may be among those of several."""
    packets = sum(study.n_packets for study in found)
    if not rules:
        return f"no rule, all {packets} packets kept"
    counts = (f"{sum(s.removed[name] for s in found)} {name}" for name in rules)
    return f"{', '.join(counts)} removed of {packets} packets"
