"""What must not leave the lab: what it is, where it stands, and how it may be written.

`harvest` collects it from a campaign, `variants` lists the bytes that would betray it.
"""

from analysis.exporters.identifiers.model import KINDS, Identifier, unique
from analysis.exporters.identifiers.variants import Variant, variants

__all__ = ["KINDS", "Identifier", "Variant", "unique", "variants"]
