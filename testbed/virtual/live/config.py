"""What a lab is told when it starts: one file in its state folder."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from testbed.model.lab import Lab, Virtual

_FILE = "lab.json"
FAULTS = "faults"  # folder of the faults that somebody set by hand
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
    macs      device -> MAC of its profile
    devices   folder of device profiles, or None
    lifeline  whether standard input is a pipe whose end means the owner's end
    start_ns  ns UTC from which on the router's clock drifts
    session   which day of the house's life it is: sizes and timings differ by it
    """

    state: Path
    lab: Lab
    macs: dict[str, str]
    devices: Path | None
    lifeline: bool
    start_ns: int
    session: int

    @property
    def virtual(self) -> Virtual:
        """The lab's virtual part."""
        return self.lab.virtual or Virtual()

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
            "macs": self.macs,
            "devices": str(self.devices) if self.devices else None,
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
            macs=values["macs"],
            devices=Path(values["devices"]) if values["devices"] else None,
            lifeline=values["lifeline"],
            start_ns=values["start_ns"],
            session=values["session"],
        )


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
