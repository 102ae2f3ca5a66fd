"""A label window, or the beginning of a capture, with every packet dissected."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.dataset import (
    LABELLED,
    ActivityLog,
    Campaign,
    Device,
    load_activities,
    load_campaign,
)
from analysis.dissection.parent import Dissected, InspectError, dissect
from analysis.dissection.slices import CutPacket, Slice, cut_packets, write_slice
from analysis.errors import RequestError
from analysis.labelling import spans
from analysis.packets import find_index, find_raw

DEFAULT_LIMIT = 200
MOST_SHOWN = 2000  # some 10 s
# where a filter chooses, so many packets are looked at: tshark reads them in a second
_MOST_FILTERED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectPacket:
    """One packet: where it lies, and what is in it.

    at_s      seconds after the start of the window, or after the first packet
    outbound  whether the device sent it; None where no device was asked for
    """

    capture: str
    frame: int
    time_ns: int
    at_s: float
    length_b: int
    outbound: bool | None
    dissected: Dissected


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was asked for.

    about      the window: campaign, trial, attempt, device, activity, channel, network,
               parameters, outcome, session, start_ns, end_ns; empty for a capture
    packets    those shown, in order of time
    n_there    packets in the window, or in the part of the capture that was looked at
    n_looked   how many of them the display filter was asked about
    truncated  captures that end inside a packet, with the byte
    """

    about: Mapping[str, Any]
    packets: tuple[InspectPacket, ...]
    n_there: int
    n_looked: int
    truncated: Mapping[str, int]


def inspect_trial(
    folder: Path,
    trial: str,
    *,
    device: str | None = None,
    display_filter: str = "",
    limit: int = DEFAULT_LIMIT,
) -> Inspection:
    """Dissect the packets of a trial's label window, widened by its uncertainty.

    device  another device of the campaign than the one that the trial is about
    limit   packets to show at most, no more than 2,000

    Raises RequestError when there is no such trial or it has no window, InspectError,
    DatasetError, CaptureError.
    """
    campaign = load_campaign(folder)
    row = _row(load_activities(folder), trial)
    start, end = (int(each[0]) for each in spans(row, widen=True))
    about = {key: row.frame[key][0] for key in _ABOUT}
    shown = campaign.device(device or about["device"])
    about |= {"device": shown.name, "start_ns": start, "end_ns": end}
    window = cut_packets(
        _raw_between(campaign, start, end),
        most=_needed(limit, display_filter),
        device=shown,
        between_ns=(start, end),
    )
    return _inspected(window, about, display_filter, limit)


_ABOUT = (
    "campaign",
    "trial",
    "attempt",
    "device",
    "activity",
    "channel",
    "network",
    "parameters",
    "outcome",
    "session",
)


def inspect_capture(
    path: Path,
    *,
    device: Device | None = None,
    display_filter: str = "",
    limit: int = DEFAULT_LIMIT,
) -> Inspection:
    """Dissect the first packets of a capture, of one device or of all.

    The display filter chooses among the first 20,000. Raises InspectError,
    CaptureError.
    """
    first = cut_packets([path], most=_needed(limit, display_filter), device=device)
    return _inspected(first, {}, display_filter, limit)


def _needed(limit: int, display_filter: str) -> int:
    """Return how many packets to cut out. Raises InspectError for a senseless limit."""
    if not 1 <= limit <= MOST_SHOWN:
        raise InspectError(f"the limit must be from 1 to {MOST_SHOWN}, got {limit}")
    return _MOST_FILTERED if display_filter else limit


def _inspected(
    cut: Slice, about: Mapping[str, Any], display_filter: str, limit: int
) -> Inspection:
    """Write the packets that were cut out, and have them dissected."""
    found: Sequence[Dissected] = ()
    if cut.packets:
        with tempfile.TemporaryDirectory(prefix="testbed-inspect-") as place:
            path = Path(place) / "slice.pcapng"
            write_slice(cut.packets, path)
            found = dissect(path, display_filter=display_filter, limit=limit)
    zero_ns = about.get("start_ns", cut.packets[0].time_ns if cut.packets else 0)
    if not display_filter and len(found) != len(cut.packets):
        reason = f"dissected {len(found)} of {len(cut.packets)} packets and stopped"
        raise InspectError(f"tshark {reason}")
    return Inspection(
        about=about,
        packets=tuple(_joined(cut.packets[e.number - 1], e, zero_ns) for e in found),
        n_there=cut.n_there,
        n_looked=len(cut.packets),
        truncated=cut.truncated,
    )


def _joined(packet: CutPacket, dissected: Dissected, zero_ns: int) -> InspectPacket:
    return InspectPacket(
        capture=packet.capture,
        frame=packet.frame,
        time_ns=packet.time_ns,
        at_s=(packet.time_ns - zero_ns) / 1e9,
        length_b=packet.length_b,
        outbound=packet.outbound,
        dissected=dissected,
    )


def _row(log: ActivityLog, trial: str) -> ActivityLog:
    """Return the attempt of a trial that has the label, else the last one."""
    frame = log.frame
    rows = frame.filter(frame["trial"] == trial)
    if not rows.height and trial.isdecimal():
        number = frame["trial"].str.strip_chars_start("0")
        rows = frame.filter(number == trial.lstrip("0"))
    if not rows.height:
        known = frame["trial"].unique().sort().to_list()
        there = f"; it has {known[0]} to {known[-1]}" if known else "; it has none"
        raise RequestError(f"{log.path}: has no trial {trial!r}{there}")
    labelled = rows.filter(rows["outcome"].is_in(LABELLED))
    row = (labelled if labelled.height else rows).sort("attempt").tail(1)
    if row["t_ns"][0] is None or row["delta_ns"][0] is None:
        reason = f"{row['outcome'][0]}: nothing was done, so that it has no window"
        raise RequestError(f"{log.path}: trial {trial}: {reason}")
    return ActivityLog(path=log.path, frame=row)


def _raw_between(campaign: Campaign, start: int, end: int) -> list[Path]:
    """Return the raw captures that can hold packets of a window."""
    index = find_index(campaign.folder)
    known = {each.name: each for each in index.captures} if index else {}

    def elsewhere(name: str) -> bool:
        part = known.get(name)
        if part is None or part.first_ns is None or part.last_ns is None:
            return False
        return part.first_ns >= end or part.last_ns < start

    return [p for p in find_raw(campaign.folder) if not elsewhere(p.name)]
