import pytest

from tests.bench import clock_live


@pytest.mark.live
def test_two_clocks_that_are_wrong_and_drift_apart_still_meet(tmp_path):
    cell = clock_live.Cell(
        name="both", router=(-49.0, 200.0), controller=(10_800.0, -200.0)
    )
    found = clock_live.run(cell, tmp_path / "cell", repeats=1)
    assert found["n"] == found["n_labelled"] >= 16
    assert found["error_p95_ms"] < 20.0
    assert found["covered_share"] == 1.0
    assert found["wrong_windows"] == 0
