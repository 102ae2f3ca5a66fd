"""A datasheet after Gebru et al., "Datasheets for Datasets" (2021).

What the dataset itself tells is filled in; what only people know is marked.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analysis.exporters.anonymise import Counts, Policy
from analysis.exporters.bundle.answers import Answer, answered
from analysis.exporters.bundle.done import Done, Splits
from analysis.exporters.bundle.facts import CampaignFacts, Facts
from analysis.exporters.bundle.making import (
    Making,
    acquired,
    is_imported,
    labelled_by,
    making_of,
)
from analysis.exporters.bundle.model import UNSAID
from analysis.exporters.bundle.work import counted, write_text

_PAYLOADS = {
    "keep": "Payloads are kept; identifiers that were found or told are replaced in "
    "them.",
    "headers": "Payloads above TCP and UDP are cut away.",
}


QUESTIONS = (
    "For what purpose was the dataset created?",
    "Who created it, on behalf of whom?",
    "Who funded it?",
    "What do the instances represent?",
    "How many are there?",
    "Does it contain all possible instances, or a sample?",
    "What data does each instance consist of?",
    "Is there a label?",
    "Is information missing?",
    "Are there recommended data splits?",
    "Are there errors, noise or redundancies?",
    "Is it self-contained?",
    "Does it contain data that is confidential or identifies people?",
    "Which free texts are as they were?",
    "How was the data acquired?",
    "Over what time?",
    "Who was involved, and how were they compensated?",
    "Was there an ethical review?",
    "Did the people concerned consent?",
    "Was anything preprocessed, cleaned or labelled?",
    "Is the raw data kept?",
    "Is the software available?",
    "Has it been used already?",
    "What could it be used for?",
    "What should it not be used for?",
    "How is it distributed?",
    "When?",
    "Under which licence?",
    "Do others hold rights in it?",
    "Who maintains it, and how can they be reached?",
    "Is there an erratum? Will it be updated?",
    "How can others extend it?",
)


def write_datasheet(data: Path, facts: Facts, done: Done) -> Path:
    """Write `datasheet.md`; return it."""
    policy, counts = done.policy, done.counts
    chapters = (
        ("Motivation", _motivation(facts)),
        ("Composition", (*_composition(facts), *_faults(facts, done))),
        ("Collection process", _collection(facts)),
        ("Preprocessing, cleaning, labelling", _preprocessing(policy, counts)),
        ("Uses", _uses(facts)),
        ("Distribution", _distribution(facts)),
        ("Maintenance", _maintenance()),
    )
    lines = [
        f"# Datasheet: {facts.title}",
        "",
        "Questions after Gebru et al., *Datasheets for Datasets*, CACM 64(12), 2021. "
        f"Answers come from the dataset itself; `{UNSAID}` marks what only its makers "
        "know.",
    ]
    for title, answers in chapters:
        lines += ["", f"## {title}"]
        for question, answer in answered(answers, done.answers):
            lines += ["", f"**{question}**", "", answer]
    return write_text(data / "datasheet.md", "\n".join(lines) + "\n")


def _motivation(facts: Facts) -> Sequence[Answer]:
    return (
        (
            "For what purpose was the dataset created?",
            "To tell activities of smart-home devices from their network traffic, and "
            "to compare methods that do. "
            f"What it was made for in particular: {UNSAID}",
        ),
        ("Who created it, on behalf of whom?", "; ".join(facts.authors)),
        ("Who funded it?", UNSAID),
    )


def _composition(facts: Facts) -> Sequence[Answer]:
    attempts = (
        f" What was tried and is in no imported log: {UNSAID}"
        if any(map(is_imported, facts.campaigns))
        else ""
    )
    return (
        (
            "What do the instances represent?",
            "Attempts to cause one activity on one device (rows of tables/activities), "
            f"with all packets of the device around them. {_real(facts)}",
        ),
        ("How many are there?", "\n".join(_counted(each) for each in facts.campaigns)),
        (
            "Does it contain all possible instances, or a sample?",
            "All attempts that were run are there, failed ones too, and all that an "
            "imported log names: "
            + "; ".join(_outcomes(each) for each in facts.campaigns)
            + f".{attempts}",
        ),
        (
            "What data does each instance consist of?",
            "Packets (pcapng), packet and flow tables, and the facts of the "
            "attempt: stamps, δ, channel, network, outcome.",
        ),
        (
            "Is there a label?",
            "Yes: the activity; see tables/activities. It comes\n\n"
            + _each(facts, labelled_by),
        ),
    )


def _real(facts: Facts) -> str:
    """Say how much of it is of real devices."""
    if facts.simulated:
        return "All of it is of a virtual lab, simulated: no person, no real device."
    virtual = [each.name for each in facts.campaigns if each.simulated]
    but = f"; {', '.join(virtual)}: of a virtual lab, simulated" if virtual else ""
    if any(making_of(each) is Making.TABLE for each in facts.campaigns):
        return f"Traffic of devices, some of it only as a table told of it{but}."
    return f"Traffic of devices, as it was captured{but}."


def _each(facts: Facts, told: Callable[[CampaignFacts], str]) -> str:
    """Return a line for each campaign."""
    return "\n".join(f"- {each.name}: {told(each)}" for each in facts.campaigns)


def _splits(splits: Splits, campaigns: Sequence[CampaignFacts]) -> str:
    """Say whether there are splits to use."""
    if splits.n:
        some = f"{splits.devices} of {counted(splits.of, 'device')}"
        return (
            f"Yes, for {some} (of each campaign), in splits.json with their reasons, "
            "and splits that must not be used."
        )
    if all(each.sessions == 1 for each in campaigns):
        return "None is possible: one session per campaign. See splits.json."
    why = "; ".join(splits.why_not[:3]) or "there is no trial with a label"
    return f"None is possible: {why}. See splits.json."


def _faults(facts: Facts, done: Done) -> Sequence[Answer]:
    policy, counts, kept = done.policy, done.counts, done.kept
    tables = any(making_of(each) is Making.TABLE for each in facts.campaigns)
    return (
        (
            "Is information missing?",
            f"{counts.beacons} packets of the recording software itself were left out. "
            + _PAYLOADS.get(policy.payload, "Payloads are cut: " + policy.payload)
            + (" Imported tables told of no payloads." * tables)
            + f" Otherwise: {UNSAID}",
        ),
        (
            "Are there recommended data splits?",
            _splits(done.splits, facts.campaigns),
        ),
        (
            "Are there errors, noise or redundancies?",
            "Packets that are malformed, cut or repeated are kept and marked (columns "
            f"error, retransmission). Known besides: {UNSAID}",
        ),
        (
            "Is it self-contained?",
            "Yes. No file refers to anything outside but licences and vocabularies.",
        ),
        (
            "Does it contain data that is confidential or identifies people?",
            "Addresses in headers are pseudonyms, and so are the names, serials and "
            "accounts that were found in the recording or told by its publisher. An "
            "audit looked for the originals in every byte; see anonymisation.json. "
            "What nobody found or told may still be there, above all in payloads that "
            "are no text."
            + (f" {done.accepted}" if done.accepted else "")
            + f" What people said or did while it was recorded: {UNSAID}",
        ),
        (
            "Which free texts are as they were?",
            "Names and remarks that who recorded it gave, which were not among those "
            "to be replaced:\n\n" + _texts(kept),
        ),
    )


def _collection(facts: Facts) -> Sequence[Answer]:
    spans = "; ".join(
        f"{c.name}: {c.begin} to {c.end}{_virtual(c)}" for c in facts.campaigns
    )
    how = ""
    if any(map(is_imported, facts.campaigns)):
        how = (
            "\n\nHow what is imported was recorded, by what and where, and who or what "
            f"caused its activities: {UNSAID}"
        )
    return (
        (
            "How was the data acquired?",
            _each(facts, acquired) + how,
        ),
        ("Over what time?", spans),
        (
            "Who was involved, and how were they compensated?",
            "Nobody: the lab is virtual." if facts.simulated else UNSAID,
        ),
        (
            "Was there an ethical review?",
            "None is needed for a virtual lab." if facts.simulated else UNSAID,
        ),
        (
            "Did the people concerned consent?",
            "There are none." if facts.simulated else UNSAID,
        ),
    )


def _preprocessing(policy: Policy, counts: Counts) -> Sequence[Answer]:
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts.replaced.items())
    n = sum(counts.replaced.values())
    places = f"{n} places ({kinds})" if n else "no place"
    moved = "moved by whole weeks" if policy.shift_ns else "as they were"
    return (
        (
            "Was anything preprocessed, cleaned or labelled?",
            f"Every address in a header became a pseudonym ({counts.addresses} "
            f"different ones); identifiers in payloads did at {places}. Lengths of "
            f"packets are as they were, stamps are {moved}, checksums are as right or "
            "wrong as they were. Labels and tables were made after that.",
        ),
        (
            "Is the raw data kept?",
            f"Not in this dataset. Whether its makers keep it: {UNSAID}",
        ),
        (
            "Is the software available?",
            "Name and version are in ro-crate-metadata.json.",
        ),
    )


def _uses(facts: Facts) -> Sequence[Answer]:
    not_for = (
        f"It is {facts.made_up}: figures on a simulation say how methods compare on "
        "it, not how they fare on real devices. "
        if facts.made_up
        else ""
    )
    return (
        ("Has it been used already?", UNSAID),
        (
            "What could it be used for?",
            "Recognition of activities and devices, detection of anomalies, studies of "
            "what encrypted traffic gives away, tests of tools that read captures.",
        ),
        (
            "What should it not be used for?",
            f"{not_for}To find out who or where the home was. To claim scores on "
            "random splits; see splits.json.",
        ),
    )


def _distribution(facts: Facts) -> Sequence[Answer]:
    return (
        ("How is it distributed?", f"As a BagIt bag. Where: {UNSAID}"),
        ("When?", UNSAID),
        (
            "Under which licence?",
            f"{facts.licence.title} ({facts.licence.name}), {facts.licence.url}",
        ),
        ("Do others hold rights in it?", UNSAID),
    )


def _maintenance() -> Sequence[Answer]:
    return (
        ("Who maintains it, and how can they be reached?", UNSAID),
        ("Is there an erratum? Will it be updated?", UNSAID),
        (
            "How can others extend it?",
            "Campaigns keep the layout of the software that recorded them: whoever "
            "runs their scenario again gets a campaign that lies beside them.",
        ),
    )


def _texts(kept: Mapping[str, Sequence[str]]) -> str:
    """Return free texts, a line for each field; marks of Markdown count for nothing."""
    lines = []
    for field, texts in kept.items():
        shown = (" ".join(text.split()).replace("`", "'") for text in texts)
        lines.append(f"- {field}: {', '.join(f'`{text}`' for text in shown)}")
    return "\n".join(lines) or "None."


def _counted(campaign: CampaignFacts) -> str:
    activities = ", ".join(f"{n} {name}" for name, n in campaign.activities.items())
    return (
        f"- {campaign.name}: {campaign.n_labelled} labelled activities in "
        f"{campaign.sessions} sessions ({activities or 'none'}), {campaign.packets} "
        f"packets of {counted(len(campaign.devices), 'device')}"
    )


def _outcomes(campaign: CampaignFacts) -> str:
    counted = ", ".join(f"{n} {name}" for name, n in campaign.outcomes.items())
    return f"{campaign.name}: {counted or 'none'}"


def _virtual(campaign: CampaignFacts) -> str:
    return {
        Making.FAST: " (virtual time)",
        Making.TABLE: " (made up, but for what is told above)",
    }.get(making_of(campaign), "")
