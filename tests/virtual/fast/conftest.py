from pathlib import Path

import pytest

from testbed.model.lab import Lab
from testbed.model.load import load_profiles
from testbed.virtual.fast.lab import open_fast_lab

ROOT = Path(__file__).parents[3]
START_NS = 1_795_000_000 * 10**9
PLUGS = {
    "plug_camera": {"host": "10.77.0.31", "udn": "uuid:31", "feeds": "omna_180"},
    "plug_under_test": {
        "host": "10.77.0.16",
        "udn": "uuid:16",
        "is_device": "wemo_insight",
    },
}


@pytest.fixture(scope="session")
def profiles():
    return load_profiles(ROOT / "devices")


@pytest.fixture
def opened(tmp_path, profiles):
    """Return a function that opens a fast lab; all are closed at the end."""
    labs = []

    def open_one(*, seed=7, faults=(), change=None, loss="0.004", truth=None):
        values = {
            "lab": "fast",
            "plugs": PLUGS,
            "router": {
                "host": "10.78.0.1",
                "interface": "br-lan",
                "beacon": "10.77.0.1:47777",
                "rotate": "30 s",
            },
            "virtual": {
                "router_clock": {"offset": "49 s", "drift_ppm": "20"},
                "wan_loss": loss,
                "faults": list(faults),
            },
        }
        chosen = dict(profiles)
        for device, update in (change or {}).items():
            chosen[device] = chosen[device].model_copy(update=update)
        truth = truth or tmp_path / f"truth-{len(labs)}"
        lab = open_fast_lab(
            Lab.model_validate(values),
            chosen,
            seed=seed,
            truth=truth,
            start_ns=START_NS,
        )
        labs.append(lab)
        return lab, truth

    yield open_one
    for lab in labs:
        lab.close()


@pytest.fixture
def act():
    """Return a function that causes an activity as its profile says."""

    def cause(lab, profile, activity, channel):
        described = profile.activities[activity]
        if channel == "voice":
            return lab.voice.play(lab.voice.render(described.voice.say))
        if channel == "power":
            return lab.plugs["plug_camera"].set_power(described.power.set == "on")
        if channel == "api":
            return lab.plugs["plug_under_test"].set_power(described.api.set == "on")
        return [lab.phone.perform(step) for step in described.phone.steps][-1]

    return cause


@pytest.fixture
def fetched(tmp_path):
    """Return a function that ends the capture and fetches what is left of it."""

    def fetch(lab, name="all"):
        lab.capture_point.stop_capture()
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        paths = []
        for file in lab.capture_point.finished_files():
            lab.capture_point.fetch(file, folder / file.name)
            paths.append(folder / file.name)
        return paths

    return fetch
