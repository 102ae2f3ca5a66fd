"""Free texts that stay in a dataset: nobody but who publishes knows what they tell."""

import re
from collections.abc import Mapping

from analysis.exporters.anonymise.closed import CLOSED

# what the testbed says by itself, or a machine: words of the format, marks, numbers.
# Whatever a person may have written is not here; closed lists are known by their values
_SAID = frozenset(
    (
        *("attempt", "simulated", "mac", "ip", "host", "sha256", "wav_sha256", "id"),
        *("package", "open_app", "version", "versions", "delta", "trigger", "language"),
        *("capture", "kind", "is_device", "feeds", "engine", "rung", "initial"),
        *("needs", "gives", "select", "interleave", "name", "point", "file"),
        "plan_json",
    )
)
# whose keys are names that somebody gave, and what they are names of
_NAMED = {
    "plugs": "plug",
    "profiles": "device",
    "activities": "activity",
    "delta_groups": "delta_group",
    "parameters": "parameter",
}
_SAME = {
    "utterance": "say",
    "parameters": "parameter",
    "text_contains": "text",
    "activities": "activity",
}
# what the testbed calls sessions and, behind the name of a scenario, campaigns
_OWN_SESSION = re.compile(r"\d{4}-\d\d-\d\d-\d+|s\d+")
_OWN_CAMPAIGN = re.compile(r"(.+)-\d{8}T\d{6}\.\d{3}Z")
_NO_WORD = re.compile(r"[\W\d_]*|[0-9a-fA-F]{16,}")


class Kept:
    """Collects free texts as they stand in the dataset, by their field."""

    def __init__(self) -> None:
        self._texts: dict[str, set[str]] = {}

    def text(self, field: str, recorded: str, published: str) -> None:
        """Take the text of a field, unless all of it became another."""
        closed = published in CLOSED.get(field, ())
        own = field == "session" and _OWN_SESSION.fullmatch(published)
        if field not in _SAID and not closed and not own:
            self._take(_SAME.get(field, field), recorded, published)

    def key(self, field: str, recorded: str, published: str) -> None:
        """Take a key below a field, where such keys are names that somebody gave."""
        if field in _NAMED:
            self._take(_NAMED[field], recorded, published)

    def file(self, recorded: str, published: str) -> None:
        """Take the name of a capture; those that differ by numbers are one."""
        self._take("capture", *(re.sub(r"\d+", "#", n) for n in (recorded, published)))

    def found(self) -> Mapping[str, list[str]]:
        """Return field -> texts, sorted; scenarios tell what campaigns are called."""
        scenarios = self._texts.get("scenario", set())
        found = {field: set(texts) for field, texts in sorted(self._texts.items())}
        own = {
            name
            for name in found.get("campaign", ())
            if (made := _OWN_CAMPAIGN.fullmatch(name)) and made[1] in scenarios
        }
        found["campaign"] = found.get("campaign", set()) - own
        return {field: sorted(texts) for field, texts in found.items() if texts}

    def _take(self, field: str, recorded: str, published: str) -> None:
        if not _NO_WORD.fullmatch(published) and _shares_words(recorded, published):
            self._texts.setdefault(field, set()).add(published)


def _shares_words(recorded: str, published: str) -> bool:
    """Say whether some word of a text is as it was."""
    old, new = (
        set(re.findall(r"[^\W\d_]{2,}", text)) for text in (recorded, published)
    )
    return bool(old & new)
