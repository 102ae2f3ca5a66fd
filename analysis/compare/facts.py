"""What two campaigns say of themselves, where it differs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.compare.model import Fact
from analysis.dataset import Campaign
from analysis.safe_yaml import load_yaml

_PLAIN = ("form", "depth", "seed")
_OF_LAB = ("lab", "home")
_OF_DEVICE = ("unit", "firmware", "app_version", "category")


def inputs_of(campaign: Campaign) -> Mapping[str, Any]:
    """Return `campaign.yaml` as it stands; it was read as one before."""
    text = (campaign.folder / "campaign.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = load_yaml(text)
    return loaded


def facts_of(
    a: Campaign, b: Campaign, matches: Sequence[tuple[str, str]]
) -> tuple[Fact, ...]:
    """Return what differs: devices first, then versions and the lab.

    matches  (device in A, that in B)
    """
    inputs = inputs_of(a), inputs_of(b)
    return (*_of_devices(a, b, matches), *_differing(a, b, inputs))


def _of_devices(
    a: Campaign, b: Campaign, matches: Sequence[tuple[str, str]]
) -> Iterator[Fact]:
    for device, other in matches:
        for name in _OF_DEVICE:
            one, two = getattr(a.device(device), name), getattr(b.device(other), name)
            if one != two:
                yield Fact(what=f"{device}: {name}", a=one, b=two)


def _differing(
    a: Campaign, b: Campaign, inputs: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> Iterator[Fact]:
    if a.simulated != b.simulated:
        yield Fact(what="simulated", a=str(a.simulated), b=str(b.simulated))
    first, second = inputs
    yield from _of(first, second, "", _PLAIN)
    versions = [_part(each, "versions") for each in inputs]
    names = sorted({*versions[0], *versions[1]})
    yield from _of(versions[0], versions[1], "version of ", names)
    labs = [_part(each, "lab") for each in inputs]
    yield from _of(labs[0], labs[1], "", _OF_LAB)
    virtual = [_part(each, "virtual") for each in labs]
    names = sorted({*virtual[0], *virtual[1]})
    yield from _of(virtual[0], virtual[1], "virtual lab: ", names)
    scenarios = [_part(each, "scenario") for each in inputs]
    names = sorted({*scenarios[0], *scenarios[1]} - {"seed", "description"})
    yield from _of(scenarios[0], scenarios[1], "scenario: ", names)


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name)
    return part if isinstance(part, dict) else {}


def _of(
    one: Mapping[str, Any], two: Mapping[str, Any], prefix: str, names: Any
) -> Iterator[Fact]:
    for name in names:
        if one.get(name) != two.get(name):
            a, b = (_shown(each.get(name)) for each in (one, two))
            yield Fact(what=f"{prefix}{name}", a=a, b=b)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
