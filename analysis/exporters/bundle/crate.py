"""The payload as an RO-Crate: what each file is, and which action made it."""

import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from analysis.errors import RequestError
from analysis.exporters.bundle.authors import author_of
from analysis.exporters.bundle.facts import SOFTWARE, CampaignFacts, Facts
from analysis.exporters.bundle.making import is_imported
from analysis.exporters.bundle.work import write_text

NAME = "ro-crate-metadata.json"
VERSION = "1.1"  # the one that most readers know
Digests = Mapping[str, tuple[str, int]]
_FORMATS = {
    ".pcapng": "application/vnd.tcpdump.pcap",
    ".pcap": "application/vnd.tcpdump.pcap",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".html": "text/html",
    ".cff": "application/yaml",
    ".sha256": "text/plain",
}


def refuse_without_library() -> None:
    """Raise RequestError where the library that writes crates is not installed."""
    if find_spec("rocrate") is None:
        reason = "the extra `publish` is not installed"
        raise RequestError(f"{reason}; pip install '{SOFTWARE}[publish]'")


def write_crate(data: Path, facts: Facts, digests: Digests) -> Path:
    """Write the metadata of a payload with these files; return the file.

    digests  path within the payload -> (SHA-256, bytes)
    """
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version=VERSION)
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    crate.name, crate.description = facts.title, facts.gist
    root = crate.root_dataset
    root["datePublished"] = facts.day
    root["license"] = _entity(
        crate, facts.licence.url, "CreativeWork", name=facts.licence.title,
        identifier=facts.licence.name, description=facts.licence.gist,
    )  # fmt: skip
    root["author"] = _one_or_all([_author(crate, each) for each in facts.authors])
    root["keywords"] = ", ".join(facts.keywords)
    files = {
        name: crate.add_file(None, name, properties=_file(name, digest, size_b))
        for name, (digest, size_b) in digests.items()
    }
    software = _entity(
        crate, f"#{SOFTWARE}", "SoftwareApplication", name=SOFTWARE,
        version=facts.software, softwareVersion=facts.software,
    )  # fmt: skip
    root["mentions"] = _one_or_all(
        [_action(crate, each, software, files) for each in facts.campaigns]
    )
    text = json.dumps(crate.metadata.generate(), indent=1, ensure_ascii=False)
    return write_text(data / NAME, text + "\n")


def _entity(crate: Any, place: str, kind: str, /, **properties: Any) -> Any:
    from rocrate.model.contextentity import ContextEntity

    about = {"@type": kind, **{k: v for k, v in properties.items() if v}}
    return crate.add(ContextEntity(crate, place, properties=about))


def _one_or_all(entities: list[Any]) -> Any:
    """Return a single one by itself, as the standard recommends."""
    return entities[0] if len(entities) == 1 else entities


def _author(crate: Any, text: str) -> Any:
    name, orcid = author_of(text)
    slug = re.sub(r"\W+", "-", name.lower()).strip("-")
    place = f"https://orcid.org/{orcid}" if orcid else f"#{slug}"
    return _entity(crate, place, "Person", name=name)


def _file(name: str, digest: str, size_b: int) -> dict[str, Any]:
    kind = _FORMATS.get(Path(name).suffix, "application/octet-stream")
    return {
        "name": Path(name).name,
        "contentSize": str(size_b),
        "encodingFormat": kind,
        "sha256": digest,
    }


def _action(
    crate: Any, campaign: CampaignFacts, software: Any, files: Mapping[str, Any]
) -> Any:
    """Return the action that recorded a campaign: by what, of what, and what came."""
    scenario = _entity(
        crate, f"#scenario-{campaign.name}", "CreativeWork",
        name=str(campaign.scenario.get("scenario") or "recording"),
        description=str(campaign.scenario.get("description") or ""),
    )  # fmt: skip
    profiles = [
        _entity(
            crate, f"#profile-{campaign.name}-{name}", "CreativeWork", name=name,
            description=" ".join(_words(profile)),
        )
        for name, profile in sorted(campaign.profiles.items())
        if isinstance(profile, Mapping)
    ]  # fmt: skip
    frozen = f"{campaign.path}/campaign.yaml"
    made = [
        file
        for name, file in files.items()
        if name.startswith(f"{campaign.path}/") and name != frozen
    ]
    how = "that were imported" if is_imported(campaign) else "in the lab"
    if campaign.simulated:
        how = "in the virtual lab (simulated)"
    action = _entity(
        crate, f"#campaign-{campaign.name}", "CreateAction", name=campaign.name,
        description=f"Recording of {campaign.n_labelled} labelled activities {how}",
        startTime=campaign.begin, endTime=campaign.end,
    )  # fmt: skip
    action["instrument"] = software
    action["object"] = [scenario, *profiles, files[frozen]]
    action["result"] = made
    return action


def _words(profile: Mapping[str, Any]) -> list[str]:
    firmware = profile.get("firmware")
    return [
        *(str(profile.get(name) or "") for name in ("vendor", "model", "category")),
        f"firmware {firmware}" if firmware else "",
    ]
