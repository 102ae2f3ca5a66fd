"""Name windows by the known messages nearest to theirs (Levenshtein distance)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.payload.places import places, varied
from analysis.windows import IDLE_ACTIVITY, UNKNOWN

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Labels = NDArray[np.str_]

_MOST = 2000  # distinct messages; to compare all with all takes some 20 s
_PERCENT = 99.0
# Where training messages are all alike their distances are 0; one field may still vary.
_SMALLEST_RADIUS = 0.05
# Each activity gets so many windows more in which messages are as common as in all
# windows. With a fixed share (Jeffreys) an activity that was seen once would seem to
# hold each of all messages half of the time.
_PRIOR = 1.0
# Messages so near each other are of one kind, and are compared place by place.
_SAME_KIND = 0.1
_NEIGHBOURS = 20  # of each message that are compared
# What was the same in fewer windows may vary all the same: the next one differs in up
# to 3 of so many cases.
_FIXED_AFTER = 10


class TooMuchTextError(AnalysisError):
    """A device says too many different things for distances between all of them."""


def distances(texts: Sequence[str]) -> Float64:
    """Return (u, u) float64: Levenshtein distances, each over the longer length."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    apart = cdist(
        texts, texts, scorer=Levenshtein.normalized_distance, dtype=np.float64
    )
    return np.asarray(apart, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """All distinct messages of some windows, and how far they are from each other.

    texts    the u messages;  apart  (u, u) float64
    present  (k, u) bool, whether window i holds message j
    """

    texts: tuple[str, ...]
    apart: Float64
    present: NDArray[np.bool_]


def vocabulary(messages: Sequence[Sequence[str]]) -> Vocabulary:
    """Deduplicate the messages of k windows and measure their distances, once.

    Raises TooMuchTextError for more than 2,000 distinct messages.
    """
    texts = tuple(sorted({text for window in messages for text in window}))
    if len(texts) > _MOST:
        raise TooMuchTextError(
            f"{len(texts)} different messages in plain text are too many to compare "
            f"all with all (more than {_MOST})"
        )
    number = {text: i for i, text in enumerate(texts)}
    present = np.zeros((len(messages), len(texts)), dtype=bool)
    for i, window in enumerate(messages):
        present[i, [number[text] for text in window]] = True
    apart = distances(texts) if texts else np.zeros((0, 0))
    return Vocabulary(texts=texts, apart=apart, present=present)


class PayloadMatcher:
    """Learns which messages windows of an activity hold; see the package.

    Windows are given as rows of the vocabulary. Distances between texts are not learnt;
    which messages are known, their activities and the radius are, from training rows.

    radius  the farthest that a message may be from the nearest known one: the 99th
            percentile of the distances to the same activity in other sessions

    A message of a known kind that differs where none of its activity ever did says
    something new, however near it is: see `analysis.payload.places`.
    """

    def __init__(self, known: Vocabulary) -> None:
        self._all = known
        self.classes_: Labels = np.zeros(0, dtype=np.str_)
        self.radius = _SMALLEST_RADIUS

    def fit(self, rows: Int64, activity: Labels, session: Labels) -> "PayloadMatcher":
        """Learn from windows `rows` with (k,) activities and sessions."""
        present = self._all.present[rows]
        self._known = np.flatnonzero(present.any(axis=0))
        # messages that always come together, as a burst of NOTIFY, are one sign
        signs, self._sign = np.unique(
            present[:, self._known], axis=1, return_inverse=True
        )
        self.classes_ = np.unique(activity)
        held = np.array([signs[activity == a].sum(axis=0) for a in self.classes_])
        size = np.array([(activity == a).sum() for a in self.classes_])[:, None]
        common = (signs.sum(axis=0) + 0.5) / (rows.size + 1)
        share = (held + _PRIOR * common) / (size + _PRIOR)
        self._there, self._missing = np.log(share), np.log1p(-share)
        self._often = np.log(size[:, 0] / rows.size)
        holders = [present[activity == a][:, self._known].any(0) for a in self.classes_]
        self._holders, self._size = np.array(holders), size[:, 0]
        self._varied = self._places_of_each([self._known[held] for held in holders])
        within = self._within(present, activity, session)
        if within.size:
            farthest = float(np.percentile(within, _PERCENT))
            self.radius = max(_SMALLEST_RADIUS, farthest)
        return self

    def predict(self, rows: Int64) -> Labels:
        """Return (k,) str: the activity of each window, or UNKNOWN.

        Where `idle` was learnt, a window without a message is idle.
        """
        return np.array([self._name(row) for row in rows], dtype=np.str_)

    def _name(self, row: int) -> str:
        said = np.flatnonzero(self._all.present[row])
        if not said.size and IDLE_ACTIVITY in self.classes_:
            return IDLE_ACTIVITY
        if not said.size or not self._known.size:
            return UNKNOWN
        apart = self._all.apart[np.ix_(said, self._known)]
        if any(self._is_new(int(s), a) for s, a in zip(said, apart, strict=True)):
            return UNKNOWN
        nearest = apart.argmin(axis=1)[apart.min(axis=1) <= self.radius]
        if not nearest.size:
            return UNKNOWN
        there = np.zeros(self._there.shape[1], dtype=bool)
        there[self._sign[nearest]] = True
        likely = np.where(there, self._there, self._missing).sum(axis=1)
        return str(self.classes_[(likely + self._often).argmax()])

    def _places_of_each(self, held: Sequence[Int64]) -> list[frozenset[str]]:
        """Return the places that vary, for activities that hold these messages.

        What varies within most activities, as a counter, varies within all of them.
        """
        within = [self._places(messages) for messages in held]
        count = Counter(place for places_ in within for place in places_)
        mostly = {place for place, n in count.items() if n > len(held) / 2}
        return [places_ | mostly for places_ in within]

    def _places(self, messages: Int64) -> frozenset[str]:
        """Return the places at which messages of one kind and activity differ."""
        texts, apart = self._all.texts, self._all.apart[np.ix_(messages, messages)]
        pairs = []
        for row, at in enumerate(messages.tolist()):
            near = np.flatnonzero(apart[row] <= _SAME_KIND)
            near = near[np.argsort(apart[row, near], kind="stable")][:_NEIGHBOURS]
            pairs += [(texts[at], texts[k]) for k in messages[near].tolist() if k != at]
        return varied(pairs)

    def _is_new(self, message: int, apart: Float64) -> bool:
        """Say whether a message is of a known kind, but says what that never said.

        apart  its distances to the known messages
        """
        least = apart.min()
        if not 0 < least <= _SAME_KIND:
            return False
        for near in np.flatnonzero(apart == least).tolist():
            known = self._all.texts[self._known[near]]
            differ = places(known, self._all.texts[message])
            holders = np.flatnonzero(self._holders[:, near]).tolist()
            if any(
                differ <= self._varied[k] or self._size[k] < _FIXED_AFTER
                for k in holders
            ):
                return False
        return True

    def _within(
        self, present: NDArray[np.bool_], activity: Labels, session: Labels
    ) -> Float64:
        """Return how far messages are from their activity's in other sessions."""
        found: list[Float64] = []
        for name in self.classes_:
            mine = activity == name
            for day in np.unique(session[mine]):
                here = present[mine & (session == day)].any(axis=0)
                elsewhere = present[mine & (session != day)].any(axis=0)
                if here.any() and elsewhere.any():
                    found.append(self._all.apart[np.ix_(here, elsewhere)].min(axis=1))
        return np.concatenate(found) if found else np.zeros(0)
