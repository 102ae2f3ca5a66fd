"""What is known of a device's state, and what an attempt changes in it.

`known` holds one value per key of the state. A key that is absent was never known. One
that is LOST was, until a stimulus left and nobody saw what came of it. 'not on' is all
that is known after a check that saw no effect. None of these counts as holding.
"""

from collections.abc import Mapping

from testbed.model.events import LABELLED, Outcome
from testbed.model.profile import DeviceProfile

LOST = "?"
_NOT = "not "


def apply_outcome(
    known: dict[str, str],
    gives: Mapping[str, str],
    outcome: Outcome | None,
    *,
    issued: bool,
) -> None:
    """Bring what is known of a device up to date with what was seen of one attempt.

    outcome  what the attempt itself came to; that it was voided later does not undo
             what it did to the device. None when it never ended.
    issued   whether the stimulus was about to leave, or did
    """
    if not issued:
        return
    for key, value in gives.items():
        if outcome in LABELLED:
            known[key] = value
        elif outcome is not Outcome.NO_EFFECT:
            known[key] = LOST
        elif not is_sure(known, key) or known[key] == value:
            known[key] = other_than(value)


def other_than(value: str) -> str:
    """Return the word for a state that is known not to be `value`."""
    return f"{_NOT}{value}"


def is_sure(known: Mapping[str, str], key: str) -> bool:
    """Say whether the value of a key is known."""
    value = known.get(key, LOST)
    return value != LOST and not value.startswith(_NOT)


def unmet(needs: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """Return those of the needs that are not known to hold."""
    return {key: value for key, value in needs.items() if known.get(key) != value}


def unsure(needs: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Say whether needs are unmet only because nobody knows whether they hold."""
    missing = unmet(needs, known)
    return bool(missing) and all(known.get(key, LOST) == LOST for key in missing)


def fixed(profile: DeviceProfile) -> dict[str, str]:
    """Return the part of a device's state that nothing of the profile changes."""
    changed = {key for a in profile.activities.values() for key in a.gives}
    return {k: v for k, v in profile.initial.items() if k not in changed}
