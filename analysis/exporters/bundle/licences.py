"""Licences that a dataset may have, by their SPDX name."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from analysis.registry import find

_COMMONS = "https://creativecommons.org/"
_OPEN_DATA = "https://opendatacommons.org/licenses/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence; `gist` says in a sentence what it allows, the text at `url` counts."""

    name: str
    title: str
    url: str
    gist: str


_ALL = (
    Licence(
        name="CC-BY-4.0",
        title="Creative Commons Attribution 4.0 International",
        url=f"{_COMMONS}licenses/by/4.0/",
        gist="You may share and adapt it for any purpose when you name its authors.",
    ),
    Licence(
        name="CC-BY-SA-4.0",
        title="Creative Commons Attribution-ShareAlike 4.0 International",
        url=f"{_COMMONS}licenses/by-sa/4.0/",
        gist="You may share and adapt it for any purpose when you name its authors, "
        "what you make of it under the same licence.",
    ),
    Licence(
        name="CC-BY-NC-4.0",
        title="Creative Commons Attribution-NonCommercial 4.0 International",
        url=f"{_COMMONS}licenses/by-nc/4.0/",
        gist="You may share and adapt it when you name its authors, but for no "
        "commercial purpose.",
    ),
    Licence(
        name="CC0-1.0",
        title="Creative Commons Zero 1.0 Universal",
        url=f"{_COMMONS}publicdomain/zero/1.0/",
        gist="Its authors waive all rights: you may do with it what you like.",
    ),
    Licence(
        name="ODbL-1.0",
        title="Open Data Commons Open Database License 1.0",
        url=f"{_OPEN_DATA}odbl/1-0/",
        gist="You may share and adapt it when you name its source, databases that you "
        "make of it under the same licence.",
    ),
    Licence(
        name="ODC-By-1.0",
        title="Open Data Commons Attribution License 1.0",
        url=f"{_OPEN_DATA}by/1-0/",
        gist="You may share and adapt it when you name its source.",
    ),
    Licence(
        name="PDDL-1.0",
        title="Open Data Commons Public Domain Dedication and License 1.0",
        url=f"{_OPEN_DATA}pddl/1-0/",
        gist="Its authors waive all rights: you may do with it what you like.",
    ),
)
LICENCES: Mapping[str, Licence] = MappingProxyType({each.name: each for each in _ALL})


def licence_of(name: str) -> Licence:
    """Return the licence of that name. Raises RequestError with the nearest one."""
    return find(LICENCES, name, "licence")
