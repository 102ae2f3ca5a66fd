"""Parts of trials: with whom something is said, and about what."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from testbed.virtual.twin.read import Shape, Trial, Twin

# protocol, port of the service, and whether that port is the twin's own
Role = tuple[int, int, bool]


def groups_in(trial: Trial) -> list[int]:
    """Return the numbers of the groups of a trial, in order."""
    found: list[int] = np.unique(trial.shape.columns["group"]).tolist()
    return found


def of_group(shape: Shape, group: int) -> Shape:
    """Return what is said with one other end, be it nothing."""
    return shape.take(np.flatnonzero(shape.columns["group"] == group))


def parts_of(twin: Twin) -> Iterator[Shape]:
    """Yield all that was said with one other end, in trials and between them."""
    for trial in (each for trials in twin.trials.values() for each in trials):
        for group in groups_in(trial):
            yield of_group(trial.shape, group)
    for source in twin.idle:
        yield from source.events


def connections(part: Shape) -> list[Shape]:
    """Return the connections of a part, by when they were first seen."""
    flows = part.columns["flow"]
    each = dict.fromkeys(flows.tolist())
    return [part.take(np.flatnonzero(flows == flow)) for flow in each]


def roles_of(twin: Twin) -> dict[int, Role]:
    """Return what each group is about.

    A service has one port; those who ask have many.
    """
    own: dict[int, set[int]] = defaultdict(set)
    far: dict[int, set[int]] = defaultdict(set)
    protocol: dict[int, int] = {}
    for part in parts_of(twin):
        columns = part.columns
        group = int(columns["group"][0])
        own[group].update(columns["own_port"].tolist())
        far[group].update(columns["remote_port"].tolist())
        protocol[group] = int(columns["protocol"][0])
    return {
        group: (number, min(own[group]), True)
        if len(own[group]) < len(far[group])
        else (number, min(far[group]), False)
        for group, number in protocol.items()
    }
