"""Documents that could be out of date are compared with what they describe."""

import re
from pathlib import Path

import pytest

from testbed.cli import build
from testbed.cli.reference import cli_reference, device_table
from testbed.model.load import load_profiles

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_cli_reference_is_the_one_of_the_commands():
    assert (ROOT / "docs" / "cli.md").read_text() == cli_reference(build())


def test_the_device_table_is_the_one_of_the_profiles():
    table = device_table(load_profiles(ROOT / "devices"))
    assert (ROOT / "docs" / "devices.md").read_text() == table


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_command_that_the_readme_shows_exists():
    known = set(re.findall(r"^## testbed (.+)$", cli_reference(build()), re.MULTILINE))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(
        r"^(?:\S*/)?testbed ([a-z]+(?: (?:up|down|shell|pcap))?)", text, re.M
    )
    assert [command for command in shown if command not in known] == []
