"""Which device of A is compared with which of B.

Those of one name; a twin, `NAME_twin`, with the device that it was learnt of, where
that has none of its own name on the other side; and whatever is asked for.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from analysis.errors import DatasetError

Match = tuple[str, str]
_TWIN = "_twin"


def matched(
    a: Sequence[str],
    b: Sequence[str],
    asked: Sequence[Match] = (),
    sides: tuple[str, str] = ("A", "B"),
) -> tuple[Match, ...]:
    """Return (name in A, name in B), in A's order.

    asked  pairs that names do not tell, before all others
    sides  what the two are called in sentences

    Raises DatasetError for a name that is not there, or twice.
    """
    for one, two in asked:
        _require(one, a, sides[0])
        _require(two, b, sides[1])
    held = dict(asked)
    if len(held) < len(asked) or len(set(held.values())) < len(held):
        raise DatasetError("--as: a device can be compared with one other only")
    free_a = [name for name in a if name not in held]
    free_b = [name for name in b if name not in held.values()]
    held |= {name: name for name in free_a if name in free_b}
    for one, two in _twins(free_a, free_b):
        if one not in held and two not in held.values():
            held[one] = two
    return tuple((name, held[name]) for name in a if name in held)


def _twins(a: Sequence[str], b: Sequence[str]) -> Iterator[Match]:
    yield from ((one, two) for one in a for two in b if two == twin_of(one))
    yield from ((one, two) for two in b for one in a if one == twin_of(two))


def twin_of(device: str) -> str:
    """Return what `lab learn` calls the twin of a device."""
    plain = re.sub(r"[^a-z0-9_]+", "_", device.lower()).strip("_")
    plain = plain if plain[:1].isalpha() else f"device_{plain}"
    return f"{plain[:58]}{_TWIN}"


def _require(name: str, names: Sequence[str], side: str) -> None:
    if name in names:
        return
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names)}"
    raise DatasetError(f"--as: {side} has no device {name!r}; {hint}")
