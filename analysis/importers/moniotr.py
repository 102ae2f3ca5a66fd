"""Take over the layout of Mon(IoT)r: DEVICE/ACTIVITY/START.LENGTHs.pcap.

    import_moniotr(folder, device="yi-camera", mac="b0:d5:9d:b9:f0:b4", target=...)

One file per activity, written by its `tag-experiment`: the folder names the activity,
the file the local time at which it began and how many seconds it took, as in
`yi-camera/power/2019-04-25_19:28:58.154s.pcap`. The window is what was captured, from
the first packet to the last. All files of one date are one session.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from analysis.errors import ImportDataError
from analysis.importers.activity_table import (
    RESERVED,
    TEXTS,
    ActivityRow,
)
from analysis.importers.folder import Capture, faulty_target
from analysis.importers.names import folders_in, unprintable_files
from analysis.importers.pcap import FoundRows, take_over
from analysis.labelling import LabelReport

_STARTED = re.compile(r"(\d{4}-\d\d-\d\d)_(\d\d)[:._-](\d\d)[:._-](\d\d)\.(\d+)s")
_TWOFOLD = "its packets would count twice, so leave one of them out"
_CAPTURES = ("*.pcap", "*.pcapng", "*.pcap.gz")
_COMPANION = ".companion."
# how the set names who did it, and where the phone was; a word that is not here stays
# in the name of the activity alone
_CHANNELS = {"android": "phone", "ios": "phone", "voice": "voice", "power": "power"}
_NETWORKS = {"lan": "lan", "wan": "wan", "cloud": "wan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLayout:
    """What came of an import.

    folder    the campaign folder
    labels    what labelling found
    left_out  files that are of another device, or hold no packet
    """

    folder: Path
    labels: LabelReport
    left_out: tuple[Path, ...]


def import_moniotr(
    folder: Path,
    *,
    device: str,
    mac: str,
    target: Path,
) -> ImportedLayout:
    """Take over one device of a folder in this layout as the campaign `target`.

    folder  holds a folder per device, of which `device` is one
    mac     its MAC address, as the list of devices of the set has it

    All is written or nothing: raises ImportDataError with every fault found,
    CaptureError for a damaged capture.
    """
    # before any folder is walked through: a name such as '/' is one, too
    if faulty := faulty_target(target, (device,)):
        raise ImportDataError(tuple(faulty))
    held = folder / device
    if not held.is_dir():
        reason = f"{folder}: has no folder {device!r}{folders_in(folder)}"
        raise ImportDataError((reason,))
    found = sorted({p for pattern in _CAPTURES for p in held.glob(f"*/{pattern}")})
    if faulty := unprintable_files(found):
        raise ImportDataError(tuple(faulty))
    files = [path for path in found if _COMPANION not in path.name]
    if not files:
        reason = f"{held}: holds no ACTIVITY/*.pcap; is this the layout of Mon(IoT)r?"
        raise ImportDataError((reason,))
    faults = tuple(fault for path in files if (fault := _misnamed(path)))
    if faults:
        raise ImportDataError(faults)
    kept: set[Path] = set()

    def rows_of(captures: Sequence[Capture]) -> FoundRows:
        kept.update(capture.sources[0] for capture in captures)
        rows = tuple(_row(capture, device) for capture in captures)
        return FoundRows(rows=rows, faults=tuple(at_one_time(captures, _TWOFOLD)))

    report = take_over(files, rows_of=rows_of, devices={device: mac}, target=target)
    left_out = tuple(path for path in found if path not in kept)
    return ImportedLayout(folder=target, labels=report, left_out=left_out)


def load_macs(path: Path) -> dict[str, str]:
    """Read the list of devices of the set: a line per device, MAC and name.

    MACs there leave leading zeros out, as `f8:da:c:7b:a:8f`. Raises ImportDataError.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ImportDataError((f"{path}: cannot be read: {exc}",)) from exc
    macs: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        parts = words[0].lower().split(":")
        plain = all(re.fullmatch(r"[0-9a-f]{1,2}", part) for part in parts)
        printed = all(word.isprintable() for word in words)
        if len(words) != 2 or len(parts) != 6 or not plain or not printed:
            faults.append(f"{path}: line {number}: must be a MAC address and a name")
            continue
        macs[words[1]] = ":".join(part.zfill(2) for part in parts)
    if faults:
        raise ImportDataError(tuple(faults))
    return macs


def at_one_time(captures: Sequence[Capture], remedy: str) -> list[str]:
    """Return a sentence for each capture that begins before an earlier one ends."""
    faults = []
    longest: Capture | None = None
    for late in captures:
        if longest is not None and late.first_ns <= longest.last_ns:
            both = f"{late.sources[0]}: is of the same time as {longest.sources[0]}"
            faults.append(f"{both}; {remedy}")
        if longest is None or late.last_ns > longest.last_ns:
            longest = late
    return faults


def _misnamed(path: Path) -> str | None:
    activity = path.parent.name
    if activity.lower() in RESERVED:
        return (
            f"{path.parent}: {activity!r} is what windows without an activity are "
            "called; rename the folder, or leave it out"
        )
    started = _STARTED.match(path.name)
    if started is None:
        return f"{path}: is not named as 2019-04-25_19:28:58.154s.pcap"
    try:
        datetime.fromisoformat(f"{started[1]}T{':'.join(started.group(2, 3, 4))}")
    except ValueError as exc:
        return f"{path}: is named after no date and time: {exc}"
    return None


def _row(capture: Capture, device: str) -> ActivityRow:
    path = capture.sources[0]
    activity = path.parent.name
    words = activity.lower().split("_")
    started = _STARTED.match(path.name)
    texts = dict.fromkeys(TEXTS, "")
    texts["session"] = started[1] if started else ""
    texts["channel"] = next((_CHANNELS[w] for w in words if w in _CHANNELS), "")
    texts["network"] = next((_NETWORKS[w] for w in words if w in _NETWORKS), "")
    return ActivityRow(
        line=0,
        device=device,
        activity=activity,
        written_ns=(capture.first_ns, capture.last_ns),
        start_ns=capture.first_ns,
        end_ns=capture.last_ns + 1,
        uncertainty_ns=None,
        texts=texts,
    )
