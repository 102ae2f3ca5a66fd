"""What is known of a dataset, for everything that tells of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from analysis.dataset import Times, load_activities, load_campaign
from analysis.exporters.bundle.licences import Licence, licence_of
from analysis.exporters.bundle.model import UNSAID
from analysis.exporters.bundle.work import Source, Work, counted
from analysis.labelling import labelled_as
from analysis.packets import load_index
from analysis.safe_yaml import load_yaml

SOFTWARE = "smarthome-testbed"
_KEYWORDS = ("smart home", "IoT", "network traffic", "labelled activities")
_NS = 1_000_000_000
Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFacts:
    """One campaign of the dataset.

    path  of its folder within the payload
    first_ns, last_ns  stamps of its captures, as published
    outcomes  attempts by outcome;  activities  labelled ones by name
    packets  of all devices under test;  versions  of what recorded it
    widened  whether label windows were widened by the clock's uncertainty
    renamed  what has a pseudonym that a lab would have to know, as 'device eeox_tvoh'
    """

    name: str
    path: str
    simulated: bool
    form: str
    times: Times
    devices: tuple[str, ...]
    first_ns: int
    last_ns: int
    sessions: int
    outcomes: Mapping[str, int]
    activities: Mapping[str, int]
    channels: tuple[str, ...]
    captures: tuple[str, ...]
    packets: int
    scenario: Mapping[str, Any]
    profiles: Mapping[str, Any]
    versions: Mapping[str, str]
    widened: bool
    renamed: tuple[str, ...] = ()

    @property
    def begin(self) -> str:
        """When it began, ISO 8601 in UTC."""
        return iso(self.first_ns)

    @property
    def end(self) -> str:
        """When it ended, the same."""
        return iso(self.last_ns)

    @property
    def n_labelled(self) -> int:
        """Activities that made a label."""
        return sum(self.activities.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The dataset. `day` is the last of its recordings, never that of today."""

    name: str
    title: str
    licence: Licence
    authors: tuple[str, ...]
    campaigns: tuple[CampaignFacts, ...]
    software: str
    with_results: bool

    @property
    def day(self) -> str:
        """The day on which its last campaign ended, as 2026-03-01."""
        return max(each.end for each in self.campaigns)[:10]

    @property
    def simulated(self) -> bool:
        """Whether all of it is of the virtual lab."""
        return all(each.simulated for each in self.campaigns)

    @property
    def made_up(self) -> str:
        """Return 'simulated', 'partly simulated' or '', as its campaigns are."""
        return _made_up(self.campaigns)

    @property
    def keywords(self) -> tuple[str, ...]:
        """What it is found by."""
        return (*_KEYWORDS, "simulated") if self.made_up else _KEYWORDS

    @property
    def cited_title(self) -> str:
        """Return the title; behind one that hides it, how much of it is simulated."""
        hidden = self.made_up and "simulat" not in self.title.lower()
        return f"{self.title} ({self.made_up})" if hidden else self.title

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of all devices, each once."""
        return tuple(sorted({d for each in self.campaigns for d in each.devices}))

    @property
    def n_labelled(self) -> int:
        """Labelled activities of all campaigns."""
        return sum(each.n_labelled for each in self.campaigns)

    @property
    def packets(self) -> int:
        """Packets of devices in all campaigns."""
        return sum(each.packets for each in self.campaigns)

    @property
    def gist(self) -> str:
        """The dataset in one sentence."""
        real = [each for each in self.campaigns if not each.simulated]
        imported = all(each.form == "imported" for each in real)
        what = "Imported" if imported else "Recorded"
        what += " and simulated" if self.made_up else ""
        what = "Simulated" if self.simulated else what
        devices = counted(len(self.devices), "smart-home device")
        activities = counted(self.n_labelled, "labelled activity")
        campaigns = counted(len(self.campaigns), "campaign")
        return (
            f"{what} network traffic of {devices} with {activities} in {campaigns}: "
            "captures, packet and flow tables, activity log."
        )


def facts_of(work: Work, sources: Sequence[Source]) -> Facts:
    """Read what is known from the folders that are to be published."""
    campaigns = tuple(_campaign(work, source) for source in sources)
    about = work.request.about
    devices = sorted({device for each in campaigns for device in each.devices})
    what = f"{_made_up(campaigns)} network traffic".strip()
    title = _in_one_line(about.title) or (
        f"Labelled {what} of {counted(len(devices), 'smart-home device')}"
    )
    return Facts(
        name=work.request.out.name,
        title=title,
        licence=licence_of(about.licence),
        authors=tuple(map(_in_one_line, about.authors)) or (UNSAID,),
        campaigns=campaigns,
        software=software_version(),
        with_results=work.request.results is not None,
    )


def _made_up(campaigns: Sequence[CampaignFacts]) -> str:
    n = sum(each.simulated for each in campaigns)
    return "" if not n else "simulated" if n == len(campaigns) else "partly simulated"


def software_version() -> str:
    """Return the version of this software, '' where it is not installed."""
    try:
        return version(SOFTWARE)
    except PackageNotFoundError:
        return ""


def iso(stamp_ns: int) -> str:
    """Return a stamp as ISO 8601, to the second."""
    return datetime.fromtimestamp(stamp_ns // _NS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _campaign(work: Work, source: Source) -> CampaignFacts:
    folder = work.campaign(source)
    about, index = _about(folder), load_index(folder)
    campaign, log = load_campaign(folder), load_activities(folder)
    labelled = log.labelled().frame
    spans = index.covered_ns or ((0, 0),)
    return CampaignFacts(
        name=campaign.name,
        path=f"campaigns/{source.name}",
        simulated=campaign.simulated,
        form=campaign.form,
        times=campaign.times,
        devices=tuple(device.name for device in campaign.devices),
        first_ns=spans[0][0],
        last_ns=max(last for _, last in spans),
        sessions=log.frame["session"].n_unique(),
        outcomes=_counted(log.frame["outcome"].to_list()),
        activities=_counted(labelled["activity"].to_list()),
        channels=tuple(sorted(set(labelled["channel"].to_list()) - {""})),
        captures=tuple(each.name for each in index.captures),
        packets=sum(index.n_packets(each) for each in index.devices),
        scenario=about.get("scenario") or {},
        profiles=about.get("profiles") or {},
        versions={k: str(v) for k, v in (about.get("versions") or {}).items()},
        widened=labelled_as(folder)[1],
        renamed=_renamed(_about(source.folder), about),
    )


def _renamed(recorded: Mapping[str, Any], published: Mapping[str, Any]) -> Texts:
    """Return devices, plugs and the scenario that are called by a pseudonym.

    Nothing of what was imported, which no lab can run again.
    """
    if published.get("form") == "imported":
        return ()
    pairs = zip(_called(recorded), _called(published), strict=False)
    return tuple(f"{what} {new}" for (what, old), (_, new) in pairs if old != new)


def _called(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what somebody called things that a lab must know, in their order."""
    for each in about.get("devices") or ():
        yield "device", str(each["device"])
    for plug in (about.get("lab") or {}).get("plugs") or ():
        yield "plug", str(plug)
    yield "scenario", str((about.get("scenario") or {}).get("scenario", ""))


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _about(folder: Path) -> dict[str, Any]:
    text = (folder / "campaign.yaml").read_text(encoding="utf-8")
    about = load_yaml(text)
    return about if isinstance(about, dict) else {}


def _counted(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
