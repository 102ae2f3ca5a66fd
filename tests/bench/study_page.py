"""The page of the behaviour studies, and its pictures."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.evaluate.watched.truth import malicious_hours
from analysis.evaluate.watched.verdicts import detectors_of, verdict
from analysis.report.behaviour import watch_together
from analysis.report.behaviour_chart import draw_hours
from analysis.report.calendar_chart import draw_calendar
from tests.bench.study_runs import STUDIES, Case, Study, classified

Record = dict[str, Any]
_BEST, _PAPER = "ensemble", "kmeans_paper"
_FIGURES = {
    "week_camera": ("arlo_q", "video streams, classified"),
    "week_voice": ("echo_dot", "voice commands, classified"),
}


def write_page(facts: Record, kept: Mapping[str, Path], page: Path) -> None:
    """Write the page, and beside it the pictures of what was recorded."""
    pictures = {}
    for study in STUDIES:
        if {study.owner, study.watched} - {""} <= kept.keys():
            found = dict(_pictures(study, classified(study, kept)))
            pictures[study.title] = tuple(found)
            for name, svg in found.items():
                (page.parent / name).write_text(svg, encoding="utf-8")
    page.write_text("\n".join([*_lines(facts, pictures), ""]), encoding="utf-8")


def _pictures(study: Study, told: Case) -> Iterator[tuple[str, str]]:
    stem = f"behaviour-{study.watched.replace('_', '-')}"
    bad = malicious_hours(told.split.score, told.attacks)
    if study.watched in _FIGURES:
        watch = watch_together(_FIGURES[study.watched], told.split, bad, 0)
        yield f"{stem}.svg", draw_hours(watch).svg
    said = verdict(detectors_of([_BEST])[0], told.split)
    yield f"{stem}-calendar.svg", draw_calendar(said, bad, study.title).svg


def _lines(facts: Record, pictures: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    yield "# Behaviour: the studies"
    yield ""
    yield (
        "Simulated, fast form. Made by `python -m tests.bench.study --page "
        "docs/behaviour-study.md`; what is watched and learnt: [people.md](people.md), "
        "how: [detect.md](detect.md). The paper shows its two scenarios as pictures "
        "without a metric; here they are with metrics, and harder ones beside them."
    )
    yield ""
    yield from _words(facts)
    for title, study in facts["studies"].items():
        yield f"## {title[0].upper()}{title[1:]}"
        yield ""
        yield from _study(study)
        yield from _drawn(study["drawn"], facts["rate"])
        for name in pictures.get(title, ()):
            yield f"![{title}: {_alt(name)}]({name})"
            yield ""


def _alt(name: str) -> str:
    if name.endswith("-calendar.svg"):
        return f"calendar of {_BEST}, from classified activities"
    return "hour of day against events in that hour, from classified activities"


def _words(facts: Record) -> Iterator[str]:
    yield "| word | meaning |"
    yield "|---|---|"
    yield (
        "| logged | one campaign through the whole path; events from its activity log |"
    )
    yield (
        "| classified | events that `testbed classify` found in its packets, to learn "
        "from and to score; the model learnt on another campaign (`stream_train`, seed "
        "61). Truth stays the log's |"
    )
    yield (
        "| drawn | acts as they are drawn, other seeds, no packets; mean and 95 % "
        "interval over seeds (bootstrap) |"
    )
    yield "| AUPRC | average precision over hours; in brackets what guessing reaches |"
    yield (
        "| own | alarms at the detector's own threshold: what one usual hour a week "
        "exceeds |"
    )
    yield f"| FDR | alarms at a false-discovery rate of {facts['rate']:g} in a week |"
    yield "| noticed | malicious hours with an alarm, of all |"
    yield (
        "| caught | attacks with an alarm in one of their hours; acts of one intruder "
        "with less than 12 h in between are one, those of low and slow one in all |"
    )
    yield "| false | alarms in benign hours per week |"
    yield ""


def _study(study: Record) -> Iterator[str]:
    if "packets" not in study:
        yield "Not taken through packets."
        yield ""
        return
    packets = study["packets"]
    for name, found in packets["events"].items():
        yield (
            f"`{name}`: {found['acts']} acts; {found['found']} found within ±5 s "
            f"({found['named']} by their name or group), {found['false']} events that "
            f"were none, {found['unknown']} called unknown; "
            f"{found['capture_b'] / 1e6:.0f} MB of captures."
        )
    yield ""
    yield (
        "| detector | AUPRC logged | classified | noticed, own: logged | classified | "
        "caught | classified | false | classified |"
    )
    yield "|---|" + "--:|" * 8
    for name in packets["logged"]:
        pair = [packets[kind][name]["own"] for kind in ("logged", "classified")]
        base = pair[0]["base"]
        cells = [f"{pair[0]['auprc']:.3f} ({base:.3f})", f"{pair[1]['auprc']:.3f}"]
        cells += [f"{each['noticed']}/{each['malicious']}" for each in pair]
        cells += [f"{each['caught']}/{each['attacks']}" for each in pair]
        cells += [f"{each['false'] / each['weeks']:.1f}" for each in pair]
        yield f"| {_strong(name)} | {' | '.join(cells)} |"
    yield ""


def _drawn(found: Record, rate: float) -> Iterator[str]:
    detectors = found["detectors"]
    yield (
        f"Drawn, n = {found['n']} seeds from {found['first_seed']} on; "
        f"{_BEST} reaches {_ratio(detectors)} times the AUPRC of {_PAPER}:"
    )
    yield ""
    yield (
        "| detector | AUPRC [95 %] | noticed, own | false, own [95 %] | noticed, FDR "
        f"{rate:g} | false, FDR [95 %] |"
    )
    yield "|---|" + "--:|" * 5
    for name, each in detectors.items():
        own, fdr = each["own"], each["fdr"]
        cells = [_interval(each["auprc"], 3), f"{own['noticed']:.2f}"]
        cells += [_interval(own["false_per_week"], 1), f"{fdr['noticed']:.2f}"]
        cells.append(_interval(fdr["false_per_week"], 1))
        yield f"| {_strong(name)} | {' | '.join(cells)} |"
    yield ""
    kinds = list(detectors[_BEST]["own"]["kinds"])
    if kinds == ["stranger"]:
        return
    yield (
        "Attacks caught at one false alarm a week (a threshold that only who knows the "
        "truth can choose), all seeds together; median delay to the end of the hour:"
    )
    yield ""
    yield f"| detector | {' | '.join(kinds)} | delay |"
    yield "|---|" + "--:|" * (len(kinds) + 1)
    for name, each in detectors.items():
        parts = [each["one"]["kinds"][kind] for kind in kinds]
        cells = [f"{caught}/{n}" for caught, n in parts]
        delay_h = each["one"]["delay_h"]
        cells.append("–" if delay_h is None else f"{delay_h:.1f} h")
        yield f"| {_strong(name)} | {' | '.join(cells)} |"
    yield ""


def _ratio(detectors: Record) -> str:
    return f"{detectors[_BEST]['auprc'][0] / detectors[_PAPER]['auprc'][0]:.2f}"


def _interval(values: list[float], digits: int) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{mean} [{low}, {high}]"


def _strong(name: str) -> str:
    return f"**{name}**" if name in (_BEST, _PAPER) else name
