"""What a lab is told when it starts: one file in its state folder."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from testbed.model.lab import Lab, Virtual
from testbed.model.profile import DeviceProfile

_FILE = "lab.json"
FAULTS = "faults"  # folder of the faults that somebody set by hand
_NOT_PLAYED = ("home", "journal", "captures", "limits")  # of the controller alone
_TRANSIENT = (
    "state.json",
    "router",
    "client_key",
    "router_host_key",
    "authorized_keys",
    "shadow",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveConfig:
    """Settings of one running lab.

    state     its folder
    lab       the lab file's contents
    profiles  the devices that the lab plays, by name
    lifeline  whether standard input is a pipe whose end means the owner's end
    start_ns  ns UTC from which on the router's clock drifts
    session   which day of the house's life it is: sizes and timings differ by it
    """

    state: Path
    lab: Lab
    profiles: Mapping[str, DeviceProfile]
    lifeline: bool
    start_ns: int
    session: int

    @property
    def virtual(self) -> Virtual:
        """The lab's virtual part."""
        return self.lab.virtual or Virtual()

    @property
    def macs(self) -> dict[str, str]:
        """Device -> MAC of its profile."""
        return {name: profile.mac for name, profile in self.profiles.items()}

    @property
    def wan_delay_s(self) -> float:
        """Delay of the WAN, one way."""
        return self.virtual.wan_delay

    @property
    def wan_loss(self) -> float:
        """Share of frames that the WAN loses, each way."""
        return self.virtual.wan_loss

    def save(self) -> None:
        """Write the file."""
        values = {
            "lab": self.lab.model_dump(mode="json"),
            "profiles": {name: _plain(p) for name, p in self.profiles.items()},
            "lifeline": self.lifeline,
            "start_ns": self.start_ns,
            "session": self.session,
        }
        write_atomically(self.state / _FILE, json.dumps(values))

    @classmethod
    def load(cls, state: Path) -> Self:
        """Read the file of a state folder."""
        values = json.loads((state / _FILE).read_text(encoding="utf-8"))
        return cls(
            state=state,
            lab=Lab.model_validate(values["lab"]),
            profiles={
                name: DeviceProfile.model_validate(profile)
                for name, profile in values["profiles"].items()
            },
            lifeline=values["lifeline"],
            start_ns=values["start_ns"],
            session=values["session"],
        )


def difference(
    state: Path, lab: Lab, profiles: Mapping[str, DeviceProfile] | None
) -> str:
    """Return in which the lab of a state folder is not the one described, '' if none.

    It may play more devices than `profiles` names; None asks nothing of them.
    """
    try:
        values = json.loads((state / _FILE).read_text(encoding="utf-8"))
        played, known = values["lab"], values["profiles"]
    except (OSError, ValueError, KeyError):
        return "version of the testbed"
    wanted = lab.model_dump(mode="json")
    parts = [p for p in wanted if p not in _NOT_PLAYED and wanted[p] != played.get(p)]
    if parts:
        return f"lab file ({', '.join(parts)})"
    given = profiles or {}
    others = [name for name, p in given.items() if known.get(name) != _plain(p)]
    return f"devices ({', '.join(sorted(others))})" if others else ""


def _plain(profile: DeviceProfile) -> dict[str, Any]:
    return profile.model_dump(mode="json", exclude_none=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is either whole or absent."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def forget(state: Path) -> None:
    """Remove keys and captures; the ground truth and the log stay for their readers."""
    for name in _TRANSIENT:
        path = state / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
