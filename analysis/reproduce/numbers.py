"""When two values are the same: exactly, or nearly where versions differ."""

import math
import re
from dataclasses import dataclass

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WHOLE = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How values are compared.

    exact  numbers are equal, and pictures the same bytes
    rel    otherwise: relative tolerance of numbers that are no whole ones. Whole
           numbers count something, and are equal always.
    """

    exact: bool = True
    rel: float = 0.0

    def same(self, one: object, two: object) -> bool:
        """Say whether two values of a cell or of a JSON document are the same."""
        if type(one) is not type(two):
            return False
        if isinstance(one, float) and isinstance(two, float):
            return self.near(one, two)
        return one == two

    def near(self, one: float, two: float) -> bool:
        """Say whether two numbers are the same; two that are none are."""
        if one == two or (math.isnan(one) and math.isnan(two)):
            return True
        return not self.exact and math.isclose(one, two, rel_tol=self.rel, abs_tol=0)

    def same_text(self, one: str, two: str) -> bool:
        """Say whether two cells of a CSV are the same: as numbers, or as text."""
        if one == two:
            return True
        if self.exact or _WHOLE.fullmatch(one) or _WHOLE.fullmatch(two):
            return False  # what wrote them writes the same number the same way
        try:
            return self.near(float(one), float(two))
        except ValueError:
            return False

    def same_words(self, one: str, two: str) -> bool:
        """Say whether two pieces of a page are: a rounded number may be one off."""
        if one == two:
            return True
        if self.exact or _NUMBER.sub("#", one) != _NUMBER.sub("#", two):
            return False
        pairs = zip(_NUMBER.findall(one), _NUMBER.findall(two), strict=True)
        return all(self._same_shown(*pair) for pair in pairs)

    def _same_shown(self, one: str, two: str) -> bool:
        if one == two:
            return True
        places = [len(each.partition(".")[2]) for each in (one, two)]
        if places[0] != places[1] or not places[0]:
            return False
        return abs(float(one) - float(two)) < 1.5 * 10.0 ** -places[0]
