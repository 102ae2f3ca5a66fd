"""Documents that could be out of date are compared with what they describe."""

import re
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

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
    shown = re.findall(r"^(?:\S*/)?testbed ([a-z]+)(?: ([a-z]+))?", text, re.M)
    assert [words for words in shown if not {words[0], " ".join(words)} & known] == []


EXAMPLES = [
    pytest.param(page, example, id=f"{page}-{number}")
    for page in ("packets.md", "dataset-format.md")
    for number, example in enumerate(
        re.findall(
            r"```python\n(.+?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL
        )
    )
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in a folder with the captures and profiles that the examples name."""
    for name in ("captures", "devices"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "example"), EXAMPLES)
def test_the_examples_of_a_page_run(page, example, project, monkeypatch):
    if page == "dataset-format.md":
        monkeypatch.chdir(ROOT / "captures" / "example")
    exec(compile(example, page, "exec"), {})  # noqa: S102


def test_the_commands_about_packets_print_what_the_page_shows(project):
    text = (ROOT / "docs" / "packets.md").read_text(encoding="utf-8")
    shown = re.findall(r"```console\n\$ testbed (.+?)\n(.+?)```", text, re.DOTALL)
    assert len(shown) == 2
    for words, output in shown:
        done = CliRunner().invoke(build(), shlex.split(words))
        assert (done.exit_code, done.output) == (0, output)


@pytest.mark.parametrize("kind", ["packets", "flows"])
def test_the_columns_of_tables_are_described(kind):
    text = (ROOT / "docs" / "dataset-format.md").read_text(encoding="utf-8")
    title = {"packets": "Packet table", "flows": "Flow table"}[kind]
    section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)
    path = next((ROOT / "captures" / "example" / kind).glob("*/*.parquet"))
    schema = pq.read_schema(path)
    kinds = {"int64": "int64", "bool": "bool", "string": "text"}
    types = [str(field.type) for field in schema]
    told = [
        "text" if each.startswith("dictionary") else kinds.get(each, each)
        for each in types
    ]
    assert rows == list(zip(schema.names, told, strict=True))
