"""Looking into the text of a file: entries where there are some, names that exist."""

from collections.abc import Iterator, Mapping

from testbed.model.profile import DeviceProfile
from testbed.model.source import Document, Place
from testbed.model.typed import nearest
from testbed.model.types import Channel

CHANNELS = tuple(channel.value for channel in Channel)

# A device whose profile has faults is known by name, but not what it can do.
Profiles = Mapping[str, DeviceProfile | None]


def known_device(
    document: Document, place: Place, device: object, profiles: Profiles
) -> DeviceProfile | None:
    """Return the profile of a device; None, and a fault, where there is none."""
    if not isinstance(device, str):
        return None
    if device not in profiles:
        message = f"{device!r} is not a device profile{nearest(device, profiles)}"
        document.fault(place, message)
        return None
    return profiles[device]


def known_activity(
    document: Document, place: Place, activity: object, profile: DeviceProfile
) -> bool:
    """Say whether a device has an activity; it is a fault where it has not."""
    if activity in profile.activities:
        return True
    if isinstance(activity, str):
        hint = nearest(activity, profile.activities)
        message = f"{activity!r} is not an activity of {profile.device}{hint}"
        document.fault(place, message)
    return False


def items(value: object, key: str) -> Iterator[tuple[int, str]]:
    """Yield (index, entry) of a list in a mapping; nothing where it is not one."""
    found = value.get(key) if isinstance(value, dict) else None
    yield from enumerate(found if isinstance(found, list) else ())


def entries(value: object, key: str) -> Iterator[tuple[str, object]]:
    """Yield (key, value) of a mapping in a mapping; nothing where it is not one."""
    found = value.get(key) if isinstance(value, dict) else None
    yield from found.items() if isinstance(found, dict) else ()


def text_of(value: object, key: str) -> str | None:
    """Return the text at a key in a mapping; None where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
