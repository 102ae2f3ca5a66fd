"""A campaign, by its folder or by the published dataset that holds it.

refuse_others(path, wanted)  says what a path is instead, and what to name
find_campaign(path, name)    the campaign that is meant
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import ConfigError

_BAG = "manifest-sha256.txt"
_PARTS = "parts.sha256"
_INPUTS = "campaign.yaml"
_MANIFEST = "MANIFEST.sha256"
A_CAMPAIGN = "a campaign"
_EITHER = "a dataset or a campaign"
FORMS = ("live", "fast")  # of campaigns that were run, and not imported


def refuse_others(path: Path, wanted: str = _EITHER) -> None:
    """Raise ConfigError for what is easily named instead of a dataset or a campaign.

    wanted  what is to be named, for the sentence
    """
    try:
        other = _other(path, wanted)
    except OSError as exc:
        other = f"cannot be read: {exc.strerror}"
    if other:
        raise ConfigError(f"{path}: {other}")


def _other(path: Path, wanted: str) -> str:
    """Return what a path is, and what to do; '' where it may be what is wanted."""
    if not path.exists():
        return f"there is no such folder; name {wanted}"
    if path.suffix == ".zip":
        how = "unpack all its parts in one folder, and name what comes out"
        return f"is an archive, or a part of one; {how}"
    if not path.is_dir():
        return f"is a file; name the folder of {wanted}"
    if (path / _PARTS).is_file():
        beside = path.with_suffix("")
        known = path.suffix == ".parts" and (beside / _BAG).is_file()
        how = f"name {beside}" if known else "unpack them, as its README.txt says"
        return f"holds the parts of an archive; {how}"
    if path.suffix == ".draft" and not (path / _INPUTS).is_file():
        how = "call what made it again, and it goes on"
        return f"is a draft that was not finished; {how}"
    if next(path.iterdir(), None) is None:
        return f"is an empty folder; name {wanted}"
    if wanted == A_CAMPAIGN and not (path / _INPUTS).is_file():
        from analysis.dataset import instead_of_campaign

        return instead_of_campaign(path)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One campaign.

    folder     of the campaign
    dataset    the bag that it was published in, or None
    """

    folder: Path
    dataset: Path | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest over all files, hexadecimal; '' without one."""
        if self.dataset is not None:
            return _sha256(self.dataset / _BAG)
        return _sha256(self.folder / _MANIFEST)


def find_campaign(path: Path, name: str | None = None) -> Found:
    """Return the campaign in a folder: its own, or the one of a dataset.

    name  of the campaign, where a dataset holds several

    Raises ConfigError when there is none, or it is not clear which.
    """
    refuse_others(path)
    path = path.resolve()
    if (path / _INPUTS).is_file():
        if name is not None and name != path.name:
            raise ConfigError(f"{path}: is the campaign {path.name}, not {name!r}")
        return Found(folder=path, dataset=_bag_of(path))
    places = (path / "data" / "campaigns", path / "campaigns", path)
    found = next((f for f in map(_campaigns, places) if f), ())
    if not found:
        reason = "is no campaign, and no dataset that holds one"
        raise ConfigError(f"{path}: {reason}; name {_EITHER}")
    names = ", ".join(folder.name for folder in found)
    chosen = [folder for folder in found if name in (None, folder.name)]
    if not chosen:
        raise ConfigError(f"{path}: holds no campaign {name!r}; it holds {names}")
    if len(chosen) > 1:
        first = found[0].relative_to(path)
        reason = f"holds {len(found)} campaigns: {names}; name one, such as"
        raise ConfigError(f"{path}: {reason} {path / first}")
    return Found(folder=chosen[0], dataset=_bag_of(chosen[0]))


def _campaigns(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(p.parent for p in folder.glob(f"*/{_INPUTS}")))


def _bag_of(folder: Path) -> Path | None:
    """Return the dataset with `data/campaigns/<campaign>` in it, if it is one."""
    above = folder.parents
    if len(above) < 3 or (above[0].name, above[1].name) != ("campaigns", "data"):
        return None
    return above[2] if (above[2] / _BAG).is_file() else None


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from exc
