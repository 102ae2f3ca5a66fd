"""What `python3` on the virtual router loads first, as `sitecustomize`: its own time.

Copied by `shims`, which puts the path of the skew's JSON file into the environment.
"""

import json
import os
import time

with open(os.environ["TESTBED_SKEW"], encoding="ascii") as _file:  # noqa: PTH123 - fast
    _SKEW = json.load(_file)
_true_ns = time.time_ns  # noqa: TID251 - it is what this replaces


def _time_ns() -> int:
    true_ns = _true_ns()
    elapsed_us = (true_ns - _SKEW["start_ns"]) / 1e3
    drifted_ns = round(elapsed_us * _SKEW["drift_ppm"] / 1e3)
    return int(true_ns + _SKEW["offset_ns"] + drifted_ns)


def _time() -> float:
    return _time_ns() / 1e9


time.time_ns = _time_ns  # noqa: TID251 - it is what this replaces
time.time = _time  # noqa: TID251 - it is what this replaces
