"""Free texts that stay in a dataset: nobody but who publishes knows what they tell."""

import re
from collections.abc import Mapping

# what the testbed says by itself, or a machine: words of the format, marks, numbers
_SAID = frozenset(
    (
        *("campaign", "session", "trial", "attempt", "channel", "network", "networks"),
        *("outcome", "phase", "event", "form", "category", "driver", "tool", "depth"),
        *("times", "simulated", "mac", "ip", "host", "sha256", "wav_sha256", "id"),
        *("package", "open_app", "app_version", "firmware", "version", "versions"),
        *("delta", "permissions", "trigger", "stopped_by", "language", "capture"),
        *("kind", "is_device", "feeds", "engine", "rung", "initial", "needs", "gives"),
        *("set", "select", "interleave", "name", "point", "file", "plan_json"),
        *("moment", "channels", "power", "switch"),
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
_NO_WORD = re.compile(r"[\W\d_]*|[0-9a-fA-F]{16,}")


class Kept:
    """Collects free texts as they stand in the dataset, by their field."""

    def __init__(self) -> None:
        self._texts: dict[str, set[str]] = {}

    def text(self, field: str, recorded: str, published: str) -> None:
        """Take the text of a field, unless all of it became another."""
        if field not in _SAID:
            self._take(_SAME.get(field, field), recorded, published)

    def key(self, field: str, recorded: str, published: str) -> None:
        """Take a key below a field, where such keys are names that somebody gave."""
        if field in _NAMED:
            self._take(_NAMED[field], recorded, published)

    def file(self, recorded: str, published: str) -> None:
        """Take the name of a capture; those that differ by numbers are one."""
        self._take("capture", *(re.sub(r"\d+", "#", n) for n in (recorded, published)))

    def found(self) -> Mapping[str, list[str]]:
        """Return field -> texts, sorted."""
        return {field: sorted(texts) for field, texts in sorted(self._texts.items())}

    def _take(self, field: str, recorded: str, published: str) -> None:
        if not _NO_WORD.fullmatch(published) and _shares_words(recorded, published):
            self._texts.setdefault(field, set()).add(published)


def _shares_words(recorded: str, published: str) -> bool:
    """Say whether some word of a text is as it was."""
    old, new = (
        set(re.findall(r"[^\W\d_]{2,}", text)) for text in (recorded, published)
    )
    return bool(old & new)
