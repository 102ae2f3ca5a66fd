from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from analysis.dataset import COLUMNS, ActivityLog
from analysis.evaluate.settle import settle_of

S = 10**9
T0 = 1_700_000_000 * S
DELTA_S = 8


def table(loud_s, length_s=1000, heartbeat_b=60):
    """Return packets: a heartbeat each second, and 5 kB in each loud second."""
    beats = np.arange(length_s)
    at_s = np.concatenate((beats + 0.1, np.array(loud_s, dtype=float) + 0.5))
    size = np.concatenate((np.full(length_s, heartbeat_b), np.full(len(loud_s), 5000)))
    order = np.argsort(at_s)
    return SimpleNamespace(
        device="lamp",
        time_ns=T0 + (at_s[order] * S).astype(np.int64),
        length_b=size[order].astype(np.uint32),
        covered_ns=((T0, T0 + length_s * S),),
    )


def log(starts_s):
    blank = {name: "" if kind is str else 0 for name, (kind, _) in COLUMNS.items()}
    rows = [
        blank
        | {
            "device": "lamp",
            "activity": f"act_{n}",
            "t_ns": T0 + s * S,
            "delta_ns": DELTA_S * S,
            "outcome": "confirmed",
        }
        for n, s in enumerate(starts_s)
    ]
    return ActivityLog(path=None, frame=pl.DataFrame(rows))


def test_a_device_that_falls_silent_with_its_window_needs_nothing():
    starts = [100, 200, 300]
    loud = [s + k for s in starts for k in range(DELTA_S)]
    found = settle_of(table(loud), log(starts))
    assert (found.settle_s, found.n, found.n_cut) == (0, 3, 0)
    assert found.quiet_b == 60


@pytest.mark.parametrize("more_s", [1, 4, 9])
def test_what_it_says_afterwards_is_covered(more_s):
    starts = [100, 200, 300, 400]
    loud = [s + k for s in starts for k in range(DELTA_S + more_s)]
    found = settle_of(table(loud), log(starts))
    assert found.settle_s == more_s
    assert found.max_s == more_s


def test_a_pause_in_its_talk_is_not_the_end_of_it():
    starts = [100, 200, 300]
    loud = [s + k for s in starts for k in (*range(DELTA_S), 10, 13)]
    assert settle_of(table(loud), log(starts)).settle_s == 6


def test_talk_that_the_next_act_cuts_off_is_counted_and_not_taken_for_its_end():
    starts = [100, 111, 300]
    loud = [s + k for s in starts for k in range(DELTA_S + 3)]
    found = settle_of(table(loud), log(starts))
    assert (found.n, found.n_cut, found.settle_s) == (2, 1, 3)


def test_without_quiet_seconds_nothing_is_suggested():
    starts = list(range(10, 190, 20))
    loud = [s + k for s in starts for k in range(DELTA_S)]
    assert settle_of(table(loud, length_s=200), log(starts)).settle_s is None
