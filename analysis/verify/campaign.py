"""One campaign folder: log, receipt, journal, captures, labels, tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.dataset import Campaign, load_campaign
from analysis.errors import DatasetError
from analysis.labelling import labelled_as
from analysis.packets import find_raw
from analysis.packets.cleaning import removed_in
from analysis.verify.columns import INDEX, check_tables
from analysis.verify.journal import check_journal
from analysis.verify.labelled import FOLDER, LABELS, check_labelled, check_windows
from analysis.verify.model import Findings
from analysis.verify.receipt import captures_of, check_receipt
from analysis.verify.remade import Remade, Seen, remade, walked
from analysis.verify.rows import NAME, Row, check_rows, load_rows
from analysis.verify.sums import Digests, compare, load_sums

MANIFEST = "MANIFEST.sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A campaign whose papers were looked at.

    campaign  None where `campaign.yaml` cannot be read
    rows      of the activity log, those without a fault of their own
    receipts  captures of the receipt
    """

    folder: Path
    campaign: Campaign | None
    rows: list[Row]
    receipts: list[dict[str, Any]]
    raw: tuple[Path, ...]

    @property
    def raw_b(self) -> int:
        """Bytes of its captures."""
        return sum(path.stat().st_size for path in self.raw)


def check_manifest(folder: Path, found: Findings, digests: Digests) -> None:
    """Compare a campaign folder with its own manifest, both ways."""
    path = folder / MANIFEST
    if path not in digests.files:
        found.fault(path, "is not there; it is written when a campaign closes")
        return
    sums = load_sums(path, found)
    if sums is not None:
        there = [each for each in digests.below(folder) if each != path]
        compare(found, digests, path, sums, there)


def check_papers(folder: Path, found: Findings, digests: Digests) -> Looked:
    """Look at what a campaign says of itself; captures are not read."""
    campaign: Campaign | None = None
    raw: tuple[Path, ...] = ()
    with found.guarded(folder / "campaign.yaml"):
        campaign = load_campaign(folder)
    with found.guarded(folder / "raw"):
        raw = _raw(folder)
    receipts = captures_of(folder, found)
    rows = load_rows(folder / NAME, found)
    if campaign is not None:
        overlap, _widen = labelled_as(folder)
        check_rows(folder / NAME, found, campaign, rows, overlap)
        with found.guarded(folder / "journal.jsonl"):
            check_journal(folder, found, rows, receipts, campaign.times)
    check_receipt(folder, found, digests, receipts, raw)
    return Looked(
        folder=folder, campaign=campaign, rows=rows, receipts=receipts, raw=raw
    )


def _raw(folder: Path) -> tuple[Path, ...]:
    return tuple(path for path in find_raw(folder) if path.is_file())


def check_captures(
    looked: Looked,
    found: Findings,
    digests: Digests,
    told: Callable[[int], None],
    *,
    published: bool,
    then: Sequence[Callable[[Remade], None]] = (),
) -> None:
    """Hold captures against the activity log, and tables against captures.

    published  whether it is part of a dataset, which has no beacons and lacks nothing
    then       are called with what was made again, as long as it lies there
    """
    folder, campaign = looked.folder, looked.campaign
    if campaign is None or not looked.raw:
        found.skip(f"{found.name(folder)}: captures: campaign.yaml or raw/ is missing")
        return
    seen = _walk(looked, found, told)
    if published:
        _refuse_beacons(seen, found)
    _check_counts(looked, found, seen, published=published)
    has_labels = published or (folder / FOLDER).is_dir()
    has_tables = published or (folder / INDEX).is_file()
    for is_there, name in ((has_labels, LABELS), (has_tables, INDEX)):
        if not is_there:
            found.skip(f"{found.name(folder / name)}: was never made")
    if not seen or not (has_labels or has_tables):
        return
    with remade(campaign, looked.raw, found, told, with_labels=has_labels) as made:
        if has_labels:
            check_labelled(campaign, found, digests, made)
            check_windows(folder / NAME, found, looked.rows, made)
        if has_tables:
            check_tables(folder, found, digests, made)
        _remark_errors(looked, found, made)
        for each in then:
            each(made)


def _walk(
    looked: Looked, found: Findings, told: Callable[[int], None]
) -> dict[Path, Seen]:
    """Walk through all captures; a damaged one is a fault."""
    seen = {}
    for path in looked.raw:
        with found.guarded(path):
            seen[path] = walked(path)
            told(path.stat().st_size)
    back = {path: each for path, each in seen.items() if each.n_backwards}
    if back:
        first, n = next(iter(back.items())), sum(e.n_backwards for e in back.values())
        what = "stamp is" if n == 1 else "stamps are"
        more = f", {len(back)} captures" if len(back) > 1 else ""
        where = f"{found.name(first[0])}: frame {first[1].backwards}"
        found.remark(f"{where}: {n} {what} before that of the packet before{more}")
    return seen


def _remark_errors(looked: Looked, found: Findings, made: Remade) -> None:
    """Tell of packets that do not add up, unless a network card was to see to it."""
    if made.index is None or looked.campaign is None:
        return
    for device in looked.campaign.devices:
        n = removed_in(made.index, device.name, ("errors",))["errors"]
        if n:
            what = (
                f"{device.name}: packets whose checksum does not add up, or malformed"
            )
            found.remark(f"{found.name(looked.folder / 'raw')}: {what}: {n}")


def _refuse_beacons(seen: dict[Path, Seen], found: Findings) -> None:
    for path, each in seen.items():
        if each.beacons:
            what = f"holds {each.beacons} beacons, which tell of the lab"
            found.fault(path, what, f"frame {each.first_beacon}")


def _check_counts(
    looked: Looked, found: Findings, seen: dict[Path, Seen], *, published: bool
) -> None:
    """Hold the packets of each capture against its receipt."""
    path = looked.folder / "raw" / "receipt.json"
    for capture in looked.receipts:
        with found.guarded(path):
            files = [looked.folder / "raw" / file["name"] for file in capture["files"]]
            received = capture["received"]
            if received is None or not all(file in seen for file in files):
                continue
            there = sum(seen[file].frames for file in files)
            beacons = capture["n_beacons"] if published else 0
            if there not in (received, received - beacons):
                _tell_counts(path, found, capture, there, received)


def _tell_counts(
    path: Path, found: Findings, capture: dict[str, Any], there: int, received: int
) -> None:
    name = capture["capture"]
    what = f"says {received} packets were received, its files hold {there}"
    found.fault(path, what, f"capture {name}")


def campaign_of(looked: Sequence[Looked], name: str) -> Looked:
    """Return the campaign of that name. Raises DatasetError when there is none."""
    for each in looked:
        if each.campaign is not None and each.campaign.name == name:
            return each
    raise DatasetError(f"names campaign {name!r}, which is not there")
