"""A campaign, by its folder or by the published dataset that holds it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import ConfigError

_BAG = "manifest-sha256.txt"
_INPUTS = "campaign.yaml"
_MANIFEST = "MANIFEST.sha256"


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
    path = path.resolve()
    if (path / _INPUTS).is_file():
        if name is not None and name != path.name:
            raise ConfigError(f"{path}: is the campaign {path.name}, not {name!r}")
        return Found(folder=path, dataset=_bag_of(path))
    if not path.is_dir():
        raise ConfigError(f"{path}: there is no such folder")
    places = (path / "data" / "campaigns", path / "campaigns", path)
    found = next((f for f in map(_campaigns, places) if f), ())
    if not found:
        raise ConfigError(f"{path}: is no campaign, and no dataset that holds one")
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
