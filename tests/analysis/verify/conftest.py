"""The example campaign, published once; copies that are tampered with."""

import shutil
from pathlib import Path

import pytest

from analysis.exporters.bundle import About, Request, publish
from analysis.verify import look, verify
from tests.bench.signing import Bag

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "captures" / "example"


class Silent:
    def begin(self, step, total_b):
        pass

    def read(self, size_b):
        pass

    def end(self, step, note):
        pass


class Results:
    """A result of each kind of file, without the work."""

    def __init__(self):
        self.recipe = {"made_by": "report", "seed": 0}

    def write(self, campaign, out):
        out.mkdir(parents=True)
        (out / "scores.csv").write_text("classifier,score\nrf,0.9\n")
        (out / "scores.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>\n")


@pytest.fixture(scope="session")
def published(made_once):
    """Return the bag of the example campaign; nobody may write into it."""
    return made_once("verified", _publish)


def _publish(out):
    request = Request(
        campaigns=(EXAMPLE,),
        out=out,
        key=bytes(range(32)),
        about=About(title="Three devices", authors=("Ada Byron",)),
        part_b=400_000,
        results=Results(),
    )
    publish(request, Silent())


class Dataset(Bag):
    """A copy of the dataset that may be tampered with."""

    def faults(self, *, quick=False):
        """Return all faults, as lines."""
        return [str(each) for each in verify(self.path, Silent(), quick=quick).faults]


@pytest.fixture
def dataset(published, tmp_path):
    return Dataset(Path(shutil.copytree(published, tmp_path / "set")))


@pytest.fixture
def watcher():
    return Silent()


@pytest.fixture
def campaign(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "campaign"))


@pytest.fixture
def without_others(monkeypatch):
    """Leave the readers of others out, which take longer than all the rest."""
    monkeypatch.setattr(look, "check_with_others", lambda *_: None)
    monkeypatch.setattr(look, "check_captures_with_others", lambda *_: None)
