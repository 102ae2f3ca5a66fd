"""The page about features names all of them, and its example runs."""

import re
from pathlib import Path

import pytest

from analysis.features.matrix import families

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)


def expanded(name):
    for direction in ("in", "out", "both") if name.startswith("D_") else ("",):
        for percent in range(10, 100, 10) if "_pN" in name else (0,):
            yield re.sub("^D_", f"{direction}_", name).replace("_pN", f"_p{percent}")


def test_the_page_lists_each_feature_with_its_unit():
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    shown = {name: unit for row, unit in rows for name in expanded(row)}
    assert shown == {f.name: f.unit for family in families() for f in family.features}


@pytest.mark.parametrize(
    "example", re.findall(r"```python\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
)
def test_the_example_runs(example):
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102
