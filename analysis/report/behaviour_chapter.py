"""The chapter about users: pictures of their hours, and what the detector notices."""

from collections.abc import Sequence

from analysis.report import words
from analysis.report.behaviour import Diary, Watch, malicious_users, watch_all
from analysis.report.behaviour_alarms import alarms_section
from analysis.report.behaviour_chart import draw_hours
from analysis.report.blocks import (
    Block,
    Chapter,
    Gallery,
    Grid,
    Item,
    Note,
    Section,
    columns,
)
from analysis.report.recording import origin_of
from analysis.report.tables import Cell, Table

_COLUMNS = (
    "device",
    "activity",
    "training_hours",
    "training_events",
    "false_alarms_day_left_out",
    "new_benign_hours",
    "false_alarms_new",
    "copied_benign_hours",
    "malicious_hours",
    "malicious_noticed",
)


def behaviour_chapter(diaries: Sequence[Diary], key: str, seed: int) -> Chapter:
    """Return the chapter about campaigns of one origin that have users.

    Draws the activities in which a malicious user took part; the table has all.
    """
    watches = watch_all(diaries, seed)
    bad = malicious_users(diaries)
    drawn = [w for w in watches if w.detector is not None and len(w.malicious)]
    if not drawn:
        drawn = [w for w in watches if w.detector is not None]
    blocks: tuple[Block, ...] = (_grid(watches), *_copies(watches))
    if drawn:
        pictures = tuple(draw_hours(watch) for watch in drawn)
        blocks = (Gallery(pictures=pictures), *blocks)
    alarms = alarms_section(diaries, key, seed)
    users = sorted({u for d in diaries for u in d.log.frame["user"] if u})
    facts = [
        (f"campaign {i}", f"{d.campaign.name} ({words.count(len(d.log))} activities)")
        for i, d in enumerate(diaries, start=1)
    ]
    facts.append(
        ("users", words.listed([f"{u} (malicious)" if u in bad else u for u in users]))
    )
    return Chapter(
        key=key,
        title="Behaviour of users",
        origin=origin_of(diaries[0].campaign),
        lead="From logged activities, not from traffic: who did what in which hour of "
        "the day is taken from the activity logs.",
        tiles=_tiles(watches),
        facts=tuple(facts),
        sections=(
            Section(
                key=f"{key}-hours",
                title="Whose hours are these?",
                lead="As in Figure 3 of the paper: K-means with two centres on the "
                "hour of day and the number of events in that hour. An hour farther "
                "from its centre than any training hour (dashed line) raises an alarm.",
                blocks=blocks,
            ),
            *((alarms,) if alarms is not None else ()),
        ),
    )


def _tiles(watches: Sequence[Watch]) -> tuple[tuple[str, str], ...]:
    able = [w for w in watches if w.detector is not None]
    n_bad = sum(len(w.malicious) for w in able)
    found = sum(int(w.alarms(w.malicious).sum()) for w in able)
    n_good = sum(w.train_alarms.size for w in able)
    false = sum(int(w.train_alarms.sum()) for w in able)
    return (
        (words.count(sum(len(w.train) for w in watches)), "benign hours to learn from"),
        (words.count(sum(len(w.malicious) for w in watches)), "malicious hours"),
        (words.share(found, n_bad), f"noticed ({found} of {n_bad})"),
        (words.share(false, n_good), f"false alarms, day left out ({false}/{n_good})"),
    )


def _copies(watches: Sequence[Watch]) -> tuple[Note, ...]:
    copies = sum(w.n_copies for w in watches)
    if not copies:
        return ()
    return (
        Note(
            text=f"{words.count(copies)} benign hours of the tested logs are copies of "
            "training hours (the same resident from the same seed) and are not counted "
            "as tests. False alarms are those of each training day, judged by a "
            "detector that learnt from the other days."
        ),
    )


def _grid(watches: Sequence[Watch]) -> Grid:
    return Grid(
        title="Alarms of the K-means detector",
        columns=columns(
            "device",
            "activity",
            "training hours",
            "events",
            "false alarms, day left out",
            "false alarms, new benign hours",
            "malicious hours noticed",
            texts=2,
        ),
        rows=tuple(_row(watch) for watch in watches),
        data=Table(
            name="behaviour",
            columns=_COLUMNS,
            rows=tuple(_record(watch) for watch in watches),
        ),
    )


def _record(watch: Watch) -> tuple[Cell, ...]:
    learnt = watch.detector is not None
    return (
        watch.device,
        watch.activity,
        len(watch.train),
        int(watch.train.count.sum()),
        int(watch.train_alarms.sum()) if watch.train_alarms.size else None,
        len(watch.fresh),
        int(watch.alarms(watch.fresh).sum()) if learnt else None,
        watch.n_copies,
        len(watch.malicious),
        int(watch.alarms(watch.malicious).sum()) if learnt else None,
    )


def _row(watch: Watch) -> tuple[Item, ...]:
    head = (
        Item(text=watch.device),
        Item(text=words.plain(watch.activity)),
        Item(text=words.count(len(watch.train))),
        Item(text=words.count(int(watch.train.count.sum()))),
    )
    if watch.detector is None:
        return (*head, Item(text="too few hours to learn from", span=3))
    return (
        *head,
        _of(int(watch.train_alarms.sum()), watch.train_alarms.size),
        _of(int(watch.alarms(watch.fresh).sum()), len(watch.fresh)),
        _of(int(watch.alarms(watch.malicious).sum()), len(watch.malicious)),
    )


def _of(part: int, whole: int) -> Item:
    if not whole:
        return Item(text="–")
    return Item(text=f"{part} / {whole}", below=words.share(part, whole))
