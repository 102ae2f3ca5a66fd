"""Features that a home computes from its own flows alone, each from what came before.

Raw addresses, ports, times of day and names are left out: none of them would carry over
to another home. So is how a connection ends: routers that forget or reset silent
connections make all the difference there.
"""

import numpy as np

from analysis.detectors.cadesh.flows import (
    DYNAMIC,
    HOUR_NS,
    INTERNET,
    LAN,
    LOW,
    SYN,
    TCP,
    UDP,
    Bool,
    Float64,
    Int64,
    logs,
    place,
    service_port,
    unanswered,
)
from analysis.detectors.cadesh.keys import Keys, services
from analysis.flows import FlowRecords

_PORTS = (
    ("dns", (53,)),
    ("web", (80, 8080)),
    ("tls", (443, 8443)),
    ("time", (123,)),
    ("found", (67, 68, 1900, 5353)),
)
_FIVE_MINUTES_NS = 300_000_000_000
_FRESH_S = 3_600.0  # a remote address that was not used for so long is fresh
_MOST_S = 7 * 86_400.0  # no memory is longer

NAMES = (
    *("log_bytes_out", "log_bytes_in", "log_packets_out", "log_packets_in"),
    *("log_payload_packet_out", "log_payload_packet_in", "log_duration", "balance"),
    *("log_iat_mean", "log_iat_std", "log_iat_max", "single_packet"),
    *("tcp", "udp", "internet", "lan", "outbound"),
    *(f"port_{name}" for name, _ in _PORTS),
    *("port_low", "port_registered", "port_dynamic"),
    *("syn_out", "syn_in", "unanswered", "named"),
    *("log_gap_same_server", "log_age_of_server", "log_same_server_hour"),
    *("log_fresh_5min", "log_fresh_hour"),
    *("log_unanswered_5min", "log_unanswered_hour"),
)


def own_features(flows: FlowRecords, keys: Keys) -> Float64:
    """Return (n, len(NAMES)) float64, finite, of flows sorted by start."""
    columns = [*_sizes(flows), *_kinds(flows), *_rhythm(flows, keys)]
    return np.column_stack(columns) if len(flows) else np.zeros((0, len(NAMES)))


def _sizes(flows: FlowRecords) -> list[Float64]:
    out_b, in_b = logs(flows.payload_out_b), logs(flows.payload_in_b)
    return [
        logs(flows.bytes_out),
        logs(flows.bytes_in),
        logs(flows.packets_out),
        logs(flows.packets_in),
        logs(flows.payload_out_b / np.maximum(flows.packets_out, 1)),
        logs(flows.payload_in_b / np.maximum(flows.packets_in, 1)),
        logs(flows.duration_s),
        out_b - in_b,
        logs(flows.iat_mean_s),
        logs(flows.iat_std_s),
        logs(flows.iat_max_s),
        (flows.packets_out + flows.packets_in < 2).astype(np.float64),
    ]


def _kinds(flows: FlowRecords) -> list[Float64]:
    where, port = place(flows), service_port(flows)
    known = [np.isin(port, ports) for _, ports in _PORTS]
    other = ~np.logical_or.reduce(known)
    low, dynamic = port < LOW, port >= DYNAMIC
    kinds: list[Bool] = [
        flows.protocol == TCP,
        flows.protocol == UDP,
        where == INTERNET,
        where == LAN,
        flows.outbound,
        *known,
        other & low,
        other & ~low & ~dynamic,
        other & dynamic,
        (flows.tcp_flags_out & SYN) != 0,
        (flows.tcp_flags_in & SYN) != 0,
        unanswered(flows),
        ~flows.server_name.is_in(""),
    ]
    return [kind.astype(np.float64) for kind in kinds]


def _rhythm(flows: FlowRecords, keys: Keys) -> list[Float64]:
    """Return how a flow follows those before it."""
    at = flows.start_ns
    gap_s, age_s, order = since(keys.server, at)
    service = services(flows) * 2 + flows.outbound
    fresh = since(flows.remote_address.number.astype(np.int64), at)[0] > _FRESH_S
    alone = unanswered(flows)
    order_of_service = np.lexsort((at, service))
    known = (service, at, order_of_service)
    return [
        logs(gap_s),
        logs(age_s),
        logs(_before(keys.server, at, order, np.ones(len(at)), HOUR_NS)),
        *(
            # What one service does says nothing of the flows of others at that time.
            logs(np.where(flag, _before(*known, flag.astype(np.float64), span_ns), 0))
            for flag in (fresh, alone)
            for span_ns in (_FIVE_MINUTES_NS, HOUR_NS)
        ),
    ]


def since(what: Int64, at_ns: Int64) -> tuple[Float64, Float64, Int64]:
    """Return seconds since the last and since the first of its kind, and the order.

    The first of its kind has the longest gap that is kept, and no age.
    """
    order = np.lexsort((at_ns, what))
    key, at = what[order], at_ns[order]
    first = np.append(True, key[1:] != key[:-1])[: len(key)]
    gap = np.append(0, np.diff(at))[: len(key)] / 1e9
    gap[first] = _MOST_S
    begin = np.maximum.accumulate(np.where(first, np.arange(len(key)), 0))
    age = (at - at[begin]) / 1e9
    gap_s, age_s = np.empty(len(key)), np.empty(len(key))
    gap_s[order] = np.clip(gap, 0.0, _MOST_S)
    age_s[order] = np.clip(age, 0.0, _MOST_S)
    return gap_s, age_s, order


def _before(
    what: Int64, at_ns: Int64, order: Int64, value: Float64, span_ns: int
) -> Float64:
    """Return the sum of a value over its own kind, within a span before each."""
    sums = np.empty(len(what))
    key, at = what[order], at_ns[order]
    total = np.append(0.0, np.cumsum(value[order]))
    edges = np.append(np.flatnonzero(np.append(True, key[1:] != key[:-1])), len(key))
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = at[begin:end]
        since = begin + np.searchsorted(part, part - span_ns)
        sums[order[begin:end]] = total[begin:end] - total[since]
    return sums
