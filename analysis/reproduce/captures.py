"""Compare labelled captures packet by packet: stamp, label, bytes."""

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from analysis.labelling.comments import labelled_packets
from analysis.reproduce.cells import Told, said


def capture_differences(published: Path, remade: Path) -> Iterator[Told]:
    """Yield the differences of two labelled captures of other bytes."""
    alike = True
    pairs = zip_longest(labelled_packets(published), labelled_packets(remade))
    for frame, (one, two) in enumerate(pairs, start=1):
        if one == two:
            continue
        alike = False
        place = f"frame {frame}"
        if one is None or two is None:
            lost = "is missing, but made anew" if one is None else "is not made anew"
            yield place, f"{lost}; so may be more", "", ""
            return
        if one[0] != two[0]:
            yield said(f"{place}, time_ns", one[0], two[0])
        if one[1] != two[1]:
            yield said(f"{place}, label", one[1], two[1])
        if one[2] != two[2]:
            yield place, "holds other bytes than the raw capture", "", ""
    if alike:
        what = "differs beside its packets: a section, an interface, another block"
        yield "", what, "", ""
