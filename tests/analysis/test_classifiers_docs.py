"""The page about classifiers names all of them, and its example runs."""

import re
from pathlib import Path

import pytest

import analysis.classifiers
from analysis.classifiers.model import Reads
from analysis.registry import discover

PAGE = Path(__file__).parents[2] / "docs" / "classifiers.md"
ROW = re.compile(r"^\| `(\w+)` \| `?(\w*)`? *\| ([a-z ]+) \|", re.MULTILINE)
WORDS = {
    Reads.STATISTICS: "statistics",
    Reads.WINDOW: "statistics and sequence",
}


def test_the_page_lists_each_classifier_with_what_it_reads():
    there = discover(analysis.classifiers, "CLASSIFIERS").values()
    shown = set(ROW.findall(PAGE.read_text(encoding="utf-8")))
    assert shown == {(c.name, c.short, WORDS[c.reads]) for c in there}


@pytest.mark.parametrize(
    "example", re.findall(r"```python\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
)
def test_the_example_runs(example):
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102
