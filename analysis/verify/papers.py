"""What is told of pseudonyms and of results: there, and without a bad word."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.verify.campaign import Looked
from analysis.verify.model import Findings

ANONYMISATION = "anonymisation.json"
RECIPE = "results/recipe.json"
NEEDED = (
    "README.md",
    "LICENSE.txt",
    "CITATION.cff",
    "datasheet.md",
    "ro-crate-metadata.json",
    "croissant.json",
    "splits.json",
    ANONYMISATION,
)
_POLICY = ("payload", "names", "times", "beacons", "addresses")


def check_papers_of(data: Path, found: Findings, looked: Sequence[Looked]) -> None:
    """Look whether all papers are there, and what they say of audit and results."""
    for name in NEEDED:
        if not (data / name).is_file():
            found.fault(data / name, "is not there")
    path = data / ANONYMISATION
    if path.is_file():
        with found.guarded(path):
            about = json.loads(path.read_text(encoding="utf-8"))
            for place, what in _of_audit(about):
                found.fault(path, what, place)
            for each in about["audit"].get("accepted", ()):
                found.remark(_accepted(each))
            if words := about["audit"].get("accepted_words"):
                found.remark(_accepted_words(words))
    if not (data / "results").exists():
        found.remark("it was published without results")
        return
    path = data / RECIPE
    with found.guarded(path):
        recipe = json.loads(path.read_text(encoding="utf-8"))
        for place, what in _of_recipe(data, recipe, looked):
            found.fault(path, what, place)


def _of_audit(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield place and sentence of what an audit that was passed cannot say."""
    for name in _POLICY:
        if not isinstance(about["policy"].get(name), str):
            yield f"policy.{name}", "is not there"
    if about["policy"].get("beacons") != "left out":
        yield "policy.beacons", "beacons, which tell of the lab, were kept"
    audit = about["audit"]
    if audit["findings"] != 0:
        yield "audit.findings", f"{audit['findings']} findings of the audit were left"
    if not audit["looked_at"]["files"]:
        yield "audit.looked_at", "the audit looked at no file"

    if "accepted" not in audit:  # before, what was not looked at was only noted
        for note in audit.get("notes", ()):
            yield "audit.notes", f"something was not looked at: {note}"


def _accepted(each: Mapping[str, Any]) -> str:
    """Say what the audit refused and the publisher accepted."""
    what = "what nobody looked at" if each["kind"] == "unread" else each["kind"]
    field = f", {each['as']}" if each["kind"] == "same" else ""
    return f"published in spite of {what}: {each['file']}: {each['place']}{field}"


def _accepted_words(passed: Sequence[Mapping[str, Any]]) -> str:
    """Say how many words were read and accepted, one by one, and where."""
    n = sum(each["words"] for each in passed)
    where = ", ".join(sorted({f"{each['file']}: {each['place']}" for each in passed}))
    return f"published with {n} words that were accepted one by one: {where}"


def _of_recipe(
    data: Path, recipe: Mapping[str, Any], looked: Sequence[Looked]
) -> Iterator[tuple[str, str]]:
    """Yield place and sentence of what a recipe names and is not there."""
    there = {each.campaign.name for each in looked if each.campaign is not None}
    told = {each["campaign"] for each in recipe["campaigns"]}
    for name in sorted(there - told):
        yield "campaigns", f"lacks campaign {name}"
    for number, each in enumerate(recipe["campaigns"]):
        place = f"campaigns[{number}]"
        if each["campaign"] not in there:
            yield place, f"names campaign {each['campaign']!r}, which is not there"
        for key in ("from", "out"):
            if not (data / each[key]).is_dir():
                yield f"{place}.{key}", f"names {each[key]}, which is not there"
