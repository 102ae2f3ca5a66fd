"""Two campaigns of the same scenario: what drifted between them, and what it costs.

comparison = compare(folder_a, folder_b, Asked(alpha=0.05))
"""

from analysis.compare.compare import compare
from analysis.compare.model import Asked, Comparison
from analysis.compare.write import as_plain, how_of, power_lines, verdict_of, write

__all__ = [
    "Asked",
    "Comparison",
    "as_plain",
    "compare",
    "how_of",
    "power_lines",
    "verdict_of",
    "write",
]
