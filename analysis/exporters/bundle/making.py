"""How a campaign came about, as far as its form tells: nothing else may be claimed."""

from enum import StrEnum

from analysis.dataset import Times
from analysis.exporters.bundle.facts import CampaignFacts

IMPORTED = "imported"


class Making(StrEnum):
    """What was really done; the text is what README says of it."""

    FAST = "made by models of devices in virtual time; no packet was on a network"
    LIVE = "captured in a virtual lab, whose devices are programs on one computer"
    REAL = "captured at the router of a lab with real devices"
    CAPTURES = "imported: captures and a log that were not made by this software"
    TABLE = "imported from a table: captures were made up of times, sizes, directions"


_PROFILES = "Scenario and device profiles are in campaign.yaml."
_CAUSED = (
    "while a controller caused activities{by}, checked their effect and journalled "
)
_ACQUIRED = {
    Making.FAST: "no packet was captured, and no clock ran: models of devices, "
    "their clouds and users wrote packets in virtual time, while the controller of the "
    f"software went through its trials{{by}}. All stamps are virtual. {_PROFILES}",
    Making.LIVE: "packets were captured at the router of a virtual lab, in which "
    "programs play devices, clouds and users on the network of one computer, "
    f"{_CAUSED}both. {_PROFILES}",
    Making.REAL: "packets were captured at the router of the lab "
    f"{_CAUSED}both. {_PROFILES}",
    Making.CAPTURES: "captures and a log of activities come from elsewhere; "
    "campaign.yaml holds no scenario and no profiles.",
    Making.TABLE: "times, sizes and directions of packets were taken from a table, "
    "and protocol, remote address and port where it has them. All else of their "
    "headers was made up, so that there are captures; payloads are not there. {times}",
}
_LABEL = {
    Making.CAPTURES: "as the imported log says",
    Making.TABLE: "as the imported table says; its window is the span of the trace",
}
_TIMES = {
    Times.RECORDED: "",
    Times.DATES: "Of times, dates of sessions are real, and times within a trial.",
    Times.DAYS: "It is real which sessions share a day, and times within a trial.",
    Times.INVENTED: "Times within a trial are real; all others were made up.",
}


def making_of(campaign: CampaignFacts) -> Making:
    """Return how a campaign came about."""
    if campaign.form == IMPORTED:
        # who imports captures takes their times over; of tables some are made up
        recorded = campaign.times is Times.RECORDED
        return Making.CAPTURES if recorded else Making.TABLE
    if not campaign.simulated:
        return Making.REAL
    return Making.FAST if campaign.form == "fast" else Making.LIVE


def acquired(campaign: CampaignFacts) -> str:
    """Return how its packets were acquired, in sentences."""
    by = f" by {', '.join(campaign.channels)}" if campaign.channels else ""
    text = _ACQUIRED[making_of(campaign)].replace("{by}", by)
    return text.replace("{times}", _TIMES[campaign.times]).strip()


def labelled_by(campaign: CampaignFacts) -> str:
    """Return where its labels come from."""
    caused = "from the controller that caused it, with a bound of its clock's error"
    return _LABEL.get(making_of(campaign), caused)


def is_imported(campaign: CampaignFacts) -> bool:
    """Say whether others recorded it: much of it is unknown, and it cannot be rerun."""
    return campaign.form == IMPORTED
