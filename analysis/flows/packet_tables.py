"""Flow records of packet tables, where the captures themselves are not at hand.

Tables keep neither TTL nor payloads: `ttl_out`, `ttl_in` are 0 and `server_name` is ''.
They are sorted by time, and connections end with their capture.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.flows.extract import Subject, Timeouts, records_of
from analysis.flows.meter import Finished, Meter, Packets
from analysis.flows.records import FlowRecords
from analysis.flows.texts import Texts
from analysis.packets import PacketTable, iter_packets
from analysis.packets.flows import FlowTable, load_flows
from analysis.pcap.decode import TCP

_HIGH = 3  # column of a key: lower half of the higher address


def extract_tables(
    folder: Path, subject: Subject, timeouts: Timeouts | None = None
) -> Iterator[FlowRecords]:
    """Yield the flow records of a device of a folder with packet tables, by start.

    Raises DatasetError when there is no table of it.
    """
    if subject.device is None:
        raise ValueError("packet tables are of devices, and no device is named")
    rule = timeouts or Timeouts()
    meter = Meter(idle_ns=rule.idle_ns, active_ns=rule.active_ns)
    flows = load_flows(folder, subject.device.name)
    until_ns = 0
    for table in iter_packets(folder, subject.device.name):
        until_ns = max((last_ns for _, last_ns in table.covered_ns), default=0)
        if len(table):
            yield from _made(meter.add(_packets(table)), subject, flows)
    yield from _made(meter.finish(until_ns), subject, flows)


def _made(
    finished: Finished, subject: Subject, flows: FlowTable
) -> Iterator[FlowRecords]:
    """Yield records with the ends that the flow table names."""
    if not len(finished):
        return
    number = (finished.keys[:, _HIGH] - np.uint64(1)).astype(np.int64)
    order = np.argsort(flows.flow)
    rows = order[np.searchsorted(flows.flow, number, sorter=order)]
    yield replace(
        records_of(finished, subject),
        device_address=Texts.of(flows.device_address[rows].tolist()),
        remote_address=Texts.of(flows.remote_address[rows].tolist()),
        device_port=flows.device_port[rows],
        remote_port=flows.remote_port[rows],
    )


def _packets(table: PacketTable) -> Packets:
    """Return packets whose addresses are the numbers of their connections."""
    n = len(table)
    inside = table.flow >= 0
    number = np.where(inside, table.flow, 0).astype(np.uint64) + np.uint64(1)
    return Packets(
        time_ns=table.time_ns,
        length_b=table.length_b.astype(np.int64),
        payload_b=table.payload_b.astype(np.int64),
        outbound=table.outbound,
        ttl=np.zeros(n, dtype=np.uint8),
        protocol=np.where(inside, table.protocol, 0).astype(np.uint8),
        src=_pairs(np.where(table.outbound, number, np.uint64(0))),
        dst=_pairs(np.where(table.outbound, np.uint64(0), number)),
        src_port=np.zeros(n, dtype=np.uint16),
        dst_port=np.zeros(n, dtype=np.uint16),
        # connections are numbered already: no SYN begins another
        segment=np.zeros(n, dtype=np.bool_),
        tcp_flags=np.where(table.protocol == TCP, table.tcp_flags, 0).astype(np.uint8),
        seq=table.seq,
        ack=table.ack,
    )


def _pairs(number: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return np.stack([np.zeros_like(number), number], axis=1)
