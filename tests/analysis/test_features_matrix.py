"""All features of made windows against a slow twin that uses scipy."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from analysis.features.matrix import feature_names, features_of, window_features
from analysis.features.model import WindowPackets

START_NS = 1_780_000_000 * 10**9
S = 10**9
GOLDEN = Path(__file__).parents[1] / "golden" / "features.json"


def table(n=400, seed=1, shift_ns=0):
    rng = np.random.default_rng(seed)
    return SimpleNamespace(
        time_ns=np.sort(rng.integers(0, 100 * S, n)) + START_NS + shift_ns,
        length_b=rng.integers(60, 1515, n).astype(np.uint32),
        outbound=rng.random(n) < 0.4,
    )


def spans(packets, start_ns, end_ns):
    first = np.searchsorted(packets.time_ns, start_ns)
    last = np.searchsorted(packets.time_ns, end_ns)
    return SimpleNamespace(start_ns=start_ns, end_ns=end_ns, first=first, last=last)


def windows(packets, starts_s, lengths_s, shift_ns=0):
    start_ns = START_NS + shift_ns + (np.array(starts_s) * S).astype(np.int64)
    return spans(packets, start_ns, start_ns + (np.array(lengths_s) * S).astype(int))


def moments(what, unit, values):
    values = np.asarray(values, dtype=float)
    spread = values.size > 1 and np.ptp(values) > 0
    yield f"{what}_mean_{unit}", values.mean() if values.size else 0
    yield f"{what}_variance_{unit}2", values.var() if values.size else 0
    yield f"{what}_skew", stats.skew(values) if spread else 0
    yield f"{what}_kurtosis", stats.kurtosis(values) if spread else 0
    for p in range(10, 100, 10):
        point = np.percentile(values, p) if values.size else 0
        yield f"{what}_p{p}_{unit}", point


def one_direction(name, time_s, size_b, length_s):
    yield f"{name}_packets", len(size_b)
    yield f"{name}_total_b", sum(size_b)
    yield from moments(f"{name}_size", "b", size_b)
    yield from moments(f"{name}_gap", "s", np.diff(time_s))
    yield f"{name}_delay_s", time_s[0] if len(time_s) else length_s
    yield f"{name}_duration_s", time_s[-1] - time_s[0] if len(time_s) else 0


def naive(packets, start_ns, end_ns, length_s):
    """Compute each feature from its definition."""
    here = (packets.time_ns >= start_ns) & (packets.time_ns < end_ns)
    time_s = (packets.time_ns[here] - start_ns) / 1e9
    size_b, out = packets.length_b[here].astype(float), packets.outbound[here]
    found = {}
    for name, mask in (("in", ~out), ("out", out), ("both", out | True)):
        found |= dict(one_direction(name, time_s[mask], size_b[mask], length_s))
    found["in_out_packets_ratio"] = (~out).sum() / max(out.sum(), 1)
    found["in_out_bytes_ratio"] = size_b[~out].sum() / max(size_b[out].sum(), 1)
    asked_s = time_s[out][0] if out.any() else length_s
    replies = [t for t, o in zip(time_s, out, strict=True) if not o and t >= asked_s]
    found["reply_delay_s"] = replies[0] - asked_s if replies else length_s
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_feature_is_what_its_definition_says(seed):
    packets = table(seed=seed)
    rng = np.random.default_rng(seed)
    starts_s = np.cumsum(rng.uniform(0.5, 12, 12))
    made = windows(packets, starts_s, [8, 0.2, 0.1, 0.05, 3, 9, 1, 0.4, 2, 7, 5, 30])
    names, x = features_of(packets, made)
    for i in range(12):
        want = naive(packets, made.start_ns[i], made.end_ns[i], 30)
        assert set(names) == set(want)
        for name, value in zip(names, x[i], strict=True):
            assert value == pytest.approx(want[name], rel=1e-6, abs=1e-6), name


def test_addresses_and_ports_are_nothing_that_a_family_can_see():
    assert set(WindowPackets.__dataclass_fields__) == {
        *("start_ns", "length_s", "longest_s", "first", "last"),
        *("time_ns", "length_b", "outbound"),
    }


def test_the_date_is_no_feature():
    shift_ns = 86_400 * S * 31 + 12_345
    here, there = table(), table(shift_ns=shift_ns)
    starts_s, lengths_s = [1, 20, 60], [8, 8, 25]
    _names, x = features_of(here, windows(here, starts_s, lengths_s))
    _names, y = features_of(there, windows(there, starts_s, lengths_s, shift_ns))
    assert np.allclose(x, y)


def test_no_windows_give_no_rows_but_all_columns():
    names, x = features_of(table(), windows(table(), [], []))
    assert x.shape == (0, len(names))


def test_a_window_outside_of_the_capture_has_no_packets_and_finite_features():
    packets = table(n=0)
    names, x = features_of(packets, windows(packets, [3], [8]))
    assert np.isfinite(x).all()
    assert x[0, names.index("both_delay_s")] == 8


def test_windows_without_packets_are_alike_whatever_their_length():
    made = windows(table(n=0), [0, 20, 60], [8, 25, 40])
    _, x = features_of(table(n=0), made)
    assert (x == x[0]).all()


def golden():
    kept = json.loads(GOLDEN.read_text())
    time_ns, length_b, outbound = np.array(kept["packets"]).T
    packets = SimpleNamespace(
        time_ns=time_ns + START_NS,
        length_b=length_b.astype(np.uint32),
        outbound=outbound.astype(bool),
    )
    start_ns, end_ns = (np.array(kept["windows"]) + START_NS).T
    return kept, packets, spans(packets, start_ns, end_ns)


def test_names_order_and_values_are_those_that_studies_were_made_with():
    kept, packets, made = golden()
    names, x = features_of(packets, made)
    assert list(names) == kept["names"]
    for i, want in enumerate(kept["features"]):
        assert x[i] == pytest.approx(want, rel=1e-9, abs=1e-12), f"window {i}"


def test_a_window_alone_has_the_values_that_it_has_among_all():
    _kept, packets, made = golden()
    _names, x = features_of(packets, made)
    longest_s = (made.end_ns - made.start_ns).max() / 1e9
    for i, (start_ns, end_ns) in enumerate(
        zip(made.start_ns.tolist(), made.end_ns.tolist(), strict=True)
    ):
        row = window_features(
            packets.time_ns,
            packets.length_b,
            packets.outbound,
            start_ns,
            end_ns,
            longest_s=longest_s,
        )
        assert row.tobytes() == x[i].tobytes()


def test_a_live_window_takes_its_own_length_for_what_did_not_come():
    nothing = np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros(0, bool)
    row = window_features(*nothing, START_NS, START_NS + 3 * S)
    named = dict(zip(feature_names(), row.tolist(), strict=True))
    assert named["reply_delay_s"] == named["in_delay_s"] == 3


def test_packets_that_are_not_in_order_of_time_are_refused():
    packets = np.array([5, 4]), np.array([60, 60], np.uint32), np.array([True, False])
    with pytest.raises(ValueError, match="sorted"):
        window_features(*packets, 0, 9)


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (0, 401), (5, 4)])
def test_rows_that_are_not_in_the_table_are_refused(first, last):
    packets = table()
    made = windows(packets, [1], [8])
    made.first, made.last = np.array([first]), np.array([last])
    with pytest.raises(ValueError, match="cut from"):
        features_of(packets, made)


def test_columns_of_different_length_are_refused():
    packets = table()
    shorter = SimpleNamespace(
        time_ns=packets.time_ns,
        length_b=packets.length_b[1:],
        outbound=packets.outbound,
    )
    with pytest.raises(ValueError, match="length_b"):
        features_of(shorter, windows(packets, [1], [8]))
