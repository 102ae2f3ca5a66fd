"""Papers say the same as each other, and as what they are of.

Title, authors, licence and gist stand in several papers; so do the numbers of the
audit, and firmware of the devices. Whoever changes one of them is told by the others.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.packets import find_index
from analysis.safe_yaml import load_yaml
from analysis.verify.campaign import Looked
from analysis.verify.metadata import CRATE, CROISSANT
from analysis.verify.model import Findings
from analysis.verify.sums import Digests

CITATION, LICENCE, README = "CITATION.cff", "LICENSE.txt", "README.md"
SHEET = "datasheet.md"
ANONYMISATION = "anonymisation.json"
_LATE = (ANONYMISATION, CRATE, CROISSANT)  # are looked at by themselves
_SPDX = "SPDX-License-Identifier: "
Told = dict[str, str]


def check_agreement(
    data: Path, found: Findings, digests: Digests, looked: Sequence[Looked]
) -> None:
    """Hold the papers of a dataset against each other; the citation is held true."""
    told: dict[str, Told] = {}
    for name, read in _READ.items():
        with found.guarded(data / name):
            told[name] = read((data / name).read_text(encoding="utf-8"))
    cited = told.get(CITATION, {})
    for name, facts in told.items():
        for what, text in facts.items():
            if what in cited and text != cited[what]:
                reason = f"is {text!r}, but {CITATION} says {cited[what]!r}"
                found.fault(data / name, reason, what)
    with found.guarded(data / CRATE):
        crate = json.loads((data / CRATE).read_text(encoding="utf-8"))
        for place, what in _of_devices(crate, looked):
            found.fault(data / CRATE, what, place)
    with found.guarded(data / ANONYMISATION):
        about = json.loads((data / ANONYMISATION).read_text(encoding="utf-8"))
        for what in _of_audit(data, about["audit"]["looked_at"], digests):
            found.fault(data / ANONYMISATION, what, "audit.looked_at")
        frames = _frames(looked)
        if frames not in (None, about["captures"]["packets"]):
            what = f"is {about['captures']['packets']}, but packets.json tells {frames}"
            found.fault(data / ANONYMISATION, what, "captures.packets")


def _of_audit(
    data: Path, looked_at: Mapping[str, int], digests: Digests
) -> Iterator[str]:
    """Yield what of the payload the audit cannot have looked at."""
    audited = [path for path in digests.below(data) if path.name not in _LATE]
    if looked_at["files"] != len(audited):
        yield f"the audit looked at {looked_at['files']} files, not at {len(audited)}"
    size_b = sum(digests.files[path] for path in audited)
    if looked_at["bytes_b"] != size_b:
        yield (
            f"the audit looked at {looked_at['bytes_b']} bytes, not at {size_b}: "
            "something was changed since"
        )


def _frames(looked: Sequence[Looked]) -> int | None:
    """Return how many packets raw captures hold, None where no index tells."""
    indices = [find_index(each.folder) for each in looked]
    known = [each for each in indices if each is not None]
    if len(known) != len(indices):
        return None
    return sum(capture.n_frames for index in known for capture in index.captures)


def _of_devices(
    crate: Mapping[str, Any], looked: Sequence[Looked]
) -> Iterator[tuple[str, str]]:
    """Yield what the crate says otherwise of devices than `campaign.yaml`."""
    told = {each["@id"]: each for each in crate["@graph"]}
    for each in looked:
        for device in each.campaign.devices if each.campaign else ():
            name = f"#profile-{each.folder.name}-{device.name}"
            words = str(told.get(name, {}).get("description", ""))
            wanted = f"firmware {device.firmware}"
            if device.firmware and "firmware " in words and not words.endswith(wanted):
                yield name, f"says {words!r}, but campaign.yaml has {wanted!r}"


def _of_citation(text: str) -> Told:
    about = load_yaml(text)
    return {
        "title": about["title"],
        "authors": "; ".join(each["name"] for each in about["authors"]),
        "licence": about["license"],
        "licence's place": about["license-url"],
        "gist": about["abstract"],
        "date": str(about["date-released"]),
    }


def _of_licence(text: str) -> Told:
    lines = text.splitlines()
    (licence,) = [line for line in lines if line.startswith(_SPDX)]
    names = lines[1].removeprefix("by ").split("; ")
    return {
        "title": lines[0],
        "authors": "; ".join(_without_orcid(name) for name in names),
        "licence": licence.removeprefix(_SPDX),
        "licence's place": lines[-1].rpartition(" ")[2],
    }


def _without_orcid(name: str) -> str:
    return re.sub(r"\s*\(\d{4}-\d{4}-\d{4}-\d{3}[\dX]\)$", "", name)


def _of_read_me(text: str) -> Told:
    lines = text.splitlines()
    return {"title": lines[0].removeprefix("# "), "gist": lines[2]}


def _of_sheet(text: str) -> Told:
    return {"title": text.partition("\n")[0].removeprefix("# Datasheet: ")}


def _of_crate(text: str) -> Told:
    graph = {each["@id"]: each for each in json.loads(text)["@graph"]}
    root = graph["./"]
    authors = root["author"] if isinstance(root["author"], list) else [root["author"]]
    return {
        "title": root["name"],
        "authors": "; ".join(graph[each["@id"]]["name"] for each in authors),
        "licence": graph[root["license"]["@id"]]["identifier"],
        "licence's place": root["license"]["@id"],
        "gist": root["description"],
        "date": root["datePublished"],
    }


def _of_croissant(text: str) -> Told:
    about = json.loads(text)
    return {
        "title": about["alternateName"],
        "authors": "; ".join(each["name"] for each in about["creator"]),
        "licence's place": about["license"],
        "gist": about["description"],
        "date": about["datePublished"],
    }


_READ = {
    CITATION: _of_citation,
    LICENCE: _of_licence,
    README: _of_read_me,
    SHEET: _of_sheet,
    CRATE: _of_crate,
    CROISSANT: _of_croissant,
}
