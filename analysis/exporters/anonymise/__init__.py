"""Anonymise campaigns under a key, so that labels, windows and features stay.

anonymise_capture  rewrites one capture, of any size
anonymise_texts    rewrites campaign.yaml, activities.csv, journal.jsonl, receipt.json
"""

from analysis.exporters.anonymise.capture import (
    anonymise_capture,
    anonymise_capture_with,
)
from analysis.exporters.anonymise.clocks import Clocks
from analysis.exporters.anonymise.kept import Kept
from analysis.exporters.anonymise.patterns import (
    Patterns,
    patterns_of,
    written_addresses,
)
from analysis.exporters.anonymise.policy import Counts, Policy
from analysis.exporters.anonymise.pseudonyms import Pseudonyms
from analysis.exporters.anonymise.texts import Rewritten, anonymise_texts
from analysis.exporters.anonymise.words import Words

__all__ = [
    "Clocks",
    "Counts",
    "Kept",
    "Patterns",
    "Policy",
    "Pseudonyms",
    "Rewritten",
    "Words",
    "anonymise_capture",
    "anonymise_capture_with",
    "anonymise_texts",
    "patterns_of",
    "written_addresses",
]
