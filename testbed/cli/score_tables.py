"""Scores as tables for people: one per split, Table 1 side by side, and the rest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.evaluate.compare import Comparison
    from analysis.evaluate.curves import CurvePoint
    from analysis.evaluate.device_study import DeviceStudy, StudyPlan
    from analysis.evaluate.groups import GroupScore
    from analysis.evaluate.scores import Interval
    from analysis.evaluate.study import Result

# tables are never cut to a narrow terminal: a number that is not shown cannot be read
_WIDTH = 250
_CONFOUNDED = (
    "each session holds one activity only: what is recognised may be the session, and "
    "there is no null"
)
_TABLE_1 = ("s0_folds", "s0_holdout", "s1", "s2")
_OF_PAPER = ("random_forest", "nearest", "naive_bayes")


def print_origin(about: Mapping[str, Any]) -> None:
    """Print which campaign, or which two, the scores are of."""
    print(f"campaign {_origin(about)}; seed {about['seed']}")
    if "test" in about:
        print(f"tested on {_origin(about['test'])}")
    for line in about.get("left_out", ()):
        print(line)


def _origin(about: Mapping[str, Any]) -> str:
    kind = "simulated" if about["simulated"] else "captured"
    return f"{about['campaign']}: {kind}, {about['form']}"


def print_scores(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> None:
    """Print everything that was scored, as far as it was asked for."""
    titles = _titles(plan)
    for name in _splits(found, plan):
        _print_split(name, found, titles)
    _print_side_by_side(found, titles)
    _print_open_set(found, titles)
    _print_groups(found, titles)
    _print_curves(found, titles)
    _print_better(found, titles)
    _print_canaries(found)
    _print_notes(found, plan)


def _titles(plan: "StudyPlan") -> dict[str, str]:
    from analysis.evaluate.payloads import NAME, TITLE

    titles = {c.name: c.title for c in plan.classifiers}
    return titles | ({NAME: TITLE} if plan.with_payload else {})


def _splits(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> list[str]:
    """Return the names of splits in the order asked for, then others there are."""
    seen = [r.split.name for study in found for r in study.results]
    seen += [r.split for study in found for r in study.refusals]
    return [n for n in dict.fromkeys((*plan.splits, *seen)) if n in seen]


def _show(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style=None)
    for head in heads:
        table.add_column(head, no_wrap=True, justify="left")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        Console(width=_WIDTH, highlight=False).print(table)


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
    _show(("device", *titles.values(), "majority", "trials", "sessions"), rows)
    for line in asides:
        print(line)


def _head(name: str, found: "Sequence[DeviceStudy]") -> str:
    from analysis.evaluate.splits import SPLITS

    made = [r.split for study in found for r in study.results if r.split.name == name]
    if name not in SPLITS and not made:
        return name
    split = made[0] if made else SPLITS[name]
    return f"{split.title}{' (LEAKY)' if split.leaky else ''}: {split.description}"


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
    return f"{_value(result.accuracy, result.interval)} ∅{null}"


def _value(value: float, interval: "Interval | None") -> str:
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} {interval.low:.2f}–{interval.high:.2f}"


def _print_side_by_side(
    found: "Sequence[DeviceStudy]", titles: Mapping[str, str]
) -> None:
    """Print Table 1 of the paper with what leaky and honest splits make of it."""
    here = {r.split.name for study in found for r in study.results}
    names = [name for name in _TABLE_1 if name in here]
    if len(names) < 2:
        return
    rows = []
    for study in found:
        by_place = {(r.classifier, r.split.name): r for r in study.results}
        gaps = {gap.classifier: gap for gap in study.gaps}
        for classifier, title in titles.items():
            mine = [by_place.get((classifier, name)) for name in names]
            scored = [result for result in mine if result is not None]
            if not scored:
                continue
            gap, last = gaps.get(classifier), scored[-1]
            ece = last.calibration
            rows.append(
                [
                    study.device,
                    title,
                    *("-" if r is None else f"{r.accuracy:.3f}" for r in mine),
                    "-" if gap is None else _signed(gap.difference, gap.interval),
                    last.split.name,
                    _value(last.f1, last.f1_interval),
                    "-" if ece is None else f"{ece.ece:.3f}",
                ]
            )
    print("\nTable 1 of the paper, split by split: accuracy, and how far S0 flatters")
    heads = [name.upper().replace("_", " ") for name in names]
    _show(("device", "classifier", *heads, "S0-S1", "under", "macro-F1", "ECE"), rows)


def _signed(value: float, interval: "Interval | None") -> str:
    if interval is None:
        return f"{value:+.3f}"
    return f"{value:+.3f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def _print_open_set(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    rows = [
        [
            study.device,
            titles.get(r.classifier, r.classifier),
            _value(r.open_set.auroc, r.open_set.interval),
            f"{r.open_set.accepted:.3f}",
            f"{r.open_set.oscr:.3f}",
            f"{r.open_set.n_known} + {r.open_set.n_unknown}",
        ]
        for study in found
        for r in study.results
        if r.open_set is not None
    ]
    if rows:
        print("\nActivities that were never learnt, told by the greatest probability")
        heads = ("AUROC", "accepted", "OSCR", "known + unknown")
        _show(("device", "classifier", *heads), rows)
        print("accepted  unknown windows that pass where 95 % of the known ones do")


def _print_groups(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    scores = [score for study in found for score in study.groups]
    if not scores:
        return
    print("\nBy groups that can be told apart, learnt within each fold's training rows")
    rows = [
        [
            each.device,
            each.split,
            titles.get(each.classifier, each.classifier),
            _value(each.accuracy, each.interval),
            _value(each.f1, each.f1_interval),
            f"{each.majority:.3f}",
            _counts(each),
        ]
        for each in scores
    ]
    heads = ("accuracy", "macro-F1", "majority", "groups per fold")
    _show(("device", "split", "classifier", *heads), rows)
    for line in dict.fromkeys(_merged(each) for each in scores):
        if line:
            print(line)


def _counts(score: "GroupScore") -> str:
    counts = ", ".join(str(len(fold)) for fold in score.groups)
    return f"{counts} (nothing to tell apart)" if score.single else counts


def _merged(score: "GroupScore") -> str:
    groups = dict.fromkeys(g for fold in score.groups for g in fold if len(g) > 1)
    if not groups:
        return ""
    told = "; ".join(" = ".join(group) for group in groups)
    return f"{score.device}, {score.split}: not told apart in some fold: {told}"


def _print_curves(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    points = [point for study in found for point in study.curves]
    for of, title in (
        ("sessions", "by the number of sessions learnt from"),
        ("packets", "by the first packets of each window"),
        ("share", "by the first share of each window"),
    ):
        mine = [point for point in points if point.of == of]
        if mine:
            print(f"\nAccuracy {title}")
            values = sorted({point.value for point in mine})
            _show(
                ("device", "split", "classifier", *(f"{v:g}" for v in values)),
                _curve_rows(mine, values, titles),
            )


def _curve_rows(
    points: "Sequence[CurvePoint]", values: Sequence[float], titles: Mapping[str, str]
) -> Iterator[list[str]]:
    lines = dict.fromkeys((p.device, p.split, p.classifier) for p in points)
    for device, split, classifier in lines:
        mine = {
            p.value: p
            for p in points
            if (p.device, p.split, p.classifier) == (device, split, classifier)
        }
        cells = [
            _value(mine[v].accuracy, mine[v].interval) if v in mine else "-"
            for v in values
        ]
        yield [device, split, titles.get(classifier, classifier), *cells]


def _print_better(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    """Compare the best classifier with the best of the paper's three, per split."""
    rows = []
    for study in found:
        for name in dict.fromkeys(r.split.name for r in study.results):
            scored = [r for r in study.results if r.split.name == name]
            paper = [r for r in scored if r.classifier in _OF_PAPER]
            others = [r for r in scored if r.classifier not in _OF_PAPER]
            if not paper or not others:
                continue
            best = max(paper, key=lambda r: r.accuracy).classifier
            other = max(others, key=lambda r: r.accuracy).classifier
            for each in study.comparisons:
                if (each.split, each.one, each.other) == (name, other, best):
                    rows.append(_better_row(each, titles))
    if rows:
        print(
            "\nThe best of the others less the best of the paper's three, same trials"
        )
        heads = ("one", "other", "accuracy", "fewer errors")
        _show(("device", "split", *heads), rows)


def _better_row(each: "Comparison", titles: Mapping[str, str]) -> list[str]:
    fewer = "-"
    if each.fewer is not None:
        fewer = f"{100 * each.fewer:+.0f} %"
        if each.fewer_interval is not None:
            low, high = each.fewer_interval.low, each.fewer_interval.high
            fewer += f" [{100 * low:+.0f}, {100 * high:+.0f}]"
    return [
        each.device,
        each.split,
        titles.get(each.one, each.one),
        titles.get(each.other, each.other),
        _signed(each.difference, each.interval),
        fewer,
    ]


def _print_canaries(found: "Sequence[DeviceStudy]") -> None:
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
    print(f"\ncanaries: {len(judged) - len(loud)} of {len(judged)} found no leak")
    for device, split, canary in loud:
        print(
            f"{device}, {split}: {canary.name} {canary.value:.2f}, more than "
            f"{canary.limit:.2f}: {canary.note}"
        )


def _print_notes(found: "Sequence[DeviceStudy]", plan: "StudyPlan") -> None:
    print("\naccuracy over the test windows of all folds; 95 % interval over sessions,")
    print("never narrower than over trials (none for a single session)")
    print("∅         the same when labels are shuffled in each session: chance")
    print("majority  always naming the commonest activity")
    for each in plan.classifiers:
        print(f"{each.title}: {each.settings}")
    if plan.with_payload:
        print("Payload: devices in plain text only; no known message counts as wrong")
    for study in found:
        if study.n_empty:
            print(
                f"{study.device}: {study.n_empty} of {study.n_windows} windows hold no "
                "packet"
            )
        if study.n_uncovered:
            print(
                f"{study.device}: {study.n_uncovered} windows outside every capture "
                "left out"
            )
    print(f"cleaning: {_cleaning(found, plan.rules)}")


def _cleaning(found: "Sequence[DeviceStudy]", rules: Sequence[str]) -> str:
    """Say what each rule removed; one packet may be among those of several."""
    packets = sum(study.n_packets for study in found)
    if not rules:
        return f"no rule, all {packets} packets kept"
    counts = (f"{sum(s.removed[name] for s in found)} {name}" for name in rules)
    return f"{', '.join(counts)} removed of {packets} packets"
