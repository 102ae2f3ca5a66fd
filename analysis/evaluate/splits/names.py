"""How splits are called, for whoever has yet to load what makes them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from analysis.registry import find

NAMES = ("s0_folds", "s0_holdout", "s1", "s2", "s3", "s4", "s5", "s6")
USUAL = ("s0_folds", "s0_holdout", "s1", "s2")
# A model is always used after it was made: what counts is how it fares later.
HEADLINE = "s2"
# people ask for the paper's splits by their common beginning
_FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"s0": ("s0_folds", "s0_holdout"), "all": NAMES}
)


def splits_of(asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of splits that are asked for, each once; none asks for USUAL.

    Raises RequestError with the nearest name for one that does not exist.
    """
    known = {name: name for name in (*NAMES, *_FAMILIES)}
    wanted = [part for name in asked or USUAL for part in _FAMILIES.get(name, (name,))]
    return tuple(dict.fromkeys(find(known, name, "split") for name in wanted))
