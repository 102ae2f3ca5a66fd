"""The meter beside a twin of a few plain lines."""

import numpy as np
import pytest

from analysis.flows import CONVERSATIONS, ENDS, Subject, Timeouts
from analysis.flows.extract import records_of
from analysis.flows.meter import Finished, Meter, Packets

FIN, SYN, RST, ACK = 1, 2, 4, 16
START_NS = 1_790_000_000_000_000_000


def drawn(n, seed, ends=4, longest_s=8.0):
    rng = np.random.default_rng(seed)
    one, two = rng.integers(1, ends, (2, n))
    tcp = rng.random(n) < 0.7
    flags = rng.choice([ACK, ACK, ACK, SYN, SYN | ACK, FIN | ACK, RST], n)
    port = np.where(one < two, 443, 5000).astype(np.uint16)
    other = np.where(one < two, 5000, 443).astype(np.uint16)
    return Packets(
        time_ns=START_NS + (rng.exponential(longest_s, n).cumsum() * 1e9).astype("i8"),
        length_b=rng.integers(60, 1500, n),
        payload_b=rng.integers(0, 1400, n),
        outbound=one < two,
        ttl=rng.integers(0, 255, n).astype(np.uint8),
        protocol=np.where(rng.random(n) < 0.1, 0, np.where(tcp, 6, 17)).astype("u1"),
        src=np.stack([np.zeros(n), one], 1).astype(np.uint64),
        dst=np.stack([np.zeros(n), two], 1).astype(np.uint64),
        src_port=port,
        dst_port=other,
        segment=tcp,
        tcp_flags=np.where(tcp, flags, 0).astype(np.uint8),
        seq=rng.integers(0, 4, n).astype(np.uint32),
        ack=rng.integers(0, 4, n).astype(np.uint32),
    )


def pieces(packets, size):
    n = packets.time_ns.size
    names = Packets.__dataclass_fields__
    for at in range(0, n, size):
        yield Packets(**{k: getattr(packets, k)[at : at + size] for k in names})


def metered(packets, timeouts, size=10_000, whole=False):
    meter = Meter(idle_ns=timeouts.idle_ns, active_ns=timeouts.active_ns, whole=whole)
    parts = [meter.add(piece) for piece in pieces(packets, size)]
    parts.append(meter.finish(int(packets.time_ns[-1])))
    joined = [
        np.concatenate([getattr(p, name) for p in parts])
        for name in Finished.__dataclass_fields__
    ]
    finished = Finished(**dict(zip(Finished.__dataclass_fields__, joined, strict=True)))
    return records_of(finished, Subject())


def naive(p, idle_s, active_s):
    """Return records as sorted rows; the rule of a new SYN is that of tshark."""
    made, now = [], {}
    for i in range(p.time_ns.size):
        if not p.protocol[i]:
            continue
        src = (int(p.src[i, 1]), int(p.src_port[i]))
        dst = (int(p.dst[i, 1]), int(p.dst_port[i]))
        key = (int(p.protocol[i]), *sorted((src, dst)))
        t, flags, seq = int(p.time_ns[i]), int(p.tcp_flags[i]), int(p.seq[i])
        record, bases = now.get(key), {}
        if record:
            is_syn = p.segment[i] and flags & (SYN | ACK) == SYN
            anew = is_syn and record["bases"].get(src, seq) != seq
            why = "idle" if anew else over(record["times"], t, idle_s, active_s)
            if why:
                record["why"] = why
                made.append(now.pop(key))
                bases = record["bases"] if why == "active" else {}
        record = now.setdefault(
            key,
            {
                "key": key,
                "times": [],
                "n": [0, 0],
                "bytes": [0, 0],
                "flags": [0, 0],
                "ttl": [[], []],
                "bases": bases,
                "first": bool(p.outbound[i]),
                "why": "capture",
            },
        )
        way = 0 if p.outbound[i] else 1
        record["times"].append(t)
        record["n"][way] += 1
        record["bytes"][way] += int(p.length_b[i])
        record["flags"][way] |= flags
        record["ttl"][way].append(int(p.ttl[i]))
        if p.segment[i]:
            set_bases(record["bases"], (src, dst), flags, seq, int(p.ack[i]))
    for record in now.values():
        waits_s = (int(p.time_ns[-1]) - record["times"][-1]) / 1e9
        if idle_s is not None and waits_s > idle_s:
            record["why"] = "idle"
    rows = [row_of(record) for record in (*made, *now.values())]
    return sorted(rows, key=lambda row: row[:4])


def over(times, t, idle_s, active_s):
    if idle_s is not None and (t - times[-1]) / 1e9 > idle_s:
        return "idle"
    full = active_s is not None and (t - times[0]) / 1e9 >= active_s
    return "active" if full else ""


def set_bases(base, ends, flags, seq, ack):
    src, dst = ends
    if src not in base or (flags & SYN and flags & ACK):
        base[src] = seq if flags & SYN else (seq - 1) % 2**32
    if dst not in base and flags & ACK:
        base[dst] = (ack - 1) % 2**32


def row_of(record):
    sent, received = record["flags"]
    closed = (sent | received) & RST or sent & received & FIN
    gaps = np.diff(record["times"]) / 1e9
    stats = (gaps.mean(), gaps.std(), gaps.min(), gaps.max()) if gaps.size else ()
    ttl = [min([t for t in side if t], default=0) for side in record["ttl"]]
    return (
        record["times"][0],
        record["times"][-1],
        record["key"][0],
        *record["n"],
        *record["bytes"],
        *record["flags"],
        *ttl,
        record["first"],
        "closed" if closed else record["why"],
        *(stats or (-1.0,) * 4),
    )


def rows(records):
    names = ("start_ns", "end_ns", "protocol", "packets_out", "packets_in")
    names += ("bytes_out", "bytes_in", "tcp_flags_out", "tcp_flags_in")
    names += ("ttl_out", "ttl_in", "outbound", "end")
    names += ("iat_mean_s", "iat_std_s", "iat_min_s", "iat_max_s")
    columns = [list(getattr(records, name)) for name in names[:13]]
    # NaN is not equal to itself
    gaps = [getattr(records, name).tolist() for name in names[13:]]
    columns += [[-1.0 if v != v else v for v in column] for column in gaps]
    return sorted(zip(*columns, strict=True), key=lambda row: row[:4])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("idle_s", "active_s"), [(15, 60), (15, None), (None, None)])
def test_records_are_those_of_the_naive_twin(seed, idle_s, active_s):
    packets = drawn(1_000, seed)
    timeouts = Timeouts(idle_s=idle_s, active_s=active_s)
    made, expected = rows(metered(packets, timeouts)), naive(packets, idle_s, active_s)
    assert len(made) == len(expected) > 10
    for one, two in zip(made, expected, strict=True):
        assert one[:13] == two[:13]
        assert one[13:] == pytest.approx(two[13:], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("timeouts", [Timeouts(), CONVERSATIONS])
def test_how_packets_are_cut_into_pieces_changes_nothing(whole, timeouts):
    packets = drawn(800, 9, ends=30, longest_s=0.6)
    at_once = metered(packets, timeouts, whole=whole)
    for size in (1, 7, 300):
        assert rows(metered(packets, timeouts, size, whole)) == rows(at_once)


def test_records_come_by_start_while_memory_holds_only_open_ones():
    packets = drawn(20_000, 3, ends=2_000, longest_s=0.05)
    meter = Meter(idle_ns=15 * 10**9, active_ns=60 * 10**9)
    starts, most = [], 0
    for piece in pieces(packets, 500):
        starts.append(meter.add(piece).totals[:, 1])
        most = max(most, meter.n_open)
    starts.append(meter.finish(int(packets.time_ns[-1])).totals[:, 1])
    every = np.concatenate(starts)
    assert np.all(np.diff(every) >= 0)
    assert most < every.size / 20


def test_stamps_far_ahead_take_no_memory_and_lose_no_packet():
    n, size = 20_000, 500
    packets = drawn(n, 4, ends=50, longest_s=0.05)
    packets.protocol[:], packets.tcp_flags[:] = 17, 0
    wrong = np.arange(n) % 3 == 0  # each in a connection of its own
    packets.time_ns[wrong] += np.random.default_rng(4).integers(10**17, 10**18)
    packets.src[wrong, 0] = np.arange(n)[wrong] + 1
    meter = Meter(idle_ns=15 * 10**9, active_ns=60 * 10**9)
    seen, most = [], 0
    for piece in pieces(packets, size):
        seen.append(meter.add(piece))
        most = max(most, meter.n_open + sum(map(len, meter._held)))
    seen.append(meter.finish(int(packets.time_ns[-1])))
    assert most < 8 * size
    assert sum(int(part.totals[:, 3:5].sum()) for part in seen) == n
    ahead = sum(int((part.totals[:, 1] > START_NS + 10**17).sum()) for part in seen)
    assert ahead == wrong.sum()


def test_what_was_open_when_the_clock_was_set_back_is_ended_by_it():
    packets = drawn(400, 6, ends=20, longest_s=0.01)
    packets.protocol[:] = 17
    meter = Meter(idle_ns=15 * 10**9, active_ns=60 * 10**9)
    first, second = pieces(packets, 200)
    meter.add(first)
    n_open = meter.n_open
    second.time_ns[:] -= 3_600 * 10**9
    ended = meter.add(second)
    assert n_open > 50
    assert (ended.totals[:, 1] >= START_NS).sum() >= n_open
    assert meter._open.totals[: meter.n_open, 1].max() < START_NS


def test_more_open_records_than_there_is_room_for_get_room():
    packets = drawn(3_000, 5, ends=10**6, longest_s=1e-6)
    made = metered(packets, CONVERSATIONS)
    assert len(made) > 2_500
    assert (made.packets_out + made.packets_in).sum() == (packets.protocol > 0).sum()


def test_a_clock_that_is_set_back_begins_a_new_record():
    packets = drawn(2, 1)
    packets.protocol[:], packets.tcp_flags[:] = 17, 0
    packets.src[:, 1], packets.dst[:, 1] = 1, 2
    packets.src_port[:], packets.dst_port[:] = 53, 53
    packets.time_ns[:] = START_NS, START_NS - 3_600 * 10**9
    assert len(metered(packets, Timeouts())) == 2
    packets.time_ns[1] = START_NS - 1_000
    (record,) = rows(metered(packets, Timeouts()))
    assert record[:2] == (START_NS - 1_000, START_NS)
    assert record[13:] == (0.0, 0.0, 0.0, 0.0)


def test_ends_are_told_by_the_words_of_the_table():
    assert ENDS == ("idle", "active", "closed", "capture")


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_a_timeout_that_cannot_be_is_refused(seconds):
    with pytest.raises(ValueError, match="timeout must be above 0 s"):
        Timeouts(idle_s=seconds)
