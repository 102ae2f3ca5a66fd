"""Floors, sizes and swallowed errors are tested, not described."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    path for top in ("testbed", "analysis") for path in (ROOT / top).rglob("*.py")
)
each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda p: str(p.relative_to(ROOT))
)


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@each_module
def test_a_function_fits_on_one_screen(path):
    for node in functions(path):
        length = node.end_lineno - node.lineno + 1
        assert length <= 45, f"{node.name} has {length} lines"


@each_module
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450


@each_module
def test_nothing_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            names = set(re.findall(r"\w+", caught))
            goes_on = isinstance(node.body[-1], ast.Raise) and not node.body[-1].exc
            if names == {"BaseException"} and goes_on:
                continue  # tidies up and lets everything through
            assert not names & {"everything", "Exception", "BaseException"}, caught


@each_module
def test_a_module_says_what_it_is_for(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), path


@each_module
def test_no_module_is_a_drawer_for_odds_and_ends(path):
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


def test_the_tree_is_flat():
    assert max(len(p.relative_to(ROOT).parts) for p in MODULES) <= 4


def test_no_file_names_a_path_of_one_machine():
    places = re.compile(r"(?<![\w.])/(?:home|root|work)/\w+")
    wrong = []
    for path in sorted(ROOT.glob("*.md")) + MODULES:
        found = places.search(path.read_text(encoding="utf-8"))
        if found:
            wrong.append(f"{path.name}: {found.group()}")
    assert wrong == []


def test_the_lab_may_use_no_part_of_the_analysis_but_that_for_captures():
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = about["tool"]["importlinter"]["contracts"]
    (lab,) = (
        each for each in contracts if "testbed.runner" in each.get("source_modules", ())
    )
    parts = {
        f"analysis.{path.stem}"
        for path in (ROOT / "analysis").iterdir()
        if path.name not in ("__init__.py", "pcap")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert set(lab["forbidden_modules"]) == parts
