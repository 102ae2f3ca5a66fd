"""Golden messages: what a user reads who got something wrong."""

from pathlib import Path

import pytest

from testbed.errors import ConfigError
from testbed.model.load import (
    check_all,
    load_lab,
    load_profile,
    load_profiles,
    load_scenario,
)
from testbed.model.source import FaultyFilesError

ROOT = Path(__file__).parents[2]
FAULTY = Path(__file__).parent / "faulty"
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture(scope="module")
def profiles():
    return load_profiles(ROOT / "devices")


def message_of(name, profiles):
    path = FAULTY / f"{name}.yaml"
    load = {"lab": load_lab, "lamp": load_profile}.get(
        name, lambda path: load_scenario(path, profiles)
    )
    with pytest.raises(FaultyFilesError) as caught:
        load(path)
    return str(caught.value).replace(f"{FAULTY}/", "") + "\n"


FAULTY_FILES = ["evening", "users", "attacks", "lamp", "lab", "broken"]


@pytest.mark.parametrize("name", FAULTY_FILES)
def test_all_faults_of_a_file_are_told_at_once_with_line_and_remedy(name, profiles):
    golden = GOLDEN / f"{name}_faults.txt"
    assert message_of(name, profiles) == golden.read_text(encoding="utf-8")


def test_a_missing_file_is_one_sentence(profiles):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: there is no such file"):
        load_scenario(Path("nowhere.yaml"), profiles)
    with pytest.raises(ConfigError, match=r"no such file; .* or name it with --lab"):
        load_lab(Path("nowhere.yaml"))


def test_a_binary_file_is_refused(tmp_path, profiles):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_scenario(path, profiles)


def test_an_alias_bomb_does_not_unfold(tmp_path, profiles):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 9):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="unfolds to more than"):
        load_scenario(path, profiles)


def test_what_yaml_would_turn_into_something_else_stays_text(tmp_path):
    text = (ROOT / "devices" / "koogeek_plug.yaml").read_text()
    path = tmp_path / "koogeek_plug.yaml"
    path.write_text(text.replace('firmware: "2.3.9"', "firmware: 1.10"))
    profile = load_profile(path)
    assert profile.firmware == "1.10"
    assert profile.initial["switch"] == "off"


def test_check_collects_the_faults_of_all_files(tmp_path):
    devices = tmp_path / "devices"
    devices.mkdir()
    (devices / "lamp.yaml").write_text((FAULTY / "lamp.yaml").read_text())
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    (scenarios / "evening.yaml").write_text((FAULTY / "evening.yaml").read_text())
    found = check_all(FAULTY / "lab.yaml", devices, scenarios)
    files = {Path(fault.file).name for fault in found.faults}
    assert files == {"lab.yaml", "lamp.yaml", "evening.yaml"}


def test_the_files_that_ship_have_no_fault():
    found = check_all(ROOT / "lab.yaml", ROOT / "devices", ROOT / "scenarios")
    assert found.faults == ()
    assert len(found.profiles) == 9


def test_a_password_in_the_journal_url_is_refused(tmp_path):
    text = (ROOT / "lab.yaml").read_text()
    path = tmp_path / "lab.yaml"
    url = "postgresql://me:s3cret@host/testbed"
    path.write_text(text.replace("captures/journal.sqlite", url))
    with pytest.raises(FaultyFilesError, match="must not hold a password"):
        load_lab(path)
    path.write_text(
        text.replace("captures/journal.sqlite", url.replace("s3cret", "${PASSWORD}"))
    )
    assert "${PASSWORD}" in load_lab(path).journal
