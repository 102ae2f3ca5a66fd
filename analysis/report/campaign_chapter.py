"""The chapter about one campaign."""

from collections.abc import Callable, Mapping
from typing import Any

from analysis.dataset import Times
from analysis.evaluate.campaign import all_classifiers
from analysis.evaluate.device_study import StudyPlan
from analysis.evaluate.fits import Told
from analysis.evaluate.patterns.payloads import open_captures, plain_devices
from analysis.report import words
from analysis.report.blocks import Chapter, Gallery, Note, Section
from analysis.report.facts import cleaning, last_attempts, recorded
from analysis.report.receipt import captures_of, receipt, uncertainty_ns
from analysis.report.recognition import recognition
from analysis.report.recording import Recording, Share, shares_of
from analysis.report.remarks import remarks
from analysis.report.scores import Scores, measure
from analysis.report.timeline import draw_timeline
from analysis.report.trust import QUICK, measure_trust, trusted

_NO_PACKETS = (
    "This campaign holds no packets: only its activities were recorded. There is no "
    "traffic to draw and nothing to learn from."
)
_MADE_UP = (
    "Each window is a trace of its own: what lies between two, and so the silence "
    "there, was made up by the import."
)


def campaign_chapter(
    recording: Recording,
    key: str,
    plan: StudyPlan,
    say: Callable[[str], None],
    told: Told,
) -> Chapter:
    """Return the chapter; learns from the packets when there are some."""
    sections = [recorded(recording), receipt(recording)]
    remarked = remarks(recording)
    sections += [remarked] if remarked is not None else []
    shares = shares_of(recording)
    tiles = _tiles(recording, shares)
    if shares:
        say(f"{recording.campaign.name}: drawing traffic")
        sections += [_traffic(recording, shares), cleaning(shares)]
        say(f"{recording.campaign.name}: recognising activities")
        scores = _scores(recording, shares, plan, say, told)
        sections.append(recognition(scores))
        sections += _trust(recording, shares, scores, plan.seed, say)
        headline = scores.headline()
        tiles += (headline,) if headline else ()
    else:
        note = Note(text=_NO_PACKETS)
        sections.append(
            Section(key="traffic", title="Traffic", lead="", blocks=(note,))
        )
    return Chapter(
        key=key,
        title=words.plain(recording.title),
        origin=recording.origin,
        lead=_lead(recording.about),
        tiles=tiles,
        facts=_facts(recording),
        sections=tuple(sections),
    )


def _scores(
    recording: Recording,
    shares: tuple[Share, ...],
    plan: StudyPlan,
    say: Callable[[str], None],
    told: Told,
) -> Scores:
    names = [share.device for share in shares]
    plain = plain_devices(recording.campaign, names) if plan.with_payload else ()
    captures = open_captures(recording.campaign.folder) if plain else ""
    return measure(shares, plan, say, plain=plain, captures=captures, told=told)


def _trust(
    recording: Recording,
    shares: tuple[Share, ...],
    scores: Scores,
    seed: int,
    say: Callable[[str], None],
) -> list[Section]:
    if not scores.results:
        return []
    quick = all_classifiers()[QUICK]
    trust = measure_trust(shares, recording.log, quick, seed, say)
    recorded = recording.campaign.form == "imported"
    section = trusted(trust, scores, recorded=recorded)
    return [] if section is None else [section]


def _traffic(recording: Recording, shares: tuple[Share, ...]) -> Section:
    drawn = [draw_timeline(share.table, share.cut.windows) for share in shares]
    pictures = tuple(picture for picture in drawn if picture is not None)
    silent = [s.device for s, p in zip(shares, drawn, strict=True) if p is None]
    notes = (
        (Note(text=f"Without a label window: {words.listed(silent, 12)}."),)
        if silent
        else ()
    )
    galleries = (Gallery(pictures=pictures, wide=True),) if pictures else ()
    invented = recording.campaign.times is not Times.RECORDED
    apart = f" {_MADE_UP}" if invented else ""
    return Section(
        key="traffic",
        title="Traffic and label windows",
        lead="Bytes per second that each device sent (up) and received (down), on a "
        "log scale, and the label windows over them. Long campaigns are shown by an "
        "excerpt, and the caption says so." + apart,
        blocks=(*galleries, *notes),
    )


def _lead(about: Mapping[str, Any]) -> str:
    scenario = about.get("scenario")
    text = scenario.get("description") if isinstance(scenario, dict) else None
    return " ".join(str(text).split()) if text else ""


def _tiles(
    recording: Recording, shares: tuple[Share, ...]
) -> tuple[tuple[str, str], ...]:
    log = recording.log
    tiles = [
        (words.count(last_attempts(recording).height), "trials"),
        (words.count(len(log.labelled())), "label windows"),
        (words.count(log.frame["session"].n_unique()), "sessions"),
        (words.count(len(recording.campaign.devices)), "devices"),
    ]
    if shares:
        n = sum(len(share.table) for share in shares)
        tiles.append((words.count(n), "packets of devices"))
    captures = captures_of(recording.receipt)
    dropped = [c.get("dropped") for c in captures]
    known = [n for n in dropped if isinstance(n, int)]
    if known and len(known) == len(dropped):
        tiles.append((words.count(sum(known)), "packets dropped"))
    bounds = uncertainty_ns(recording)
    if bounds is not None and recording.campaign.form != "imported":
        tiles.append((words.milliseconds(bounds[0]), "clock’s error, median"))
    return tuple(tiles)


def _when(stamps: list[int], times: Times) -> str:
    """Say when the activities were, as far as it is known."""
    if times in (Times.DAYS, Times.INVENTED):
        return "when is not known: the traces do not say"
    form = "%Y-%m-%d" if times is Times.DATES else "%Y-%m-%d %H:%M:%S"
    first, last = (words.stamp(edge(stamps), form) for edge in (min, max))
    if times is Times.DATES:
        return f"{first} to {last}; the times of day are not known"
    return f"{first} to {last} UTC"


def _facts(recording: Recording) -> tuple[tuple[str, str], ...]:
    about, stamps = recording.about, recording.log.frame["t_ns"].drop_nulls().to_list()
    versions = about.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    named = [f"{name} {version}" for name, version in versions.items()]
    facts = [
        ("campaign", recording.campaign.name),
        ("origin", recording.origin),
        ("form", recording.campaign.form),
        ("seed", str(about["seed"]) if about.get("seed") is not None else "–"),
    ]
    if stamps:
        facts.append(("activities", _when(stamps, recording.campaign.times)))
    if named:
        facts.append(("versions", words.listed(named, 9)))
    return tuple(facts)
