"""The example campaign, published once; copies that are tampered with."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import pytest

from analysis.exporters.bundle import About, Request, publish
from analysis.verify import look, verify

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
def published(tmp_path_factory):
    """Return the bag of the example campaign; nobody may write into it."""
    out = tmp_path_factory.mktemp("verified") / "set"
    request = Request(
        campaigns=(EXAMPLE,),
        out=out,
        key=bytes(range(32)),
        about=About(title="Three devices", authors=("Ada Byron",)),
        part_b=400_000,
        results=Results(),
    )
    publish(request, Silent())
    return out


class Dataset:
    """A copy of the dataset that may be tampered with."""

    def __init__(self, path):
        self.path = path
        self.data = path / "data"
        (self.campaign,) = (self.data / "campaigns").iterdir()

    def edit(self, path, old, new):
        """Replace a text in a file, where it stands first."""
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="")

    def edit_json(self, path, change):
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    def sign(self):
        """Make all manifests and digests again, as whoever hides a change would."""
        manifest = self.campaign / "MANIFEST.sha256"
        _sums(manifest, [p for p in _files(self.campaign) if p != manifest])
        crate, croissant = (
            self.data / name for name in ("ro-crate-metadata.json", "croissant.json")
        )
        self.edit_json(croissant, lambda value: _describe(value, self.data))
        self.edit_json(crate, lambda value: _describe(value, self.data))
        payload = _files(self.data)
        _sums(self.path / "manifest-sha256.txt", payload)
        info = self.path / "bag-info.txt"
        lines = info.read_text().splitlines()
        oxum = f"{sum(p.stat().st_size for p in payload)}.{len(payload)}"
        kept = [line for line in lines if not line.startswith("Payload-Oxum")]
        info.write_text("\n".join([*kept, f"Payload-Oxum: {oxum}", ""]))
        tags = [p for p in self.path.glob("*.txt") if not p.name.startswith("tag")]
        _sums(self.path / "tagmanifest-sha256.txt", sorted(tags))

    def faults(self, *, quick=False):
        """Return all faults, as lines."""
        return [str(each) for each in verify(self.path, Silent(), quick=quick).faults]


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sums(manifest, files):
    lines = (
        f"{_sha256(p)}  {p.relative_to(manifest.parent).as_posix()}\n" for p in files
    )
    manifest.write_text("".join(lines))


def _sha256(path):
    return sha256(path.read_bytes()).hexdigest()


def _describe(value, data):
    """Give the entries of a crate, or of Croissant, the digests of today."""
    entries = value.get("@graph") or value["distribution"]
    there = [e for e in entries if (data / unquote(e["@id"])).is_file()]
    for each in there:
        path = data / unquote(each["@id"])
        if "sha256" in each:
            size_b = path.stat().st_size
            unit = " B" if each["contentSize"].endswith(" B") else ""
            each["sha256"], each["contentSize"] = _sha256(path), f"{size_b}{unit}"


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
