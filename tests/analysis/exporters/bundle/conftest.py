"""The example campaign, published once for all that look at it."""

import hashlib
import shutil
from pathlib import Path

import pytest

from analysis.exporters.bundle import About, Request, publish

ROOT = Path(__file__).parents[4]
EXAMPLE = ROOT / "captures" / "example"
KEY = bytes(range(32))
ABOUT = About(title="Three devices", authors=("Ada Byron (0000-0002-1825-0097)",))


class Silent:
    """Is told of everything, and tells what was done anew."""

    def __init__(self):
        self.anew = []
        self.kept = []
        self.begun = {}
        self.read_b = 0

    def begin(self, step, total_b):
        self.begun[step] = total_b

    def read(self, size_b):
        self.read_b += size_b

    def end(self, step, note):
        (self.kept if note == "kept" else self.anew).append(step)


@pytest.fixture
def watcher():
    return Silent()


@pytest.fixture
def request_for():
    def _request(out, *campaigns, **options):
        return Request(
            campaigns=campaigns or (EXAMPLE,),
            out=out,
            **{"key": KEY, "about": ABOUT, "part_b": 1 << 20, **options},
        )

    return _request


@pytest.fixture(scope="session")
def published(made_once):
    """Return the bag of the example campaign; nobody may write into it."""
    return made_once("published", _publish)


def _publish(out):
    request = Request(
        campaigns=(EXAMPLE,), out=out, key=KEY, about=ABOUT, part_b=1 << 20
    )
    publish(request, Silent())


@pytest.fixture
def campaign(tmp_path):
    """Return a copy of the example campaign that may be damaged."""
    folder = tmp_path / "campaign"
    shutil.copytree(EXAMPLE, folder)
    return folder


@pytest.fixture
def recorded(campaign):
    """Return a copy of the example campaign without all that is made of a recording."""
    for name in ("labelled", "packets", "flows"):
        shutil.rmtree(campaign / name)
    (campaign / "packets.json").unlink()
    return campaign


@pytest.fixture(scope="session")
def close():
    """Return what writes the manifest of a campaign folder that was changed."""

    def _close(folder):
        lines = [
            f"{hashlib.sha256(data).hexdigest()}  {name}\n"
            for name, data in sorted(_contents(folder).items())
            if name != "MANIFEST.sha256"
        ]
        (folder / "MANIFEST.sha256").write_text("".join(lines))

    return _close


@pytest.fixture(scope="session")
def contents():
    """Return what reads all files of a folder, by their names in it."""
    return _contents


def _contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def _without_tshark(monkeypatch):
    """Let audits do without their second reader: to start it takes the longest."""
    monkeypatch.setattr("analysis.exporters.audit.tshark.shutil.which", lambda _: None)
