"""The files of a lab around a twin: lab file, device profile, scenario.

With them, `testbed run SCENARIO --fast` in the folder records the twin.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from testbed.virtual.twin.house import BUTTONS, done, package_of
from testbed.virtual.twin.read import Twin, mac_of

_CATEGORIES = ("camera", "speaker", "tv", "plug", "light", "hub", "other")
FOLDER = "twins"
_REPEATS = 10


def write_lab(twin: Twin, folder: Path) -> None:
    """Write lab.yaml, devices/ and scenarios/ beside the twin's own files."""
    for name, told in (
        ("lab.yaml", _lab(twin)),
        (f"devices/{twin.device}.yaml", _profile(twin)),
        (f"scenarios/{twin.device}.yaml", _scenario(twin)),
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        text = yaml.safe_dump(dict(told), sort_keys=False, allow_unicode=True)
        path.write_text(f"# Made by `testbed lab learn`.\n{text}", encoding="utf-8")


def _lab(twin: Twin) -> Mapping[str, Any]:
    return {
        "lab": f"lab_of_{twin.device}"[:64],
        "home": "virtual_home",
        "journal": "captures/journal.sqlite",
        "captures": "captures",
        "phone": {
            "driver": "androidviewclient",
            "serial": "10.78.0.20:5555",
            "adb_port": 5038,
            "connect": True,
        },
        "router": {
            "driver": "ssh",
            "host": "10.78.0.1",
            "key_env": "TESTBED_ROUTER_KEY",
            "host_key_file": "${TESTBED_LAB_STATE}/router_host_key.pub",
            "interface": "br-lan",
            "folder": "${TESTBED_LAB_STATE}/router/captures",
            "beacon": "10.77.0.1:47777",
        },
        "virtual": {"seed": 7, "twins": [f"{FOLDER}/{twin.device}.json"]},
    }


def _profile(twin: Twin) -> Mapping[str, Any]:
    where = {
        name: package_of(twin.device, number // BUTTONS)
        for number, name in enumerate(twin.trials)
    }
    simulated = "simulated" if twin.source.get("simulated") else "recorded"
    return {
        "device": twin.device,
        "vendor": "twin",
        "model": f"twin of {twin.learnt_from}",
        "category": twin.category if twin.category in _CATEGORIES else "other",
        "mac": mac_of(twin),
        "unit": "twin",
        "firmware": twin.firmware,
        "app": {"package": package_of(twin.device, 0), "version": "1"},
        "anchor": f"{simulated} campaign {twin.source.get('campaign')}",
        "initial": {"power": "on"},
        "activities": {
            name: {
                "delta": f"{twin.delta_ns[name] / 1e9:.3f} s",
                "phone": [
                    {"open_app": package},
                    {"tap": {"id": f"btn_{name}"}},
                ],
                "check": {
                    "see": {"id": "status", "text": done(name)},
                    "within": "8 s",
                },
            }
            for name, package in where.items()
        },
    }


def _scenario(twin: Twin) -> Mapping[str, Any]:
    sessions = max(
        len({trial.session for trial in trials}) for trials in twin.trials.values()
    )
    return {
        "scenario": twin.device,
        "description": f"Every activity that was learnt of {twin.learnt_from}",
        "seed": 1,
        "devices": [twin.device],
        "repeats": _REPEATS,
        "sessions": min(sessions, _REPEATS),
        "order": "shuffled",
        "rest": {"uniform": ["5 s", "15 s"]},
        "idle": "30 s" if twin.idle else "5 s",
    }
