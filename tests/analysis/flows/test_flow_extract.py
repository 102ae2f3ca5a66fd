import ipaddress
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from analysis.dataset import Device, load_campaign
from analysis.flows import (
    CONVERSATIONS,
    FlowRecords,
    Subject,
    Timeouts,
    extract,
)
from analysis.flows.names import Told
from analysis.flows.packet_tables import extract_tables
from analysis.packets import make_tables
from analysis.pcap.beacons import BEACON_PORT, Beacon, encode
from analysis.pcap.names import dns_answers, server_name
from analysis.pcap.writer import open_capture

ROOT = Path(__file__).parents[3]
LAMP = Device(name="lamp", mac="02:00:00:00:00:01")
ROUTER = "02:00:00:00:00:02"
OWN, DNS, CLOUD = "192.0.2.10", "192.0.2.1", "198.51.100.7"
S = 10**9
START_NS = 1_790_000_000 * S
SYN, ACK, FIN, RST = 2, 16, 1, 4


def frame(src, dst, protocol, head, payload=b"", *, ttl=64):
    version = ipaddress.ip_address(src).version
    own, other = (ipaddress.ip_address(a).packed for a in (src, dst))
    total = head + payload
    if version == 4:
        words = (0x45, 0, 20 + len(total), 0, 0, ttl, protocol, 0, own, other)
        ip = struct.pack(">BBHHHBBH4s4s", *words)
    else:
        ip = struct.pack(">IHBB", 6 << 28, len(total), protocol, ttl) + own + other
    macs = (LAMP.mac, ROUTER) if src in (OWN, "2001:db8::10") else (ROUTER, LAMP.mac)
    source, target = (bytes.fromhex(mac.replace(":", "")) for mac in macs)
    return target + source + (b"\x08\x00" if version == 4 else b"\x86\xdd") + ip + total


def tcp(src, dst, ports, flags, payload=b"", *, seq=1, ack=0, ttl=64):
    head = struct.pack(">HHIIBBHHH", *ports, seq, ack, 0x50, flags, 1000, 0, 0)
    return frame(src, dst, 6, head, payload, ttl=ttl)


def udp(src, dst, ports, payload, *, ttl=64):
    head = struct.pack(">HHHH", *ports, 8 + len(payload), 0)
    return frame(src, dst, 17, head, payload, ttl=ttl)


def labels(name):
    parts = [bytes([len(part)]) + part.encode() for part in name.split(".")]
    return b"".join(parts) + b"\0"


def answer(name, *addresses, alias="edge.example"):
    """A DNS answer by way of an alias."""
    asked = labels(name) + struct.pack(">HH", 1, 1)
    rows = [b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, len(labels(alias)))]
    rows[0] += labels(alias)
    for text in addresses:
        address = ipaddress.ip_address(text)
        kind = 1 if address.version == 4 else 28
        row = struct.pack(">HHIH", kind, 1, 60, len(address.packed)) + address.packed
        rows.append(labels(alias) + row)
    return (
        struct.pack(">HHHHHH", 7, 0x8180, 1, len(rows), 0, 0) + asked + b"".join(rows)
    )


def hello(name):
    """A TLS ClientHello with a few extensions, the name not the first."""
    server = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name.encode()
    extensions = struct.pack(">HH", 23, 0) + struct.pack(">HH", 0, len(server)) + server
    body = b"\x03\x03" + bytes(32) + b"\x04abcd" + struct.pack(">H", 4) + b"\0" * 4
    body += b"\x01\x00" + struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


@pytest.fixture
def write(tmp_path):
    def make(packets, name="a.pcapng"):
        with open_capture(tmp_path / name) as capture:
            for at_s, data in packets:
                capture.packet(START_NS + round(at_s * S), data)
        return tmp_path / name

    return make


def made(paths, subject=None, timeouts=None):
    subject = subject or Subject(device=LAMP, model="Lamp 2", home="h1")
    return FlowRecords.joined(list(extract(paths, [subject], timeouts)))


def test_a_record_says_all_that_a_meter_knows(write):
    path = write(
        [
            (0.0, udp(DNS, OWN, (53, 5000), answer("Lamp.example", CLOUD), ttl=60)),
            (1.0, tcp(OWN, CLOUD, (6000, 443), SYN, seq=9)),
            (1.5, tcp(CLOUD, OWN, (443, 6000), SYN | ACK, seq=4, ack=10, ttl=50)),
            (2.5, tcp(OWN, CLOUD, (6000, 443), ACK | FIN, b"abc", ttl=63)),
            (2.6, tcp(CLOUD, OWN, (443, 6000), ACK | FIN, ttl=49)),
        ]
    )
    records = made([path])
    assert len(records) == 2
    row = records.take(np.array([False, True]))
    assert (row.home.tolist(), row.device.tolist()) == (["h1"], ["lamp"])
    assert row.model.tolist() == ["Lamp 2"]
    assert row.start_ns[0] == START_NS + S
    assert row.duration_s[0] == pytest.approx(1.6)
    assert (row.protocol[0], row.device_port[0], row.remote_port[0]) == (6, 6000, 443)
    assert row.device_address.tolist() == [OWN]
    assert row.remote_address.tolist() == [CLOUD]
    assert row.outbound[0]
    assert (row.packets_out[0], row.packets_in[0]) == (2, 2)
    assert (row.bytes_out[0], row.bytes_in[0]) == (54 + 57, 108)
    assert (row.payload_out_b[0], row.payload_in_b[0]) == (3, 0)
    assert (row.tcp_flags_out[0], row.tcp_flags_in[0]) == (19, 19)
    assert (row.ttl_out[0], row.ttl_in[0]) == (63, 49)
    gaps = np.array([0.5, 1.0, 0.1])
    assert row.iat_mean_s[0] == pytest.approx(gaps.mean())
    assert row.iat_std_s[0] == pytest.approx(gaps.std())
    assert (row.iat_min_s[0], row.iat_max_s[0]) == pytest.approx((0.1, 1.0))
    assert row.server_name.tolist() == ["lamp.example"]
    assert row.end.tolist() == ["closed"]
    assert not records.outbound[0]  # the answer came first


def test_a_name_in_tls_counts_more_than_that_of_the_address(write):
    path = write(
        [
            (0.0, udp(DNS, OWN, (53, 5000), answer("first.example", CLOUD))),
            (1.0, tcp(OWN, CLOUD, (6000, 443), ACK, hello("Own.Example"))),
            (2.0, tcp(OWN, CLOUD, (6001, 443), ACK, b"x")),
            (50.0, tcp(OWN, CLOUD, (6000, 443), ACK, b"still the same connection")),
            (51.0, udp(DNS, OWN, (53, 5001), answer("second.example", CLOUD))),
            (52.0, tcp(OWN, CLOUD, (6002, 443), ACK, b"x")),
        ]
    )
    records = made([path])
    tls = records.take(records.protocol == 6)
    named = sorted(zip(tls.device_port.tolist(), tls.server_name, strict=True))
    assert named == [
        (6000, "own.example"),
        (6000, "own.example"),
        (6001, "first.example"),
        (6002, "second.example"),
    ]


def test_what_one_was_told_another_does_not_know(write):
    other = "192.0.2.11"
    path = write(
        [
            (0.0, udp(DNS, other, (53, 5000), answer("lamp.example", CLOUD))),
            (1.0, tcp(OWN, CLOUD, (6000, 443), ACK, b"x")),
        ]
    )
    records = made([path])
    assert records.server_name.tolist() == ["", ""]


def test_ipv6_is_told_as_people_write_it(write):
    path = write(
        [
            (0.0, udp(DNS, OWN, (53, 5000), answer("six.example", "2001:db8::1"))),
            (1.0, tcp("2001:db8::10", "2001:db8::1", (6000, 443), SYN, ttl=61)),
        ]
    )
    records = made([path], Subject())
    assert records.remote_address.tolist()[1] == "2001:db8::1"
    assert records.ttl_out.tolist() == [64, 61]
    assert records.device.tolist() == ["", ""]


def beat(at_s, port=7000):
    return at_s, udp(OWN, CLOUD, (port, 9000), b"tick")


def test_captures_that_follow_each_other_are_one_measurement(write):
    first = write([beat(k) for k in range(0, 30, 5)], "1.pcapng")
    second = write([beat(k) for k in range(30, 50, 5)], "2.pcapng")
    late = write([beat(k) for k in range(500, 520, 5)], "3.pcapng")
    records = made([first, second, late])
    assert records.packets_out.tolist() == [10, 4]
    assert records.end.tolist() == ["capture", "capture"]
    apart = made([first, second, late], timeouts=CONVERSATIONS)
    assert apart.packets_out.tolist() == [6, 4, 4]


def test_timeouts_are_those_that_were_asked_for(write):
    path = write([*(beat(k) for k in range(0, 130, 10)), beat(400.0)])
    records = made([path])
    assert records.packets_out.tolist() == [6, 6, 1, 1]
    assert records.end.tolist() == ["active", "active", "idle", "capture"]
    longer = made([path], timeouts=Timeouts(active_s=None, idle_s=5.0))
    assert len(longer) == 14


def test_a_packet_at_the_idle_timeout_itself_still_belongs(write):
    tick = 1e-6  # of the stamps
    together = made([write([beat(0), beat(15.0)], "at.pcapng")])
    assert together.packets_out.tolist() == [2]
    apart = made([write([beat(0), beat(15.0 + tick)], "past.pcapng")])
    assert apart.packets_out.tolist() == [1, 1]
    # and one at the active timeout begins the next
    steps = [beat(k) for k in (0, 15, 30, 45)]
    split = made([write([*steps, beat(60)], "active.pcapng")])
    assert split.packets_out.tolist() == [4, 1]
    whole = made([write([*steps, beat(60 - tick)], "before.pcapng")])
    assert whole.packets_out.tolist() == [5]


def test_a_record_is_told_while_only_others_talk(write):
    from analysis.flows.extract import Extraction
    from analysis.flows.reading import read_pieces
    from analysis.pcap.stream import open_capture_stream

    def pieces(path):
        with open_capture_stream(path) as stream:
            yield from read_pieces(stream)

    work = Extraction([Subject(device=LAMP)], Timeouts())
    stranger = bytes.fromhex("02000000000302000000000408004500")
    (own,) = pieces(write([beat(0.0)], "1.pcapng"))
    (soon,) = pieces(write([(10.0, stranger)], "2.pcapng"))
    (late,) = pieces(write([(20.0, stranger)], "3.pcapng"))
    told = [len(list(work.take(piece))) for piece in (own, soon, late)]
    assert told == [0, 0, 1]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_conversations_are_those_of_tshark():
    from tests.bench.flows_exact import compare

    (capture,) = (ROOT / "captures" / "example" / "raw").glob("*.pcapng")
    found = compare(capture)
    assert found.differ == ()
    assert found.ours == found.theirs > 10


def test_beacons_belong_to_no_device(write):
    beacon = Beacon(campaign="c", trial="", attempt=0, phase="probe", sent_ns=START_NS)
    told = udp(OWN, CLOUD, (7000, BEACON_PORT), encode(beacon))
    path = write([(0.0, told), beat(1.0)])
    assert made([path]).remote_port.tolist() == [9000]
    assert len(made([path], Subject())) == 2


def test_a_campaign_gives_the_same_records_by_captures_and_by_tables(tmp_path):
    folder = ROOT / "captures" / "example"
    device = load_campaign(folder).device("echo_dot")
    captures = sorted((folder / "raw").glob("*.pcapng"))
    make_tables(tmp_path, captures, [device])
    for timeouts in (Timeouts(), CONVERSATIONS):
        one = made(captures, Subject(device=device), timeouts).by_time()
        two = FlowRecords.joined(
            list(extract_tables(tmp_path, Subject(device=device), timeouts))
        )
        assert len(one) == len(two) > 3
        for name in FlowRecords.__slots__:
            if not name.startswith("ttl") and name != "server_name":
                assert str(list(getattr(one, name))) == str(list(getattr(two, name)))
        assert set(two.ttl_out.tolist()) == {0}


def test_simulated_homes_are_metered_alike(tmp_path):
    from testbed.model.load import load_profile
    from testbed.virtual.fast.frames import blocks, numbers
    from testbed.virtual.fast.wire import Network, Wire
    from testbed.virtual.homes.meter import END_WORDS, Meter
    from testbed.virtual.house.hosts import NODES
    from tests.bench import homes_agreement as agreement

    profile = load_profile(ROOT / "devices" / "echo_dot.yaml")
    played = sorted(agreement._exchanges(profile, 1, 3), key=lambda row: row[0])
    end_ns = agreement.START_NS + 2 * 3_600 * S
    columns = agreement._by_packets("echo_dot", played, end_ns)
    theirs = Meter().records(columns, end_ns, last=True)

    network = Network(loss=agreement._LOSS, wan_delay_s=agreement._DELAY_S)
    wire = Wire(network, np.random.default_rng(0))
    for at_ns, exchange in played:
        wire.add(at_ns, exchange)
    packets = wire.packets_until(end_ns)
    stamps = np.array([packet.time_ns for packet in packets])
    with (tmp_path / "fast.pcapng").open("wb") as file:
        from analysis.pcap.blocks import LINK_ETHERNET, Interface
        from analysis.pcap.writer import CaptureWriter

        CaptureWriter(file).interface(Interface(link=LINK_ETHERNET))
        file.write(blocks(packets, stamps, numbers(len(packets))))
    device = Device(name="echo_dot", mac=NODES["echo_dot"].mac)
    ours = made([tmp_path / "fast.pcapng"], Subject(device=device))
    own = ipaddress.ip_address(NODES["echo_dot"].ip)
    ours = ours.take(ours.device_address.is_in(str(own)))
    assert len(theirs.start_ns) > 200
    for own, other in (
        (ours.packets_out, theirs.packets[0]),
        (ours.bytes_in, theirs.bytes[1]),
        (ours.payload_out_b, theirs.payload_b[0]),
    ):
        assert own.sum() == other.sum()
    key = [ours.start_ns, ours.bytes_out, ours.bytes_in, ours.payload_in_b]
    mine = set(zip(*(each.tolist() for each in key), ours.end, strict=True))
    sums = (theirs.start_ns, *theirs.bytes, theirs.payload_b[1])
    words = [END_WORDS[code] for code in theirs.end.tolist()]
    expected = set(zip(*(each.tolist() for each in sums), words, strict=True))
    # the homes' meter takes ports that are used again for the same connection
    assert len(expected - mine) <= len(expected) / 30


@pytest.mark.parametrize("seed", range(3))
def test_payloads_that_mean_nothing_name_nobody(seed):
    rng = np.random.default_rng(seed)
    good = [answer("a.example", CLOUD), hello("b.example")]
    assert dns_answers(good[0])[0] == "a.example"
    assert server_name(good[1]) == "b.example"
    for _ in range(2_000):
        data = bytearray(good[rng.integers(2)])
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(len(data))] = rng.integers(256)
        cut = bytes(data[: rng.integers(len(data) + 1)])
        name, addresses = dns_answers(cut)
        assert bool(name) == bool(addresses)
        assert "\0" not in server_name(cut)


def test_what_was_told_is_remembered_only_so_far():
    told = Told(most_keys=2)
    for time_ns, key in enumerate("abca"):
        told.add(key, time_ns, key.upper())
    assert len(told) == 2
    assert told.at("b", 9) == ""
    assert told.at("c", 1) == ""
    assert told.at("c", 2) == "C"
