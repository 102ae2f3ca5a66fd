"""The example that ships is a whole campaign, as its documents describe one."""

import hashlib
from pathlib import Path

from analysis.dataset import load_activities, load_campaign
from analysis.packets import is_current, load_packets
from analysis.windows import cut

EXAMPLE = Path(__file__).parents[2] / "captures" / "example"


def test_every_file_is_the_one_of_the_manifest():
    lines = (EXAMPLE / "MANIFEST.sha256").read_text().splitlines()
    listed = dict(reversed(line.split("  ", 1)) for line in lines)
    there = {
        str(p.relative_to(EXAMPLE)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in EXAMPLE.rglob("*")
        if p.is_file() and p.name != "MANIFEST.sha256"
    }
    assert there == listed


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
