"""What a stranger reads first: README, licence, citation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from analysis.exporters.bundle.authors import author_of
from analysis.exporters.bundle.done import Done
from analysis.exporters.bundle.facts import CampaignFacts, Facts
from analysis.exporters.bundle.howto import how_to
from analysis.exporters.bundle.making import making_of
from analysis.exporters.bundle.work import write_text


def write_papers(data: Path, facts: Facts, done: Done) -> list[Path]:
    """Write README.md, LICENSE.txt and CITATION.cff; return them."""
    return [
        write_text(data / "README.md", read_me(facts, done)),
        write_text(data / "LICENSE.txt", _licence(facts)),
        write_text(data / "CITATION.cff", _citation(facts)),
    ]


def read_me(facts: Facts, done: Done) -> str:
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
            *how_to(facts, done),
            "",
            "## Licence and citation",
            "",
            f"{facts.licence.title} ({facts.licence.name}), {facts.licence.url}. "
            "Cite it as CITATION.cff says.",
            "",
        ]
    )


def _campaigns(facts: Facts) -> list[str]:
    head = "| campaign | from (UTC) | to | devices | labelled activities | packets |"
    rows = [head, "|---|---|---|---|---|---|"]
    for each in facts.campaigns:
        what = ", ".join(each.devices)
        rows.append(
            f"| {each.name}{_remark(each)} | {each.begin} | {each.end} | {what} "
            f"| {each.n_labelled} | {each.packets} |"
        )
    return [*rows, "", *(f"- {c.name}: {making_of(c)}" for c in facts.campaigns)]


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
        "keywords": list(facts.keywords),
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
- `campaigns/<campaign>/campaign.yaml`: devices and, unless it was imported, scenario,
  profiles, seed and versions of the recording; `journal.jsonl`: what happened then
- `splits.json`: how to part trials into training and test, and how not to
- `anonymisation.json`: what was replaced, and what the audit looked at
- `datasheet.md`: why and how this was made, and what it is not good for
- `ro-crate-metadata.json`, `croissant.json`: the same for machines
"""
_RESULTS = """
- `results/<campaign>/`: tables (CSV, JSON) and figures (SVG) that were made of it;
  `results/recipe.json`: how they are made again
"""
