"""A published dataset in the hands of somebody who changes it and hides the change."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

Json = Any
LOG = "activities.csv"
RECEIPT = "raw/receipt.json"
_LATE = ("anonymisation.json", "ro-crate-metadata.json", "croissant.json")


class Bag:
    """A copy of a dataset that may be tampered with.

    campaign  the only campaign of it, or the first
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self.campaign = min((self.data / "campaigns").iterdir())

    @property
    def raw(self) -> Path:
        """The first raw capture."""
        return min((self.campaign / "raw").glob("*.pcapng"))

    def edit(self, path: Path, old: str, new: str) -> None:
        """Replace a text in a file, where it stands first."""
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{path.name} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="")

    def edit_json(self, path: Path, change: Callable[[Json], object]) -> None:
        """Change a JSON document in place."""
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    def rows(self) -> list[dict[str, str]]:
        """Return the activity log."""
        with (self.campaign / LOG).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def write_rows(self, rows: list[dict[str, str]]) -> None:
        """Write the activity log."""
        made = io.StringIO(newline="")
        writer = csv.DictWriter(made, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        (self.campaign / LOG).write_text(made.getvalue(), "utf-8", newline="")

    def facts(self) -> list[Json]:
        """Return the journal."""
        text = (self.campaign / "journal.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def write_facts(self, facts: Iterable[Json]) -> None:
        """Write the journal."""
        lines = (json.dumps(each, separators=(",", ":")) + "\n" for each in facts)
        (self.campaign / "journal.jsonl").write_text("".join(lines), encoding="utf-8")

    def sign(self, *, audit: bool = True) -> None:
        """Make all manifests and digests again, as whoever hides a change would.

        audit  whether the audit is made to have looked at what is there now
        """
        manifest = self.campaign / "MANIFEST.sha256"
        _sums(manifest, [p for p in files_of(self.campaign) if p != manifest])
        crate, croissant = (
            self.data / name for name in ("ro-crate-metadata.json", "croissant.json")
        )
        if audit:
            self.edit_json(self.data / "anonymisation.json", self._look_again)
        self.edit_json(croissant, lambda value: _describe(value, self.data))
        self.edit_json(crate, lambda value: _describe(value, self.data))
        payload = files_of(self.data)
        _sums(self.path / "manifest-sha256.txt", payload)
        info = self.path / "bag-info.txt"
        lines = info.read_text(encoding="utf-8").splitlines()
        oxum = f"{sum(p.stat().st_size for p in payload)}.{len(payload)}"
        kept = [line for line in lines if not line.startswith("Payload-Oxum")]
        text = "\n".join([*kept, f"Payload-Oxum: {oxum}", ""])
        info.write_text(text, encoding="utf-8")
        tags = [p for p in self.path.glob("*.txt") if not p.name.startswith("tag")]
        _sums(self.path / "tagmanifest-sha256.txt", sorted(tags))

    def _look_again(self, about: Json) -> None:
        files = [p for p in files_of(self.data) if p.name not in _LATE]
        size_b = sum(path.stat().st_size for path in files)
        about["audit"]["looked_at"] |= {"files": len(files), "bytes_b": size_b}

    def derive(self) -> None:
        """Make again all that follows from raw captures, log and `campaign.yaml`."""
        from analysis.dataset import load_campaign
        from analysis.exporters.bundle.splits import splits_of
        from analysis.exporters.bundle.tables import tables_of, write_frame
        from analysis.labelling import label_campaign, labelled_as
        from analysis.packets import find_raw, make_tables

        def sums(receipt: Json) -> None:
            for file in (f for c in receipt["captures"] for f in c["files"]):
                path = self.campaign / "raw" / file["name"]
                if path.is_file():
                    file["size_b"] = path.stat().st_size
                    file["sha256"] = _sha256(path)

        self.edit_json(self.campaign / RECEIPT, sums)
        overlap, widen = labelled_as(self.campaign)
        label_campaign(self.campaign, overlap=overlap, widen=widen)
        devices = load_campaign(self.campaign).devices
        make_tables(self.campaign, find_raw(self.campaign), devices)
        hosts = pl.read_parquet(self.data / "tables/hosts.parquet")
        written = dict(hosts.select("address", "written").iter_rows())
        for name, frame in tables_of([self.campaign], written).items():
            write_frame(frame, self.data / "tables" / name)
        text = json.dumps(splits_of([self.campaign]), indent=1) + "\n"
        (self.data / "splits.json").write_text(text, encoding="utf-8")


def files_of(folder: Path) -> list[Path]:
    """Return all files below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sums(manifest: Path, files: list[Path]) -> None:
    lines = (
        f"{_sha256(p)}  {p.relative_to(manifest.parent).as_posix()}\n" for p in files
    )
    manifest.write_text("".join(lines), encoding="utf-8")


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _describe(value: Json, data: Path) -> None:
    """Give the entries of a crate, or of Croissant, the digests of today."""
    entries = value.get("@graph") or value["distribution"]
    there = [e for e in entries if (data / unquote(e["@id"])).is_file()]
    for each in there:
        path = data / unquote(each["@id"])
        if "sha256" in each:
            size_b = path.stat().st_size
            unit = " B" if each["contentSize"].endswith(" B") else ""
            each["sha256"], each["contentSize"] = _sha256(path), f"{size_b}{unit}"
