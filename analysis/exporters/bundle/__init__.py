"""Make of campaigns a dataset that strangers can open, check and run again.

published = publish(request, watcher)

A BagIt bag whose payload is an RO-Crate: campaigns under pseudonyms, tables, splits,
results, and papers for people and machines. It is made beside where it will lie, step
by step, and appears whole or not at all.
"""

from analysis.exporters.bundle.licences import LICENCES, licence_of
from analysis.exporters.bundle.model import (
    About,
    RefusedError,
    Request,
    Results,
    Watcher,
)
from analysis.exporters.bundle.pipeline import Published, publish

__all__ = [
    "LICENCES",
    "About",
    "Published",
    "RefusedError",
    "Request",
    "Results",
    "Watcher",
    "licence_of",
    "publish",
]
