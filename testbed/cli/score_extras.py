"""Scores beyond accuracy as tables: trust, open set, groups, curves, comparisons."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.evaluate.device_study import DeviceStudy
    from analysis.evaluate.scores.intervals import Interval
    from analysis.evaluate.study import Result
    from analysis.evaluate.trust.compare import Comparison
    from analysis.evaluate.trust.curves import CurvePoint
    from analysis.evaluate.trust.groups import GroupScore

# tables are never cut to a narrow terminal: a number that is not shown cannot be read
_WIDTH = 250
_SOME_ERRORS = 10  # of which a share says something
_TRUSTED = ("s1", "s2", "transfer")


def show(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table without lines; nothing without rows."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style=None)
    for head in heads:
        table.add_column(head, no_wrap=True, justify="left")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        Console(width=_WIDTH, highlight=False).print(table)


def with_interval(value: float, interval: "Interval | None") -> str:
    """Return a share, and its interval where there is one."""
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} {interval.low:.2f}–{interval.high:.2f}"


def signed(value: float, interval: "Interval | None") -> str:
    """Return a difference, and its interval where there is one."""
    if interval is None:
        return f"{value:+.3f}"
    return f"{value:+.3f} [{interval.low:+.2f}, {interval.high:+.2f}]"


def print_trust(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    """Print what probabilities are worth, and the sets that they make."""
    rows = [
        [
            study.device,
            result.split.name,
            titles.get(result.classifier, result.classifier),
            f"{result.calibration.ece:.3f}",
            f"{result.calibration.brier:.3f}",
            f"{result.calibration.log_loss:.3f}",
            *_sets(result),
        ]
        for study in found
        for result in study.results
        if result.calibration is not None and result.split.name in _TRUSTED
    ]
    if rows:
        print("\nHow far probabilities can be believed")
        heads = ("ECE", "Brier", "log-loss", "95 % sets hold", "activities", "empty")
        show(("device", "split", "classifier", *heads), rows)
        if any(row[-1] != "-" for row in rows):
            print("sets  cross-conformal: measured here, and guaranteed by nothing")


def _sets(result: "Result") -> list[str]:
    if not result.conformal:
        return ["-", "-", "-"]
    widest = max(result.conformal, key=lambda each: each.level)
    return [
        with_interval(widest.covered, widest.interval),
        f"{widest.size:.2f}",
        f"{100 * widest.empty:.1f} %",
    ]


def print_open_set(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    """Print how activities fare that were left out of training."""
    rows = [
        [
            study.device,
            titles.get(r.classifier, r.classifier),
            with_interval(r.open_set.auroc, r.open_set.interval),
            "-" if r.open_set_doubt is None else f"{r.open_set_doubt.auroc:.3f}",
            f"{r.open_set.accepted:.3f}",
            _share(r.open_set.known_answered),
            _share(r.open_set.unknown_answered),
            f"{r.open_set.oscr:.3f}",
            f"{r.open_set.n_known} + {r.open_set.n_unknown}",
        ]
        for study in found
        for r in study.results
        if r.open_set is not None
    ]
    if rows:
        print("\nActivities that were never learnt, told by how strange they look")
        rule = ("known answered", "unknown answered")
        heads = ("AUROC", "by doubt", "accepted", *rule, "OSCR", "known + unknown")
        show(("device", "classifier", *heads), rows)
        print("by doubt  AUROC of the greatest probability alone")
        print("accepted  unknown windows that pass where 95 % of the known ones do")
        print("answered  by a rule learnt within each fold, to let 95 % of known pass")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def print_groups(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    """Print scores by groups of activities, and which were merged."""
    scores = [score for study in found for score in study.groups]
    if not scores:
        return
    print("\nBy groups that can be told apart, learnt within each fold's training rows")
    rows = [
        [
            each.device,
            each.split,
            titles.get(each.classifier, each.classifier),
            "-" if each.single else with_interval(each.accuracy, each.interval),
            "-" if each.single else with_interval(each.f1, each.f1_interval),
            f"{each.majority:.3f}",
            _counts(each),
        ]
        for each in scores
    ]
    heads = ("accuracy", "macro-F1", "majority", "groups per fold")
    show(("device", "split", "classifier", *heads), rows)
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


def print_curves(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    """Print how accuracy grows, a table per kind of curve."""
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
            show(
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
            with_interval(mine[v].accuracy, mine[v].interval) if v in mine else "-"
            for v in values
        ]
        yield [device, split, titles.get(classifier, classifier), *cells]


def print_better(found: "Sequence[DeviceStudy]", titles: Mapping[str, str]) -> None:
    """Compare the best other classifier with each of the paper's three, per split."""
    from analysis.evaluate.trust.compare import OF_PAPER

    rows = []
    for study in found:
        for name in dict.fromkeys(r.split.name for r in study.results):
            scored = [r for r in study.results if r.split.name == name]
            others = [r for r in scored if r.classifier not in OF_PAPER]
            if not others:
                continue
            best = max(others, key=lambda r: r.accuracy).classifier
            n_wrong = {
                r.classifier: int((r.truth != r.answers.said).sum()) for r in scored
            }
            rows += [
                _better_row(each, titles, n_wrong[each.other])
                for each in study.comparisons
                if (each.split, each.one) == (name, best) and each.other in OF_PAPER
            ]
    if rows:
        print("\nThe best of the others less each of the paper's three, same trials")
        heads = ("one", "other", "accuracy", "fewer errors")
        show(("device", "split", *heads), rows)
        if any(row[-1] == "-" for row in rows):
            print(f"fewer errors  - where the other makes fewer than {_SOME_ERRORS}")
        print("the best is chosen by these very trials, which flatters it a little")


def _better_row(
    each: "Comparison", titles: Mapping[str, str], n_wrong: int
) -> list[str]:
    """Return a row; `n_wrong` are the errors of the other."""
    fewer = "-"
    if each.fewer is not None and n_wrong >= _SOME_ERRORS:
        fewer = f"{100 * each.fewer:+.0f} %"
        if each.fewer_interval is not None:
            low, high = each.fewer_interval.low, each.fewer_interval.high
            fewer += f" [{100 * low:+.0f}, {100 * high:+.0f}]"
    return [
        each.device,
        each.split,
        titles.get(each.one, each.one),
        titles.get(each.other, each.other),
        signed(each.difference, each.interval),
        fewer,
    ]
