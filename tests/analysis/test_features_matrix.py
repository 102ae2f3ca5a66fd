"""All features of made windows against a slow twin that uses scipy."""

import numpy as np
import pytest
from scipy import stats

from analysis.features.matrix import features_of
from analysis.packets import PacketTable
from analysis.windows import Windows, rows_between

START_NS = 1_780_000_000 * 10**9
S = 10**9
TEXTS = ("session", "trial", "channel", "network", "user", "unit", "home", "firmware")


def table(n=400, seed=1, shift_ns=0, **changes):
    rng = np.random.default_rng(seed)
    columns = {
        "time_ns": np.sort(rng.integers(0, 100 * S, n)) + START_NS + shift_ns,
        "length_b": rng.integers(60, 1515, n).astype(np.uint32),
        "outbound": rng.random(n) < 0.4,
        "protocol": np.full(n, 6, dtype=np.uint8),
        "remote": rng.integers(0, 9, n).astype(np.int32),
        "src_port": rng.integers(0, 2**16, n).astype(np.uint16),
        "dst_port": rng.integers(0, 2**16, n).astype(np.uint16),
        "payload_b": np.full(n, 10, dtype=np.uint32),
        "tcp_flags": np.full(n, 16, dtype=np.uint8),
        "flow": rng.integers(0, 9, n).astype(np.int32),
        "retransmission": np.zeros(n, dtype=np.uint8),
        "error": np.zeros(n, dtype=np.uint8),
        "row": np.arange(n),
    }
    return PacketTable(device="d", **(columns | changes))


def windows(packets, starts_s, lengths_s, shift_ns=0):
    start_ns = START_NS + shift_ns + (np.array(starts_s) * S).astype(np.int64)
    end_ns = start_ns + (np.array(lengths_s) * S).astype(np.int64)
    first, last = rows_between(packets.time_ns, start_ns, end_ns)
    k = len(starts_s)
    return Windows(
        device="d",
        first=first,
        last=last,
        start_ns=start_ns,
        end_ns=end_ns,
        activity=np.full(k, "turn_on"),
        attempt=np.ones(k, dtype=np.int64),
        **dict.fromkeys(TEXTS, np.full(k, "x")),
    )


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
    for i in range(len(made)):
        want = naive(packets, made.start_ns[i], made.end_ns[i], 30)
        assert set(names) == set(want)
        for name, value in zip(names, x[i], strict=True):
            assert value == pytest.approx(want[name], rel=1e-6, abs=1e-6), name


def test_addresses_ports_and_the_date_are_no_features():
    shift_ns = 86_400 * S * 31 + 12_345
    here = table()
    there = table(
        shift_ns=shift_ns,
        remote=np.full(400, 3, dtype=np.int32),
        src_port=np.full(400, 1, dtype=np.uint16),
        dst_port=np.full(400, 2, dtype=np.uint16),
        flow=np.zeros(400, dtype=np.int32),
        row=np.arange(400) + 10**6,
    )
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
