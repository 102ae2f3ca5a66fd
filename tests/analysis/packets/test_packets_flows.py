"""The flow table, against sums in plain Python."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.errors import DatasetError
from analysis.packets.flows import FLOW_COLUMNS, FlowTotals, load_flows, write_flows
from analysis.packets.index import CapturePart, DevicePart, Index, write_index
from analysis.pcap.conversations import Conversations, Keys

START = 1_700_000_000 * 10**9


def keys_of(m):
    src = np.zeros((m, 2), dtype=np.uint64)
    dst = np.zeros((m, 2), dtype=np.uint64)
    src[:, 1] = 0xFFFF0A000000 + np.arange(m)
    dst[:, 0], dst[:, 1] = 0xFD << 56, 1 + np.arange(m)
    return Keys(
        src=src,
        dst=dst,
        src_port=np.arange(1000, 1000 + m, dtype=np.uint16),
        dst_port=np.full(m, 443, dtype=np.uint16),
        protocol=np.full(m, 6, dtype=np.uint8),
    )


def random_packets(seed, n, m):
    dice = np.random.default_rng(seed)
    return {
        "flow": dice.integers(-1, m, n).astype(np.int32),
        "reverse": dice.random(n) < 0.5,
        "outbound": dice.random(n) < 0.5,
        "time_ns": START + dice.integers(0, 10**12, n),
        "length_b": dice.integers(60, 2**32, n).astype(np.uint32),
        "payload_b": dice.integers(0, 2**32, n).astype(np.uint32),
        "tcp_flags": (1 << dice.integers(0, 8, n)).astype(np.uint8),
        "retransmission": dice.integers(0, 6, n).astype(np.uint8),
    }


def twin(packets):
    flows = {}
    for row in zip(*(packets[name].tolist() for name in packets), strict=True):
        flow, reverse, outbound, time_ns, length_b, payload_b, flags, code = row
        if flow < 0:
            continue
        new = {"started_by_device": outbound, "is_source": outbound != reverse}
        total = flows.setdefault(flow, {"stamps": [], "retransmissions": 0} | new)
        total["stamps"].append(time_ns)
        total["retransmissions"] += code in (1, 2, 3)
        way = "out" if outbound else "in"
        for name, value in (
            (f"packets_{way}", 1),
            (f"bytes_{way}", length_b),
            (f"payload_{way}_b", payload_b),
        ):
            total[name] = total.get(name, 0) + value
        name = f"tcp_flags_{way}"
        total[name] = total.get(name, 0) | flags
    return flows


@pytest.mark.parametrize("seed", range(3))
def test_totals_are_those_of_the_twin_however_packets_are_batched(seed):
    m = 500
    packets = random_packets(seed, 6000, m)
    totals, first = FlowTotals(), 0
    while first < 6000:
        last = first + int(np.random.default_rng(first).integers(0, 900))
        totals.add(**{name: column[first:last] for name, column in packets.items()})
        first = last
    table = totals.table(keys_of(m), device="lamp", capture=3)
    truth = twin(packets)
    assert table.flow.tolist() == list(truth)
    for row, total in enumerate(truth.values()):
        assert table.first_ns[row] == min(total["stamps"])
        assert table.last_ns[row] == max(total.pop("stamps"))
        is_source, flow = total.pop("is_source"), int(table.flow[row])
        ends = [f"10.0.{flow // 256}.{flow % 256}", f"fd00::{flow + 1:x}"]
        ports = [1000 + flow, 443]
        if not is_source:
            ends, ports = ends[::-1], ports[::-1]
        assert [table.device_address[row], table.remote_address[row]] == ends
        assert [table.device_port[row], table.remote_port[row]] == ports
        for name in FLOW_COLUMNS:
            way = name.endswith(("_out", "_in", "_out_b", "_in_b"))
            if name in total or way:
                assert getattr(table, name)[row] == total.get(name, 0), name
    assert set(table.capture.tolist()) == {3}


def test_the_device_is_found_at_its_end_of_the_conversation():
    lamp, cloud = "10.77.0.11", "203.0.113.9"
    ends = [(0, 0xFFFF0A4D000B), (0, 0xFFFFCB007109)]
    out = np.array([False, True, True])
    table = flows_of(out, ends, ports=(40_000, 443))
    assert table.device_address.tolist() == [lamp]
    assert table.remote_address.tolist() == [cloud]
    assert (table.device_port[0], table.remote_port[0]) == (40_000, 443)
    assert not table.started_by_device[0]
    assert (table.packets_out[0], table.packets_in[0]) == (2, 1)


def flows_of(outbound, ends, ports):
    """Run packets between the device and another end through both parts."""
    n = outbound.size
    device, other = (np.array([end] * n, dtype=np.uint64) for end in ends)
    headers = Columns()
    headers.protocol = np.full(n, 17, dtype=np.uint8)
    headers.src = np.where(outbound[:, None], device, other)
    headers.dst = np.where(outbound[:, None], other, device)
    headers.src_port = np.where(outbound, *ports).astype(np.uint16)
    headers.dst_port = np.where(outbound, *ports[::-1]).astype(np.uint16)
    headers.tcp_flags = np.zeros(n, dtype=np.uint8)
    headers.window = np.zeros(n, dtype=np.uint16)
    headers.fragment = np.zeros(n, dtype=np.uint8)
    headers.seq = headers.ack = np.zeros(n, dtype=np.uint32)
    headers.payload_b = np.full(n, 10, dtype=np.uint32)
    conversations, totals = Conversations(), FlowTotals()
    time_ns = START + np.arange(n)
    analysed = conversations.add(time_ns, headers)
    totals.add(
        flow=analysed.flow,
        reverse=analysed.reverse,
        outbound=outbound,
        time_ns=time_ns,
        length_b=np.full(n, 52, dtype=np.uint32),
        payload_b=headers.payload_b,
        tcp_flags=headers.tcp_flags,
        retransmission=analysed.retransmission,
    )
    return totals.table(conversations.keys(), device="lamp")


class Columns:
    pass


def table_of(seed=0, capture=0):
    totals = FlowTotals()
    totals.add(**random_packets(seed, 300, 20))
    return totals.table(keys_of(20), device="lamp", capture=capture)


def indexed(folder, captures):
    parts = [
        CapturePart(
            name=name,
            size_b=0,
            mtime_ns=0,
            digest="",
            n_frames=0,
            n_conversations=20,
            first_ns=None,
            last_ns=None,
            truncated_at=None,
            n_backwards=0,
            n_foreign=0,
            n_one_sided=0,
            devices={"lamp": DevicePart(n_flows=n_flows)},
        )
        for name, n_flows in captures.items()
    ]
    write_index(folder, Index(devices={"lamp": {}}, captures=tuple(parts)))


def test_flows_of_all_captures_are_read_back_as_one_table(tmp_path):
    parts = {f"{seed}.pcap": table_of(seed) for seed in range(3)}
    for name, part in parts.items():
        path = tmp_path / "flows" / "device=lamp" / f"{name}.parquet"
        assert write_flows(path, [part], name) == path.stat().st_size
    indexed(tmp_path, {name: len(part) for name, part in parts.items()})
    table = load_flows(tmp_path, "lamp")
    for name in set(FLOW_COLUMNS) - {"capture", "flow"}:
        joined = np.concatenate([getattr(part, name) for part in parts.values()])
        assert np.array_equal(getattr(table, name), joined), name
    first = len(parts["0.pcap"])
    assert table.capture.tolist()[first] == 1
    assert table.flow.tolist()[first] == 20 + int(parts["1.pcap"].flow[0])
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_of_flows_names_its_capture(tmp_path):
    path = tmp_path / "a.parquet"
    write_flows(path, [table_of()], "a.pcap")
    assert set(pq.read_table(path)["capture"].to_pylist()) == {"a.pcap"}


def test_flows_in_pieces_are_those_of_one_table(monkeypatch, tmp_path):
    monkeypatch.setattr("analysis.packets.flows._PIECE", 7)
    totals = FlowTotals()
    totals.add(**random_packets(3, 300, 20))
    pieces = list(totals.tables(keys_of(20), device="lamp"))
    assert len(pieces) > 1
    write_flows(tmp_path / "flows/device=lamp/a.pcap.parquet", pieces, "a.pcap")
    indexed(tmp_path, {"a.pcap": len(totals)})
    table = load_flows(tmp_path, "lamp")
    whole = totals.table(keys_of(20), device="lamp")
    for name in FLOW_COLUMNS:
        assert np.array_equal(getattr(table, name), getattr(whole, name)), name


def test_a_device_without_packets_has_no_flows(tmp_path):
    assert len(FlowTotals().table(keys_of(0), device="lamp")) == 0
    indexed(tmp_path, {"a.pcap": 0})
    assert len(load_flows(tmp_path, "lamp")) == 0


def test_a_table_that_is_missing_or_damaged_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="run testbed packets"):
        load_flows(tmp_path, "lamp")
    indexed(tmp_path, {"a.pcap": 1})
    path = tmp_path / "flows" / "device=lamp" / "a.pcap.parquet"
    path.parent.mkdir(parents=True)
    for content in (b"no Parquet", b""):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="no flow table"):
            load_flows(tmp_path, "lamp")


def test_columns_of_another_type_are_refused():
    table = table_of()
    columns = {name: getattr(table, name) for name in FLOW_COLUMNS}
    columns["packets_in"] = columns["packets_in"].astype(np.int32)
    with pytest.raises(ValueError, match="packets_in"):
        type(table)(device="lamp", **columns)
