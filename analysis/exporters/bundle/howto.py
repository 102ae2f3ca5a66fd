"""The lines of README that open, check and run a dataset again, as they stand."""

from analysis.exporters.bundle.done import Done
from analysis.exporters.bundle.facts import CampaignFacts, Facts
from analysis.exporters.bundle.making import is_imported


def how_to(facts: Facts, done: Done) -> list[str]:
    """Return what to do with a dataset; with several campaigns, of the first one."""
    first = facts.campaigns[0]
    parts = [
        _OPEN.replace("ONE_AT_A_TIME", _one_at_a_time(facts))
        .replace("CAMPAIGN", first.path)
        .replace("DEVICE", first.devices[0]),
        _rule(facts, done),
        _PSEUDONYMS
        if not done.accepted
        else f"{_PSEUDONYMS.strip()}\n\n{done.accepted}",
        _CHECK.replace("SOFTWARE", f"smarthome-testbed {facts.software}".strip())
        .replace("REPRODUCE", _REPRODUCE if facts.with_results else _REPRODUCE_LABELS)
        .replace("CAMPAIGN", first.path),
        *_again([each for each in facts.campaigns if not is_imported(each)]),
    ]
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    return text.replace("DATASET", facts.name).split("\n")


def _one_at_a_time(facts: Facts) -> str:
    return ", one campaign at a time" if len(facts.campaigns) > 1 else ""


def _rule(facts: Facts, done: Done) -> str:
    """Say by what rule a packet belongs to an activity, and how trials are parted."""
    apart = (
        "part them by session or by time, as `splits.json` does, never at random"
        if done.splits.n
        else "no honest split of these campaigns is possible; `splits.json` says why"
    )
    return _RULE.replace("WIDENED", _widened(facts)).replace("APART", apart)


def _widened(facts: Facts) -> str:
    widened = [each.name for each in facts.campaigns if each.widened]
    if not widened:
        return "; windows are not widened by `t_uncertainty_ns`"
    if len(widened) == len(facts.campaigns):
        return ", both ends widened by `t_uncertainty_ns`"
    return f", both ends widened by `t_uncertainty_ns` in {', '.join(widened)} alone"


def _again(campaigns: list[CampaignFacts]) -> list[str]:
    """Say how campaigns that were run here are run again; imported ones cannot."""
    if not campaigns:
        return [_NOT_AGAIN]
    renamed = [
        f"{', '.join(each.renamed)} in {each.name}"
        for each in campaigns
        if each.renamed
    ]
    said = _RENAMED.replace("NAMES", "; ".join(renamed)) if renamed else ""
    return [_AGAIN.replace("CAMPAIGN", campaigns[0].path), said]


_OPEN = """
## How to open it

Check that all of it is there and unchanged:

```sh
cd DATASET && sha256sum -c manifest-sha256.txt --quiet && cd data
```

Wireshark opens every capture; labels are packet comments. From `data`ONE_AT_A_TIME:

```sh
tshark -r CAMPAIGN/labelled/DEVICE.pcapng -Y frame.comment -T fields \\
    -e frame.number -e frame.comment
```

Tables, in Python or SQL:

```python
import polars as pl

activities = pl.read_parquet("tables/activities.parquet")
packets = pl.read_parquet("campaigns/**/packets/**/*.parquet", hive_partitioning=True)
```

```sql
SELECT device, count(*) FROM
  read_parquet('campaigns/*/packets/*/*.parquet', hive_partitioning=true)
GROUP BY device;
```
"""
_RULE = """
A packet belongs to an activity when `t_ns <= time_ns < t_ns + delta_ns`WIDENED.
Where two windows of a device overlap, `labelled/labels.json` says what was done. Only
outcomes `confirmed` and `unchecked` make labels. Trials of one session are alike for
many reasons: APART.
"""
_PSEUDONYMS = """
Every MAC and IP address in a header is a pseudonym, the same one everywhere, and so
are the names, serials and accounts that were found or told. MAC addresses keep their
vendor; private addresses stay private. What nobody found or told is as it was:
`datasheet.md` lists the free texts that stayed.
"""
_REPRODUCE = "makes every label, table and figure again and compares"
_REPRODUCE_LABELS = "makes every label and table again and compares"
_CHECK = """
## How to check it and run it again

With the software that made it (SOFTWARE), from the folder in which DATASET lies:

```sh
testbed verify DATASET
testbed reproduce DATASET
testbed compare DATASET/data/CAMPAIGN captures/NEW
```

`verify` looks whether it is whole, and labels and tables are what captures and log
give; `reproduce` REPRODUCE; `compare` tells what
drifted between one campaign and another of yours (`captures/NEW`), as one that was
run again.
"""
_AGAIN = """
`rerun` runs a campaign once more in a lab of yours, one at a time; with `--check` it
only tells what differs there. It needs a lab file and device profiles, so call it in a
clone of the software, where `lab.yaml` is:

```sh
testbed rerun /path/to/DATASET/data/CAMPAIGN --check
```
"""
_NOT_AGAIN = """
It was imported, so there is no plan in it that `testbed rerun` could run again.
"""
_RENAMED = """
Some names are pseudonyms that no lab knows: NAMES. To run it again, call your own
devices and plugs so, in `devices/` and `lab.yaml`.
"""
