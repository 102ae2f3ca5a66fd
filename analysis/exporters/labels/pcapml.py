"""Label rules of pcapML: a filter and a span of time, a label, a name of the sample.

pcapML compares whole seconds, both inclusive. A comment before each rule tells the
window to the nanosecond, and the stamp that it was made of; pcapML passes comments
over, our importer reads them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.dataset import Device, load_campaign
from analysis.errors import named
from analysis.exporters.labels.windows import windows_of

S = 10**9
_HEAD = (
    "# label rules of pcapML: filter|time in s,label,sample",
    "# the line before a rule tells its window in ns, end exclusive",
)
_TOLD = ("trial", "session", "channel", "network", "parameters")
_LABEL = ("t_ns", "delta_ns", "t_uncertainty_ns")


def write_pcapml_rules(folder: Path, path: Path) -> int:
    """Write a rule per label window, in order of time; return their number.

    Raises DatasetError, LabelError.
    """
    campaign = load_campaign(folder)
    rules = sorted(
        (start, number, _rule(campaign.name, each.device, (start, end), row))
        for number, each in enumerate(windows_of(folder))
        for start, end, row in each.rows()
    )
    lines = [*_HEAD, *(line for _, _, pair in rules for line in pair)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with named(path):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return len(rules)


def _rule(
    campaign: str, device: Device, window: tuple[int, int], row: Mapping[str, Any]
) -> tuple[str, str]:
    start, end = window
    told = {"start_ns": start, "end_ns": end, "device": device.name}
    told |= {name: row[name] for name in _LABEL if row[name] is not None}
    told |= {name: row[name] for name in _TOLD if row[name]}
    note = " ".join(f"{name}={_clean(value, ' ')}" for name, value in told.items())
    filters = [*_filter(device), f"TS_START:{start // S}", f"TS_END:{(end - 1) // S}"]
    sample = f"{campaign}-{row['trial']}-{row['attempt']}"
    rule = f"{'|'.join(filters)},{_clean(row['activity'], ',')},{_clean(sample, ',')}"
    return f"# window {note}", rule


def _filter(device: Device) -> list[str]:
    """Return the filter of libpcap for a device; none when all packets are its own."""
    if device.every_packet:
        return []
    if device.mac.strip("0:"):
        return [f"BPF:ether host {device.mac}"]
    return [f"BPF:host {device.ip}"] if device.ip else []


def _clean(value: object, separator: str) -> str:
    """Return a text on one line, without what would part it."""
    return "_".join(str(value).split()).replace(separator, ";")
