"""The chapter about users: pictures of their hours, and what the detector notices."""

from collections.abc import Callable, Sequence

from analysis.report import words
from analysis.report.behaviour import (
    FEWEST,
    Diary,
    Watch,
    malicious_users,
    watch_all,
)
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


def behaviour_chapter(
    diaries: Sequence[Diary], key: str, seed: int, say: Callable[[str], None]
) -> Chapter:
    """Return the chapter about campaigns of one origin that have users.

    say  told one line per campaign and detector

    Draws the activities in which a malicious user took part; the table has all.
    """
    watches = watch_all(diaries, seed)
    bad = malicious_users(diaries)
    drawn = [w for w in watches if w.detector is not None and len(w.malicious)]
    if not drawn:
        drawn = [w for w in watches if w.detector is not None]
    blocks: tuple[Block, ...] = (
        *_why(diaries, watches, bad),
        _grid(watches),
        *_copies(watches),
    )
    if drawn:
        pictures = tuple(draw_hours(watch) for watch in drawn)
        blocks = (Gallery(pictures=pictures), *blocks)
    alarms = alarms_section(diaries, key, seed, say)
    return Chapter(
        key=key,
        title="Behaviour of users",
        origin=origin_of(diaries[0].campaign),
        lead="From logged activities, not from traffic: who did what in which hour of "
        "the day is taken from the activity logs.",
        tiles=_tiles(watches),
        facts=_facts(diaries, bad),
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


def _facts(
    diaries: Sequence[Diary], bad: frozenset[str]
) -> tuple[tuple[str, str], ...]:
    users = sorted({u for d in diaries for u in d.log.frame["user"] if u})
    named = words.listed([f"{u} (malicious)" if u in bad else u for u in users])
    return (
        *(
            (
                f"campaign {i}",
                f"{d.campaign.name} ({words.count(len(d.log))} activities)",
            )
            for i, d in enumerate(diaries, start=1)
        ),
        ("users", named or "–"),
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
        _tile(found, n_bad, f"noticed ({found} of {n_bad})", "noticed"),
        _tile(
            false,
            n_good,
            f"false alarms, day left out ({false}/{n_good})",
            "false alarms, day left out",
        ),
    )


def _tile(part: int, whole: int, told: str, nothing: str) -> tuple[str, str]:
    """Return a share of what there was; of nothing there is no share."""
    if not whole:
        return "–", f"{nothing}: no such hour to judge"
    return words.share(part, whole), told


def _why(
    diaries: Sequence[Diary], watches: Sequence[Watch], bad: frozenset[str]
) -> tuple[Note, ...]:
    """Say why there is little to see: nobody lives there, or nothing can be learnt."""
    users = {u for d in diaries for u in d.log.frame["user"] if u}
    told = ""
    if not users:
        told = (
            "No user acts in these logs: their activities are trials of a plan, which "
            "says nothing about anybody's habits. Give campaigns whose scenario has "
            "users."
        )
    elif users <= bad:
        told = (
            f"Only {words.listed(sorted(users))} (malicious) acts in these logs, so "
            "there is nobody to learn from. Give a campaign of the owner as well."
        )
    elif all(watch.detector is None for watch in watches):
        told = (
            f"No activity happened in {FEWEST} hours or more of what can be learnt "
            "from, which is too little for any. Give longer campaigns."
        )
    return (Note(text=told),) if told else ()


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
