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
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def named(path):
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def trees():
    """Return the syntax tree of each module, by its name."""
    return {named(path): ast.parse(path.read_text("utf-8")) for path in MODULES}


def functions(tree):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_a_function_fits_on_one_screen(trees):
    long = [
        f"{name}: {node.name} has {length} lines"
        for name, tree in trees.items()
        for node in functions(tree)
        if (length := node.end_lineno - node.lineno + 1) > 45
    ]
    assert long == []


def test_a_module_can_be_read_in_one_sitting():
    assert len(MODULES) > 500
    assert len(TESTS) > 300
    lengths = {
        named(path): len(path.read_text("utf-8").splitlines())
        for path in MODULES + TESTS
    }
    assert {name: n for name, n in lengths.items() if n > 450} == {}


def swallowing(tree):
    """Yield what is caught where too much is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            names = set(re.findall(r"\w+", caught))
            goes_on = isinstance(node.body[-1], ast.Raise) and not node.body[-1].exc
            if names == {"BaseException"} and goes_on:
                continue  # tidies up and lets everything through
            if names & {"everything", "Exception", "BaseException"}:
                yield caught


def test_nothing_is_swallowed(trees):
    wrong = {name: [*swallowing(tree)] for name, tree in trees.items()}
    assert {name: caught for name, caught in wrong.items() if caught} == {}


@pytest.mark.parametrize(
    "caught",
    ["except Exception:", "except (OSError, BaseException) as exc:", "except:"],
)
def test_what_swallows_is_seen(caught):
    tree = ast.parse(f"try:\n    go()\n{caught}\n    stop()\n")
    assert len([*swallowing(tree)]) == 1


def test_a_module_says_what_it_is_for(trees):
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_no_module_is_a_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "misc", "common"}
    assert [named(path) for path in MODULES + TESTS if path.stem in drawers] == []


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
