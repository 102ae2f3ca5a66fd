"""Read a capture with a library of others; a program by itself, in their environment.

    python -P tests/bench/others.py dpkt|scapy|nfstream|pyshark CAPTURE

Takes addresses, ports, sequence numbers, flags and lengths out of every packet, as far
as the library gives them; NFStream yields flows. Prints the number as JSON.
"""

import json
import sys


def with_dpkt(path):
    import dpkt

    rows = []
    with open(path, "rb") as file:  # noqa: PTH123
        for stamp, data in dpkt.pcap.UniversalReader(file):
            frame = dpkt.ethernet.Ethernet(data)
            packet = frame.data
            if not isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)):
                rows.append((stamp, len(data), frame.src, frame.dst))
                continue
            row = (stamp, len(data), frame.src, frame.dst, packet.src, packet.dst)
            above = packet.data
            if isinstance(above, dpkt.tcp.TCP):
                row += (above.sport, above.dport, above.seq, above.ack, above.flags)
                row += (above.win, len(above.data))
            elif isinstance(above, dpkt.udp.UDP):
                row += (above.sport, above.dport, len(above.data))
            rows.append(row)
    return len(rows)


def with_scapy(path):
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether
    from scapy.utils import PcapReader

    rows = []
    with PcapReader(path) as reader:
        for packet in reader:
            frame = packet[Ether]
            row = (packet.time, len(packet), frame.src, frame.dst)
            for kind in (IP, IPv6):
                if kind in packet:
                    row += (packet[kind].src, packet[kind].dst)
            if TCP in packet:
                above = packet[TCP]
                row += (above.sport, above.dport, above.seq, above.ack, above.flags)
            elif UDP in packet:
                row += (packet[UDP].sport, packet[UDP].dport)
            rows.append(row)
    return len(rows)


def with_nfstream(path):
    from nfstream import NFStreamer

    streamer = NFStreamer(source=path, statistical_analysis=True, n_dissections=0)
    return sum(flow.bidirectional_packets for flow in streamer)


def with_pyshark(path):
    import pyshark

    rows = []
    with pyshark.FileCapture(path, keep_packets=False) as capture:
        for packet in capture:
            row = (packet.sniff_timestamp, packet.length, packet.highest_layer)
            if "TCP" in packet:
                above = packet.tcp
                row += (above.srcport, above.dstport, above.seq, above.ack, above.flags)
            rows.append(row)
    return len(rows)


READERS = {
    "dpkt": with_dpkt,
    "scapy": with_scapy,
    "nfstream": with_nfstream,
    "pyshark": with_pyshark,
}


def main():
    """Read, print."""
    name, path = sys.argv[1:]
    print(json.dumps({"packets": int(READERS[name](path))}))


if __name__ == "__main__":  # NFStream starts processes that import this file again
    main()
