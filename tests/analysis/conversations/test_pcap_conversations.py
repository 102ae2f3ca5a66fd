"""Numbers of conversations, against a twin in plain Python."""

import csv
import tracemalloc

import numpy as np
import pytest

from analysis.pcap.conversations import Conversations
from analysis.pcap.decode import decode_batch
from analysis.pcap.stream import open_capture_stream

SYN, RST, ACK = 2, 4, 16
A, B, SIX = "10.0.0.1", "10.0.0.2", "fd00::1"


def numbered(packets, make_headers):
    headers = make_headers(packets)
    time_ns = np.arange(len(packets), dtype=np.int64)
    conversations = Conversations()
    return conversations, conversations.add(time_ns, headers)


def tcp(flags=ACK, seq=1, *, back=False, port=40_000, **more):
    ends = {"src": A, "dst": B, "src_port": port, "dst_port": 443}
    if back:
        ends = {"src": B, "dst": A, "src_port": 443, "dst_port": port}
    return {"protocol": 6, "tcp_flags": flags, "seq": seq, **ends, **more}


def twin(headers):
    """Number conversations as the module says, with dictionaries."""
    known, bases, flows, firsts, reverse = {}, [], [], [], []
    for i in range(headers.protocol.size):
        if headers.protocol[i] == 0:
            flows.append(-1)
            reverse.append(False)
            continue
        src = (*headers.src[i].tolist(), int(headers.src_port[i]))
        dst = (*headers.dst[i].tolist(), int(headers.dst_port[i]))
        key = (int(headers.protocol[i]), *sorted((src, dst)))
        flags, seq = int(headers.tcp_flags[i]), int(headers.seq[i])
        ack, number = int(headers.ack[i]), known.get(key)
        segment = key[0] == 6 and (flags or int(headers.window[i]))
        segment = segment and headers.fragment[i] != 1
        new = number is None
        if segment and not new and flags & (SYN | ACK) == SYN:
            base = bases[number].get(src)
            new = base is not None and base != seq
        if new:
            number = known[key] = len(bases)
            bases.append({})
            firsts.append((src, dst))
        if segment:
            base, syn = bases[number], bool(flags & SYN)
            if src not in base or (syn and flags & ACK):
                base[src] = seq if syn else (seq - 1) % 2**32
            if dst not in base and flags & ACK:
                base[dst] = (ack - 1) % 2**32
        flows.append(number)
        reverse.append((src, dst) != firsts[number])
    return flows, reverse


def random_packets(dice, n):
    hosts = [A, B, "10.0.0.3", SIX, "fd00::2"]
    packets = []
    for _ in range(n):
        src, dst = dice.choice(hosts, 2)
        protocol = int(dice.choice((0, 1, 6, 6, 6, 17, 58)))
        packet = {"protocol": protocol, "src": src, "dst": dst}
        if protocol in (6, 17) and dice.random() < 0.9:
            ports = dice.choice((53, 443, 5353), 2)
            packet |= {"src_port": ports[0], "dst_port": ports[1]}
        if protocol == 6 and dice.random() < 0.9:
            flags = int(dice.choice((SYN, SYN | ACK, ACK, ACK, RST)))
            seq, ack = dice.choice((0, 1, 100, 2**32 - 1), 2)
            packet |= {"tcp_flags": flags, "seq": seq, "ack": ack, "window": 1}
        packets.append(packet)
    return packets


@pytest.mark.parametrize("seed", range(4))
def test_numbers_and_directions_are_those_of_the_twin(seed, make_headers):
    packets = random_packets(np.random.default_rng(seed), 4000)
    _, analysed = numbered(packets, make_headers)
    flow, reverse = twin(make_headers(packets))
    assert analysed.flow.tolist() == flow
    assert analysed.reverse.tolist() == reverse


def test_how_the_packets_are_cut_into_batches_changes_nothing(make_headers, take):
    dice = np.random.default_rng(5)
    headers = make_headers(random_packets(dice, 3000))
    time_ns = np.cumsum(dice.integers(0, 10**7, 3000))
    whole = Conversations().add(time_ns, headers)
    assert len(set(whole.retransmission.tolist())) > 2
    pieces, conversations, first = [], Conversations(), 0
    while first < 3000:
        rows = slice(first, first + int(dice.integers(0, 400)))
        pieces.append(conversations.add(time_ns[rows], take(headers, rows)))
        first = rows.stop
    for name in ("flow", "reverse", "retransmission"):
        joined = np.concatenate([getattr(piece, name) for piece in pieces])
        assert joined.tolist() == getattr(whole, name).tolist()


def test_both_directions_are_one_conversation(make_headers):
    packets = [tcp(back=True), tcp(), tcp(back=True)]
    conversations, analysed = numbered(packets, make_headers)
    assert analysed.flow.tolist() == [0, 0, 0]
    assert analysed.reverse.tolist() == [False, True, False]
    keys = conversations.keys()
    assert (keys.src_port.tolist(), keys.dst_port.tolist()) == ([443], [40_000])
    assert keys.src.tolist() == [[0, 0xFFFF0A000002]]
    assert keys.dst.tolist() == [[0, 0xFFFF0A000001]]
    assert keys.protocol.tolist() == [6]


def test_a_syn_with_another_number_starts_a_new_conversation(make_headers):
    packets = [tcp(SYN, 7), tcp(ACK, 8), tcp(SYN, 7), tcp(SYN, 9000), tcp(ACK, 9001)]
    _, analysed = numbered(packets, make_headers)
    assert analysed.flow.tolist() == [0, 0, 0, 1, 1]


def test_a_reset_alone_starts_no_new_conversation(make_headers):
    packets = [tcp(SYN, 7), tcp(RST | ACK, 0, back=True), tcp(SYN, 7)]
    _, analysed = numbered(packets, make_headers)
    assert analysed.flow.tolist() == [0, 0, 0]


def test_a_header_that_was_cut_off_is_numbered_but_not_analysed(make_headers):
    cut = tcp(0, 9)
    packets = [tcp(ACK, 1), tcp(ACK, 1, payload_b=9), cut, tcp(ACK, 1, payload_b=9)]
    _, analysed = numbered(packets, make_headers)
    assert analysed.flow.tolist() == [0, 0, 0, 0]
    assert analysed.retransmission.tolist() == [0, 0, 0, 1]


def test_a_first_fragment_is_numbered_but_not_analysed(make_headers):
    part, whole = tcp(ACK, 1, payload_b=9), tcp(ACK, 1, payload_b=9)
    _, analysed = numbered([tcp(ACK, 1), part | {"fragment": 1}, whole], make_headers)
    assert analysed.flow.tolist() == [0, 0, 0]
    assert analysed.retransmission.tolist() == [0, 0, 0]


def test_what_has_no_ports_is_told_by_addresses_and_protocol(make_headers):
    ends = {"src": A, "dst": B}
    packets = [
        {"protocol": 1, **ends},
        {"protocol": 17, **ends},  # a later fragment
        {"protocol": 17, **ends, "src_port": 1, "dst_port": 2},
        {"protocol": 1, "src": B, "dst": A},
        {"protocol": 0},
    ]
    conversations, analysed = numbered(packets, make_headers)
    assert analysed.flow.tolist() == [0, 1, 2, 0, -1]
    assert conversations.keys().src_port.tolist() == [0, 0, 1]


def test_ipv4_and_ipv6_are_kept_apart(make_headers):
    packets = [
        {"protocol": 17, "src": A, "dst": B, "src_port": 1, "dst_port": 2},
        {"protocol": 17, "src": SIX, "dst": SIX, "src_port": 1, "dst_port": 2},
        {"protocol": 17, "src": SIX, "dst": SIX, "src_port": 2, "dst_port": 1},
    ]
    _, analysed = numbered(packets, make_headers)
    assert analysed.flow.tolist() == [0, 1, 1]
    assert analysed.reverse.tolist() == [False, False, True]


def test_many_conversations_need_little_memory(make_headers, take):
    n = 200_000
    one = make_headers([tcp(SYN, 7)])
    many = take(one, np.zeros(n, dtype=np.int64))
    many.src[:, 1] += np.arange(n, dtype=np.uint64) // 50_000
    many.src_port[:] = np.arange(n) % 50_000
    tracemalloc.start()
    try:
        conversations = Conversations()
        for first in range(0, n, 50_000):
            rows = slice(first, first + 50_000)
            conversations.add(np.arange(50_000), take(many, rows))
        held_b = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(conversations) == n
    # tables have room for up to twice as many
    assert held_b / n < 400
    assert np.array_equal(conversations.keys().src_port, many.src_port)
    assert np.array_equal(conversations.keys(n - 7).src_port, many.src_port[-7:])


def test_an_empty_batch_is_nothing(make_headers):
    conversations, analysed = numbered([], make_headers)
    assert analysed.flow.size == len(conversations) == conversations.keys().src.size


def test_published_counts_of_conversations_are_met(public_data):
    folder = public_data / "fit-iot-week"
    with (folder / "published_table1.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["tshark_tcp_conv"]]
    paths = [(row, folder / "pcaps" / f"{row['device']}.pcap") for row in rows]
    paths = [(row, path) for row, path in paths if path.exists()]
    assert paths
    for row, path in paths:
        conversations = Conversations()
        with open_capture_stream(path) as stream:
            for batch in stream:
                conversations.add(batch.time_ns, decode_batch(batch))
        protocol = conversations.keys().protocol
        assert (protocol == 6).sum() == int(row["tshark_tcp_conv"]), path
        assert (protocol == 17).sum() == int(row["tshark_udp_conv"]), path
