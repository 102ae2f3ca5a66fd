"""Write the report of one or more campaigns."""

from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.dataset import load_activities, load_campaign
from analysis.report.behaviour import Diary
from analysis.report.behaviour_chapter import behaviour_chapter
from analysis.report.blocks import Chapter
from analysis.report.campaign_chapter import campaign_chapter
from analysis.report.page import write_page
from analysis.report.recording import keys_of, origin_of, read_about, read_recording


def write_report(
    folders: Sequence[Path],
    out: Path,
    behaviour: Sequence[Path] = (),
    *,
    seed: int = 0,
    say: Callable[[str], None],
) -> Path:
    """Write a page about campaigns into `out`; return its index.html.

    folders    campaigns, a chapter each: nothing is pooled over two of them
    behaviour  campaigns with users; those of one origin share a chapter
    seed       for splits, classifiers and detectors; the same input and seed give the
               same CSV and JSON
    say        told one line per step

    Raises DatasetError when a folder cannot be read, CaptureError when a capture is
    damaged.
    """
    chapters: list[Chapter] = []
    diaries = [_diary(folder) for folder in behaviour]
    for folder, key in zip(folders, keys_of([f.name for f in folders]), strict=True):
        say(f"{folder.name}: reading")
        chapters.append(campaign_chapter(read_recording(folder), key, seed, say))
    if diaries:
        say("behaviour: learning from activity logs")
        chapters += _behaviour(diaries, seed)
    say("writing the page")
    return write_page(chapters, out)


def _diary(folder: Path) -> Diary:
    return Diary(
        campaign=load_campaign(folder),
        about=read_about(folder),
        log=load_activities(folder),
    )


def _behaviour(diaries: Sequence[Diary], seed: int) -> list[Chapter]:
    by_origin: dict[str, list[Diary]] = {}
    for diary in diaries:
        by_origin.setdefault(origin_of(diary.campaign), []).append(diary)
    keys = ("behaviour", *(f"behaviour-{i}" for i in range(2, len(by_origin) + 1)))
    return [
        behaviour_chapter(group, key, seed)
        for key, group in zip(keys, by_origin.values(), strict=True)
    ]
