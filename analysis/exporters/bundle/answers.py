"""What only people know of a dataset: gaps of its datasheet, and answers to them.

A file of answers is YAML: a question of the datasheet, and what to write there.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from analysis.errors import RequestError
from analysis.exporters.bundle.model import UNSAID
from analysis.exporters.bundle.work import write_text

Answer = tuple[str, str]  # question and what the dataset itself tells
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_HEAD = f"""\
# Answers for the datasheet: what only its makers know.
# Write behind each question; what stays empty stays `{UNSAID}`. Lines with # tell what
# stands there. Then: testbed publish CAMPAIGN... OUT --answers THIS_FILE
"""


def read_answers(path: Path, questions: Iterable[str]) -> tuple[Answer, ...]:
    """Return question and answer, of those that are answered.

    Raises RequestError when the file cannot be read, or asks what no datasheet asks.
    """
    try:
        told = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    except OSError as exc:
        reason = f"cannot be read: {exc.strerror}"
        raise RequestError(f"--answers: {path}: {reason}") from exc
    except (UnicodeDecodeError, yaml.YAMLError) as exc:
        raise RequestError(f"--answers: {path}: is no YAML in UTF-8: {exc}") from exc
    if not isinstance(told, Mapping | None):
        raise RequestError(f"--answers: {path}: must hold `question: answer`")
    told, known = told or {}, set(questions)
    if faults := [each for each in told if each not in known]:
        lines = (f"--answers: {path}: {each!r} is no question of it" for each in faults)
        raise RequestError("\n".join(lines))
    return tuple(sorted((q, _text(a)) for q, a in told.items() if _text(a)))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def answered(answers: Sequence[Answer], told: Mapping[str, str]) -> list[Answer]:
    """Return questions with what people tell in place of gaps, or else behind."""
    return [(question, _with(said, told.get(question))) for question, said in answers]


def _with(said: str, told: str | None) -> str:
    if told is None:
        return said
    return said.replace(UNSAID, told) if UNSAID in said else f"{said}\n\n{told}"


def gaps_in(data: Path) -> int:
    """Return how many questions of the datasheet of a payload are not answered."""
    sheet = (data / "datasheet.md").read_text(encoding="utf-8")
    return sum(UNSAID in said for _, said in _asked_in(sheet))


def write_template(data: Path, path: Path) -> Path:
    """Write a file of answers, with every gap and what is there; return it."""
    sheet = (data / "datasheet.md").read_text(encoding="utf-8")
    lines = [_HEAD]
    for question, said in _asked_in(sheet):
        if UNSAID in said:
            lines += [*(f"# {line}".rstrip() for line in said.splitlines())]
            lines += [f"{_key(question)}:", ""]
    return write_text(path, "\n".join(lines))


def _asked_in(sheet: str) -> list[Answer]:
    """Return questions and answers of a datasheet as it was written."""
    parts = sheet.split("\n**")[1:]
    pairs = (part.partition("**\n\n") for part in parts)
    return [(q, said.partition("\n\n## ")[0].strip()) for q, _, said in pairs]


def _key(question: str) -> str:
    """Return a question as a key of YAML."""
    return yaml.safe_dump(question, width=1000, allow_unicode=True).splitlines()[0]
