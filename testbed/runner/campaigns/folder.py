"""The folder of one campaign: what was frozen, recorded and derived."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from testbed.clock import basic_time
from testbed.errors import ConfigError, JournalError
from testbed.model.lab import Lab
from testbed.model.plan import Plan
from testbed.model.profile import DeviceProfile
from testbed.runner.filing import PARTIAL, unsafe, write_whole
from testbed.runner.journal.event_text import facts_of, kind_of
from testbed.runner.journal.fold import CampaignState
from testbed.runner.journal.store import Journal, Recorded
from testbed.runner.recording.capture import RAW, sha256_of
from testbed.runner.recording.witness import Seen
from testbed.runner.trials.evidence import FOLDER as EVIDENCE

INPUTS = "campaign.yaml"
JOURNAL = "journal.jsonl"
ACTIVITIES = "activities.csv"
RECEIPT = "raw/receipt.json"
MANIFEST = "MANIFEST.sha256"
# the safe loader in C, where there is one: six times as fast
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def campaign_name(scenario: str, now_ns: int) -> str:
    """Return the name of a new campaign, such as `demo-20261121T101530.123Z`."""
    return f"{scenario}-{basic_time(now_ns)}"


def make_folder(captures: Path, campaign: str) -> Path:
    """Make the folder of a campaign, and return it; raises JournalError."""
    folder = captures / campaign
    try:
        for inner in (RAW, EVIDENCE):
            (folder / inner).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise JournalError(
            f"the campaign folder {folder} cannot be made: {exc.strerror}"
        ) from exc
    return folder


def frozen_inputs(
    *,
    campaign: str,
    form: str,
    depth: str,
    plan: Plan,
    scenario: Mapping[str, Any],
    lab: Lab,
    profiles: Mapping[str, DeviceProfile],
    app_versions: Mapping[str, str],
    versions: Mapping[str, str],
    simulated: bool,
    rerun_of: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what `campaign.yaml` holds; secrets are not in it, only where they are.

    scenario      the scenario as it was read, or what stands for it
    app_versions  device -> version of its app on the phone
    rerun_of      the campaign that this one does again
    """
    used = sorted({t.device for t in plan.trials})
    again = {"rerun_of": dict(rerun_of)} if rerun_of else {}
    return {
        "campaign": campaign,
        "simulated": simulated,
        "form": form,
        "depth": depth,
        "seed": plan.seed,
        **again,
        "versions": dict(versions),
        "devices": [_device(profiles[d], app_versions.get(d, "")) for d in used],
        "lab": lab.model_dump(mode="json", exclude_none=True),
        "scenario": dict(scenario),
        "profiles": {
            d: profiles[d].model_dump(mode="json", exclude_none=True) for d in used
        },
    }


def write_inputs(folder: Path, inputs: Mapping[str, Any]) -> None:
    """Write `campaign.yaml`, unless it is there: what is frozen stays."""
    if not (folder / INPUTS).exists():
        text = yaml.safe_dump(dict(inputs), sort_keys=False, allow_unicode=True)
        write_whole(folder / INPUTS, text, synced=True)


def load_inputs(folder: Path) -> dict[str, Any]:
    """Load `campaign.yaml`; raises ConfigError when there is none, or a broken one."""
    path = folder / INPUTS
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
    except OSError as exc:
        inside = sorted(
            each.parent
            for where in ("*", "data/campaigns/*", "campaigns/*")  # of a dataset, too
            for each in folder.glob(f"{where}/{INPUTS}")
        )
        hint = f"; it holds campaigns, such as {inside[0]}" if inside else ""
        raise ConfigError(
            f"{folder} is not a campaign folder: {INPUTS} cannot be read "
            f"({exc.strerror}){hint}"
        ) from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path} is damaged: it is not YAML") from exc
    if not isinstance(loaded, dict) or "campaign" not in loaded:
        raise ConfigError(f"{path} is damaged: it names no campaign")
    return loaded


def load_frozen(folder: Path) -> tuple[Lab, dict[str, DeviceProfile]]:
    """Return the lab and the profiles that a campaign was started with."""
    inputs = load_inputs(folder)
    try:
        lab = Lab.model_validate(inputs["lab"])
        profiles = {
            name: DeviceProfile.model_validate(values)
            for name, values in inputs["profiles"].items()
        }
    except (KeyError, ValidationError) as exc:
        raise ConfigError(
            f"{folder / INPUTS} does not hold a lab and profiles as this version "
            "knows them; use the version that wrote it"
        ) from exc
    return lab, profiles


class Export:
    """`journal.jsonl`: the journal in a form that travels with the data."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._path = folder / JOURNAL
        self._journal = journal
        self._last = 0

    def rewrite(self) -> None:
        """Write all of it anew; raises JournalError."""
        rows = self._journal.read()
        write_whole(self._path, "".join(map(_line, rows)))
        self._last = rows[-1].seq if rows else 0

    def extend(self) -> None:
        """Append what was journalled since; raises JournalError."""
        rows = self._journal.read(self._last)
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(map(_line, rows))
        except OSError as exc:
            raise unsafe(self._path, exc) from exc
        self._last = rows[-1].seq if rows else self._last


def write_receipt(
    folder: Path,
    state: CampaignState,
    seen: Mapping[str, Iterable[Seen]],
    unreadable: Mapping[str, str],
) -> None:
    """Write `raw/receipt.json`: what was captured, and how that is known.

    unreadable  file -> why nothing in it can be read
    """
    captures = [
        _receipt(state, name, seen[name], unreadable) for name in state.captures
    ]
    receipt = {"captures": captures}
    write_whole(folder / RECEIPT, json.dumps(receipt, indent=2) + "\n")


def write_manifest(folder: Path) -> None:
    """Write `MANIFEST.sha256` over every other file, as `sha256sum -c` reads it.

    What somebody who was killed left half written is not among them.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST and path.suffix != PARTIAL
    )
    lines = (f"{sha256_of(p)}  {p.relative_to(folder).as_posix()}\n" for p in files)
    write_whole(folder / MANIFEST, "".join(lines))


def is_complete(folder: Path) -> bool:
    """Say whether a campaign was closed, and everything of it was written then."""
    try:
        last = (folder / JOURNAL).read_bytes().splitlines()[-1]
        manifest = (folder / MANIFEST).read_text(encoding="utf-8")
        closed = json.loads(last)["event"] == "campaign_closed"
    except (OSError, IndexError, ValueError, KeyError):
        return False
    # The manifest is the last that is written, so it knows the last journal.
    return closed and f"{sha256_of(folder / JOURNAL)}  {JOURNAL}\n" in manifest


def _line(row: Recorded) -> str:
    record = {
        "seq": row.seq,
        "at_ns": row.at_ns,
        "event": kind_of(row.event),
        "facts": facts_of(row.event),
    }
    return json.dumps(record, separators=(",", ":")) + "\n"


def _device(profile: DeviceProfile, app_version: str) -> dict[str, Any]:
    written = profile.app.version if profile.app is not None else ""
    return {
        "device": profile.device,
        "mac": profile.mac,
        "unit": profile.unit,
        "firmware": profile.firmware,
        "category": profile.category,
        "plaintext": profile.plaintext,
        "app_version": app_version or written,
    }


def _receipt(
    state: CampaignState,
    name: str,
    beacons: Iterable[Seen],
    unreadable: Mapping[str, str],
) -> dict[str, Any]:
    capture = state.captures[name]
    end = capture.end
    seen = list(beacons)
    return {
        "capture": name,
        "session": capture.session,
        "tool": capture.tool,
        "version": end.version if end is not None else "",
        "ready_ns": capture.started_ns,
        "stopped_ns": capture.ended_ns,
        "stopped_by": end.stopped_by if end is not None else "unknown",
        "received": end.received if end is not None else None,
        "dropped": end.dropped if end is not None else None,
        "log": end.log if end is not None else "",
        "n_beacons": len(seen),
        "first_beacon": _beacon(seen[0]) if seen else None,
        "last_beacon": _beacon(seen[-1]) if seen else None,
        "files": [
            {"name": f.name, "size_b": f.size_b, "sha256": f.sha256}
            for f in capture.files
        ],
        "unreadable": {
            f.name: unreadable[f.name] for f in capture.files if f.name in unreadable
        },
        "clock": [asdict(sample) for sample in capture.clock],
    }


def _beacon(seen: Seen) -> dict[str, Any]:
    return {
        "file": seen.file,
        "frame": seen.frame,
        "captured_ns": seen.captured_ns,
        "sent_ns": seen.beacon.sent_ns,
        "trial": seen.beacon.trial,
        "phase": seen.beacon.phase,
    }
