"""The example that ships is a whole campaign, as its documents describe one."""

import hashlib
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.dataset import load_activities, load_campaign
from analysis.packets import is_current, load_packets
from analysis.windows import cut
from testbed.cli import build

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"


def listed_in(folder):
    lines = (folder / "MANIFEST.sha256").read_text().splitlines()
    return dict(reversed(line.split("  ", 1)) for line in lines)


def there_are(folder):
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "MANIFEST.sha256"
    }


def test_every_file_is_the_one_of_the_manifest():
    assert there_are(EXAMPLE) == listed_in(EXAMPLE)


@pytest.mark.parametrize("command", ["packets", "features"])
def test_commands_that_make_tables_keep_the_manifest_true(command, tmp_path):
    folder = shutil.copytree(EXAMPLE, tmp_path / "example")
    shutil.rmtree(folder / "flows")
    out = ["--out", str(tmp_path / "a.parquet")] if command == "features" else []
    done = CliRunner().invoke(build(), [command, str(folder), *out])
    assert done.exit_code == 0
    assert "flows/device=echo_dot/lan-00001.pcapng.parquet" in there_are(folder)
    assert there_are(folder) == listed_in(folder)


def test_its_tables_are_those_that_would_be_made_today():
    assert is_current(EXAMPLE, load_campaign(EXAMPLE).devices), (
        "run testbed packets and testbed label on captures/example"
    )


def test_every_labelled_trial_has_packets():
    campaign, log = load_campaign(EXAMPLE), load_activities(EXAMPLE)
    assert campaign.simulated
    for device in campaign.devices:
        windows = cut(load_packets(EXAMPLE, device.name), log, device.name)
        assert windows.first.size > 0
        assert (windows.last > windows.first).all()
