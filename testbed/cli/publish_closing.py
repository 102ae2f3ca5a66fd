"""What a publication asks of people, and what it tells them at its end."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli.faults import Faults
from testbed.cli.reading import counted, text_told

if TYPE_CHECKING:
    from analysis.exporters.bundle import About

_ANONYMISATION = "anonymisation.json"


def about_of(
    faults: Faults,
    title: str,
    licence: str,
    authors: Sequence[str],
    answers: Path | None,
) -> "About":
    """Return what people say of a dataset.

    faults   are told what is wrong with it
    answers  file of what they answer for the datasheet
    """
    from analysis.exporters.bundle import About, licence_of
    from analysis.exporters.bundle.answers import read_answers
    from analysis.exporters.bundle.authors import authors_of
    from analysis.exporters.bundle.datasheet import QUESTIONS

    def answered() -> tuple[tuple[str, str], ...]:
        if answers is None:
            return ()
        return read_answers(answers, text_told("--answers", answers), QUESTIONS)

    chosen = faults.of(None, licence_of, licence)
    return About(
        title=title,
        licence=chosen.name if chosen is not None else licence,
        authors=faults.of((), authors_of, authors),
        answers=faults.of((), answered),
    )


def template_of(out: Path) -> Path:
    """Return the file beside a dataset that lists what its datasheet asks."""
    return out.with_name(f"{out.name}.answers.yaml")


def closing_lines(out: Path, about: "About") -> tuple[str, ...]:
    """Return what to say of a dataset that was made; leave a file of its gaps.

    A file of answers that is there already stays as it is.
    """
    data = out / "data"
    told = json.loads((data / _ANONYMISATION).read_text(encoding="utf-8"))
    renamed = _renamed(list(told.get("renamed") or ()))
    return (*renamed, *_unsigned(about), *_gaps(out, data))


def _unsigned(about: "About") -> tuple[str, ...]:
    """Say that a citation has nobody, or a title that nobody gave."""
    lacks = [
        *(["names nobody (--author)"] if not about.authors else []),
        *(["has a title that was made up (--title)"] if not about.title else []),
    ]
    if not lacks:
        return ()
    how = "publish anew before somebody cites it"
    return (f"testbed: CITATION.cff {' and '.join(lacks)}; {how}",)


def _renamed(names: list[str]) -> tuple[str, ...]:
    """Say that others cannot run it again as it stands."""
    if not names:
        return ()
    why = "others cannot `rerun` it before they call theirs so"
    return (f"testbed: called by pseudonyms now: {', '.join(names)}; {why}",)


def _gaps(out: Path, data: Path) -> tuple[str, ...]:
    """Say how many gaps the datasheet has, and how they are filled."""
    from analysis.exporters.bundle.answers import gaps_in, write_template

    n = gaps_in(data)
    if not n:
        return ()
    path = template_of(out)
    if not path.exists():
        write_template(data, path)
    how = f"answer in {path}, then publish anew into another folder, or remove {out}"
    said = f"testbed: datasheet.md: {counted(n, 'question')} marked TO FILL"
    return (f"{said}; {how}, with the same key and --answers {path}",)
