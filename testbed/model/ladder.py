"""Which view a selector means: one climb for the real phone and for the virtual one.

The rungs are tried in order. A rung that means several views, of which not exactly one
can be clicked, is refused and the next one is tried: a touch on the wrong button of two
would be a wrong label. Whoever only looks takes a rung with several views as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from testbed.model.steps import Rung, Selector

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


class Seen(Protocol):
    """A view on a screen."""

    @property
    def resource_id(self) -> str:
        """Return the id with its package."""

    @property
    def text(self) -> str:
        """Return what a person reads."""

    @property
    def description(self) -> str:
        """Return the content description."""

    @property
    def package(self) -> str:
        """Return the package of the app that it belongs to."""

    @property
    def kind(self) -> str:
        """Return the name of its class."""

    @property
    def clickable(self) -> bool:
        """Say whether a touch does something."""

    @property
    def box(self) -> Box:
        """Return where it is."""


_View = TypeVar("_View", bound=Seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Where to touch, and by which rung of the ladder it was found.

    box     None for a bare point
    text    what the view says
    passed  why each rung before it was not used
    """

    rung: Rung
    point: tuple[int, int]
    box: Box | None
    text: str = field(default="", compare=False)
    passed: tuple[str, ...] = ()

    def detail(self) -> dict[str, str]:
        """Return what the journal keeps; `fallback` when it was not the first rung."""
        detail = {"rung": self.rung.name, "point": f"{self.point[0]},{self.point[1]}"}
        if self.passed:
            detail["fallback"] = f"{self.rung.words()}, as {'; '.join(self.passed)}"
        return detail


def climb(
    selector: Selector,
    views: Iterable[_View],
    *,
    package: str,
    size: tuple[int, int],
    touch: bool = True,
    points: bool = False,
) -> Hit | None:
    """Return what the first usable rung means, or None.

    package  completes an id that has no ':id/'
    size     of the screen in pixels; what has its middle outside is not there
    touch    whether it is to be touched, so that it has to be a single view
    points   whether a bare point counts
    """
    shown = [v for v in views if _is_visible(v, size)]
    passed: list[str] = []
    for rung in selector.any:
        if rung.at is not None:
            point = rung.point_on(*size)
            if points and point is not None:
                return Hit(rung=rung, point=point, box=None, passed=tuple(passed))
            continue
        hits = _meant(rung, shown, package)
        if len(hits) == 1 or (hits and not touch):
            return Hit(
                rung=rung,
                point=middle(hits[0].box),
                box=hits[0].box,
                text=hits[0].text or hits[0].description,
                passed=tuple(passed),
            )
        passed.append(_why_not(rung, len(hits)))
    return None


def doubts(
    selector: Selector, views: Iterable[_View], *, package: str, size: tuple[int, int]
) -> str:
    """Say which rungs mean several views; '' when none does."""
    shown = [v for v in views if _is_visible(v, size)]
    counts = [(r, len(_meant(r, shown, package))) for r in selector.any if not r.at]
    return "; ".join(_why_not(rung, n) for rung, n in counts if n > 1)


def middle(box: Box) -> tuple[int, int]:
    """Return the middle of a view in pixels."""
    left, top, right, bottom = box
    return (left + right) // 2, (top + bottom) // 2


def _why_not(rung: Rung, n_views: int) -> str:
    if n_views:
        return f"{rung.words()} means {n_views} views"
    return f"{rung.words()} is not on the screen"


def _is_visible(view: Seen, size: tuple[int, int]) -> bool:
    left, top, right, bottom = view.box
    x, y = middle(view.box)
    return right > left and bottom > top and 0 <= x < size[0] and 0 <= y < size[1]


def _meant(rung: Rung, shown: Sequence[_View], package: str) -> list[_View]:
    """Return the views that a rung may mean; one when it is clear."""
    hits = [v for v in shown if _matches(rung, v, package)]
    for relation, other in rung.relations.items():
        anchors = _meant(other, shown, package)
        if len(anchors) != 1:
            return []
        hits = _beside(_GAPS[relation], hits, anchors[0])
    clickable = [v for v in hits if v.clickable]
    best = clickable or hits
    if len({v.box for v in best}) == 1:  # a view and its frame are one to the finger
        return best[:1]
    return best


def _matches(rung: Rung, view: Seen, package: str) -> bool:
    return rung.matches(
        resource_id=view.resource_id,
        text=view.text,
        description=view.description,
        package=package,
        kind=view.kind,
        clickable=view.clickable,
    )


def _beside(
    gap: "Callable[[Box, Box], int | None]", hits: list[_View], anchor: _View
) -> list[_View]:
    """Return the nearest of the views that lie so to the anchor; several on a tie."""
    gaps = [(gap(v.box, anchor.box), v) for v in hits if v is not anchor]
    near = [(g, v) for g, v in gaps if g is not None]
    least = min((g for g, _ in near), default=0)
    return [v for g, v in near if g == least]


def _right_of(box: Box, anchor: Box) -> int | None:
    if middle(box)[0] < anchor[2] or not _overlap(box, anchor, 1):
        return None
    return max(0, box[0] - anchor[2])


def _left_of(box: Box, anchor: Box) -> int | None:
    if middle(box)[0] >= anchor[0] or not _overlap(box, anchor, 1):
        return None
    return max(0, anchor[0] - box[2])


def _below(box: Box, anchor: Box) -> int | None:
    if middle(box)[1] < anchor[3] or not _overlap(box, anchor, 0):
        return None
    return max(0, box[1] - anchor[3])


def _above(box: Box, anchor: Box) -> int | None:
    if middle(box)[1] >= anchor[1] or not _overlap(box, anchor, 0):
        return None
    return max(0, anchor[1] - box[3])


def _inside(box: Box, anchor: Box) -> int | None:
    within = box[0] >= anchor[0] and box[1] >= anchor[1]
    return 0 if within and box[2] <= anchor[2] and box[3] <= anchor[3] else None


def _overlap(box: Box, anchor: Box, axis: int) -> bool:
    """Say whether two boxes share some width (axis 0) or some height (axis 1)."""
    return box[axis] < anchor[axis + 2] and anchor[axis] < box[axis + 2]


_GAPS: Mapping[str, Callable[[Box, Box], int | None]] = {
    "right_of": _right_of,
    "left_of": _left_of,
    "above": _above,
    "below": _below,
    "inside": _inside,
}
