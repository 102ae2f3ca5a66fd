"""Lab, profiles and scenarios from their files, with all faults at once.

Each `load_...` raises FaultyFilesError (a ConfigError) that lists every fault of every
file it read, and touches nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from testbed.errors import ConfigError
from testbed.model.lab import Lab
from testbed.model.profile import DeviceProfile
from testbed.model.references import check_lab, check_profile, check_scenario
from testbed.model.scenario import Scenario
from testbed.model.source import Document, Fault, FaultyFilesError, read_document
from testbed.model.typed import nearest, typed

T = TypeVar("T")
_LISTED = 30  # names of scenarios in a message


def load_lab(path: Path, profiles: Mapping[str, DeviceProfile] | None = None) -> Lab:
    """Load `lab.yaml`; hold it against the profiles too where they are given."""
    if not path.exists():
        where = "call it where your lab file lies, or name it with --lab"
        raise ConfigError(f"{path}: there is no such file; {where}")
    document = read_document(path)
    lab = typed(document, Lab)
    check_lab(document, profiles)
    return _beside(_or_raise(lab, document), path)


def load_profile(path: Path) -> DeviceProfile:
    """Load one device profile."""
    document = read_document(path)
    return _or_raise(_profile(document), document)


def load_profiles(folder: Path) -> dict[str, DeviceProfile]:
    """Load every `*.yaml` of a folder, by device name in the order of file names."""
    profiles, faults = _profiles(folder)
    if faults:
        raise FaultyFilesError(faults)
    return {name: p for name, p in profiles.items() if p is not None}


def load_scenario(path: Path, profiles: Mapping[str, DeviceProfile]) -> Scenario:
    """Load one scenario and hold it against the profiles."""
    document = read_document(path)
    scenario = typed(document, Scenario)
    check_scenario(document, profiles)
    return _or_raise(scenario, document)


def load_for_plan(
    lab_file: Path, devices: Path, scenario_file: Path
) -> tuple[Lab, dict[str, DeviceProfile], Scenario]:
    """Load a lab, its profiles and one scenario: all that a plan needs."""
    faults: list[Fault] = []
    lab_document = _readable(lab_file, faults)
    scenario_document = _readable(scenario_file, faults)
    profiles, profile_faults = _profiles(devices)
    faults += profile_faults
    lab = scenario = None
    if lab_document is not None:
        lab = typed(lab_document, Lab)
        check_lab(lab_document)  # it may know devices that nobody asks for here
        faults += lab_document.faults
    if scenario_document is not None:
        scenario = typed(scenario_document, Scenario)
        check_scenario(scenario_document, profiles)
        faults += scenario_document.faults
    if faults or lab is None or scenario is None:
        raise FaultyFilesError(faults)
    whole = {n: p for n, p in profiles.items() if p is not None}
    return _beside(lab, lab_file), whole, scenario


def find_scenario(name: str, folder: Path) -> Path:
    """Return the file of a scenario given by its name or by its path.

    Raises ConfigError that names the nearest scenario, or those there are.
    """
    for path in (Path(name), folder / name, folder / f"{name}.yaml"):
        if path.is_file():
            return path
    known = [p.stem for p in sorted(folder.glob("*.yaml"))]
    hint = nearest(name, known) or f"; {_listed(known)}"
    raise ConfigError(f"{name!r} is not a scenario in {folder}{hint}")


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "the folder holds no scenario"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are: {', '.join(names[:_LISTED])}{more}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` read, and everything that is wrong with it."""

    lab: Lab | None
    profiles: dict[str, DeviceProfile]
    scenarios: dict[str, Scenario]
    faults: tuple[Fault, ...]


def check_all(lab_file: Path, devices: Path, scenarios: Path) -> Checked:
    """Read every file of a lab; never stops at the first fault."""
    faults: list[Fault] = []
    lab_document = _readable(lab_file, faults)
    lab = typed(lab_document, Lab) if lab_document else None
    profiles, profile_faults = _profiles(devices)
    faults += profile_faults
    if lab_document is not None:
        check_lab(lab_document, profiles)
        faults += lab_document.faults
    found: dict[str, Scenario] = {}
    for path in sorted(scenarios.glob("*.yaml")):
        document = _readable(path, faults)
        if document is None:
            continue
        scenario = typed(document, Scenario)
        check_scenario(document, profiles)
        if scenario is not None:
            found[scenario.scenario] = scenario
        faults += document.faults
    whole = {name: p for name, p in profiles.items() if p is not None}
    return Checked(lab, whole, found, tuple(sorted(faults)))


def _beside(lab: Lab, lab_file: Path) -> Lab:
    """Return a lab with the files of its twins found from the folder of its own."""
    if lab.virtual is None or not lab.virtual.twins:
        return lab
    found = tuple(str(lab_file.parent / twin) for twin in lab.virtual.twins)
    virtual = lab.virtual.model_copy(update={"twins": found})
    return lab.model_copy(update={"virtual": virtual})


def _readable(path: Path, faults: list[Fault]) -> Document | None:
    try:
        return read_document(path)
    except ConfigError as exc:
        message = str(exc).removeprefix(f"{path}: ")
        faults.append(Fault(file=str(path), line=1, place="", message=message))
        return None


def _profile(document: Document) -> DeviceProfile | None:
    profile = typed(document, DeviceProfile)
    check_profile(document)
    return profile


def _profiles(
    folder: Path,
) -> tuple[dict[str, DeviceProfile | None], list[Fault]]:
    """Read a folder of profiles; a device whose profile has faults stands as None."""
    faults: list[Fault] = []
    profiles: dict[str, DeviceProfile | None] = {}
    owner: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        document = _readable(path, faults)
        if document is None:
            continue
        profile = _profile(document)
        if profile is None:
            named = document.value if isinstance(document.value, dict) else {}
            profiles.setdefault(str(named.get("device", path.stem)), None)
        else:
            if profile.device in profiles:
                document.fault(("device",), f"{profile.device!r} has a profile already")
            if profile.mac in owner:
                message = f"{profile.mac} is also the MAC of {owner[profile.mac]}"
                document.fault(("mac",), message)
            owner[profile.mac] = profile.device
            profiles[profile.device] = profile
        faults += document.faults
    if not profiles and not faults:
        message = "holds no device profile; `testbed init DIR` makes some"
        faults.append(Fault(file=str(folder), line=1, place="", message=message))
    return profiles, faults


def _or_raise(value: T | None, document: Document) -> T:
    if document.faults or value is None:
        raise FaultyFilesError(document.faults)
    return value
