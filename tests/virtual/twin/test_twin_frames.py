import numpy as np
import pytest

from analysis.pcap.decode import Error, decode_batch
from analysis.pcap.stream import open_capture_stream
from analysis.pcap.writer import open_capture
from testbed.virtual.fast.frames import blocks, numbers
from testbed.virtual.twin.frames import Flow, FrameMaker

MAC, ROUTER = bytes.fromhex("aabbcc010203"), bytes.fromhex("020000770001")


def row(length_b, payload_b, *, out=True, ethertype=0x0800, flags=0x18):
    return {
        "length_b": length_b,
        "payload_b": payload_b,
        "outbound": out,
        "ethertype": ethertype,
        "tcp_flags": flags,
    }


@pytest.fixture
def decoded(tmp_path):
    """Return a function: rows and flows as frames, decoded again."""

    def make(*told):
        maker = FrameMaker(
            mac=MAC,
            router_mac=ROUTER,
            ip=bytes([10, 77, 0, 41]),
            rng=np.random.default_rng(0),
        )
        packets = [maker.packet(10**18 + k, r, f, 0) for k, (r, f) in enumerate(told)]
        stamps = np.array([p.time_ns for p in packets])
        path = tmp_path / "frames.pcapng"
        with open_capture(path):
            pass
        body = blocks(packets, stamps, numbers(len(packets)))
        path.write_bytes(path.read_bytes() + body)
        with open_capture_stream(path) as stream:
            (batch,) = stream
            return decode_batch(batch), batch

    return make


TCP4 = Flow("198.51.100.7", 6, 40_000, 443)


def test_lengths_and_payloads_are_as_told_and_checksums_add_up(decoded):
    told = [
        (row(74, 0, flags=2), TCP4),
        (row(66, 0, out=False, flags=16), TCP4),
        (row(1514, 1448, out=False), TCP4),
        (row(60, 0), TCP4),
        (row(54, 0, flags=16), TCP4),
        (row(90, 48), Flow("203.0.113.9", 17, 123, 123)),
        (row(98, 64), Flow("203.0.113.9", 1, 0, 0)),
        (row(86, 12), Flow("2001:db8::7", 6, 40_001, 443)),
        (row(101, 39), Flow("ff02::fb", 17, 5353, 5353)),
        (row(60, 0, ethertype=0x0806), Flow("", 0, 0, 0)),
    ]
    found, batch = decoded(*told)
    assert batch.length_b.tolist() == [r["length_b"] for r, _ in told]
    assert (
        found.error & (Error.CHECKSUM | Error.IP_CHECKSUM | Error.MALFORMED) == 0
    ).all()
    assert found.payload_b[:6].tolist() == [0, 0, 1448, 0, 0, 48]
    assert found.protocol.tolist() == [6, 6, 6, 6, 6, 17, 1, 6, 17, 0]


def test_sequence_numbers_follow_what_was_sent(decoded):
    told = [
        (row(74, 0, flags=2), TCP4),
        (row(166, 100), TCP4),
        (row(66, 0, out=False, flags=16), TCP4),
        (row(266, 200), TCP4),
    ]
    found, _ = decoded(*told)
    seq, ack = found.seq.tolist(), found.ack.tolist()
    assert [(x - seq[0]) % 2**32 for x in (seq[1], seq[3])] == [1, 101]
    assert ack[2] == (seq[0] + 101) % 2**32


def test_a_connection_that_stands_has_no_retransmissions(tmp_path):
    from analysis.dataset import Device
    from analysis.packets import read_tables

    maker = FrameMaker(
        mac=MAC,
        router_mac=ROUTER,
        ip=bytes([10, 77, 0, 41]),
        rng=np.random.default_rng(0),
    )
    rows = [row(285, 219), row(261, 195, out=False), row(66, 0, flags=16)] * 20
    packets = [maker.packet(10**18 + k, r, TCP4, 0) for k, r in enumerate(rows)]
    path = tmp_path / "one.pcapng"
    with open_capture(path):
        pass
    stamps = np.array([p.time_ns for p in packets])
    body = blocks(packets, stamps, numbers(len(packets)))
    path.write_bytes(path.read_bytes() + body)
    devices = (Device(name="it", mac="aa:bb:cc:01:02:03"),)
    table = read_tables([path], devices)["it"]
    assert len(table) == 60
    assert not table.retransmission.any()
