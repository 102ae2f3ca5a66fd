"""The page of the behaviour studies, and its pictures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.evaluate.behaviour.curves import average_precision
from analysis.evaluate.watched.truth import malicious_hours
from analysis.evaluate.watched.verdicts import detectors_of, verdict
from analysis.report.behaviour import Watch, watch_together
from analysis.report.behaviour_chart import draw_hours
from analysis.report.calendar_chart import draw_calendar
from tests.bench.fit_events import table_of
from tests.bench.study_runs import STUDIES, Case, Study, campaigns_of, classified

Record = dict[str, Any]
_BEST, _PAPER = "ensemble", "kmeans_paper"
_FIGURES = {
    "week_camera": ("arlo_q", "video streams, classified"),
    "week_voice": ("echo_dot", "voice commands, classified"),
}
_SPOKEN = ("week_voice", "month_voice", "month_intruders")


def write_page(facts: Record, kept: Mapping[str, Path], page: Path) -> None:
    """Write the page, and beside it the pictures of what was recorded."""
    pictures: dict[str, list[tuple[str, str]]] = {}
    for study in STUDIES:
        for campaign in campaigns_of(study, kept)[:1]:
            for name, svg, caption in _pictures(study, classified(study, campaign)):
                (page.parent / name).write_text(svg, encoding="utf-8")
                pictures.setdefault(study.title, []).append((name, caption))
    page.write_text("\n".join([*_lines(facts, pictures), ""]), encoding="utf-8")


def _pictures(study: Study, told: Case) -> Iterator[tuple[str, str, str]]:
    """Yield name, drawing and caption of each picture."""
    stem = f"behaviour-{study.watched.replace('_', '-')}"
    bad = malicious_hours(told.split.score, told.attacks)
    if study.watched in _FIGURES:
        watch = watch_together(_FIGURES[study.watched], told.split, bad, 0)
        yield f"{stem}.svg", draw_hours(watch).svg, _caption(watch)
    said = verdict(detectors_of([_BEST])[0], told.split)
    calendar = draw_calendar(said, bad, study.title).svg
    words = f"Calendar of {_BEST}, from classified activities, own threshold."
    yield f"{stem}-calendar.svg", calendar, words


def _caption(watch: Watch) -> str:
    """Say what the paper's boundary parts; the paper itself gives no figure."""
    detector = watch.detector
    if detector is None:
        return "Too few hours to learn from."
    bad, good = (detector.score(h.points()) for h in (watch.malicious, watch.fresh))
    truth = np.repeat([True, False], [bad.size, good.size])
    area = average_precision(truth, np.concatenate((bad, good)))
    return (
        f"The paper's Figure 3, {watch.device}: {watch.activity}, all of them "
        f"together. Outside the boundary lie {(bad > 1).sum()} of {bad.size} anomalous "
        f"hours and {(good > 1).sum()} of {good.size} benign ones of the same week; "
        f"AUPRC among hours with events {area:.3f} (guessing: {truth.mean():.3f})."
    )


def _lines(
    facts: Record, pictures: Mapping[str, Sequence[tuple[str, str]]]
) -> Iterator[str]:
    yield "# Behaviour: the studies"
    yield ""
    yield (
        "Simulated, fast form. Made by `python -m tests.bench.study --page "
        "docs/behaviour-study.md`; what is watched and learnt: [people.md](people.md), "
        "how: [detect.md](detect.md). The paper shows its two scenarios as pictures "
        "without a metric; here they are with metrics, and harder ones beside them."
    )
    yield ""
    yield from _summary(facts)
    yield from _words(facts)
    for title, study in facts["studies"].items():
        yield f"## {title[0].upper()}{title[1:]}"
        yield ""
        yield from _study(study)
        yield from _drawn(study["drawn"], facts["rate"])
        for name, caption in pictures.get(title, ()):
            yield f"![{title}, from classified activities]({name})"
            yield ""
            yield caption
            yield ""
    if facts["fit"]:
        yield from _real(facts["fit"])


def _real(fit: Record) -> Iterator[str]:
    yield "## A real week"
    yield ""
    yield (
        "Captured, and in no table with what is simulated: labels of fit-iot-week "
        "(Campos and O'Connor, CSET 2021), local times of America/New_York, whose "
        "clock was put forward on 14 March 2021: that day has 23 hours. Made by "
        "`python -m tests.bench.fit_events`. Nobody knows of an intruder, so every "
        "alarm counts as false. Few days are held here; the figures show that "
        "everything runs on real events, and not how good it is."
    )
    yield ""
    yield from table_of(fit)


def _summary(facts: Record) -> Iterator[str]:
    yield (
        "AUPRC over hours; drawn: mean and 95 % interval over seeds; ratio: of the two "
        "means, seeds drawn together. Logged and classified: mean over n campaigns "
        "through packets."
    )
    yield ""
    heads = (_PAPER, _BEST, "ratio", f"{_BEST}, logged → classified")
    yield f"| study | guessing | {' | '.join(heads)} |"
    yield "|---|" + "--:|" * (len(heads) + 1)
    for title, study in facts["studies"].items():
        drawn = study["drawn"]
        cells = [f"{drawn['base']:.3f}"]
        cells += [_interval(drawn["detectors"][n]["auprc"], 3) for n in (_PAPER, _BEST)]
        cells.append(_interval(drawn["ratio"], 2))
        if "packets" in study:
            pair = [study["packets"][k][_BEST] for k in ("logged", "classified")]
            told = " → ".join(f"{each['auprc']:.3f}" for each in pair)
            cells.append(f"{told} (n = {study['packets']['n']})")
        else:
            cells.append("–")
        yield f"| {title} | {' | '.join(cells)} |"
    yield ""
    yield (
        "The paper's own two scenarios are easy: its stranger comes at hours that the "
        "resident leaves alone, and its own method finds him as well as ours does. Of "
        "all voice commands together (the second picture) its boundary parts little: "
        "one busy hour makes the circle wide. What separates detectors is who knows "
        "the household: who swaps the order of its acts, repeats them, or does what "
        "it never did. Mimicry is found by nobody here reliably. Errors of the "
        "classifier cost little where it makes few (camera), and more where it "
        "confuses commands (voice). How far the own threshold and the rate hold what "
        "they say, with seven days to learn from or more, the columns of false alarms "
        "tell."
    )
    yield ""


def _words(facts: Record) -> Iterator[str]:
    yield "| word | meaning |"
    yield "|---|---|"
    yield (
        "| logged | campaigns through the whole path; events from their activity logs |"
    )
    yield (
        "| classified | events that `testbed classify` found in its packets, to learn "
        "from and to score; the model learnt on another campaign (nine devices, 40 "
        "trials of each activity in 8 sessions, 3 h idle, seed 61, as "
        "`tests.bench.stream` writes it). Truth stays the log's |"
    )
    yield (
        "| drawn | acts as they are drawn, other seeds, no packets; mean and 95 % "
        "interval over seeds (bootstrap) |"
    )
    yield "| AUPRC | average precision over hours; guessing: share of malicious hours |"
    yield (
        "| own | alarms at the detector's own threshold: what one usual hour in five "
        "days exceeds |"
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
    yield (
        "| campaign | acts | found within ±5 s | by name or group | false events | "
        "MB of captures |"
    )
    yield "|---|" + "--:|" * 5
    for name, found in packets["events"].items():
        counts = (found["acts"], found["found"], found["named"], found["false"])
        cells = [*map(str, counts), f"{found['capture_b'] / 1e6:.0f}"]
        yield f"| `{name}` | {' | '.join(cells)} |"
    yield ""
    if any(name.startswith(_SPOKEN) for name in packets["events"]):
        yield (
            "The time to the first packet of the fast form's speakers gives away how "
            "long an utterance is ([evaluation](evaluation.md)): names of commands are "
            "easier to tell here than in a real house."
        )
        yield ""
    yield (
        f"Own threshold, logged → classified, {packets['n']} "
        f"campaign{'s' * (packets['n'] != 1)}:"
    )
    yield ""
    yield "| detector | AUPRC | noticed | caught | false |"
    yield "|---|" + "--:|" * 4
    for name in packets["logged"]:
        pair = [packets[kind][name] for kind in ("logged", "classified")]
        cells = [
            [f"{each['auprc']:.3f}" for each in pair],
            [f"{each['noticed']}/{each['malicious']}" for each in pair],
            [f"{each['caught']}/{each['attacks']}" for each in pair],
            [f"{each['false'] / each['weeks']:.1f}" for each in pair],
        ]
        yield f"| {_strong(name)} | {' | '.join(' → '.join(c) for c in cells)} |"
    yield ""


def _drawn(found: Record, rate: float) -> Iterator[str]:
    detectors = found["detectors"]
    yield f"Drawn, n = {found['n']} seeds from {found['first_seed']} on:"
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


def _interval(values: list[float], digits: int) -> str:
    mean, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{mean} [{low}, {high}]"


def _strong(name: str) -> str:
    return f"**{name}**" if name in (_BEST, _PAPER) else name
