import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.packets.streams import flow_numbers, seen_before

slow = settings(derandomize=True, deadline=None, max_examples=300)
SYN = 0x02


def naive_flows(packets):
    """Number unordered pairs of (address, port) with their protocol."""
    known, out = {}, []
    for proto, src, dst, sport, dport in packets:
        key = (proto, frozenset(((src, sport), (dst, dport))))
        out.append(known.setdefault(key, len(known)) if proto else -1)
    return out


@slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 6, 17]),
            st.integers(0, 2),
            st.integers(0, 2),
            st.integers(0, 2),
            st.integers(0, 2),
        ),
        max_size=30,
    )
)
def test_flows_are_those_of_the_naive_twin(packets):
    proto, src, dst, sport, dport = np.array(packets, dtype=np.int64).reshape(-1, 5).T
    # the same number in either half, so that both halves are looked at
    wide = [np.stack((a >> 1, a & 1), axis=1).astype(np.uint64) for a in (src, dst)]
    got = flow_numbers(
        protocol=proto.astype(np.uint8),
        src=wide[0],
        dst=wide[1],
        src_port=sport.astype(np.uint16),
        dst_port=dport.astype(np.uint16),
    )
    assert got.tolist() == naive_flows(packets)


def naive_seen(packets, base):
    """Keep the set of all bytes seen, per flow and direction."""
    seen, out = {}, []
    for flow, outbound, flags, start, size in packets:
        side = (flow, outbound)
        if flags & SYN:
            seen[side] = set()
        start += base + bool(flags & SYN)
        mine = set(range(start, start + size))
        before = seen.setdefault(side, set())
        top = max(before, default=None)
        keep_alive = size == 1 and top is not None and mine == {top}
        out.append(bool(size) and mine <= before and not keep_alive)
        before |= mine
    return out


segments = st.tuples(
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([0x18] * 9 + [SYN]),
    st.integers(0, 25),
    st.integers(0, 8),
)


@slow
@given(st.lists(segments, max_size=40), st.sampled_from([0, 7, 2**32 - 12]))
def test_retransmissions_are_those_of_the_naive_twin(packets, base):
    # data with a SYN would make the first byte ambiguous
    packets = [(f, o, g, s, 0 if g & SYN else n) for f, o, g, s, n in packets]
    flow, outbound, flags, start, size = (
        np.array(packets, dtype=np.int64).reshape(-1, 5).T
    )
    got = seen_before(
        flow=flow.astype(np.int32),
        outbound=outbound.astype(bool),
        protocol=np.full(flow.shape, 6, dtype=np.uint8),
        tcp_flags=flags.astype(np.uint8),
        seq=((base + start) % 2**32).astype(np.uint32),
        payload_b=size.astype(np.uint32),
    )
    assert got.tolist() == naive_seen(packets, base)


def test_udp_is_never_a_retransmission():
    got = seen_before(
        flow=np.zeros(2, dtype=np.int32),
        outbound=np.ones(2, dtype=bool),
        protocol=np.full(2, 17, dtype=np.uint8),
        tcp_flags=np.zeros(2, dtype=np.uint8),
        seq=np.zeros(2, dtype=np.uint32),
        payload_b=np.full(2, 9, dtype=np.uint32),
    )
    assert not got.any()
