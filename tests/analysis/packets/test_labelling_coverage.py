import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import LabelError
from analysis.labelling import Overlap, explain_outside, is_covered, label_campaign

S = 10**9
HOUR = 3600 * S
spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=8)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(spans, spans)
def test_a_window_is_covered_when_it_shares_an_instant_with_a_capture(windows, held):
    windows = [(a, a + d + 1) for a, d in windows]
    held = [(a, a + d) for a, d in held]
    start, end = np.array(windows, dtype=np.int64).reshape(-1, 2).T
    naive = [any(a <= t <= b for a, b in held for t in range(*w)) for w in windows]
    assert is_covered(start, end, held).tolist() == naive


def told(starts_s, captures_s=((0, 600), (600, 1200))):
    start = np.array([round(s * S) for s in starts_s], dtype=np.int64)
    captures = [(a * S, b * S) for a, b in captures_s]
    names = [f"{n}.pcapng" for n in range(len(captures))]
    return explain_outside(start, start + 5 * S, captures, names)


@pytest.mark.parametrize(
    ("shift_h", "zone"),
    [
        (1, "UTC+1"),
        (-5, "UTC-5"),
        (5.5, "UTC+5:30"),
        (-3.5, "UTC-3:30"),
        (14, "UTC+14"),
    ],
)
def test_a_wrong_time_zone_is_named(shift_h, zone):
    text = told([shift_h * 3600 + at for at in (10, 300, 900)])
    assert f"look like local time of {zone} taken as UTC" in text


def test_a_whole_hour_is_likelier_than_a_half():
    held = ((0, 4 * 3600),)
    assert "UTC+2 " in told([5.25 * 3600, 5.3 * 3600], held)


def test_a_clock_that_is_off_is_told_with_its_least_error():
    assert "behind that of the captures" in told([-100, -20])
    assert "at least 100 s" in told([-100, -20])
    text = told([1240, 1300])
    assert "at least 105 s ahead of that of the captures" in text


def test_another_day_is_told():
    text = told([40 * 86_400 + 5])
    assert "at least 39 days ahead" in text
    assert "or they are of another day" in text


def test_activities_around_the_captures_are_told():
    text = told([610, 700], ((0, 600), (800, 1000)))
    assert "they lie on both sides of captures" in text


def test_first_activity_and_first_capture_are_named():
    text = told([7210], ((60, 1200), (0, 30)))
    assert text.startswith(
        "the first is at 1970-01-01 02:00:10 UTC, 2 h 0 min after the start of "
        "1.pcapng, which goes from 1970-01-01 00:00:00 UTC to 1970-01-01 00:00:30 UTC"
    )


def test_activities_that_all_lie_outside_are_refused_in_one_sentence(campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(600)]
    folder = campaign([packets], [(3610, {"activity": "turn_off"}), (4000, {})])
    with pytest.raises(LabelError) as error:
        label_campaign(folder)
    text = str(error.value)
    for part in (
        "no activity lies in a capture: turn_off (line 2), the first is at",
        "router-00000.pcapng",
        "local time of UTC+1 taken as UTC",
    ):
        assert part in text
    assert "\n" not in text
    assert not (folder / "labelled").exists()


def test_windows_outside_are_counted_not_labelled(campaign, craft):
    packets = [(t, craft.udp4(b"x")) for t in range(60)]
    rows = [(10, {}), (57, {}), (59.5, {}), (100, {})]
    report = label_campaign(campaign([packets], rows), overlap=Overlap.CUT)
    lamp = report.devices[0]
    assert (lamp.windows, lamp.n_uncovered, lamp.n_cut) == (2, 2, 1)
    assert lamp.n_labelled == 5 + 3
    assert lamp.empty == ()
