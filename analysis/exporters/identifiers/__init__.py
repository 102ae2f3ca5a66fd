"""What must not leave the lab: what it is, where it stands, and how it may be written.

`harvest` collects it from a campaign, `variants` lists the bytes that would betray it,
`Search` finds many of them at once, `unpacked` opens what they may be packed in.
"""

from analysis.exporters.identifiers.harvest import harvest
from analysis.exporters.identifiers.layers import (
    dechunked,
    keyed,
    unkeyed,
    unpacked,
)
from analysis.exporters.identifiers.model import KINDS, Identifier, unique
from analysis.exporters.identifiers.referenced import referenced
from analysis.exporters.identifiers.search import Search
from analysis.exporters.identifiers.streams import Streams, Stretch
from analysis.exporters.identifiers.variants import Variant, variants

__all__ = [
    "KINDS",
    "Identifier",
    "Search",
    "Streams",
    "Stretch",
    "Variant",
    "dechunked",
    "harvest",
    "keyed",
    "referenced",
    "unique",
    "unkeyed",
    "unpacked",
    "variants",
]
