"""Take over captures and the label rules of pcapML that are for them.

    import_pcapml(captures, rules=..., devices=..., target=...)

A line of the rules is FILTER,LABEL or FILTER,LABEL,SAMPLE; the filter is made of
BPF:..., TS_START:... and TS_END:..., parted by '|', in seconds, both inclusive. Of
filters of libpcap only those of one device are understood: `ether host MAC` and
`host ADDRESS`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.errors import ImportDataError
from analysis.importers.activity_table import (
    RESERVED,
    TEXTS,
    ActivityRow,
    find_overlaps,
)
from analysis.importers.folder import Capture, capture_of
from analysis.importers.pcap import FoundRows, take_over
from analysis.labelling import LabelReport, Overlap

S = 10**9
_MOST_S = (1 << 63) // S - 1
_FILTER = re.compile(r"(ether\s+)?host\s+(\S+)", re.IGNORECASE)
_WINDOW = "# window "
_TOLD = ("trial", "session", "channel", "network", "parameters")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One line: a filter, whole seconds, label; `told` is in the comment before it."""

    line: int
    bpf: str
    start_s: int
    end_s: int
    label: str
    told: Mapping[str, str]


class _RuleError(ValueError):
    """A line that cannot be; the message says why."""


def import_pcapml(
    captures: Sequence[Path],
    *,
    rules: Path,
    devices: Mapping[str, str],
    target: Path,
    overlap: Overlap = Overlap.REFUSE,
) -> LabelReport:
    """Make of captures and rules the campaign folder `target`.

    devices  name -> MAC, or MAC,IP, of each device that the rules are about

    Rules without a filter are of the device, when there is but one. All is written or
    nothing: raises ImportDataError with every fault found, CaptureError for a damaged
    capture.
    """

    def rows_of(found: Sequence[Capture]) -> FoundRows:
        rows, faults, widened = _rows(rules, devices)
        outside = [row for row in rows if capture_of(row, found) is None]
        faults += [f"{rules}: line {r.line}: lies in no capture" for r in outside[:8]]
        if overlap is Overlap.REFUSE:
            faults += find_overlaps(rules, rows)
        return FoundRows(rows=tuple(rows), faults=tuple(faults), widen=widened)

    every = any(not rule.bpf for rule in _rules(rules, []))
    return take_over(
        captures,
        rows_of=rows_of,
        devices=devices,
        target=target,
        overlap=overlap,
        every_packet=every and len(devices) == 1,
    )


def _rows(
    path: Path, devices: Mapping[str, str]
) -> tuple[list[ActivityRow], list[str], bool]:
    """Return activities, faults, and whether labels are wider than their windows."""
    faults: list[str] = []
    ends = {
        end.strip().lower(): name
        for name, text in devices.items()
        for end in text.split(",")
    }
    rows = []
    rules = list(_rules(path, faults))
    widened = _are_widened(rules)
    for rule in rules:
        try:
            rows.append(_row(rule, ends, tuple(devices), widened=widened))
        except _RuleError as exc:
            faults.append(f"{path}: line {rule.line}: {exc}")
    if not rows and not faults:
        faults.append(f"{path}: holds no rule")
    if not all(row.texts["trial"] for row in rows):
        rows = [replace(row, texts={**row.texts, "trial": ""}) for row in rows]
    rows.sort(key=lambda row: (row.start_ns, row.line))
    return rows, faults, widened


def _rules(path: Path, faults: list[str]) -> Iterator[_Rule]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ImportDataError((f"{path}: cannot be read: {exc}",)) from exc
    told: Mapping[str, str] = {}
    for number, text in enumerate(map(str.strip, lines), 1):
        if text.startswith("#"):
            words = text.removeprefix(_WINDOW).split(" ")
            pairs = (word.partition("=") for word in words)
            told = {name: value for name, _, value in pairs}
        elif text:
            try:
                yield _rule(number, text, told)
            except _RuleError as exc:
                faults.append(f"{path}: line {number}: {exc}")
            told = {}


def _rule(number: int, text: str, told: Mapping[str, str]) -> _Rule:
    parts = text.split(",", 2)
    if len(parts) < 2:
        raise _RuleError("must be FILTER,LABEL or FILTER,LABEL,SAMPLE")
    known = dict.fromkeys(("BPF", "TS_START", "TS_END"), "")
    for each in filter(None, parts[0].split("|")):
        name, _, value = each.partition(":")
        if name not in known:
            raise _RuleError(f"{each!r} is none of BPF:, TS_START: and TS_END:")
        known[name] = value.strip()
    if not known["TS_START"] or not known["TS_END"]:
        raise _RuleError("says no TS_START or no TS_END; an activity has both")
    return _Rule(
        line=number,
        bpf=known["BPF"],
        start_s=_seconds(known["TS_START"]),
        end_s=_seconds(known["TS_END"]),
        label=parts[1].strip(),
        told=told,
    )


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _MOST_S:
        raise _RuleError(f"a time must be whole seconds since 1970, got {text!r:.40}")
    return int(text)


def _row(
    rule: _Rule, ends: Mapping[str, str], devices: tuple[str, ...], *, widened: bool
) -> ActivityRow:
    if not rule.label or not rule.label.isprintable():
        raise _RuleError(f"the label must be a printed text, got {rule.label!r:.40}")
    if rule.label.lower() in RESERVED:
        raise _RuleError(
            f"{rule.label!r} is what windows without an activity are called"
        )
    if rule.end_s < rule.start_s:
        raise _RuleError("ends before it starts")
    start_ns, end_ns, uncertainty_ns = _label(rule, widened=widened)
    return ActivityRow(
        line=rule.line,
        device=_device(rule.bpf, ends, devices),
        activity=rule.label,
        written_ns=(start_ns, end_ns),
        start_ns=start_ns,
        end_ns=end_ns,
        uncertainty_ns=uncertainty_ns,
        texts=dict.fromkeys(TEXTS, "")
        | {name: rule.told[name] for name in _TOLD if name in rule.told},
    )


def _label(rule: _Rule, *, widened: bool) -> tuple[int, int, int | None]:
    """Return start, end and uncertainty of a label, as far as the comment tells them.

    The stamp counts that the window was made of, where they agree.
    """
    stamp = _stamp(rule)
    if stamp is not None and stamp.widened_ns == _window(rule) and widened:
        return *stamp.window_ns, stamp.slack_ns
    start_ns, end_ns = _window(rule)
    if stamp is not None and stamp.window_ns == (start_ns, end_ns):
        return start_ns, end_ns, stamp.slack_ns
    return start_ns, end_ns, None if end_ns - start_ns == _whole_ns(rule) else 0


def _are_widened(rules: Sequence[_Rule]) -> bool:
    """Say whether all windows are wider than their labels by how unsure these are.

    Then they are made again in the same way; else each window is a label of its own.
    """
    stamps = [(_stamp(rule), _window(rule)) for rule in rules]
    return bool(stamps) and all(
        stamp is not None and stamp.widened_ns == window for stamp, window in stamps
    )


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What the activity log had of a label."""

    at_ns: int
    delta_ns: int
    slack_ns: int

    @property
    def window_ns(self) -> tuple[int, int]:
        return self.at_ns, self.at_ns + self.delta_ns

    @property
    def widened_ns(self) -> tuple[int, int]:
        start_ns, end_ns = self.window_ns
        return start_ns - self.slack_ns, end_ns + self.slack_ns


def _stamp(rule: _Rule) -> _Stamp | None:
    """Return what the comment tells of a label, None where it is not whole."""
    try:
        names = ("t_ns", "delta_ns", "t_uncertainty_ns")
        stamp = _Stamp(*(int(rule.told[name]) for name in names))
    except (KeyError, ValueError):
        return None
    return stamp if stamp.delta_ns > 0 and stamp.slack_ns >= 0 else None


def _window(rule: _Rule) -> tuple[int, int]:
    """Return the window to the ns where the comment tells it, and tells the same."""
    try:
        start_ns, end_ns = (int(rule.told[name]) for name in ("start_ns", "end_ns"))
    except (KeyError, ValueError):
        return rule.start_s * S, (rule.end_s + 1) * S
    if (start_ns // S, (end_ns - 1) // S) != (rule.start_s, rule.end_s):
        return rule.start_s * S, (rule.end_s + 1) * S
    return start_ns, end_ns


def _whole_ns(rule: _Rule) -> int:
    return (rule.end_s + 1 - rule.start_s) * S


def _device(bpf: str, ends: Mapping[str, str], devices: tuple[str, ...]) -> str:
    if not bpf:
        if len(devices) != 1:
            raise _RuleError("has no filter, but there are several devices")
        return devices[0]
    found = _FILTER.fullmatch(bpf)
    if found is None:
        raise _RuleError(f"only 'ether host' and 'host' are understood, got {bpf!r}")
    end = found[2].lower().replace("-", ":")
    if end not in ends:
        raise _RuleError(f"{found[2]} is no device; name it by --device NAME=MAC")
    return ends[end]
