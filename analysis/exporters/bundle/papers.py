"""What a stranger reads first: README, licence, citation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from analysis.exporters.bundle.authors import author_of
from analysis.exporters.bundle.facts import CampaignFacts, Facts
from analysis.exporters.bundle.work import write_text


def write_papers(data: Path, facts: Facts) -> list[Path]:
    """Write README.md, LICENSE.txt and CITATION.cff; return them."""
    return [
        write_text(data / "README.md", read_me(facts)),
        write_text(data / "LICENSE.txt", _licence(facts)),
        write_text(data / "CITATION.cff", _citation(facts)),
    ]


def read_me(facts: Facts) -> str:
    """Return what somebody who never heard of this needs to open it."""
    return "\n".join(
        [
            f"# {facts.title}",
            "",
            facts.gist,
            "",
            *_campaigns(facts),
            "",
            _LAYOUT.strip(),
            "" if not facts.with_results else _RESULTS.strip(),
            "",
            _HOW.strip()
            .replace("SOFTWARE", f"smarthome-testbed {facts.software}".strip())
            .replace("DATASET", facts.name)
            .replace("DEVICE", facts.devices[0])
            .replace("WIDENED", _widened(facts)),
            "",
            "## Licence and citation",
            "",
            f"{facts.licence.title} ({facts.licence.name}), {facts.licence.url}. "
            "Cite it as CITATION.cff says.",
            "",
        ]
    )


def _widened(facts: Facts) -> str:
    """Say by what rule a packet belongs to an activity."""
    widened = [each.name for each in facts.campaigns if each.widened]
    if not widened:
        return "; windows are not widened by `t_uncertainty_ns`"
    if len(widened) == len(facts.campaigns):
        return ", both ends widened by `t_uncertainty_ns`"
    return f", both ends widened by `t_uncertainty_ns` in {', '.join(widened)} alone"


def _campaigns(facts: Facts) -> list[str]:
    head = "| campaign | from (UTC) | to | devices | labelled activities | packets |"
    rows = [head, "|---|---|---|---|---|---|"]
    for each in facts.campaigns:
        what = ", ".join(each.devices)
        rows.append(
            f"| {each.name}{_remark(each)} | {each.begin} | {each.end} | {what} "
            f"| {each.n_labelled} | {each.packets} |"
        )
    return rows


def _remark(campaign: CampaignFacts) -> str:
    return " (simulated)" if campaign.simulated else ""


def _licence(facts: Facts) -> str:
    licence = facts.licence
    return (
        f"{facts.title}\n"
        f"by {'; '.join(facts.authors)}\n\n"
        f"SPDX-License-Identifier: {licence.name}\n\n"
        f"This dataset is licensed under {licence.title}.\n{licence.gist}\n"
        f"The text that counts is at {licence.url}\n"
    )


def _citation(facts: Facts) -> str:
    about = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it as below.",
        "type": "dataset",
        "title": facts.title,
        "abstract": facts.gist,
        "authors": [_author(each) for each in facts.authors],
        "license": facts.licence.name,
        "license-url": facts.licence.url,
        "date-released": facts.day,
        "keywords": ["smart home", "IoT", "network traffic", "labelled activities"],
    }
    return yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=88)


def _author(text: str) -> Mapping[str, Any]:
    name, orcid = author_of(text)
    return {"name": name} | ({"orcid": f"https://orcid.org/{orcid}"} if orcid else {})


_LAYOUT = """
## What is where

- `tables/`: all activities, devices and hosts, as CSV and as Parquet
- `campaigns/<campaign>/raw/`: the captures (pcapng), under pseudonyms
- `campaigns/<campaign>/labelled/<device>.pcapng`: packets of one device; those in the
  window of an activity carry a comment that Wireshark shows and pcapML reads
- `campaigns/<campaign>/packets/`, `flows/`: packets and conversations as Parquet,
  hive-partitioned by device
- `campaigns/<campaign>/activities.csv`: the ground truth, one row per attempt
- `campaigns/<campaign>/campaign.yaml`: scenario, profiles, seed and versions of the
  recording; `journal.jsonl`: what happened, fact by fact
- `splits.json`: how to part trials into training and test, and how not to
- `anonymisation.json`: what was replaced, and what the audit looked at
- `datasheet.md`: why and how this was made, and what it is not good for
- `ro-crate-metadata.json`, `croissant.json`: the same for machines
"""
_RESULTS = """
- `results/<campaign>/`: tables (CSV, JSON) and figures (SVG) that were made of it;
  `results/recipe.json`: how they are made again
"""
_HOW = """
## How to open it

Check that all of it is there and unchanged:

```sh
cd DATASET && sha256sum -c manifest-sha256.txt --quiet && cd data
```

Wireshark opens every capture; labels are packet comments:

```sh
tshark -r campaigns/*/labelled/DEVICE.pcapng -Y frame.comment -T fields \\
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

A packet belongs to an activity when `t_ns <= time_ns < t_ns + delta_ns`WIDENED.
Where two windows of a device overlap, `labelled/labels.json` says what was done. Only
outcomes `confirmed` and `unchecked` make labels. Trials of one session are alike for
many reasons: part them by session or by time, as `splits.json` does, never at random.

Every MAC and IP address in a header is a pseudonym, the same one everywhere, and so
are the names, serials and accounts that were found or told. MAC addresses keep their
vendor; private addresses stay private. What nobody found or told is as it was:
`datasheet.md` lists the free texts that stayed.

## How to check it and run it again

With the software that made it (SOFTWARE), from the folder in which DATASET lies:

```sh
testbed verify DATASET
testbed reproduce DATASET
testbed rerun DATASET --check
testbed compare DATASET DATASET
```

`verify` looks whether it is whole, and labels and tables are what captures and log
give; `reproduce` makes every label, table and figure again and compares; `rerun` runs
the same campaign in a lab of yours (`--check` only tells what differs there);
`compare` tells what drifted between this dataset and another, or a campaign that was
run again.
"""
