"""Answers of people are told as they write them, and what is no answer is refused."""

from pathlib import Path

import pytest

from analysis.errors import RequestError
from analysis.exporters.bundle.answers import read_answers
from analysis.exporters.bundle.datasheet import QUESTIONS

FILE = Path("answers.yaml")
FUNDED, OVER = "Who funded it?", "Over what time?"


def read(text):
    return dict(read_answers(FILE, text, QUESTIONS))


def refused(text):
    with pytest.raises(RequestError) as told:
        read(text)
    return str(told.value).splitlines()


@pytest.mark.parametrize(
    "written",
    ["no", "2026-02-30", "2026-02-28", "1.10", "0123", "12:30", "10:20:30:40:50:56"],
)
def test_what_is_written_is_what_is_told(written):
    assert read(f"{FUNDED}: {written}\n") == {FUNDED: written}


@pytest.mark.parametrize("written", ["", " ", " ~", " null", " ''", " |\n"])
def test_a_question_with_nothing_behind_it_is_not_answered(written):
    assert read(f"{FUNDED}:{written}\n{OVER}: a week\n") == {OVER: "a week"}


def test_an_answer_may_have_several_lines():
    assert read(f"{FUNDED}: |\n  The Grant.\n\n  - no\n") == {
        FUNDED: "The Grant.\n\n- no"
    }


def test_a_file_without_questions_answers_none():
    assert read("# nothing yet\n") == {}


def test_all_that_is_wrong_is_told_at_once_each_with_its_line_and_what_to_do():
    lines = refused(
        f"{FUNDED}: [The Grant, Another]\n"
        f"{OVER}: {{name: x}}\n"
        "Who funded this?: nobody\n"
        "Zebra: no\n"
        f"{FUNDED}: The Grant\n"
        f"{FUNDED}: Another\n"
        "? [a, b]\n: c\n"
    )
    starts = [line.partition("; ")[0] for line in lines]
    assert starts == [
        f"--answers: answers.yaml: line 1: {FUNDED!r}: the answer is a list, and must "
        "be text",
        f"--answers: answers.yaml: line 2: {OVER!r}: the answer is a mapping, and must "
        "be text",
        "--answers: answers.yaml: line 3: 'Who funded this?' is no question of the "
        "datasheet",
        "--answers: answers.yaml: line 4: 'Zebra' is no question of the datasheet",
        f"--answers: answers.yaml: line 6: {FUNDED!r} is answered in line 5 already",
        "--answers: answers.yaml: line 7: must be `question: answer`, a line for each "
        "question",
    ]
    assert lines[2].endswith(f"; did you mean {FUNDED!r}?")
    assert lines[3].endswith("lists those that are asked")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{FUNDED}: The Grant: of a kind\n", 1),
        (f"{FUNDED}: a\n{OVER}: 'never closed\n", 3),
        (f"{FUNDED}: a\n{OVER}: \x07\n", 2),
        (f"\n{FUNDED}\n", 2),
        ("- a list\n", 1),
        (f"{FUNDED}: a\n---\n{OVER}: b\n", 2),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line_with_its_number(text, line):
    (told,) = refused(text)
    assert told.startswith(f"--answers: answers.yaml: line {line}: ")
    assert "<unicode" not in told


def test_lists_without_end_are_refused():
    (told,) = refused("[" * 100_000)
    assert "must be `question: answer`" in told
