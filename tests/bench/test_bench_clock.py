import pytest

from tests.bench.clock_drawn import CELLS, Cell, Score, score

S = 10**9


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_drawn_stamps_are_mapped_to_20_ms_and_never_further_off_than_stated(cell):
    found = score(cell, 200, seed=5).figures()
    assert found["n"] == 200
    assert found["error_p95_ms"] <= 20.0
    assert found["covered_share"] >= 0.99
    assert found["wrong_windows"] == 0
    assert found["n_labelled"] >= 180


def test_trials_around_a_step_are_not_labelled():
    cell = Cell(name="step", steps=((900.0, 3.0),))
    found = score(cell, 1000, seed=5).figures()
    # windows of 8 s that reach into it, and what lies between the beacons around it
    assert 0 < found["n"] - found["n_labelled"] < 30


def test_a_window_whose_end_is_wrong_counts_as_wrong():
    total = Score(error_ns=[0.0], stated_ns=[1e6], end_error_ns=[3.0 * S])
    assert total.figures()["wrong_windows"] == 1
