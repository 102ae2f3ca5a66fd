"""Hours of one activity as points on the circle of the day."""

import numpy as np

from analysis.detectors.hours import Hours
from analysis.detectors.model import Float64

_LEAST_ROWS = 5  # training hours below which the household's own hours are used


def circular(hour: np.ndarray, counts: np.ndarray) -> Float64:
    """Return (k, 3) float64: cosine and sine of the hour, log of the count."""
    angle = 2 * np.pi * hour / 24
    return np.column_stack((np.cos(angle), np.sin(angle), np.log1p(counts)))


def cells(hours: Hours, column: int) -> tuple[np.ndarray, Float64]:
    """Return the rows in which an activity happened, (k,), and their points, (k, 3)."""
    rows = np.flatnonzero(hours.counts[:, column])
    return rows, circular(hours.hour[rows], hours.counts[rows, column])


def all_cells(hours: Hours) -> Float64:
    """Return (k, 3) points of all activities; one point where nothing happened."""
    row, column = np.nonzero(hours.counts)
    if not row.size:
        return circular(np.zeros(1), np.zeros(1))
    return circular(hours.hour[row], hours.counts[row, column])


def enough(points: Float64) -> bool:
    """Say whether an activity has a model of its own."""
    return len(points) >= _LEAST_ROWS
