"""What the phone had to do otherwise than the profiles say: warnings of a campaign.

A lower rung of a selector was used (the app has changed), or a pop-up was closed. The
labels hold, as they were checked; the profiles want a look.
"""

import json
from collections import Counter
from pathlib import Path

from analysis.report import words
from analysis.report.blocks import Grid, Note, Section, columns, items
from analysis.report.recording import Recording
from analysis.report.tables import Table

_KINDS = {
    "fallback": "another way to the button",
    "interrupt": "a pop-up was closed",
}
_HEAD = ("device", "activity", "what", "said", "times")


def remarks(recording: Recording) -> Section | None:
    """Return the section of warnings; None when all went as described."""
    found = _count(recording.campaign.folder / "journal.jsonl")
    if not found:
        return None
    rows = [(*key, n) for key, n in sorted(found.items())]
    shown = tuple(
        items(device, activity, _KINDS[kind], said, words.count(n))
        for device, activity, kind, said, n in rows
    )
    n_fallbacks = sum(n for (_, _, kind, _), n in found.items() if kind == "fallback")
    grid = Grid(
        title="By device and activity",
        columns=(*columns(*_HEAD[:4], texts=4), *columns("times", texts=0)),
        rows=shown,
        data=Table(name="remarks", columns=_HEAD, rows=tuple(rows)),
    )
    warning = Note(
        text=f"In {words.count(n_fallbacks)} attempts a button was not found by the "
        "first rung of its selector: its app has probably changed. The profile wants "
        "a look before the next campaign.",
        warning=True,
    )
    return Section(
        key="remarks",
        title="Where the phone went another way",
        lead="Steps on the phone that found their button by a lower rung of the "
        "selector, or had to close a pop-up first.",
        blocks=(*((warning,) if n_fallbacks else ()), grid),
    )


def _count(journal: Path) -> Counter[tuple[str, str, str, str]]:
    """Count (device, activity, kind, words); empty where there is no journal."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    trials: dict[tuple[str, int], tuple[str, str]] = {}
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            row = json.loads(line)
            event, facts = row["event"], row["facts"]
            if event == "trial_started":
                key = (facts["trial"], facts["attempt"])
                trials[key] = (facts["device"], facts["activity"])
            elif event == "stimulus_returned":
                device, activity = trials[facts["trial"], facts["attempt"]]
                for kind in _KINDS.keys() & facts["detail"].keys():
                    found[device, activity, kind, str(facts["detail"][kind])] += 1
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line of another version, or cut short
    return found
