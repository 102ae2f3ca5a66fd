"""Temperature: one number that makes probabilities neither too sure nor too shy.

Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", 2017.
"""

import numpy as np
from numpy.typing import NDArray

from analysis.classifiers.model import Float64

Int64 = NDArray[np.int64]

_LOWEST = 1e-9
_PRIOR = 2.0  # rows that say 1, so that few rows do not say anything extreme
_RANGE = (-2.5, 2.5)  # natural logarithm of temperatures that are looked at


def tempered(shares: Float64, temperature: float) -> Float64:
    """Return shares ** (1 / temperature), each row made to sum to 1.

    shares  (k, c) float64, rows sum to 1; the order within a row stays as it is
    """
    logs = np.log(np.maximum(shares, _LOWEST)) / temperature
    made = np.exp(logs - logs.max(axis=1, keepdims=True))
    whole: Float64 = made / made.sum(axis=1, keepdims=True)
    return whole


def fit_temperature(shares: Float64, truth: Int64) -> float:
    """Return the temperature under which the truth is likeliest; 1 without rows.

    Few rows cannot move it far from 1.

    shares  (k, c) float64 for rows that were not learnt from
    truth   (k,) int64, column of the true class; rows with -1 are left out
    """
    from scipy.optimize import minimize_scalar

    known = truth >= 0
    shares, truth = shares[known], truth[known]
    if not truth.size:
        return 1.0
    rows = np.arange(truth.size)

    def surprise(log_temperature: float) -> float:
        made = tempered(shares, float(np.exp(log_temperature)))
        seen = -np.log(np.maximum(made[rows, truth], _LOWEST)).sum()
        return float(seen + _PRIOR * log_temperature**2)

    found = minimize_scalar(surprise, bounds=_RANGE, method="bounded")
    return float(np.exp(found.x))
