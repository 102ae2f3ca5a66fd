"""Write the report of one or more campaigns."""

from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.dataset import load_activities, load_campaign
from analysis.evaluate.campaign import plan_of
from analysis.evaluate.fits import Told, nobody_told
from analysis.report.behaviour import Diary
from analysis.report.behaviour_chapter import behaviour_chapter
from analysis.report.blocks import Chapter
from analysis.report.campaign_chapter import campaign_chapter
from analysis.report.page import write_page
from analysis.report.recording import keys_of, origin_of, read_about, read_recording
from analysis.report.scores import BELIEVED


def write_report(
    folders: Sequence[Path],
    out: Path,
    behaviour: Sequence[Path] = (),
    *,
    say: Callable[[str], None],
    seed: int = 0,
    classifiers: Sequence[str] = (),
    jobs: int = 1,
    told: Told = nobody_told,
) -> Path:
    """Write a page about campaigns into `out`; return its index.html.

    folders    campaigns, a chapter each: nothing is pooled over two of them
    behaviour  campaigns with users; those of one origin share a chapter
    say        told one line per step
    seed       for splits, classifiers and detectors; the same input and seed give the
               same CSV and JSON
    classifiers  names, or none for all; see `analysis.evaluate.campaign.plan_of`
    jobs       processes that learn side by side
    told       told how far the learning is

    Raises AnalysisError for a classifier that does not exist, DatasetError when a
    folder cannot be read, CaptureError when a capture is damaged.
    """
    plan = plan_of(classifiers, BELIEVED, seed=seed, jobs=jobs)
    chapters: list[Chapter] = []
    diaries = [_diary(folder) for folder in behaviour]
    for folder, key in zip(folders, keys_of([f.name for f in folders]), strict=True):
        say(f"{folder.name}: reading")
        recording = read_recording(folder)
        chapters.append(campaign_chapter(recording, key, plan, say, told))
    if diaries:
        say("behaviour: learning from activity logs")
        chapters += _behaviour(diaries, seed, say)
    say("writing the page")
    return write_page(chapters, out)


def _diary(folder: Path) -> Diary:
    return Diary(
        campaign=load_campaign(folder),
        about=read_about(folder),
        log=load_activities(folder),
    )


def _behaviour(
    diaries: Sequence[Diary], seed: int, say: Callable[[str], None]
) -> list[Chapter]:
    by_origin: dict[str, list[Diary]] = {}
    for diary in diaries:
        by_origin.setdefault(origin_of(diary.campaign), []).append(diary)
    keys = ("behaviour", *(f"behaviour-{i}" for i in range(2, len(by_origin) + 1)))
    return [
        behaviour_chapter(group, key, seed, say)
        for key, group in zip(keys, by_origin.values(), strict=True)
    ]
