import re
from pathlib import Path

import pytest

from testbed.model.acts import draw_acts
from testbed.model.load import load_profiles, load_scenario
from testbed.model.users import AttackKind
from testbed.virtual.people import population

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "people.md").read_text(encoding="utf-8")


def test_the_page_tells_of_every_kind_of_attack_and_of_every_study():
    rows = re.findall(r"^\| `?(\w+)", PAGE, re.MULTILINE)
    assert {kind.value for kind in AttackKind} <= set(rows)
    told = set(re.findall(r"`((?:week|month)_\w+)`", PAGE))
    files = {path.stem for path in (ROOT / "scenarios").glob("month_*.yaml")}
    assert files <= told
    assert all((ROOT / "scenarios" / f"{name}.yaml").is_file() for name in told)


def test_the_example_of_the_page_is_a_scenario(tmp_path):
    user, intruder = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
    path = tmp_path / "evenings.yaml"
    path.write_text(user + intruder, encoding="utf-8")
    acts = draw_acts(load_scenario(path, load_profiles(ROOT / "devices")))
    assert {a.user for a in acts} == {"resident", "thief"}


@pytest.mark.parametrize("days", [1, 3, 7])
def test_a_population_may_live_for_a_few_days_only(days):
    for scenario in population(5, 6, "mimicry", days=days, quiet_days=days):
        assert all(0 <= a.at_s < days * 86_400 for a in draw_acts(scenario))
