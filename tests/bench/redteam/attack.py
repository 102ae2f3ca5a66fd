"""Plants all secrets of a home in a campaign, publishes it, and looks what is left."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis.exporters.anonymise import (
    Policy,
    Pseudonyms,
    anonymise_capture_with,
    anonymise_texts,
    patterns_of,
)
from analysis.exporters.audit import audit
from analysis.exporters.identifiers import Identifier, harvest
from analysis.pcap.blocks import Interface
from analysis.pcap.writer import open_capture
from tests.bench.redteam.disguise import in_any_script, in_disguise, in_pieces
from tests.bench.redteam.frames import START_NS
from tests.bench.redteam.home import Home, Plant, Plants
from tests.bench.redteam.networks import (
    beside_tls,
    in_addresses,
    in_gateways,
    in_management,
    in_the_air,
    in_tls,
)
from tests.bench.redteam.services import in_http, in_mail, in_mqtt, in_numbers, in_voice
from tests.bench.redteam.unusual import in_databases, in_unknown

EXAMPLE = Path(__file__).parents[3] / "captures" / "example"
SOURCES: tuple[Callable[[Home], Plants], ...] = (
    in_mqtt,
    in_mail,
    in_http,
    in_numbers,
    in_voice,
    in_management,
    in_addresses,
    in_gateways,
    in_tls,
    beside_tls,
    in_databases,
    in_unknown,
    in_disguise,
    in_any_script,
    in_pieces,
)


def plants(seed: int) -> list[Plant]:
    """Return all secrets of one home."""
    home = Home(seed)
    found = [
        Plant(kind, value, needle, [(1, frame) for frame in frames])
        for source in SOURCES
        for kind, value, needle, frames in source(home)
    ]
    return [*found, *in_the_air(home)]


def planted(folder: Path, planted_: list[Plant]) -> Path:
    """Return a campaign with a capture for each secret."""
    campaign = folder / "campaign"
    (campaign / "raw").mkdir(parents=True)
    for name in ("campaign.yaml", "journal.jsonl", "activities.csv"):
        shutil.copy(EXAMPLE / name, campaign / name)
    for number, plant in enumerate(planted_):
        links = sorted({link for link, _ in plant.frames})
        faces = tuple(Interface(link=link) for link in links)
        with open_capture(path_of(campaign, number), interfaces=faces) as out:
            for k, (link, frame) in enumerate(plant.frames):
                stamp = START_NS + (1000 * number + k) * 1_000_000
                out.packet(stamp, frame, interface=links.index(link))
    return campaign


def path_of(campaign: Path, number: int) -> Path:
    """Return where the capture of a secret lies."""
    return campaign / "raw" / f"lan-{number + 1:05d}.pcapng"


def published(campaign: Path, out: Path, told: tuple[Identifier, ...]) -> Path:
    """Anonymise a campaign; return where its captures lie."""
    pseudonyms = Pseudonyms(bytes(range(32)))
    patterns = patterns_of(told, pseudonyms)
    target = out / "campaigns" / "evening"
    (target / "raw").mkdir(parents=True)
    for path in sorted((campaign / "raw").glob("*.pcapng")):
        anonymise_capture_with(
            path,
            target / "raw" / path.name,
            pseudonyms=pseudonyms,
            patterns=patterns,
            policy=Policy(),
        )
    anonymise_texts(
        campaign, target, pseudonyms=pseudonyms, identifiers=told, policy=Policy()
    )
    return target


def attacked(folder: Path, seed: int, *, blind: bool = False) -> list[dict[str, Any]]:
    """Return the fate of each secret of a home.

    blind  nothing is harvested of captures, so that the audit stands alone
    """
    secrets = plants(seed)
    campaign = planted(folder, secrets)
    told = harvest(EXAMPLE if blind else campaign)
    out = folder / "set"
    target = published(campaign, out, told)
    originals = {
        f"campaigns/evening/raw/{path.name}": path
        for path in sorted((campaign / "raw").glob("*.pcapng"))
    }
    result = audit(out, told, originals=originals)
    refused: dict[str, set[str]] = {}
    words: dict[str, set[str]] = {}
    for finding in result.findings:
        words.setdefault(finding.file, set()).update(finding.words)
        refused.setdefault(finding.file, set()).add(
            f"{finding.kind} {finding.encoding}"
        )
    rows = []
    for number, plant in enumerate(secrets):
        before = path_of(campaign, number).read_bytes()
        after = path_of(target, number).read_bytes()
        file = f"campaigns/evening/raw/{path_of(campaign, number).name}"
        rows.append(
            {
                "kind": plant.kind,
                "planted": is_left(plant, before),
                "harvested": any(
                    plant.value in e.value or e.value in plant.value for e in told
                ),
                "left": is_left(plant, after),
                "refused": sorted(refused.get(file, ())),
                "named": is_named(plant, words.get(file, set())),
            }
        )
    return rows


def is_named(plant: Plant, words: set[str]) -> bool:
    """Say whether the words of findings hold a secret, or a part of it."""
    spelled = (plant.value.lower(), plant.needle.decode("latin-1").lower())
    return plant.needle.hex() in " ".join(words) or any(
        word.lower() in each or each in word.lower()
        for word in words
        for each in spelled
    )


def is_left(plant: Plant, capture: bytes) -> bool:
    """Say whether a secret still lies in a capture, whole or key by key."""
    return plant.needle in (said_of(capture) if "key by key" in plant.kind else capture)


def said_of(capture: bytes) -> bytes:
    """Return the last byte of each segment of a capture of segments of one byte."""
    marks = capture.split(b"\x08\x00\x45\x00\x00\x29")
    return b"".join(mark[36:37] for mark in marks[1:])


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures."""
    n = len(rows)
    escaped = [r["kind"] for r in rows if r["left"] and not r["refused"]]
    by = Counter(r["refused"][0].split()[0] for r in rows if r["left"] and r["refused"])
    return {
        "secrets": n,
        "kinds": len({r["kind"] for r in rows}),
        "harvested": sum(r["harvested"] for r in rows),
        "left_after": sum(r["left"] for r in rows),
        "left_and_refused": sum(bool(r["left"] and r["refused"]) for r in rows),
        "left_and_named": sum(r["left"] and r["named"] for r in rows),
        "refused_by": dict(by),
        "not_named": [r["kind"] for r in rows if r["left"] and not r["named"]],
        "escaped": escaped,
    }
