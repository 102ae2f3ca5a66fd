"""What only people know of a dataset: gaps of its datasheet, and answers to them.

A file of answers is YAML: a question of the datasheet, and what to write there.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml

from analysis.errors import RequestError
from analysis.exporters.bundle.model import UNSAID
from analysis.exporters.bundle.work import write_text

Answer = tuple[str, str]  # question and what the dataset itself tells
_WANTED = "must be `question: answer`, a line for each question"
_QUOTED = (
    "write `|` behind the question and the answer below it, indented, or put the "
    "answer in quotes"
)
_LISTED = "OUT.answers.yaml, which a publication leaves, lists those that are asked"
_HEAD = f"""\
# Answers for the datasheet: what only its makers know.
# Write behind each question; what stays empty stays `{UNSAID}`. Lines with # tell what
# stands there. Then: testbed publish CAMPAIGN... OUT --answers THIS_FILE
"""


def read_answers(path: Path, text: str, questions: Sequence[str]) -> tuple[Answer, ...]:
    """Return question and answer, of those that are answered.

    path  of the file that holds `text`, for sentences

    What is written is what is told: `no` stays `no`, and 2026-02-30 is no date. Raises
    RequestError with all faults: what is no YAML, no text, asked twice or by no
    datasheet.
    """
    faults: list[str] = []
    asked: dict[str, int] = {}
    found: list[Answer] = []
    try:
        rows = _rows(text)
    except _FaultyError as exc:
        raise RequestError(f"--answers: {path}: {exc}") from exc
    for key, said in rows:
        line = key.start_mark.line + 1
        fault = _fault(key, said, asked, questions)
        if fault:
            faults.append(f"--answers: {path}: line {line}: {fault}")
            continue
        asked[key.value] = line
        if answer := _answer(said):
            found.append((key.value, answer))
    if faults:
        raise RequestError("\n".join(faults))
    return tuple(sorted(found))


class _FaultyError(ValueError):
    """A file of answers that cannot be read as one at all."""


def _rows(text: str) -> Sequence[tuple[yaml.Node, yaml.Node]]:
    """Return nodes of questions and answers. Raises _FaultyError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 1
        reason = f"is no YAML: {exc.problem or exc.context}"
        raise _FaultyError(f"line {line}: {reason}; {_QUOTED}") from exc
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        reason = "holds a character that no text has; remove it"
        raise _FaultyError(f"line {line}: {reason}") from exc
    except RecursionError as exc:
        raise _FaultyError(f"{_WANTED}, not lists within lists") from exc
    if root is None:
        return ()
    if not isinstance(root, yaml.MappingNode):
        raise _FaultyError(f"line {root.start_mark.line + 1}: {_WANTED}")
    return tuple(root.value)


def _fault(
    key: yaml.Node, said: yaml.Node, asked: Mapping[str, int], questions: Sequence[str]
) -> str:
    """Return what is wrong with a question and its answer, and what to do."""
    if not isinstance(key, yaml.ScalarNode):
        return _WANTED
    if key.value not in questions:
        near = get_close_matches(key.value, questions, n=1)
        hint = f"did you mean {near[0]!r}?" if near else _LISTED
        return f"{key.value!r} is no question of the datasheet; {hint}"
    if key.value in asked:
        first = f"is answered in line {asked[key.value]} already"
        return f"{key.value!r} {first}; keep one of the two"
    if isinstance(said, yaml.ScalarNode):
        return ""
    kind = "a list" if isinstance(said, yaml.SequenceNode) else "a mapping"
    return f"{key.value!r}: the answer is {kind}, and must be text; {_QUOTED}"


def _answer(said: yaml.Node) -> str:
    """Return an answer as it is written, '' where there is none."""
    plain = isinstance(said, yaml.ScalarNode) and not said.style
    nothing = plain and said.tag.endswith(":null")
    return "" if nothing else str(said.value).strip()


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
