"""The documented order of facts is the one that a campaign has."""

import itertools
import re
from pathlib import Path

from testbed.model.types import Channel
from testbed.runner.journal.store import Journal

DOCUMENT = Path(__file__).parents[2] / "docs" / "event-sequence.md"


def test_a_small_campaign_has_the_documented_order_of_facts(rig, kit):
    lab = rig()
    trial = kit.planned(1, "bulb", "turn_on", Channel.PHONE)
    result = lab.run(kit.small_plan(trials=(trial,)))
    kit.close_campaign(result.folder, Journal(lab.store, "small-1"))
    (block,) = re.findall(r"```text\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert list(summary(lab.events())) == block.splitlines()


def summary(events):
    for name, same in itertools.groupby(events, named):
        n = len(list(same))
        yield name if n == 1 else f"{name} x{n}"


def named(event):
    what = getattr(event, "phase", "") or getattr(event, "moment", "")
    return f"{type(event).__name__} {what}".strip()
