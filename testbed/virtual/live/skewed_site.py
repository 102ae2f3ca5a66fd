"""What `python3` on the virtual router loads first, as `sitecustomize`: its own time.

Copied by `shims`, which puts the path of the skew's JSON file into the environment.
"""

import json
import os
import time
from typing import Any

_PATH = os.environ["TESTBED_SKEW"]
_skew: dict[str, Any] = {}
_true_ns = time.time_ns  # noqa: TID251 - it is what this replaces


def _load() -> dict[str, Any]:
    """Return the skew; it may step while we run."""
    changed = os.stat(_PATH).st_mtime_ns  # noqa: PTH116 - fast
    if _skew.get("changed") != changed:
        with open(_PATH, encoding="ascii") as file:  # noqa: PTH123 - fast
            _skew.update(json.load(file), changed=changed)
    return _skew


def _time_ns() -> int:
    true_ns, skew = _true_ns(), _load()
    elapsed_us = (true_ns - skew["start_ns"]) / 1e3
    drifted_ns = round(elapsed_us * skew["drift_ppm"] / 1e3)
    stepped_ns = sum(by_ns for at_ns, by_ns in skew["steps"] if at_ns <= true_ns)
    return int(true_ns + skew["offset_ns"] + drifted_ns + stepped_ns)


def _time() -> float:
    return _time_ns() / 1e9


time.time_ns = _time_ns  # noqa: TID251 - it is what this replaces
time.time = _time  # noqa: TID251 - it is what this replaces
