from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.dataset import Device, load_campaign
from analysis.errors import AnalysisError, DatasetError
from analysis.packets import (
    CLEANING_RULES,
    clean,
    find_raw,
    is_current,
    load_packets,
    make_tables,
    read_tables,
    removed_in,
)
from analysis.packets.table import COLUMNS, Error, PacketTable
from analysis.pcap.beacons import Beacon, encode
from tests.given import write_packets

PLUG = "02:00:00:00:00:12"
CONTROLLER = "02:00:00:00:00:05"


@pytest.fixture
def lamp(craft):
    return Device(name="lamp", mac=craft.lamp)


@pytest.fixture
def table(craft, write, lamp):
    packets = [
        (0, craft.tcp4(b"abcd", seq=1)),
        (
            1,
            craft.tcp4(b"yes", src=craft.cloud, dst=craft.lamp, sport=443, dport=40000),
        ),
        (2, craft.tcp4(b"abcd", seq=1)),
        (3, craft.arp()),
        (4, craft.udp4(b"who?")),
        (5, craft.tcp4(b"abcd"[:3] + b"!", seq=5)[:-1] + b"?"),
    ]
    return read_tables([write(packets)], [lamp])["lamp"]


def test_columns_are_seen_from_the_device(table):
    assert table.outbound.tolist() == [True, False, True, True, True, True]
    assert table.protocol.tolist() == [6, 6, 6, 0, 17, 6]
    assert table.payload_b.tolist() == [4, 3, 4, 0, 4, 4]
    assert table.flow.tolist() == [0, 0, 0, -1, 1, 0]
    assert [table.remotes[r] if r >= 0 else "" for r in table.remote] == [
        "203.0.113.9",
        "203.0.113.9",
        "203.0.113.9",
        "",
        "203.0.113.9",
        "203.0.113.9",
    ]
    assert table.retransmission.tolist() == [0, 0, 1, 0, 0, 0]
    assert table.error.tolist() == [0, 0, 0, 0, Error.CHECKSUM * 0, Error.CHECKSUM]
    assert table.length_b.tolist()[0] == 58


def test_columns_cannot_be_written_to(table):
    for name in COLUMNS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(table, name)[0] = 1


def test_a_table_out_of_order_is_refused(table):
    with pytest.raises(ValueError, match="sorted by time"):
        table.take(np.array([2, 1]))


def test_a_packet_between_two_devices_belongs_to_both(craft, write, lamp):
    path = write([(0, craft.udp4(b"x", dst=PLUG))])
    plug = Device(name="plug", mac=PLUG)
    tables = read_tables([path], [lamp, plug])
    assert tables["lamp"].outbound.tolist() == [True]
    assert tables["plug"].outbound.tolist() == [False]


def test_beacons_belong_to_no_device(craft, write):
    payload = encode(
        Beacon(campaign="c", trial="0001", attempt=1, phase="before", sent_ns=1)
    )
    path = write([(0, craft.beacon(payload)), (1, craft.beacon(b"other traffic"))])
    sender = Device(name="controller", mac=CONTROLLER)
    tables = read_tables([path], [sender])
    assert tables["controller"].frame.tolist() == [2]


def test_several_files_are_joined_in_order_of_time(craft, write, lamp):
    late = write([(5, craft.udp4(b"c")), (7, craft.udp4(b"d"))], name="a.pcapng")
    early = write([(1, craft.udp4(b"a")), (6, craft.udp4(b"b"))], name="b.pcapng")
    tables = read_tables([late, early], [lamp])
    table = tables["lamp"]
    assert ((table.time_ns - craft.start_ns) // 10**9).tolist() == [1, 5, 6, 7]
    assert [table.captures[k] for k in table.capture] == ["b.pcapng", "a.pcapng"] * 2
    assert table.frame.tolist() == [1, 1, 2, 2]
    assert [(b - a) // 10**9 for a, b in table.covered_ns] == [5, 2]


def test_captures_without_macs_go_by_the_address(craft, tmp_path, lamp):
    from analysis.pcap.blocks import LINK_RAW, Interface
    from analysis.pcap.writer import open_capture

    path = tmp_path / "a.pcapng"
    with open_capture(path, interfaces=[Interface(link=LINK_RAW)]) as capture:
        capture.packet(1, craft.tcp4(b"abc")[14:])
    tables = read_tables([path], [lamp])
    assert len(tables["lamp"]) == 0
    known = Device(name="lamp", mac=craft.lamp, ip="10.77.0.11")
    tables = read_tables([path], [known])
    assert tables["lamp"].outbound.tolist() == [True]


def test_parquet_gives_back_every_column(table, tmp_path):
    write_packets(tmp_path, table)
    again = load_packets(tmp_path, "lamp")
    for name in COLUMNS:
        assert np.array_equal(getattr(again, name), getattr(table, name)), name
    assert (again.remotes, again.covered_ns) == (table.remotes, table.covered_ns)
    frame = pl.read_parquet(tmp_path / "packets", hive_partitioning=True)
    assert frame["device"].to_list() == ["lamp"] * 6
    assert frame["remote_address"].cast(pl.String)[3] is None


def test_tables_of_a_list_stand_beside_each_other(table, tmp_path):
    write_packets(tmp_path, table)
    write_packets(tmp_path, replace(table, device="plug"))
    assert len(load_packets(tmp_path, "lamp")) == len(load_packets(tmp_path, "plug"))


def test_a_device_without_packets_has_an_empty_table(craft, write, tmp_path):
    other = Device(name="plug", mac=PLUG)
    make_tables(tmp_path, [write([(0, craft.arp())])], [other])
    assert len(load_packets(tmp_path, "plug")) == 0


def test_a_missing_or_damaged_table_is_one_sentence(craft, write, tmp_path, lamp):
    with pytest.raises(DatasetError, match="run testbed packets"):
        load_packets(tmp_path, "lamp")
    make_tables(tmp_path, [write([(0, craft.arp())])], [lamp])
    (path,) = (tmp_path / "packets/device=lamp").iterdir()
    path.write_text("nonsense")
    with pytest.raises(DatasetError, match="is no packet table"):
        load_packets(tmp_path, "lamp")
    (tmp_path / "packets.json").write_text("{")
    with pytest.raises(DatasetError, match="is damaged; delete it"):
        load_packets(tmp_path, "lamp")


def test_cleaning_is_by_named_rule_and_counted(table):
    both = clean(table)
    assert both.removed == {"errors": 1, "retransmissions": 1}
    assert (both.n_before, len(both.table)) == (6, 4)
    assert len(clean(table, ["retransmissions"]).table) == 5
    with pytest.raises(AnalysisError, match="no cleaning rule is called 'error'"):
        clean(table, ["error"])


def test_checksums_left_to_the_network_card_are_no_errors(table):
    error = np.where(table.outbound, np.uint8(Error.CHECKSUM), np.uint8(0))
    offloaded = replace(table, error=error.astype(np.uint8))
    assert clean(offloaded, ["errors"]).removed == {"errors": 0}


def test_cut_packets_do_not_say_who_makes_checksums(table):
    n = 50
    many = table.take(np.zeros(n, dtype=np.int64))
    outbound = np.ones(n, dtype=bool)
    # a capture with a snaplen: what is whole is wrong, of the rest nobody knows
    error = np.where(np.arange(n) < 20, Error.CHECKSUM, Error.CUT).astype(np.uint8)
    offloaded = replace(many, error=error, outbound=outbound)
    assert clean(offloaded, ["errors"]).removed == {"errors": 0}


def test_ip_headers_left_to_the_network_card_are_no_errors(table):
    error = np.where(table.outbound, Error.IP_CHECKSUM, 0).astype(np.uint8)
    error[~table.outbound] = Error.MALFORMED
    offloaded = replace(table, error=error)
    assert clean(offloaded, ["errors"]).removed == {
        "errors": int(np.count_nonzero(~table.outbound))
    }


def test_counts_that_are_kept_say_what_cleaning_would_remove(craft, write, tmp_path):
    broken = bytearray(craft.tcp4(b"abc"))
    broken[-1] ^= 1
    header = bytearray(craft.tcp4(b"abc", seq=9))
    header[24] ^= 1
    good = [craft.udp4(b"x", sport=n) for n in range(5)]
    frames = [*good, bytes(broken), bytes(header), craft.tcp4(b"abc", seq=9)]
    lamp = Device(name="lamp", mac=craft.lamp)
    path = write(list(enumerate(frames)))
    index = make_tables(tmp_path, [path], [lamp])
    table = load_packets(tmp_path, "lamp")
    rules = tuple(CLEANING_RULES)
    assert removed_in(index, "lamp", rules) == clean(table, rules).removed
    assert clean(table, rules).removed["errors"] == 2


def test_a_campaign_without_captures_is_one_sentence(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "receipt.json").write_text("{}")
    with pytest.raises(DatasetError, match="holds no capture"):
        find_raw(tmp_path)


def test_a_column_of_another_shape_is_refused(table):
    with pytest.raises(ValueError, match="column flow must be"):
        replace(table, flow=np.zeros(3, dtype=np.int32))
    assert isinstance(table, PacketTable)


def test_a_table_is_out_of_date_when_the_campaign_has_more_captures(campaign, craft):
    folder = campaign([[(t, craft.udp4(b"x")) for t in range(5)]], [(3, {})])
    devices = load_campaign(folder).devices
    assert not is_current(folder, devices)
    make_tables(folder, find_raw(folder), devices)
    assert is_current(folder, devices)
    (first,) = find_raw(folder)
    (first.parent / "zzz.pcapng").write_bytes(first.read_bytes())
    assert not is_current(folder, devices)
