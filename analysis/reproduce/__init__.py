"""Make everything of a published dataset again, and tell what comes out otherwise.

reproduced = reproduce(request, watcher)

Raw captures and activity logs give labelled captures, packet and flow tables, and with
the recipe every table and figure. They are made in a folder of their own; the dataset
is only read.
"""

from analysis.reproduce.environment import surroundings
from analysis.reproduce.model import (
    Counts,
    Difference,
    Makers,
    NotCompared,
    Reproduced,
    Request,
    Watcher,
)
from analysis.reproduce.pipeline import reproduce
from analysis.reproduce.recipe import Recipe

__all__ = [
    "Counts",
    "Difference",
    "Makers",
    "NotCompared",
    "Recipe",
    "Reproduced",
    "Request",
    "Watcher",
    "reproduce",
    "surroundings",
]
